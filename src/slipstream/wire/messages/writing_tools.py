"""The tools of a request in Messages, what must be done with them, and the form of the answer."""

from typing import Any, Final

import msgspec

from slipstream.wire.messages.marks import mark_fields
from slipstream.wire.messages.names import DIALECT, Changes
from slipstream.wire.messages.schemas import fit_schema, with_type
from slipstream.wire.messages.writing_options import refused
from slipstream.wire.talk.asking import Asked, Target
from slipstream.wire.talk.custom_tools import as_function
from slipstream.wire.talk.means import Tool

# Tools of other vendors whose absence a conversation survives: clients offer them unasked.
_SPARE_KINDS: Final = ("web_search", "tool_search")

_CALL_ANY: Final = "Call at least one of the tools before you answer."
_CALL_ONE: Final = "Call the tool `{}` before you answer."
_ANSWER_JSON: Final = "Answer with one JSON object and nothing else: no prose, no code fence."
_ANSWER_SCHEMA: Final = (
    "Answer with one JSON value that fits this JSON schema, and nothing else: no prose, no code "
    "fence.\n{}"
)


def write_tools(asked: Asked, target: Target, changes: Changes) -> list[Any] | None:
    """Return the tools; of those that the client lets be used only now, just these.

    Raises:
        Unsupported: One is another vendor's own, and the client would miss it.
    """
    allowed = None
    if asked.tool_choice is not None and asked.tool_choice.mode == "allowed":
        allowed = asked.tool_choice.names
    tools: list[Any] = [
        _write_tool(tool, asked, target, changes)
        for tool in asked.tools
        if allowed is None or tool.name in allowed
    ]
    for hosted in asked.hosted_tools:
        if hosted.dialect == DIALECT:
            tools.append(msgspec.Raw(hosted.raw.encode()))
        elif hosted.kind.startswith(_SPARE_KINDS):
            changes.add(f"tools.{hosted.kind}")
        else:
            raise refused("tools", f"'{hosted.kind}' is a tool that another vendor runs")
    return tools or None


def _write_tool(tool: Tool, asked: Asked, target: Target, changes: Changes) -> dict[str, Any]:
    if tool.custom_format:
        changes.add("tools.custom.format", "description")
    tool = as_function(tool)
    fields: dict[str, Any] = {"name": tool.name}
    schema = with_type(tool.schema)
    is_strict = tool.strict is True
    if is_strict and "tools.strict" in target.refuses:
        changes.add("tools.strict")
        is_strict = False
    if is_strict and asked.dialect != DIALECT and tool.schema is not None:
        schema = fit_schema(tool.schema)
    if tool.description:
        fields["description"] = tool.description
    fields["input_schema"] = schema
    return fields | ({"strict": True} if is_strict else {}) | mark_fields(tool.cache)


def write_choice(
    asked: Asked, target: Target, changes: Changes, nudges: list[str]
) -> dict[str, Any] | None:
    """Return what must be done with the tools; a target that cannot be forced is told in words."""
    mode = _mode(asked)
    if mode == "none":
        return {"type": "none"}
    choice: dict[str, Any] = {"type": mode}
    nudge = _CALL_ANY
    if mode == "tool":
        assert asked.tool_choice is not None, "it says which"
        choice["name"] = name = asked.tool_choice.names[0]
        nudge = _CALL_ONE.format(name)
    if mode != "auto" and f"tool_choice.{mode}" in target.refuses:
        choice = {"type": "auto"}
        nudges.append(nudge)
        changes.add("tool_choice", "auto")
    if asked.is_parallel is False or (asked.is_parallel and asked.dialect == DIALECT):
        choice["disable_parallel_tool_use"] = not asked.is_parallel
    elif asked.tool_choice is None:
        return None
    return choice


def _mode(asked: Asked) -> str:
    """Return the dialect's word for what must be done with the tools."""
    said = asked.tool_choice
    if said is None:
        return "auto"
    if said.mode == "allowed":
        return "any" if said.must_call else "auto"
    return {"required": "any", "named": "tool"}.get(said.mode, said.mode)


def write_form(
    asked: Asked, target: Target, changes: Changes, nudges: list[str]
) -> dict[str, Any] | None:
    """Return the form of the answer; where there is no field for it, it is told in words."""
    form = asked.form
    if form is None:
        return None
    if form.kind == "json_schema" and form.schema is not None:
        if "output_config.format" not in target.refuses:
            is_own = asked.dialect == DIALECT
            schema = msgspec.Raw(form.schema.encode()) if is_own else fit_schema(form.schema)
            return {"type": "json_schema", "schema": schema}
        nudges.append(_ANSWER_SCHEMA.format(form.schema))
    else:
        nudges.append(_ANSWER_JSON)
    changes.add("output_config.format", "system")
    return None
