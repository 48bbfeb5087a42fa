"""From the messages and tools of a request to what a chat template is given.

All that a user wrote is guarded, in every nested place. Where a model's template knows no tools,
they are described in the system message, calls stand in the assistant's text as its family writes
them, and results come in a user's message between tags.
"""

import hashlib
import json
import string
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from slipstream.engine.families import Family
from slipstream.engine.grammar_spec import Tool, ToolFormat
from slipstream.engine.parsers.tagged import Reasoning
from slipstream.engine.protocol import ChatMessage, ToolCall
from slipstream.errors import BadRequest

Hide = Callable[[str], str]
"""Puts marks in the place of control tokens."""

_ID_LETTERS: Final = string.ascii_letters + string.digits
_EXAMPLE: Final = ToolCall("", "NAME", '{"ARGUMENT": VALUE}')
# Stand for the markers of reasoning until a template has been rendered: many cut what they find
# between such markers out of a turn. Noncharacters, guarded in user text like control tokens.
SHIELD: Final = "\ufdd1"
BEGIN_SHIELD: Final = f"{SHIELD}b{SHIELD}"
END_SHIELD: Final = f"{SHIELD}e{SHIELD}"


def template_tools(tools: Sequence[Tool], hide: Hide) -> list[dict[str, Any]]:
    """Return tools in the shape that templates know from OpenAI's requests."""
    return [{"type": "function", "function": _function(tool, hide)} for tool in tools]


def tools_text(tools: Sequence[Tool], form: ToolFormat, hide: Hide) -> str:
    """Return what a system message says of tools that the template cannot offer."""
    listed = "\n".join(_write(_function(tool, hide)) for tool in tools)
    return (
        f"You can call these functions:\n{listed}\n\n"
        f"To call one, write its name and its arguments as JSON, in this form:\n"
        f"{calls_text((_EXAMPLE,), form)}\n"
        "Then stop: the result comes in the next message. If no function is needed, answer "
        "in plain words."
    )


def calls_text(tool_calls: Sequence[ToolCall], form: ToolFormat) -> str:
    """Return calls as a model would have written them."""
    written = (form.begin + _call_text(call, form) + form.end for call in tool_calls)
    return form.opening + (form.separator or "").join(written) + form.closing


def template_messages(
    messages: Sequence[ChatMessage], family: Family, hide: Hide, *, clears: bool | None = None
) -> list[dict[str, Any]]:
    """Return messages in the shape that templates know, with user text guarded.

    Args:
        clears: Reasoning of turns before the last user's is left out, or kept; None leaves that
            to the template. What is kept against a template's way stands between shields.

    Raises:
        BadRequest: A call's arguments are no JSON object, and the template needs one.
    """
    shaped: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    last = max((at for at, each in enumerate(messages) if each.role == "user"), default=-1)
    for number, message in enumerate(messages):
        names |= {call.call_id: call.name for call in message.tool_calls}
        if message.role == "tool":
            _add_result(shaped, message, names, family, hide)
            continue
        written = _shape(message, f"messages[{number}]", family, hide)
        if clears is not None and family.reasoning is not None and not family.clears_reasoning:
            _settle_reasoning(written, family, is_past=number < last, clears=clears)
        shaped.append(written)
    return shaped


def _settle_reasoning(
    written: dict[str, Any], family: Family, *, is_past: bool, clears: bool
) -> None:
    """Leave a turn's reasoning out, or put it where the template does not take it away."""
    if family.reasoning_key not in written or (not is_past and family.writes_reasoning):
        return
    reasoning = written.pop(family.reasoning_key).strip("\n")
    if is_past and clears:
        return
    if family.call_form is None:  # harmony has no place for it inside a turn
        said = f"{reasoning}\n\n"
    else:
        said = f"{BEGIN_SHIELD}\n{reasoning}\n{END_SHIELD}\n\n"
    written["content"] = said + (written["content"] or "").lstrip("\n")


def add_to_system(
    messages: list[dict[str, Any]], text: str, *, takes_system: bool
) -> list[dict[str, Any]]:
    """Put a text behind the system message, or into a new one, or before the first message."""
    first = messages[0] if messages else None
    if first is not None and (first["role"] == "system" or not takes_system):
        parts = (first["content"], text) if first["role"] == "system" else (text, first["content"])
        return [{**first, "content": "\n\n".join(filter(None, parts))}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def guarded(value: Any, hide: Hide) -> Any:
    """Return a value with every string in it guarded, the keys of objects too."""
    match value:
        case str():
            return hide(value)
        case dict():
            return {hide(key): guarded(each, hide) for key, each in value.items()}
        case list() | tuple():
            return [guarded(each, hide) for each in value]
        case _:
            return value


def _function(tool: Tool, hide: Hide) -> dict[str, Any]:
    described = {
        "name": tool.name,
        "description": tool.description,
        "parameters": msgspec.json.decode(tool.parameters),
    }
    return {key: guarded(value, hide) for key, value in described.items()}


def _write(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _call_text(call: ToolCall, form: ToolFormat) -> str:
    arguments = call.arguments.strip() or "{}"
    if form.middle is not None:
        return f"{call.name}{form.middle}{arguments}"
    name_key, name, arguments_key = map(_write, (form.name_key, call.name, form.arguments_key))
    return f"{{{name_key}: {name}, {arguments_key}: {arguments}}}"


def _shape(message: ChatMessage, where: str, family: Family, hide: Hide) -> dict[str, Any]:
    content, reasoning = message.content, message.reasoning
    if message.role == "assistant" and reasoning is None and family.reasoning is not None:
        content, reasoning = _split(content, family.reasoning)
    shaped: dict[str, Any] = {"role": message.role, "content": hide(content)}
    if message.name is not None:
        shaped["name"] = hide(message.name)
    calls = message.tool_calls
    # gpt-oss writes a call's content as its reasoning, and refuses to be given both.
    if reasoning is not None and not (family.call_form is None and calls and content):
        shaped[family.reasoning_key] = hide(reasoning)
    if calls and family.writes_calls:
        shaped["tool_calls"] = [
            _shape_call(call, f"{where}.tool_calls[{at}]", family, hide)
            for at, call in enumerate(calls)
        ]
        if family.takes_text_arguments and not content:
            shaped["content"] = None  # such templates write the message a second time otherwise
    elif calls:
        hidden = [ToolCall("", hide(call.name), hide(call.arguments)) for call in calls]
        written = calls_text(hidden, family.tool_format)
        shaped["content"] = "\n".join(filter(None, (shaped["content"], written)))
    return shaped


def _split(content: str, reasoning: Reasoning) -> tuple[str, str | None]:
    """Part the text of an answer that still holds its reasoning."""
    said, end, rest = content.partition(reasoning.end)
    if not end or not said.lstrip().startswith(reasoning.begin):
        return content, None
    return rest.lstrip(), said.lstrip().removeprefix(reasoning.begin).strip()


def _shape_call(call: ToolCall, where: str, family: Family, hide: Hide) -> dict[str, Any]:
    arguments: Any = call.arguments.strip() or "{}"
    if not family.takes_text_arguments:
        arguments = _object(arguments, f"{where}.function.arguments")
    function = {"name": hide(call.name), "arguments": guarded(arguments, hide)}
    return {"id": _call_id(call.call_id, family, hide), "type": "function", "function": function}


def _object(text: str, param: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as exc:
        raise BadRequest(
            f"Invalid value for '{param}': this model's template needs a JSON object: {exc}",
            param=param,
        ) from exc


def _call_id(call_id: str, family: Family, hide: Hide) -> str:
    length = family.call_id_letters
    if length is None or (len(call_id) == length and call_id.isascii() and call_id.isalnum()):
        return hide(call_id)
    number = int.from_bytes(hashlib.sha256(call_id.encode()).digest())
    letters = (number // len(_ID_LETTERS) ** place for place in range(length))
    return "".join(_ID_LETTERS[each % len(_ID_LETTERS)] for each in letters)


def _add_result(
    shaped: list[dict[str, Any]],
    message: ChatMessage,
    names: dict[str, str],
    family: Family,
    hide: Hide,
) -> None:
    """Add a tool's message, or what stands for it: results that follow each other share one."""
    call_id = message.tool_call_id or ""
    if family.writes_calls:
        result = {"role": "tool", "content": hide(message.content)}
        result["tool_call_id"] = _call_id(call_id, family, hide)
        if name := message.name or names.get(call_id):
            result["name"] = hide(name)
        shaped.append(result)
        return
    said = f"<tool_response>\n{hide(message.content)}\n</tool_response>"
    if shaped and shaped[-1].get("holds_results"):
        shaped[-1]["content"] += "\n" + said
    else:
        shaped.append({"role": "user", "content": said, "holds_results": True})
