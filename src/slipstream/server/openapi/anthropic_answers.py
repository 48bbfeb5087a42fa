"""What callers of Anthropic's API get beside answers of models, for the OpenAPI document."""

from typing import Any, Literal

from msgspec import Struct


class AnthropicErrorDetail(Struct):
    """What went wrong."""

    type: str
    message: str


class AnthropicError(Struct):
    """An error as Anthropic tells it."""

    type: Literal["error"]
    error: AnthropicErrorDetail
    request_id: str


class AnthropicModel(Struct):
    """A model, for callers that send `anthropic-version`; null is what is not known."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str
    lifecycle: Literal["active", "deprecated", "retired"]
    deprecated_at: str | None
    retires_at: str | None
    line: str | None
    capabilities: dict[str, Any] | None
    max_input_tokens: int | None
    max_tokens: int | None


class AnthropicModelList(Struct):
    """A page of models, likewise."""

    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None
