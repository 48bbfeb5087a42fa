"""Tools and answer formats of any OpenAI client, as Cerebras takes them.

Source: ../shared/reference/cerebras-api.md sections 2.3, 2.5 and 10; openai-python 3.52.0's types,
2026-11-21.
"""

from typing import Any, Final

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.body import AskedFormat, Named, Tool
from slipstream.wire.cerebras.draft import Draft, Path, drop_unknown, inside, keys_of, not_taken
from slipstream.wire.cerebras.models import CerebrasModel
from slipstream.wire.cerebras.outbound_schema import adapt_schema

_TOOL_KEYS: Final = keys_of(Tool)
_FUNCTION_KEYS: Final = keys_of(inside(Tool, "function"))
_NAMED_KEYS: Final = keys_of(Named)
_NAME_KEYS: Final = keys_of(inside(Named, "function"))
_FORMAT_KEYS: Final = keys_of(AskedFormat)
_SCHEMALESS_KEYS: Final = frozenset(["type"])
_SCHEMA_KEYS: Final = keys_of(inside(AskedFormat, "json_schema"))
_SCHEMA: Final[Path] = ("response_format", "json_schema", "schema")
_OLD: Final = "its answers would come as 'tool_calls': offer them as 'tools'"


def adapt_functions(draft: Draft) -> None:
    """Make tools of functions where that cannot be seen in the answer.

    Raises:
        Unsupported: The answer may call one, which would look otherwise.
    """
    said = draft.said
    if said.get("functions"):
        are_idle = said.get("function_call") == "none" and not said.get("tools")
        if not are_idle or not isinstance(said["functions"], list):
            raise not_taken("functions", _OLD)
        functions = draft.take("functions")
        draft.take("function_call")
        tools = [{"type": "function", "function": each} for each in functions]
        draft.put("tools", value=tools)
        draft.put("tool_choice", value="none")
        draft.note("functions", to="tools")
        draft.note("function_call", to="tool_choice")
    for field in ("functions", "function_call"):
        if field in said:
            if isinstance(said[field], dict):
                raise not_taken(field, _OLD)
            draft.drop(field)


def adapt_tools(draft: Draft, row: CerebrasModel, *, relaxes: bool) -> None:
    """Change the tools of a draft, and which of them may be called.

    Raises:
        Unsupported: A tool that is no function, or a strict one whose promise cannot be kept.
        BadRequest: A choice among tools that are not there.
    """
    tools = draft.said.get("tools")
    _adapt_choice(draft)
    if not tools:
        _drop_choice(draft)
    if draft.said.get("parallel_tool_calls") is True and not row.has_parallel_tools:
        draft.drop("parallel_tool_calls")  # it is a leave that the model does not use
    tools = draft.said.get("tools")
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict):
            _adapt_tool(draft, at, tool, relaxes=relaxes)


def _adapt_tool(draft: Draft, at: int, tool: dict[str, Any], *, relaxes: bool) -> None:
    where: Path = ("tools", at)
    if tool.get("type") != "function":
        raise not_taken(f"tools.{at}.type", "it calls tools of type 'function' only")
    drop_unknown(draft, where, tool, _TOOL_KEYS)
    function = tool.get("function")
    if not isinstance(function, dict):
        return
    where = (*where, "function")
    drop_unknown(draft, where, function, _FUNCTION_KEYS)
    if function.get("strict", False) is None:  # the one field here that may not be null
        draft.drop(*where, "strict")
    if function.get("strict") is True and function.get("parameters") is not None:
        adapt_schema(draft, (*where, "parameters"), relaxes=relaxes)


def _drop_choice(draft: Draft) -> None:
    choice = draft.said.get("tool_choice")
    if choice in (None, "none", "auto"):
        if "tool_choice" in draft.said and choice is not None:
            draft.drop("tool_choice")
        return
    raise BadRequest(
        "'tool_choice' asks for a call, and there are no 'tools' to call.",
        param="tool_choice",
        code="invalid_value",
    )


def _adapt_choice(draft: Draft) -> None:
    choice = draft.said.get("tool_choice")
    if not isinstance(choice, dict):
        return
    kind = choice.get("type")
    if kind == "allowed_tools":
        _keep_allowed(draft, choice.get("allowed_tools"))
        return
    if kind != "function":
        raise not_taken("tool_choice.type", "a choice names a function, or functions")
    drop_unknown(draft, ("tool_choice",), choice, _NAMED_KEYS)
    drop_unknown(draft, ("tool_choice", "function"), choice.get("function"), _NAME_KEYS)


def _keep_allowed(draft: Draft, allowed: Any) -> None:
    """Offer only the tools that may be called."""
    tools = draft.said.get("tools")
    if not isinstance(allowed, dict) or not isinstance(tools, list):
        raise BadRequest(
            "'tool_choice.allowed_tools' holds a mode and some of the 'tools'.",
            param="tool_choice.allowed_tools",
            code="invalid_value",
        )
    said = allowed.get("tools")
    names = {_name_of(tool) for tool in said} if isinstance(said, list) else set()
    kept = [tool for tool in tools if _name_of(tool) in names - {None}]
    if not kept:
        raise BadRequest(
            "'tool_choice.allowed_tools.tools' names none of the 'tools'.",
            param="tool_choice.allowed_tools.tools",
            code="invalid_value",
        )
    draft.put("tools", value=kept)
    draft.put("tool_choice", value=allowed.get("mode"))
    draft.note("tool_choice.allowed_tools", to="tools")


def _name_of(tool: Any) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def adapt_format(draft: Draft, row: CerebrasModel, *, relaxes: bool) -> None:
    """Change what the answer must look like.

    Raises:
        Unsupported: It cannot be had in a stream, beside tools, or with this schema.
    """
    asked = draft.said.get("response_format")
    if not isinstance(asked, dict):
        return
    if draft.said.get("tools") and not row.has_tools_with_format:
        if asked.get("type") == "text":
            draft.drop("response_format")  # which all answers are
            return
        raise not_taken("response_format", "with 'tools', answers have no format: leave one out")
    if asked.get("type") == "json_object" and draft.said.get("stream") is True:
        raise not_taken(
            "response_format", "JSON without a schema does not stream: send one, or no 'stream'"
        )
    has_schema = asked.get("type") == "json_schema"
    known = _FORMAT_KEYS if has_schema else _SCHEMALESS_KEYS
    drop_unknown(draft, ("response_format",), asked, known)
    form = asked.get("json_schema")
    drop_unknown(draft, ("response_format", "json_schema"), form, _SCHEMA_KEYS)
    if isinstance(form, dict) and form.get("strict") is True:
        if form.get("schema") is None:
            raise BadRequest(
                "Missing required parameter: 'response_format.json_schema.schema'.",
                param="response_format.json_schema.schema",
                code="missing_required_parameter",
            )
        adapt_schema(draft, _SCHEMA, relaxes=relaxes)
