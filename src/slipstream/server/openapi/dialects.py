"""Messages and Responses in the OpenAPI document: the rows, and what all requests and answers have.

What else they hold, Anthropic's and OpenAI's own documents say.
"""

from typing import Any, Final, Literal

from msgspec import Struct

from slipstream.server.openapi.operation import ASKING, PACKED, PACKING, Operation


class MessagesTurn(Struct, kw_only=True):
    """A turn of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]]


class MessagesCountRequest(Struct, kw_only=True):
    """A request whose tokens are counted."""

    model: str
    messages: list[MessagesTurn]
    system: str | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


class MessagesRequest(MessagesCountRequest, kw_only=True):
    """A request of Anthropic's Messages."""

    max_tokens: int
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None


class MessagesUsage(Struct, kw_only=True):
    """What an answer has cost; what was read from a cache is not in `input_tokens`."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class MessagesAnswer(Struct, kw_only=True):
    """An answer of Anthropic's Messages."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    stop_sequence: str | None
    usage: MessagesUsage


class MessagesEvent(Struct, kw_only=True):
    """An event of a stream; what else it holds, its type says."""

    type: str


class MessagesCount(Struct, kw_only=True):
    """How many tokens a request has."""

    input_tokens: int


class ResponsesRequest(Struct, kw_only=True):
    """A request of OpenAI's Responses; its answer is kept unless `store` is false."""

    model: str
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    max_output_tokens: int | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None


class ResponsesAnswer(Struct, kw_only=True):
    """An answer of OpenAI's Responses."""

    id: str
    object: Literal["response"]
    created_at: float
    status: str
    model: str
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None


class ResponsesEvent(Struct, kw_only=True):
    """An event of a stream; what else it holds, its type says."""

    type: str
    sequence_number: int


_ANTHROPIC: Final = ("anthropic-version", "anthropic-beta")

DIALECT_OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/messages",
        "createMessage",
        "Messages",
        "Answer a conversation, as Anthropic does.",
        takes=(MessagesRequest,),
        takes_as=PACKED,
        gives=(MessagesAnswer,),
        gives_events=(MessagesEvent,),
        parameters=(*PACKING, *_ANTHROPIC),
        errors=(*ASKING, 529),
    ),
    Operation(
        "POST",
        "/v1/messages/count_tokens",
        "countMessageTokens",
        "Messages",
        "Count the tokens of a request: exactly for a model that runs here, else nearly.",
        takes=(MessagesCountRequest,),
        takes_as=PACKED,
        gives=(MessagesCount,),
        parameters=(*PACKING, *_ANTHROPIC),
        errors=(*ASKING, 529),
    ),
    Operation(
        "POST",
        "/v1/responses",
        "createResponse",
        "Responses",
        "Answer a conversation, as OpenAI's Responses do.",
        takes=(ResponsesRequest,),
        takes_as=PACKED,
        gives=(ResponsesAnswer,),
        gives_events=(ResponsesEvent,),
        parameters=PACKING,
        errors=ASKING,
    ),
)
