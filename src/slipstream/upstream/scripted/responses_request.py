"""Reads requests of Responses, and refuses what OpenAI refuses: unknown fields, lost items, seals.

The input is checked as it came. What is asked is then read by the gateway's own reader, because an
answer repeats it: a rule that this one had wrong would show in the checks.

Source: ../shared/reference/protocols.md, sections E and G, 2026-11-21.
"""

from itertools import takewhile
from typing import Any, Final, Literal, NamedTuple

import msgspec

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.answer import count_words
from slipstream.upstream.scripted.flaws import names
from slipstream.upstream.scripted.nouns import Ask, Tool
from slipstream.upstream.scripted.seals import is_own_id, open_seal
from slipstream.wire.responses.reading import ResponsesAsked, read_asked
from slipstream.wire.talk.asking import Asked, Text, ToolResult, Turn

VENDOR: Final = "openai"
ID_PREFIX: Final = "resp_"

_FIELDS: Final = names(
    "background context_management conversation include input instructions max_output_tokens "
    "max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt "
    "prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier "
    "service_tier store stream stream_options temperature text tool_choice tools top_logprobs "
    "top_p truncation user client_metadata"
)
_FUNCTION_FIELDS: Final = names(
    "type name description parameters strict defer_loading allowed_callers"
)


class _Kind(NamedTuple):
    """Of a kind of item: what it must have and may have, and how its id begins."""

    must: frozenset[str]
    may: frozenset[str]
    id_prefix: str


def _kind(must: str, may: str = "", id_prefix: str = "") -> _Kind:
    return _Kind(names(must), names(f"{must} {may} type id status"), id_prefix)


# Items that are in no row are the vendor's own and pass.
_KINDS: Final = {
    "message": _kind("role content", "phase", "msg"),
    "reasoning": _kind("summary", "content encrypted_content", "rs"),
    "function_call": _kind("call_id name arguments", "namespace caller", "fc"),
    "function_call_output": _kind("call_id output", "caller", "fc"),
    "custom_tool_call": _kind("call_id name input", "namespace caller", "ctc"),
    "custom_tool_call_output": _kind("call_id output", "caller", "ctc"),
}
_CALLS: Final = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
_PARTS: Final = {
    "user": ("input_text", "input_image", "input_file", "input_audio"),
    "system": ("input_text", "input_image", "input_file"),
    "developer": ("input_text", "input_image", "input_file"),
    "assistant": ("output_text", "refusal"),
}
_MAX_ID_CHARS: Final = 64
_decode_json: Final = msgspec.json.decode


def _refusal(message: str, param: str, code: str | None = None) -> BadRequest:
    return BadRequest(message, param=param, code=code)


def decode(path: str, body: bytes) -> Ask:
    """Read a request.

    Raises:
        BadRequest: OpenAI would refuse it, in its words.
    """
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as exc:
        raise BadRequest(f"the body is not a JSON object: {exc}", code="invalid_json") from exc
    for name in fields:
        if name not in _FIELDS:
            raise _refusal(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    _check_previous(fields)
    _check_tools(fields.get("tools"))
    items = fields.get("input")
    if isinstance(items, list):
        _check_items(items, has_earlier=bool(fields.get("previous_response_id")))
    kept = read_asked(body)
    return _ask(kept)


def _check_previous(fields: dict[str, Any]) -> None:
    previous = fields.get("previous_response_id")
    if previous is None:
        return
    if not str(previous).startswith(ID_PREFIX):
        raise _refusal(
            f"Invalid 'previous_response_id': '{previous}'. Expected an ID that begins with "
            "'resp'.",
            "previous_response_id",
            "invalid_value",
        )
    if not is_own_id(ID_PREFIX, previous):
        raise _refusal(
            f"Previous response with id '{previous}' not found.",
            "previous_response_id",
            "previous_response_not_found",
        )


def _check_tools(tools: Any) -> None:
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        if not isinstance(tool, dict) or tool.get("type") != "function":
            continue
        for name in tool:
            if name not in _FUNCTION_FIELDS:
                param = f"tools[{at}].{name}"
                raise _refusal(f"Unknown parameter: '{param}'.", param, "unknown_parameter")
        if not tool.get("name"):
            param = f"tools[{at}].name"
            raise _refusal(f"Missing required parameter: '{param}'.", param, _MISSING)


_MISSING: Final = "missing_required_parameter"


def _check_items(items: list[Any], *, has_earlier: bool) -> None:
    for at, item in enumerate(items):
        where = f"input[{at}]"
        if not isinstance(item, dict):
            raise _refusal(f"Invalid type for '{where}': expected an object.", where)
        name = item.get("type", "message")
        kind = _KINDS.get(name)
        if kind is None:
            continue
        _check_fields(item, kind, where)
        if name == "message":
            _check_message(item, where)
        elif name == "reasoning":
            _check_reasoning(item, items[at + 1 :], where)
    _check_pairs(items, has_earlier=has_earlier)


def _check_fields(item: dict[str, Any], kind: _Kind, where: str) -> None:
    for name in sorted(kind.must):
        if item.get(name) is None:
            param = f"{where}.{name}"
            raise _refusal(f"Missing required parameter: '{param}'.", param, _MISSING)
    for name in item:
        if name not in kind.may:
            param = f"{where}.{name}"
            raise _refusal(f"Unknown parameter: '{param}'.", param, "unknown_parameter")
    item_id, call_id = item.get("id"), item.get("call_id")
    if item_id is not None and not str(item_id).startswith(kind.id_prefix):
        raise _refusal(
            f"Invalid '{where}.id': '{item_id}'. Expected an ID that begins with "
            f"'{kind.id_prefix}'.",
            f"{where}.id",
            "invalid_value",
        )
    if call_id is not None and len(str(call_id)) > _MAX_ID_CHARS:
        raise _refusal(
            f"Invalid '{where}.call_id': string too long. Expected a string with maximum length "
            f"{_MAX_ID_CHARS}, but got a string with length {len(call_id)} instead.",
            f"{where}.call_id",
            "string_above_max_length",
        )


def _check_message(item: dict[str, Any], where: str) -> None:
    role = item["role"]
    accepted = _PARTS.get(role)
    if accepted is None:
        words = ", ".join(f"'{name}'" for name in _PARTS)
        raise _invalid(f"{where}.role", role, words)
    for number, part in enumerate(item["content"] if isinstance(item["content"], list) else ()):
        if part.get("type") not in accepted:
            words = " and ".join(f"'{name}'" for name in accepted)
            raise _invalid(f"{where}.content[{number}].type", part.get("type"), words)


def _invalid(param: str, value: Any, accepted: str) -> BadRequest:
    message = f"Invalid value: '{value}'. Supported values are: {accepted}."
    return _refusal(message, param, "invalid_value")


def _check_reasoning(item: dict[str, Any], rest: list[Any], where: str) -> None:
    sealed, item_id = item.get("encrypted_content"), item.get("id", "")
    if sealed is not None and open_seal(VENDOR, sealed) is None:
        raise _refusal(
            f"The encrypted content for item {item_id} could not be verified.",
            f"{where}.encrypted_content",
            "invalid_encrypted_content",
        )
    if sealed is None and not is_own_id("rs_", item_id):
        raise _refusal(f"Item with id '{item_id}' not found.", f"{where}.id")
    following = rest[0].get("type", "message") if rest and isinstance(rest[0], dict) else None
    is_user = bool(rest) and following == "message" and rest[0].get("role") != "assistant"
    if following is None or is_user or following in _CALLS.values():
        raise _refusal(
            f"Item '{item_id}' of type 'reasoning' was provided without its required following "
            "item.",
            where,
        )


def _check_pairs(items: list[Any], *, has_earlier: bool) -> None:
    """Check that calls and outputs answer each other; those of earlier answers are not known."""
    for kind, output in _CALLS.items():
        called = [item["call_id"] for item in items if item.get("type") == kind]
        answered = [item["call_id"] for item in items if item.get("type") == output]
        lost = [call_id for call_id in called if call_id not in answered]
        if lost:
            raise _refusal(f"No tool output found for function call {lost[0]}.", "input")
        stray = [call_id for call_id in answered if call_id not in called]
        if stray and not has_earlier:
            raise _refusal(
                f"No tool call found for function call output with call_id {stray[0]}.", "input"
            )


def _ask(kept: ResponsesAsked) -> Ask:
    asked = kept.asked
    texts = [_text_of(turn) for turn in asked.turns]
    spoken = [at for at, turn in enumerate(asked.turns) if turn.role == "user"]
    tools, choice = _tools(asked)
    form, shows = asked.form, asked.thinking.shows if asked.thinking else None
    return Ask(
        model=asked.model,
        text=texts[spoken[-1]] if spoken else texts[-1],
        prompt_tokens=sum([count_words(text) for text in texts]),
        is_stream=asked.is_stream,
        max_tokens=asked.max_tokens,
        tools=tools,
        choice=choice,
        can_call_many=asked.is_parallel is not False,
        follows_tool=asked.turns[-1].role == "tool",
        results=_results(asked.turns),
        wants_object=form is not None and form.kind == "json_object",
        schema=_decode_json(form.schema) if form is not None and form.schema else None,
        reasoning_fields=("summary",),
        has_thoughts=shows not in (None, "none"),
        kept=kept,
    )


def _text_of(turn: Turn) -> str:
    found: list[str] = []
    for part in turn.parts:
        if isinstance(part, Text):
            found.append(part.text)
        elif isinstance(part, ToolResult):
            found += [inner.text for inner in part.parts if isinstance(inner, Text)]
    return "\n".join(text for text in found if text)


def _results(turns: tuple[Turn, ...]) -> tuple[str, ...]:
    """Return what tools returned since the assistant spoke last."""
    since = list(takewhile(lambda turn: turn.role != "assistant", reversed(turns)))[::-1]
    parts = [part for turn in since for part in turn.parts if isinstance(part, ToolResult)]
    return tuple(_text_of(Turn("tool", (part,))) for part in parts)


def _tools(asked: Asked) -> tuple[tuple[Tool, ...], Literal["auto", "none", "required", "named"]]:
    choice = asked.tool_choice
    names = choice.names if choice is not None else ()
    found = tuple(
        Tool(
            tool.name,
            _decode_json(tool.schema) if tool.schema else {"type": "object"},
            is_custom=tool.custom_format is not None,
        )
        for tool in asked.tools
        if not names or tool.name in names
    )
    if choice is None or not found:
        return found, "auto" if found else "none"
    if choice.mode == "allowed":
        return found, "required" if choice.must_call else "auto"
    return found, choice.mode
