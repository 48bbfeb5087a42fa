"""The shape of a Cerebras chat body: its keys and types at every level.

Source: ../shared/reference/cerebras-api.md sections 2.1 to 2.3 and 5.3, 2026-11-21.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from slipstream.wire.cerebras.models import AskedFormat as FormatName
from slipstream.wire.cerebras.models import Effort
from slipstream.wire.cerebras.shape import (
    Bias,
    CacheKey,
    Choices,
    Limit,
    OneOf,
    Penalty,
    Seed,
    Shape,
    Stops,
    StreamOptions,
    Temperature,
    TopP,
    check_shape,
)

# ---- types --------------------------------------------------------------------------------------


class Text(msgspec.Struct, tag_field="type", tag="text"):
    """A part of a content that is text."""

    text: str


class _Url(msgspec.Struct):
    url: str
    detail: str | None = "auto"


class ImageUrl(msgspec.Struct, tag_field="type", tag="image_url"):
    """A part that shows an image by a URI of its data."""

    image_url: _Url


class Image(msgspec.Struct, tag_field="type", tag="image"):
    """A part that shows an image, the short way."""

    image: str


Content = str | list[Text | ImageUrl | Image]


class System(msgspec.Struct, tag_field="role", tag="system"):
    """What the model is told beforehand."""

    content: Content
    name: str | None = None


class Developer(msgspec.Struct, tag_field="role", tag="developer"):
    """The same, under its newer name."""

    content: Content
    name: str | None = None


class User(msgspec.Struct, tag_field="role", tag="user"):
    """What the user says."""

    content: Content
    name: str | None = None


class _CallFunction(msgspec.Struct):
    name: str
    arguments: str


class Call(msgspec.Struct):
    """A call of a function that the model made."""

    id: str
    function: _CallFunction
    type: Literal["function"]
    index: int | None = None


class Assistant(msgspec.Struct, tag_field="role", tag="assistant"):
    """What the model said."""

    content: str | list[Text] | None = None
    name: str | None = None
    reasoning: str | list[Text] | None = None
    tool_calls: list[Call] | None = None


class ToolAnswer(msgspec.Struct, tag_field="role", tag="tool"):
    """What a function returned."""

    content: str | list[Text]
    tool_call_id: str
    name: str | None = None


Message = System | Developer | User | Assistant | ToolAnswer


class _Function(msgspec.Struct):
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool = False


class Tool(msgspec.Struct):
    """A function that the model may call."""

    type: Literal["function"]
    function: _Function


class _Name(msgspec.Struct):
    name: str


class Named(msgspec.Struct):
    """The function that it must call."""

    type: Literal["function"]
    function: _Name


class _JsonSchema(msgspec.Struct):
    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class _PlainFormat(msgspec.Struct):
    type: str


class AskedFormat(msgspec.Struct):
    """What the answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _Prediction(msgspec.Struct):
    type: Literal["content"]
    content: str | list[Text]


class Body(msgspec.Struct):
    """A whole body, its types and ranges checked."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: Limit = None
    max_tokens: Limit = None
    min_completion_tokens: Limit = None
    min_tokens: Limit = None
    temperature: Temperature = None
    top_p: TopP = None
    frequency_penalty: Penalty = None
    presence_penalty: Penalty = None
    logit_bias: Bias = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    n: Choices = None
    seed: Seed = None
    stop: Stops = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    tools: list[Tool] | None = None
    tool_choice: str | Named | None = None
    parallel_tool_calls: bool | None = None
    response_format: AskedFormat | None = None
    reasoning_effort: Effort | None = None
    reasoning_format: FormatName = "none"
    clear_thinking: bool | None = None
    disable_reasoning: bool | None = None
    prediction: _Prediction | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    prompt_cache_key: CacheKey = None
    model_parameters: dict[str, Any] | None = None


# ---- keys ---------------------------------------------------------------------------------------

_PART: Final = OneOf(
    "type",
    {
        "text": Shape(Text),
        "image_url": Shape(ImageUrl, {"image_url": Shape(_Url)}),
        "image": Shape(Image),
    },
)
_CALL: Final = Shape(Call, {"function": Shape(_CallFunction)})
_TURN: Final[dict[str, Shape | OneOf]] = {"content": _PART, "reasoning": _PART, "tool_calls": _CALL}
_MESSAGE: Final = OneOf(
    "role",
    {
        "system": Shape(System, _TURN),
        "developer": Shape(Developer, _TURN),
        "user": Shape(User, _TURN),
        "assistant": Shape(Assistant, _TURN),
        "tool": Shape(ToolAnswer, _TURN),
    },
    is_named=True,
)
_FORMAT: Final = OneOf(
    "type",
    {
        "text": Shape(_PlainFormat),
        "json_object": Shape(_PlainFormat),
        "json_schema": Shape(AskedFormat, {"json_schema": Shape(_JsonSchema)}),
    },
)
_BODY: Final[dict[str, Shape | OneOf]] = {
    "messages": _MESSAGE,
    "tools": Shape(Tool, {"function": Shape(_Function)}),
    "tool_choice": Shape(Named, {"function": Shape(_Name)}),
    "response_format": _FORMAT,
    "prediction": Shape(_Prediction, {"content": _PART}),
    "stream_options": Shape(StreamOptions),
}


def check_body(body: Any) -> Body:
    """Check the body of a chat.

    Raises:
        BadRequest: As `check_shape`.
    """
    return check_shape(body, Body, _BODY)
