"""The tools of an OpenAI chat request, and which of them the answer may or must call.

Functions only: custom tools and the older `functions` are not offered. `allowed_tools` leaves the
others out of what the model sees.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

import re
from typing import Final, Literal

import msgspec

from slipstream.wire.refusals import (
    decode_at,
    invalid,
    is_object,
    missing,
    not_among,
    not_offered,
)

_MAX_TOOLS: Final = 128  # OpenAI's bound
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOTHING: Final = msgspec.Raw()
_NO_PARAMETERS: Final = '{"type":"object","properties":{}}'

ToolChoice = Literal["auto", "none", "required", "named"]


class ChatTool(msgspec.Struct, frozen=True):
    """A function that the model may call; `parameters` is a JSON Schema as text."""

    name: str
    description: str
    parameters: str
    is_strict: bool


class ChatTools(msgspec.Struct, frozen=True, kw_only=True):
    """All tools of a request; `name` is the one that must be called, where `choice` is named."""

    tools: tuple[ChatTool, ...]
    choice: ToolChoice
    name: str | None
    is_parallel: bool


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: str
    function: _Function | None = None


class _Named(msgspec.Struct):
    name: str


class _AllowedTool(msgspec.Struct):
    type: str
    function: _Named | None = None


class _Allowed(msgspec.Struct):
    mode: str
    tools: list[msgspec.Raw]


class _Choice(msgspec.Struct):
    type: str
    function: _Named | None = None
    allowed_tools: _Allowed | None = None


_WORDS: Final[dict[str, ToolChoice]] = {"auto": "auto", "none": "none", "required": "required"}
_MODES: Final[dict[str, ToolChoice]] = {"auto": "auto", "required": "required"}
_tool_decoder = msgspec.json.Decoder(_Tool)
_allowed_decoder = msgspec.json.Decoder(_AllowedTool)
_choice_decoder: Final = msgspec.json.Decoder(str | _Choice)


def read_tools(
    raws: list[msgspec.Raw] | None, choice: msgspec.Raw, parallel: bool | None
) -> ChatTools | None:
    """Read the tools and the choice among them; None if there are none.

    Args:
        choice: `tool_choice`; empty where it is not given.

    Raises:
        BadRequest: It names the field.
        DecodeError: As `refusals.decode_at`.
    """
    asked: str | _Choice = "auto"
    if _is_given(choice):
        asked = decode_at(_choice_decoder, choice, "tool_choice")
    if not raws:
        if asked not in ("auto", "none"):
            raise invalid("tool_choice", "expected 'none' or 'auto' where no tools are given")
        return None
    if len(raws) > _MAX_TOOLS:
        raise invalid("tools", f"expected at most {_MAX_TOOLS} tools, got {len(raws)}")
    tools: dict[str, ChatTool] = {}
    for at, raw in enumerate(raws):
        tool = _read_tool(raw, f"tools[{at}]")
        if tool.name in tools:
            raise invalid(f"tools[{at}].function.name", f"'{tool.name}' is the name of two tools")
        tools[tool.name] = tool
    return _chosen(asked, tools, is_parallel=parallel is not False)


def _is_given(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _read_tool(raw: msgspec.Raw, where: str) -> ChatTool:
    said = decode_at(_tool_decoder, raw, where)
    if said.type != "function":
        raise not_offered(f"{where}.type", "this model knows tools of type 'function'")
    if said.function is None:
        raise missing(f"{where}.function")
    name, parameters = said.function.name, said.function.parameters
    if not _NAME.fullmatch(name):
        raise invalid(
            f"{where}.function.name", "expected 1 to 64 letters, digits, underscores and dashes"
        )
    if _is_given(parameters) and not is_object(parameters):
        raise invalid(f"{where}.function.parameters", "expected a JSON Schema, which is an object")
    return ChatTool(
        name,
        said.function.description or "",
        bytes(parameters).decode() if _is_given(parameters) else _NO_PARAMETERS,
        bool(said.function.strict),
    )


def _chosen(asked: str | _Choice, tools: dict[str, ChatTool], *, is_parallel: bool) -> ChatTools:
    offered = tuple(tools.values())
    name: str | None = None
    if isinstance(asked, str):
        if asked not in _WORDS:
            raise not_among("tool_choice", asked, tuple(_WORDS))
        choice = _WORDS[asked]
    elif asked.type == "function":
        choice, name = "named", _known(asked.function, tools, "tool_choice.function")
    elif asked.type == "allowed_tools":
        choice, offered = _allowed(asked.allowed_tools, tools)
    elif asked.type == "custom":
        raise not_offered("tool_choice.type", "this model knows tools of type 'function'")
    else:
        raise not_among("tool_choice.type", asked.type, ("function", "allowed_tools"))
    return ChatTools(tools=offered, choice=choice, name=name, is_parallel=is_parallel)


def _allowed(
    asked: _Allowed | None, tools: dict[str, ChatTool]
) -> tuple[ToolChoice, tuple[ChatTool, ...]]:
    where = "tool_choice.allowed_tools"
    if asked is None:
        raise missing(where)
    if asked.mode not in _MODES:
        raise not_among(f"{where}.mode", asked.mode, tuple(_MODES))
    if not asked.tools:
        raise invalid(f"{where}.tools", "expected at least one tool, got []")
    names = set()
    for at, raw in enumerate(asked.tools):
        said = decode_at(_allowed_decoder, raw, f"{where}.tools[{at}]")
        names.add(_known(said.function, tools, f"{where}.tools[{at}].function"))
    return _MODES[asked.mode], tuple(tool for tool in tools.values() if tool.name in names)


def _known(named: _Named | None, tools: dict[str, ChatTool], where: str) -> str:
    if named is None:
        raise missing(where)
    if named.name not in tools:
        raise not_among(f"{where}.name", named.name, tuple(tools))
    return named.name
