"""The tools of a request in Messages, and what must be done with them."""

from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.messages.marks import CacheControl, read_mark
from slipstream.wire.messages.names import DIALECT
from slipstream.wire.refusals import decode_at, invalid, is_object, missing, not_among
from slipstream.wire.talk.means import HostedTool, Tool, ToolChoice

_NOTHING: Final = msgspec.Raw()
_NULL: Final = msgspec.Raw(b"null")


class _Kind(Struct):
    type: str | None = None


class _Tool(Struct):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = _NOTHING
    strict: bool | None = None
    cache_control: CacheControl | None = None


class _Choice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


_kind_decoder: Final = msgspec.json.Decoder(_Kind)
_tool_decoder: Final = msgspec.json.Decoder(_Tool)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_choice_decoder: Final = msgspec.json.Decoder(_Choice | None)
_encode: Final = msgspec.json.Encoder().encode

_CHOICES: Final = ("auto", "any", "tool", "none")


def read_tools(
    raws: list[msgspec.Raw] | None, extras: dict[str, msgspec.Raw]
) -> tuple[tuple[Tool, ...], tuple[HostedTool, ...]]:
    """Return the functions, and the tools that Anthropic knows by itself.

    What a function says beside the usual, such as `defer_loading`, goes among the extras, as
    `tools.defer_loading`: an object of the values by tool. A tool whose loading is deferred is
    offered like any other.
    """
    tools: list[Tool] = []
    hosted: list[HostedTool] = []
    beside: dict[str, dict[str, msgspec.Raw]] = {}
    for at, raw in enumerate(raws or ()):
        where = f"tools[{at}]"
        kind = decode_at(_kind_decoder, raw, where).type
        if kind not in (None, "custom"):
            hosted.append(HostedTool(kind, bytes(raw).decode(), DIALECT))
            continue
        tool = _read_tool(raw, where)
        tools.append(tool)
        for name, value in _fields_decoder.decode(raw).items():
            if name not in _Tool.__struct_fields__ and bytes(value) != b"null":
                beside.setdefault(f"tools.{name}", {})[tool.name] = value
    extras.update((name, msgspec.Raw(_encode(values))) for name, values in beside.items())
    return tuple(tools), tuple(hosted)


def _read_tool(raw: msgspec.Raw, where: str) -> Tool:
    said = decode_at(_tool_decoder, raw, where)
    if not said.name:
        raise invalid(f"{where}.name", "expected a name, got an empty one")
    if not bytes(said.input_schema):
        raise missing(f"{where}.input_schema")
    if not is_object(said.input_schema):
        raise invalid(f"{where}.input_schema", "expected an object")
    return Tool(
        name=said.name,
        description=said.description,
        schema=bytes(said.input_schema).decode(),
        strict=said.strict,
        cache=read_mark(said.cache_control),
    )


def read_choice(raw: msgspec.Raw) -> tuple[ToolChoice | None, bool | None]:
    """Return what must be done with the tools, and whether several may be called at once."""
    said = decode_at(_choice_decoder, raw or _NULL, "tool_choice")
    if said is None:
        return None, None
    is_parallel = None
    if said.disable_parallel_tool_use is not None:
        is_parallel = not said.disable_parallel_tool_use
    match said.type:
        case "auto":
            return ToolChoice("auto"), is_parallel
        case "any":
            return ToolChoice("required"), is_parallel
        case "none":
            return ToolChoice("none"), is_parallel
        case "tool":
            if said.name is None:
                raise missing("tool_choice.name")
            return ToolChoice("named", (said.name,)), is_parallel
        case _:
            raise not_among("tool_choice.type", said.type, _CHOICES)
