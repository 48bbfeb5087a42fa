"""What Cerebras refuses of a chat beyond types and ranges: fields together, order, images, schemas.

Source: ../shared/reference/cerebras-api.md sections 2 and 5.4, 2026-11-21.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from slipstream.wire.cerebras.body import (
    Assistant,
    Body,
    Developer,
    Image,
    Message,
    Named,
    Text,
    ToolAnswer,
)
from slipstream.wire.cerebras.models import CerebrasModel
from slipstream.wire.cerebras.schema import find_schema_fault
from slipstream.wire.cerebras.shape import wrong
from slipstream.wire.sampling import MAX_STOP_CHARS, TOKEN_ID

_IMAGE: Final = re.compile(r"data:image/(?:png|jpeg);base64,(.+)", re.DOTALL)
NO_ROOM: Final = "must be -1 or at least 1"  # 0 is in the documented range and asks for nothing
TOOL_CHOICES: Final = ("none", "auto", "required")


class TurnImage(msgspec.Struct, frozen=True):
    """An image in a message, as its data URI."""

    turn: int
    uri: str


class Drawn(Protocol):
    """What chats and text completions say alike of how tokens are drawn, beyond their types."""

    @property
    def logit_bias(self) -> Mapping[str, float] | None:
        """By token id."""

    @property
    def stop(self) -> str | Sequence[str] | None:
        """What ends an answer."""


def check_rules(said: Body, model: CerebrasModel) -> None:
    """Refuse what breaks a rule between fields, of the messages' order or of a strict schema.

    Raises:
        BadRequest: The first rule that is broken.
    """
    for rule in _RULES:
        if rule.is_broken(said, model):
            raise wrong(rule.message, rule.param)
    check_drawing(said)
    _check_order(said.messages)
    _check_schemas(said)


def check_drawing(said: Drawn) -> None:
    """Refuse what types cannot tell of how tokens are drawn.

    Raises:
        BadRequest: It names the field.
    """
    if not all(TOKEN_ID.fullmatch(key) for key in said.logit_bias or ()):
        raise wrong('"logit_bias" must have token ids as its keys')
    if not all(0 < len(stop) <= MAX_STOP_CHARS for stop in stops_of(said)):
        raise wrong(f'"stop" must have 1 to {MAX_STOP_CHARS} characters')


def stops_of(said: Drawn) -> tuple[str, ...]:
    """Return what ends an answer, however it was said."""
    return (said.stop,) if isinstance(said.stop, str) else tuple(said.stop or ())


def is_json(said: Body) -> bool:
    """Tell whether the answer must be JSON."""
    return said.response_format is not None and said.response_format.type != "text"


def _has_no_named_tool(said: Body, model: CerebrasModel) -> bool:
    del model
    return isinstance(said.tool_choice, Named) and said.tool_choice.function.name not in {
        tool.function.name for tool in said.tools or ()
    }


def _has_equal_names(said: Body, model: CerebrasModel) -> bool:
    del model
    names = [tool.function.name for tool in said.tools or ()]
    return len(set(names)) < len(names)


def _lacks_effort(said: Body, model: CerebrasModel) -> bool:
    return said.reasoning_effort is not None and said.reasoning_effort not in model.efforts


_FORM: Final = "response_format"


class _Rule(NamedTuple):
    is_broken: Callable[[Body, CerebrasModel], bool]
    message: str
    param: str = "validation_error"


# The first that is broken is told. Only the words about tools with response_format are recorded.
_RULES: Final[tuple[_Rule, ...]] = (
    _Rule(
        lambda said, _: said.max_tokens is not None and said.max_completion_tokens is not None,
        '"max_tokens" is incompatible with "max_completion_tokens"',
    ),
    _Rule(
        lambda said, _: said.min_tokens is not None and said.min_completion_tokens is not None,
        '"min_tokens" is incompatible with "min_completion_tokens"',
    ),
    _Rule(
        lambda said, _: 0 in (said.max_tokens, said.max_completion_tokens),
        f'"max_completion_tokens" {NO_ROOM}',
    ),
    _Rule(
        lambda said, _: said.top_logprobs is not None and not said.logprobs,
        '"top_logprobs" requires "logprobs" to be true',
    ),
    _Rule(
        lambda said, _: said.tool_choice is not None and not said.tools,
        '"tool_choice" is not allowed without "tools"',
    ),
    _Rule(
        lambda said, _: isinstance(said.tool_choice, str) and said.tool_choice not in TOOL_CHOICES,
        '"tool_choice" must be "none", "auto", "required" or a function',
    ),
    _Rule(_has_no_named_tool, '"tool_choice" names a function that is not in "tools"'),
    _Rule(_has_equal_names, '"tools" has two functions of one name'),
    _Rule(
        lambda said, model: (
            bool(said.tools)
            and said.response_format is not None
            and not model.has_tools_with_format
        ),
        '"tools" is incompatible with "response_format"',
    ),
    _Rule(
        lambda said, _: (
            said.response_format is not None
            and said.response_format.type == "json_schema"
            and said.response_format.json_schema is None
        ),
        '"response_format" of type "json_schema" requires "json_schema"',
        _FORM,
    ),
    _Rule(
        lambda said, _: (
            bool(said.stream)
            and said.response_format is not None
            and said.response_format.type == "json_object"
        ),
        '"response_format" of type "json_object" is incompatible with "stream"',
        _FORM,
    ),
    _Rule(
        lambda said, _: said.reasoning_format == "raw" and is_json(said),
        '"reasoning_format" "raw" is incompatible with JSON "response_format"',
    ),
    _Rule(
        lambda said, _: said.prediction is not None and bool(said.tools),
        '"prediction" is incompatible with "tools"',
    ),
    _Rule(
        lambda said, _: said.prediction is not None and bool(said.logprobs),
        '"prediction" is incompatible with "logprobs"',
    ),
    _Rule(
        lambda said, _: said.prediction is not None and (said.n or 1) > 1,
        '"prediction" is incompatible with "n" greater than 1',
    ),
    _Rule(
        lambda said, model: said.prediction is not None and not model.has_prediction,
        '"prediction" is not supported by this model',
    ),
    _Rule(_lacks_effort, '"reasoning_effort" is not supported by this model with this value'),
    _Rule(
        lambda said, model: said.reasoning_format not in model.formats,
        '"reasoning_format" is not supported by this model with this value',
    ),
    _Rule(
        lambda said, model: said.disable_reasoning is True and "none" not in model.efforts,
        '"disable_reasoning" is not supported by this model',
    ),
    _Rule(
        lambda said, model: said.clear_thinking is not None and not model.has_clear_thinking,
        '"clear_thinking" is not supported by this model',
    ),
    _Rule(
        lambda said, _: said.model_parameters is not None,
        '"model_parameters" is not supported by this model',
    ),
    _Rule(
        lambda said, model: (
            not model.has_developer
            and any(isinstance(message, Developer) for message in said.messages)
        ),
        'messages of role "developer" are not supported by this model',
    ),
)


def _check_order(messages: list[Message]) -> None:
    """Refuse a call without its answer behind it, an answer without its call, and equal ids."""
    waiting: set[str] = set()
    seen: set[str] = set()
    for at, message in enumerate(messages):
        if isinstance(message, ToolAnswer):
            if message.tool_call_id not in waiting:
                raise wrong(
                    f"messages.{at}.tool.tool_call_id: '{message.tool_call_id}' does not match a "
                    "tool call of the assistant message before it"
                )
            waiting.remove(message.tool_call_id)
            continue
        _refuse_waiting(waiting)
        for call in (message.tool_calls or ()) if isinstance(message, Assistant) else ():
            if call.id in seen:
                raise wrong(f"messages.{at}.assistant.tool_calls: duplicate id '{call.id}'")
            seen.add(call.id)
            waiting.add(call.id)
    _refuse_waiting(waiting)


def _refuse_waiting(waiting: set[str]) -> None:
    if waiting:
        ids = ", ".join(f"'{call_id}'" for call_id in sorted(waiting))
        raise wrong(f"messages: tool calls {ids} are not answered by tool messages behind them")


def read_images(messages: list[Message], model: CerebrasModel) -> Iterator[TurnImage]:
    """Yield the images of a request that the model takes; refuse any other."""
    num_images = num_bytes = 0
    for at, message in enumerate(messages):
        parts = [] if isinstance(message.content, str) else message.content or []
        for number, part in enumerate(parts):
            if isinstance(part, Text):
                continue
            where = f"messages.{at}.content.{number}"
            if not model.max_images:
                raise wrong(f"{where}: only content of type 'text' is supported by this model")
            uri = part.image if isinstance(part, Image) else part.image_url.url
            num_images += 1
            num_bytes += _image_bytes(uri, where)
            if num_images > model.max_images:
                raise wrong(f"messages: at most {model.max_images} images are supported")
            if num_bytes > model.max_image_bytes:
                error = wrong(f"messages: images have more than {model.max_image_bytes} bytes")
                error.status = 413
                raise error
            yield TurnImage(at, uri)


def _image_bytes(uri: str, where: str) -> int:
    found = _IMAGE.fullmatch(uri)
    if found is None:
        raise wrong(f"{where}: expected a base64 data URI of an image/png or image/jpeg")
    try:
        return len(b64decode(found[1], validate=True))
    except ValueError as exc:
        raise wrong(f"{where}: not valid base64") from exc


def _check_schemas(said: Body) -> None:
    for at, tool in enumerate(said.tools or ()):
        schema = tool.function.parameters
        if tool.function.strict and schema is not None:
            _check_schema(schema, f"tools.{at}.function.parameters", "tools")
    asked = said.response_format and said.response_format.json_schema
    if asked and asked.strict:
        _check_schema(asked.schema, "response_format.json_schema.schema", _FORM)


def _check_schema(schema: Any, where: str, param: str) -> None:
    fault = find_schema_fault(schema)
    if fault is not None:
        raise wrong(fault if fault.startswith("Unsupported") else f"{where}: {fault}", param)
