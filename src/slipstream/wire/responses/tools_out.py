"""Tools and the choice among them in the words of a Responses request.

Source: openai-python 3.52.0's types, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.wire.responses.names import DIALECT
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.means import Tool, ToolChoice

_NO_PARAMETERS: Final = {"type": "object", "properties": {}}
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Written = dict[str, Any]


def write_tools(asked: Asked, changes: dict[str, None]) -> list[Written | msgspec.Raw]:
    """Return all tools; those of other vendors are named among the changes."""
    tools: list[Written | msgspec.Raw] = [
        _write_tool(tool, is_ours=asked.dialect == DIALECT) for tool in asked.tools
    ]
    for hosted in asked.hosted_tools:
        if hosted.dialect == DIALECT:
            tools.append(msgspec.Raw(hosted.raw.encode()))
        elif hosted.kind.startswith("web_search"):
            tools.append({"type": "web_search"})
            changes[f"tools.{hosted.kind} -> web_search"] = None
        else:
            changes[f"tools.{hosted.kind}"] = None
    return tools


def _write_tool(tool: Tool, *, is_ours: bool) -> Written:
    described = {} if tool.description is None else {"description": tool.description}
    if tool.custom_format is not None:
        form = _custom_format(tool.custom_format)
        return {"type": "custom", "name": tool.name, **described, **form}
    # Where nothing is said, Responses is strict and every other dialect is not.
    strict = tool.strict if tool.strict is not None or is_ours else False
    return {
        "type": "function",
        "name": tool.name,
        **described,
        "parameters": _NO_PARAMETERS if tool.schema is None else msgspec.Raw(tool.schema.encode()),
        **({} if strict is None else {"strict": strict}),
    }


def _custom_format(said: str) -> Written:
    """Return the format flat; Chat has its grammar one level deeper."""
    if not said:
        return {}
    inner = _decode(said).get("grammar")
    return {"format": msgspec.Raw(said.encode()) if inner is None else _flat(inner)}


def _flat(grammar: msgspec.Raw) -> Written:
    return {"type": "grammar", **_decode(grammar)}


def write_choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> str | Written:
    """Return `tool_choice`."""
    custom = {tool.name for tool in tools if tool.custom_format is not None}
    named: list[Written] = [
        {"type": "custom" if name in custom else "function", "name": name} for name in choice.names
    ]
    if choice.mode == "named":
        return named[0]
    if choice.mode == "allowed":
        mode = "required" if choice.must_call else "auto"
        return {"type": "allowed_tools", "mode": mode, "tools": named}
    return choice.mode
