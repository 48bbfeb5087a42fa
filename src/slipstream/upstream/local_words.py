"""What a model of ours refuses, in the words of a client that does not speak chat.

Its request is read as the chat that it was made into, so errors name chat's fields. A table turns
these into the client's; a place in chat's messages is told as the whole conversation, since one
message of the client may have become several.
"""

import re
from typing import Final

from slipstream.call import Dialect
from slipstream.errors import BadRequest, GatewayError
from slipstream.wire.talk.asking import Asked, ToolCall, ToolResult
from slipstream.wire.talk.names import field_name

_MESSAGES: Final = Dialect.ANTHROPIC_MESSAGES.value
_RESPONSES: Final = Dialect.OPENAI_RESPONSES.value

# Chat's fields and the client's, the longest way into a field first.
_FIELDS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    _MESSAGES: (
        (r"messages\b.*", "messages"),
        (r"max_(completion_)?tokens", "max_tokens"),
        (r"stop", "stop_sequences"),
        (r"response_format\.json_schema\.schema", "output_config.format.schema"),
        (r"response_format\b.*", "output_config.format"),
        (r"(tools\[.+?\])\.function\.parameters", r"\1.input_schema"),
        (r"(tools\[.+?\])\.function", r"\1"),
        (r"tool_choice\.function", "tool_choice"),
        (r"parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
        (r"reasoning_effort", "output_config.effort"),
        (r"(safety_identifier|user|prompt_cache_key)", "metadata.user_id"),
    ),
    _RESPONSES: (
        (r"messages\b.*", "input"),
        (r"max_(completion_)?tokens", "max_output_tokens"),
        (r"response_format\.json_schema", "text.format"),
        (r"response_format", "text.format"),
        (r"(tools\[.+?\])\.function", r"\1"),
        (r"tool_choice\.(function|allowed_tools)", "tool_choice"),
        (r"reasoning_effort", "reasoning.effort"),
    ),
}
_TABLES: Final = {
    dialect: tuple((re.compile(chat), own) for chat, own in rows)
    for dialect, rows in _FIELDS.items()
}
_TOOL: Final = re.compile(r"tools\[(\d+)\]")
_UNANSWERED: Final = {
    _MESSAGES: "`tool_use` ids were found without `tool_result` blocks immediately after: {}.",
    _RESPONSES: "No tool output found for function call {}.",
}
_UNASKED: Final = {
    _MESSAGES: "a `tool_result` block has no `tool_use` block in the previous message: {}.",
    _RESPONSES: "No tool call found for function call output with call_id {}.",
}
_TWICE: Final = {
    _MESSAGES: "`tool_use` ids must be unique: {}.",
    _RESPONSES: "Two calls have the call_id {}.",
}


def in_clients_words(error: GatewayError, asked: Asked) -> None:
    """Make an error name the client's field, in its `param` and wherever its text does."""
    param = error.param
    if param is None or asked.dialect not in _TABLES:
        return
    told = error.param = _field_of(param, asked)
    text = error.message.replace(f"'{param}'", f"'{told}'")
    if text.startswith(f"{param}: "):
        text = told + text.removeprefix(param)
    error.args = (text,)


def check_calls(asked: Asked) -> None:
    """Refuse a conversation in which calls and their results are not one behind the other.

    Raises:
        BadRequest: It names the call by its id.
    """
    unanswered: set[str] = set()
    for turn in asked.turns:
        if turn.role != "tool" and unanswered:
            break
        calls = [part.call_id for part in turn.parts if isinstance(part, ToolCall)]
        results = [part.call_id for part in turn.parts if isinstance(part, ToolResult)]
        if twice := _first_repeated(calls):
            raise _wrong(asked, _TWICE, twice)
        unanswered.update(calls)
        for call_id in results:
            if call_id not in unanswered:
                raise _wrong(asked, _UNASKED, call_id)
            unanswered.remove(call_id)
    if unanswered:
        raise _wrong(asked, _UNANSWERED, ", ".join(sorted(unanswered)))


def _first_repeated(call_ids: list[str]) -> str | None:
    return next((each for at, each in enumerate(call_ids) if each in call_ids[:at]), None)


def _wrong(asked: Asked, texts: dict[str, str], call_id: str) -> BadRequest:
    param = field_name(asked.dialect, "turns")
    text = texts.get(asked.dialect, texts[_RESPONSES]).format(call_id)
    return BadRequest(f"{param}: {text}", param=param, code="invalid_value")


def _field_of(param: str, asked: Asked) -> str:
    for chat, own in _TABLES[asked.dialect]:
        if chat.match(param):
            return _TOOL.sub(lambda found: _tool_of(found, asked), chat.sub(own, param, count=1))
    return param


def _tool_of(found: re.Match[str], asked: Asked) -> str:
    """Return which tool is meant: by its place where that is the client's, else by its name."""
    number = int(found[1])
    is_at_its_place = asked.dialect == _MESSAGES and not asked.hosted_tools
    if is_at_its_place or number >= len(asked.tools):
        return found[0]
    return f"tools['{asked.tools[number].name}']"
