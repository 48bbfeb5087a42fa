"""What is offered around an answer of Responses, for the OpenAPI document: the rows and records.

What else items hold, OpenAI's own document says.
"""

from typing import Any, Final, Literal

from msgspec import Struct

from slipstream.server.openapi.dialects import ResponsesAnswer
from slipstream.server.openapi.operation import ASKING, PACKED, PACKING, Operation


class ResponsesCountRequest(Struct, kw_only=True):
    """A request whose tokens are counted."""

    model: str | None = None
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None


class ResponsesCount(Struct, kw_only=True):
    """About how many tokens a request has."""

    object: Literal["response.input_tokens"]
    input_tokens: int


class ResponsesCompactRequest(Struct, kw_only=True):
    """A conversation that is to be made shorter."""

    model: str
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    max_output_tokens: int | None = None
    reasoning: dict[str, Any] | None = None
    temperature: float | None = None


class ResponsesCompaction(Struct, kw_only=True):
    """A conversation made shorter; its output is the beginning of the next input."""

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[dict[str, Any]]
    usage: dict[str, Any]


class ResponsesItemList(Struct, kw_only=True):
    """A page of items; `after` with its last id asks for the next."""

    object: Literal["list"]
    data: list[dict[str, Any]]
    has_more: bool
    first_id: str | None
    last_id: str | None


class ResponsesDeleted(Struct, kw_only=True):
    """What is left of an answer."""

    id: str
    object: Literal["response"]
    deleted: bool


KEPT_RESPONSES: Final = (
    Operation(
        "POST",
        "/v1/responses/input_tokens",
        "countResponseTokens",
        "Responses",
        "Estimate how many tokens a request has.",
        takes=(ResponsesCountRequest,),
        takes_as=PACKED,
        gives=(ResponsesCount,),
        parameters=PACKING,
        errors=(400, 408, 413, 503),
    ),
    Operation(
        "POST",
        "/v1/responses/compact",
        "compactResponse",
        "Responses",
        "Have a model make a conversation shorter.",
        takes=(ResponsesCompactRequest,),
        takes_as=PACKED,
        gives=(ResponsesCompaction,),
        parameters=PACKING,
        errors=ASKING,
    ),
    Operation(
        "GET",
        "/v1/responses/{}",
        "getResponse",
        "Responses",
        "Return an answer that is kept.",
        gives=(ResponsesAnswer,),
        errors=(400, 404, 503),
    ),
    Operation(
        "DELETE",
        "/v1/responses/{}",
        "deleteResponse",
        "Responses",
        "Forget an answer.",
        gives=(ResponsesDeleted,),
        errors=(400, 404, 503),
    ),
    Operation(
        "POST",
        "/v1/responses/{}/cancel",
        "cancelResponse",
        "Responses",
        "Stop making an answer in the background.",
        gives=(ResponsesAnswer,),
        errors=(400, 404, 503),
    ),
    Operation(
        "GET",
        "/v1/responses/{}/input_items",
        "listResponseInputItems",
        "Responses",
        "List what an answer was made of, the newest first.",
        gives=(ResponsesItemList,),
        parameters=("limit", "after", "order"),
        errors=(400, 404, 503),
    ),
)
