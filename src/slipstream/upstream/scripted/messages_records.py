"""What a request of Messages may hold beside its messages, as closed records.

Source: ../shared/reference/providers.md, section 2; anthropic-python 2.11.0's types; 2026-11-21.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from slipstream.upstream.scripted.messages_blocks import CacheControl, Closed, Message, Text


class Offered(Closed, kw_only=True):
    """A tool of the client's."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,128}\Z")]
    input_schema: dict[str, Any]
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None
    defer_loading: bool | None = None
    input_examples: list[dict[str, Any]] | None = None
    allowed_callers: list[str] | None = None


class AnyTool(Struct):
    """Any tool: whose it is."""

    type: str = "custom"


class Choice(Closed):
    """Whether tools must be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(Closed):
    """How much is to be thought."""

    type: Literal["adaptive", "enabled", "disabled", "between_tools"]
    budget_tokens: Annotated[int, Meta(ge=1024)] | None = None
    display: Literal["summarized", "omitted", "updates"] | None = None
    block_binding: dict[str, Any] | None = None


class Form(Closed):
    """What the answer must look like."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Closed):
    """How the answer is to be made."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Form | None = None
    task_budget: dict[str, Any] | None = None


class Metadata(Closed):
    """Who asks."""

    user_id: Annotated[str, Meta(max_length=512)] | None = None


class Counted(Closed, kw_only=True):
    """What a request to count tokens may hold."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Text] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: Choice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None
    mcp_servers: list[Any] | None = None
    context_management: dict[str, Any] | None = None
    speed: Literal["standard", "fast"] | None = None
    safeguards: Any = None
    diagnostics: dict[str, Any] | None = None


class Request(Counted, kw_only=True):
    """What a request for an answer may hold besides."""

    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    metadata: Metadata | None = None
    stop_sequences: list[Annotated[str, Meta(min_length=1)]] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    inference_geo: str | None = None
    container: Any = None
