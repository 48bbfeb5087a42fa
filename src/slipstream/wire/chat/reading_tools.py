"""The tools of a chat request, and which of them the answer may or must call.

`functions` and `function_call`, which came before them, are read as what replaced them.

Source: openai-python 3.52.0's types, 2026-11-21.
"""

from typing import Final, Literal

import msgspec

from slipstream.wire.refusals import decode_at, invalid, is_object, missing, not_among
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import HostedTool, Tool, ToolChoice

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")


class Mark(msgspec.Struct):
    """A mark of a prefix, as OpenAI and as Anthropic write it."""

    ttl: str | None = None


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Custom(msgspec.Struct):
    name: str
    description: str | None = None
    format: msgspec.Raw = _NOTHING


class _Format(msgspec.Struct):
    type: str = "text"
    grammar: dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _Tool(msgspec.Struct):
    type: str
    function: _Function | None = None
    custom: _Custom | None = None
    cache_control: Mark | None = None


class _Named(msgspec.Struct):
    name: str


class _AllowedTool(msgspec.Struct):
    type: str
    function: _Named | None = None
    custom: _Named | None = None


class _Allowed(msgspec.Struct):
    mode: str
    tools: list[_AllowedTool]


class _Choice(msgspec.Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _Allowed | None = None


_Mode = Literal["auto", "none", "required"]
_WORDS: Final[dict[str, _Mode]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral's
}
_tool_decoder: Final = msgspec.json.Decoder(_Tool)
_function_decoder: Final = msgspec.json.Decoder(_Function)
_format_decoder: Final = msgspec.json.Decoder(_Format)
_choice_decoder: Final = msgspec.json.Decoder(str | _Choice)
_named_decoder: Final = msgspec.json.Decoder(str | _Named)


def is_given(raw: msgspec.Raw) -> bool:
    """Tell a field that says something from one that is left out or null."""
    return bytes(memoryview(raw)[:5]) not in _ABSENT


def mark_of(*marks: Mark | None) -> CacheMark | None:
    """Return the first mark that is there."""
    return next((CacheMark(mark.ttl) for mark in marks if mark is not None), None)


def read_tools(
    tools: list[msgspec.Raw] | None, functions: list[msgspec.Raw] | None
) -> tuple[tuple[Tool, ...], tuple[HostedTool, ...]]:
    """Read what the caller offers, and which tools a vendor is to run itself.

    Raises:
        BadRequest: It names the field.
        DecodeError: As `refusals.decode_at`.
    """
    own: list[Tool] = []
    hosted: list[HostedTool] = []
    for at, raw in enumerate(tools or ()):
        tool = _read_tool(raw, f"tools[{at}]")
        if isinstance(tool, Tool):
            own.append(tool)
        else:
            hosted.append(tool)
    for at, raw in enumerate(functions or ()):
        where = f"functions[{at}]"
        own.append(_read_function(decode_at(_function_decoder, raw, where), None, where))
    return tuple(own), tuple(hosted)


def _read_tool(raw: msgspec.Raw, where: str) -> Tool | HostedTool:
    said = decode_at(_tool_decoder, raw, where)
    cache = mark_of(said.cache_control)
    if said.type == "function":
        if said.function is None:
            raise missing(f"{where}.function")
        return _read_function(said.function, cache, f"{where}.function")
    if said.type != "custom":
        return HostedTool(said.type, bytes(raw).decode(), "openai_chat")
    custom = said.custom
    if custom is None:
        raise missing(f"{where}.custom")
    if is_given(custom.format):
        decode_at(_format_decoder, custom.format, f"{where}.custom.format")
    return Tool(
        name=custom.name,
        description=custom.description,
        custom_format=bytes(custom.format).decode() if is_given(custom.format) else "",
        cache=cache,
    )


def _read_function(said: _Function, cache: CacheMark | None, where: str) -> Tool:
    schema = said.parameters
    if is_given(schema) and not is_object(schema):
        raise invalid(f"{where}.parameters", "expected a JSON Schema, which is an object")
    return Tool(
        name=said.name,
        description=said.description,
        schema=bytes(schema).decode() if is_given(schema) else None,
        strict=said.strict,
        cache=cache,
    )


def read_choice(choice: msgspec.Raw, function_call: msgspec.Raw) -> ToolChoice | None:
    """Read `tool_choice`, or `function_call` where that is not given.

    Raises:
        BadRequest: It names the field.
        DecodeError: As `refusals.decode_at`.
    """
    if is_given(choice):
        return _read_choice(decode_at(_choice_decoder, choice, "tool_choice"))
    if not is_given(function_call):
        return None
    asked = decode_at(_named_decoder, function_call, "function_call")
    if isinstance(asked, str):
        return ToolChoice(_mode(asked, "function_call"))
    return ToolChoice("named", (asked.name,))


def _mode(word: str, where: str) -> _Mode:
    if word not in _WORDS:
        raise not_among(where, word, ("auto", "none", "required"))
    return _WORDS[word]


def _read_choice(asked: str | _Choice) -> ToolChoice:
    if isinstance(asked, str):
        return ToolChoice(_mode(asked, "tool_choice"))
    if asked.type == "allowed_tools":
        return _read_allowed(asked.allowed_tools)
    if asked.type not in ("function", "custom"):
        raise not_among("tool_choice.type", asked.type, ("function", "custom", "allowed_tools"))
    named = asked.function if asked.type == "function" else asked.custom
    if named is None:
        raise missing(f"tool_choice.{asked.type}")
    return ToolChoice("named", (named.name,))


def _read_allowed(asked: _Allowed | None) -> ToolChoice:
    where = "tool_choice.allowed_tools"
    if asked is None:
        raise missing(where)
    must_call = _mode(asked.mode, f"{where}.mode") == "required"
    names = []
    for at, tool in enumerate(asked.tools):
        named = tool.function or tool.custom
        if named is None:
            raise missing(f"{where}.tools[{at}].function")
        names.append(named.name)
    return ToolChoice("allowed", tuple(names), must_call)
