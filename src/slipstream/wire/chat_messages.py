"""The conversation of an OpenAI chat request, read in full: turns, tool calls and their order.

Every call must be answered, right behind the message that made it and before anything else, as
OpenAI demands: templates write the two as one. Text is all that is read: no images, no audio.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21. Reasoning comes back
as `reasoning_content` (DeepSeek, xAI) or `reasoning` (vLLM, Cerebras); both are read.
"""

from typing import Any, Final, Literal

import msgspec

from slipstream.wire.refusals import decode_at, invalid, missing, not_among, not_offered

Role = Literal["system", "user", "assistant", "tool"]


class TurnCall(msgspec.Struct, frozen=True):
    """A call of a function that the assistant made; the arguments are as it wrote them."""

    call_id: str
    name: str
    arguments: str


class ChatTurn(msgspec.Struct, frozen=True):
    """One message: its parts joined, `developer` read as `system`.

    Args:
        answered_id: Of the call that a tool's turn answers.
    """

    role: Role
    content: str
    name: str | None = None
    reasoning: str | None = None
    calls: tuple[TurnCall, ...] = ()
    answered_id: str | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[msgspec.Raw] | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[msgspec.Raw] | None = None
    tool_call_id: str | None = None
    function_call: Any = None
    audio: Any = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    type: str = "function"
    function: _Function | None = None


_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",  # OpenAI's newer word for it; templates know the older one
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_message_decoder = msgspec.json.Decoder(_Message)
_part_decoder = msgspec.json.Decoder(_Part)
_call_decoder = msgspec.json.Decoder(_Call)


def read_turns(raws: list[msgspec.Raw]) -> tuple[ChatTurn, ...]:
    """Read all messages and check their order.

    Raises:
        BadRequest: It names the message.
        DecodeError: As `refusals.decode_at`.
    """
    if not raws:
        raise invalid("messages", "expected at least one message, got []")
    turns = tuple(_read_turn(raw, f"messages[{number}]") for number, raw in enumerate(raws))
    _check_order(turns)
    return turns


def read_text(content: str | list[msgspec.Raw], where: str) -> str:
    """Return a text that is given whole, or in parts of type `text`."""
    if isinstance(content, str):
        return content
    return "".join(_read_part(part, f"{where}[{at}]") for at, part in enumerate(content))


def _read_turn(raw: msgspec.Raw, where: str) -> ChatTurn:
    said = decode_at(_message_decoder, raw, where)
    role = _ROLES.get(said.role)
    if said.role == "function" or said.function_call:
        field = "role" if said.role == "function" else "function_call"
        raise not_offered(f"{where}.{field}", "send 'tool_calls' and messages of role 'tool'")
    if role is None:
        raise not_among(f"{where}.role", said.role, tuple(_ROLES))
    if said.audio:
        raise not_offered(f"{where}.audio", "leave it out")
    calls = _read_calls(said, role, where)
    content = said.content if said.content is not None else said.refusal
    if content is None and not calls:
        raise invalid(f"{where}.content", "expected a string or an array of parts, got null")
    if role == "tool" and said.tool_call_id is None:
        raise missing(f"{where}.tool_call_id")
    return ChatTurn(
        role,
        read_text(content or "", f"{where}.content"),
        said.name,
        (said.reasoning_content or said.reasoning) if role == "assistant" else None,
        calls,
        said.tool_call_id if role == "tool" else None,
    )


def _read_part(raw: msgspec.Raw, where: str) -> str:
    said = decode_at(_part_decoder, raw, where)
    if said.type not in ("text", "refusal"):
        raise not_offered(f"{where}.type", "this model reads parts of type 'text'")
    text = said.text if said.type == "text" else said.refusal
    if text is None:
        raise missing(f"{where}.{said.type}")
    return text


def _read_calls(said: _Message, role: Role, where: str) -> tuple[TurnCall, ...]:
    if not said.tool_calls:
        return ()
    if role != "assistant":
        raise invalid(f"{where}.tool_calls", f"expected none in a message of role '{said.role}'")
    return tuple(
        _read_call(raw, f"{where}.tool_calls[{at}]") for at, raw in enumerate(said.tool_calls)
    )


def _read_call(raw: msgspec.Raw, where: str) -> TurnCall:
    said = decode_at(_call_decoder, raw, where)
    if said.type != "function":
        raise not_offered(f"{where}.type", "this model knows calls of type 'function'")
    if said.function is None:
        raise missing(f"{where}.function")
    return TurnCall(said.id, said.function.name, said.function.arguments)


def _check_order(turns: tuple[ChatTurn, ...]) -> None:
    """Refuse a call without its answer, and an answer without its call."""
    unanswered: dict[str, str] = {}  # id of a call -> where it was made
    for number, turn in enumerate(turns):
        if turn.role == "tool":
            assert turn.answered_id is not None, "it was checked"
            if unanswered.pop(turn.answered_id, None) is None:
                raise invalid(
                    f"messages[{number}].tool_call_id",
                    "expected the id of a call in the assistant's message before it that no "
                    f"other message answers, got '{turn.answered_id}'",
                )
            continue
        _refuse_unanswered(unanswered)
        for at, call in enumerate(turn.calls):
            where = f"messages[{number}].tool_calls[{at}]"
            if call.call_id in unanswered:
                raise invalid(f"{where}.id", f"expected an id of its own, got '{call.call_id}'")
            unanswered[call.call_id] = where
    _refuse_unanswered(unanswered)


def _refuse_unanswered(unanswered: dict[str, str]) -> None:
    for call_id, where in unanswered.items():
        raise invalid(
            where, f"expected a message of role 'tool' that answers the call '{call_id}' behind it"
        )
