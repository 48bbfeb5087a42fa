"""Tools and the choice among them, in chat's words."""

from typing import Any, Final

import msgspec

from slipstream.wire.chat.reading import DIALECT
from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.talk.custom_tools import as_function, custom_names
from slipstream.wire.talk.means import Tool, ToolChoice

_NO_PARAMETERS: Final = '{"type":"object","properties":{}}'


def write_tools(sheet: Sheet) -> None:
    """Set `tools`, `tool_choice` and `parallel_tool_calls`.

    Raises:
        Unsupported: The target takes no tools.
    """
    asked, habits = sheet.asked, sheet.habits
    choice = asked.tool_choice
    offered = asked.tools
    if choice is not None and choice.mode == "allowed" and not habits.takes_allowed_tools:
        offered = tuple(tool for tool in offered if tool.name in choice.names)
        choice = ToolChoice("required" if choice.must_call else "auto")
    if choice is not None and choice.mode == "none" and not habits.takes_none:
        return
    tools = [_tool_object(tool, sheet) for tool in offered]
    for hosted in asked.hosted_tools:
        if hosted.dialect == DIALECT == asked.dialect:
            tools.append(msgspec.Raw(hosted.raw.encode()))
        else:
            sheet.change("hosted_tools", f"without {hosted.kind}")
    if not tools:
        return
    sheet.put("tools", tools)
    if choice is not None:
        sheet.put("tool_choice", _choice_object(choice, sheet))
    sheet.put("parallel_tool_calls", asked.is_parallel, "is_parallel")


def _tool_object(tool: Tool, sheet: Sheet) -> Any:
    habits = sheet.habits
    if tool.custom_format is not None and habits.takes_custom_tools:
        custom = {
            "name": tool.name,
            "description": tool.description,
            "format": msgspec.Raw(tool.custom_format.encode()) if tool.custom_format else None,
        }
        return {"type": "custom", "custom": _without_none(custom)}
    tool = as_function(tool)
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": msgspec.Raw((tool.schema or _NO_PARAMETERS).encode()),
        "strict": tool.strict if habits.takes_strict else None,
    }
    said: dict[str, Any] = {"type": "function", "function": _without_none(function)}
    if tool.cache is not None and habits.cache_field == "cache_control":
        said["cache_control"] = _without_none({"type": "ephemeral", "ttl": tool.cache.ttl})
    elif tool.cache is not None:
        sheet.change("cache")
    return said


def _choice_object(choice: ToolChoice, sheet: Sheet) -> Any:
    custom = custom_names(sheet.asked) if sheet.habits.takes_custom_tools else frozenset()
    if choice.mode == "named":
        return _named(choice.names[0], custom)
    if choice.mode != "allowed":
        return choice.mode
    tools = [_named(name, custom) for name in choice.names]
    mode = "required" if choice.must_call else "auto"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def _named(name: str, custom: frozenset[str]) -> dict[str, Any]:
    kind = "custom" if name in custom else "function"
    return {"type": kind, kind: {"name": name}}


def _without_none(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value is not None}
