"""The tools of a Responses request and the choice among them.

Tools in a namespace get one flat name. What a vendor runs itself is kept word for word.

Source: openai-python 3.52.0's types; Codex 0.169's requests; 2026-11-21.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.refusals import decode_at, invalid, is_object, missing, not_among
from slipstream.wire.responses.names import DIALECT, ToolOrigin, flat_name
from slipstream.wire.talk.means import HostedTool, Tool, ToolChoice

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")
_MODES: Final = ("auto", "required")


class Offered(Struct, frozen=True):
    """All that the model may use.

    Args:
        origins: Of the flat names.
    """

    tools: tuple[Tool, ...]
    hosted: tuple[HostedTool, ...]
    origins: dict[str, ToolOrigin]


class _Tool(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = _NOTHING
    strict: bool | None = None
    format: msgspec.Raw = _NOTHING
    tools: list[msgspec.Raw] | None = None


class _Choice(Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[msgspec.Raw] | None = None


_tool_decoder: Final = msgspec.json.Decoder(_Tool)
_choice_decoder: Final = msgspec.json.Decoder(_Choice)
_format_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_word_decoder: Final = msgspec.json.Decoder(str)

Placed = tuple[str, msgspec.Raw]
"""A part of the body and where it lies, such as `tools[3]`."""


def read_tools(placed: Sequence[Placed]) -> Offered:
    """Read all tools; of two with one name the later holds, as items may offer a tool again.

    Raises:
        BadRequest: It names the field.
        DecodeError: As `refusals.decode_at`.
    """
    tools: dict[str, Tool] = {}
    hosted: dict[bytes, HostedTool] = {}
    origins: dict[str, ToolOrigin] = {}
    for where, raw in placed:
        said = decode_at(_tool_decoder, raw, where)
        if said.type == "namespace":
            _read_namespace(said, where, tools, origins)
        elif said.type in ("function", "custom"):
            tool = _read_tool(said, where)
            _check_free(tool.name, None, tools, origins, where)
            tools[tool.name] = tool
        else:
            hosted[bytes(raw)] = HostedTool(said.type, bytes(raw).decode(), DIALECT)
    return Offered(tuple(tools.values()), tuple(hosted.values()), origins)


def _read_namespace(
    said: _Tool, where: str, tools: dict[str, Tool], origins: dict[str, ToolOrigin]
) -> None:
    if not said.name:
        raise missing(f"{where}.name")
    about = f"{said.name}: {said.description}" if said.description else None
    for at, raw in enumerate(said.tools or ()):
        place = f"{where}.tools[{at}]"
        inner = decode_at(_tool_decoder, raw, place)
        if inner.type not in ("function", "custom"):
            raise not_among(f"{place}.type", inner.type, ("function", "custom"))
        tool = _read_tool(inner, place)
        origin = ToolOrigin(said.name, tool.name)
        name = flat_name(said.name, tool.name)
        _check_free(name, origin, tools, origins, place)
        # What is said of them all is told once, with the first.
        described = "\n\n".join(text for text in (about, tool.description) if text) or None
        about = None
        tools[name] = msgspec.structs.replace(tool, name=name, description=described)
        origins[name] = origin


def _check_free(
    name: str,
    origin: ToolOrigin | None,
    tools: dict[str, Tool],
    origins: dict[str, ToolOrigin],
    where: str,
) -> None:
    if name in tools and origins.get(name) != origin:
        raise invalid(f"{where}.name", f"'{name}' is the name of two tools")


def _read_tool(said: _Tool, where: str) -> Tool:
    if not said.name:
        raise missing(f"{where}.name")
    if said.type == "custom":
        form = _read_custom_format(said.format, f"{where}.format")
        return Tool(name=said.name, description=said.description, custom_format=form)
    schema: str | None = None
    if bytes(said.parameters) not in _ABSENT:
        if not is_object(said.parameters):
            raise invalid(f"{where}.parameters", "expected a JSON Schema, which is an object")
        schema = bytes(said.parameters).decode()
    return Tool(name=said.name, description=said.description, schema=schema, strict=said.strict)


def _read_custom_format(raw: msgspec.Raw, where: str) -> str:
    """Return the format in Chat's shape, which has the grammar one level deeper."""
    if bytes(raw) in _ABSENT:
        return ""
    said = decode_at(_format_decoder, raw, where)
    if "grammar" in said and not is_object(said["grammar"]):
        raise invalid(f"{where}.grammar", "expected an object")
    if bytes(said.pop("type", b"")) != b'"grammar"' or "grammar" in said:
        return bytes(raw).decode()
    return msgspec.json.encode({"type": "grammar", "grammar": said}).decode()


def read_choice(raw: msgspec.Raw, offered: Offered) -> ToolChoice | None:
    """Read `tool_choice`; None where nothing is said, or a tool that a vendor runs is chosen.

    Raises:
        BadRequest: It names the field.
        DecodeError: As `refusals.decode_at`.
    """
    where = "tool_choice"
    if bytes(raw) in _ABSENT:
        return None
    if bytes(memoryview(raw)[:1]) == b'"':
        match decode_at(_word_decoder, raw, where):
            case "auto" | "none" | "required" as mode:
                return ToolChoice(mode)
            case word:
                raise not_among(where, word, ("auto", "none", "required"))
    said = decode_at(_choice_decoder, raw, where)
    if said.type == "allowed_tools":
        return _read_allowed(said, offered)
    if said.type in ("function", "custom"):
        return ToolChoice("named", (_known(said, offered, where),))
    return None


def _read_allowed(said: _Choice, offered: Offered) -> ToolChoice:
    if said.mode not in _MODES:
        raise not_among("tool_choice.mode", said.mode or "", _MODES)
    names: dict[str, None] = {}
    for at, raw in enumerate(said.tools or ()):
        where = f"tool_choice.tools[{at}]"
        tool = decode_at(_choice_decoder, raw, where)
        if tool.type == "namespace":
            inside = [
                flat for flat, from_ in offered.origins.items() if from_.namespace == tool.name
            ]
            names.update(dict.fromkeys(inside))
        elif tool.type in ("function", "custom"):
            names[_known(tool, offered, where)] = None
    return ToolChoice("allowed", tuple(names), said.mode == "required")


def _known(said: _Choice, offered: Offered, where: str) -> str:
    """Return the flat name of a tool that is chosen by its own."""
    if not said.name:
        raise missing(f"{where}.name")
    flat = {tool.name for tool in offered.tools}
    if said.name in flat:
        return said.name
    inside = [name for name, from_ in offered.origins.items() if from_.name == said.name]
    if len(inside) != 1:
        raise invalid(f"{where}.name", f"expected the name of one of 'tools', got '{said.name}'")
    return inside[0]
