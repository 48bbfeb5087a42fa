"""The messages of a chat request as turns: every role, every kind of part, of every provider.

Reasoning comes back as `reasoning_content` (DeepSeek, xAI), as `reasoning` (Cerebras, Groq, vLLM),
as chunks of the content (Mistral), and sealed, see seals.py; where sealed reasoning holds its own
text, the plain one beside it is the same and is passed over.

Source: openai-python 3.52.0's types; ../shared/reference/providers.md, 2026-11-21.
"""

from typing import Final

import msgspec

from slipstream.wire.chat.reading_parts import read_part, read_text
from slipstream.wire.chat.seals import read_details, read_extra
from slipstream.wire.refusals import decode_at, invalid, missing, not_among
from slipstream.wire.talk.asking import (
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)

__all__ = ["read_text", "read_turns"]

_NOTHING: Final = msgspec.Raw()
_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",  # what came before `tool`
}


class _Message(msgspec.Struct):
    role: str
    content: str | list[msgspec.Raw] | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | list[msgspec.Raw] | None = None
    reasoning_details: list[msgspec.Raw] | None = None
    extra_content: msgspec.Raw = _NOTHING
    tool_calls: list[msgspec.Raw] | None = None
    tool_call_id: str | None = None
    function_call: msgspec.Raw = _NOTHING


class _Function(msgspec.Struct):
    name: str
    arguments: str | dict[str, msgspec.Raw] | None = None


class _Custom(msgspec.Struct):
    name: str
    input: str = ""


class _Call(msgspec.Struct):
    id: str
    type: str | None = None
    function: _Function | None = None
    custom: _Custom | None = None
    extra_content: msgspec.Raw = _NOTHING


_encode: Final = msgspec.json.Encoder().encode
_message_decoder: Final = msgspec.json.Decoder(_Message)
_call_decoder: Final = msgspec.json.Decoder(_Call)
_function_decoder: Final = msgspec.json.Decoder(_Function | None)


def read_turns(raws: list[msgspec.Raw]) -> tuple[Turn, ...]:
    """Read all messages.

    Raises:
        BadRequest: It names the message.
        DecodeError: As `refusals.decode_at`.
    """
    if not raws:
        raise invalid("messages", "expected at least one message, got []")
    reader = _Reader()
    turns: list[Turn] = []
    for number, raw in enumerate(raws):
        turn = reader.read(raw, f"messages[{number}]")
        if turns and _are_one(turns, turn):
            turn = Turn(turn.role, (*turns.pop().parts, *turn.parts), turn.name)
        turns.append(turn)
    return tuple(turns)


def _are_one(turns: list[Turn], turn: Turn) -> bool:
    """Tell neighbours that are one turn: results of tools, and what leads as the system's."""
    if turn.role == "system":
        return len(turns) == 1 and turns[0].role == "system"
    return turn.role == "tool" and turns[-1].role == "tool"


class _Reader:
    """Remembers calls: what answers them says less than they do."""

    __slots__ = ("_custom_ids", "_last_ids", "_num_legacy")

    def __init__(self) -> None:
        self._custom_ids: set[str] = set()
        self._last_ids: dict[str, str] = {}  # of a function that was called the older way
        self._num_legacy = 0

    def read(self, raw: msgspec.Raw, where: str) -> Turn:
        said = decode_at(_message_decoder, raw, where)
        role = _ROLES.get(said.role)
        if role is None:
            raise not_among(f"{where}.role", said.role, tuple(_ROLES))
        if role == "tool":
            return Turn(role, (self._read_result(said, where),))
        content = _read_content(said, where)
        if role == "assistant":
            parts = self._read_assistant(said, content, where)
        elif content or said.content is not None:
            parts = content or (Text(""),)
        else:
            raise invalid(f"{where}.content", "expected a string or an array of parts, got null")
        return Turn(role, parts, said.name)

    def _read_assistant(
        self, said: _Message, content: tuple[Part, ...], where: str
    ) -> tuple[Part, ...]:
        refusal = (Refusal(said.refusal),) if said.refusal else ()
        calls = [
            self._read_call(raw, f"{where}.tool_calls[{at}]")
            for at, raw in enumerate(said.tool_calls or ())
        ]
        legacy = said.function_call
        called = decode_at(_function_decoder, legacy, f"{where}.function_call") if legacy else None
        if called is not None:
            calls.append(self._read_legacy(called))
        parts = (*_read_reasoning(said), *content, *refusal, *calls)
        return parts or (Text(""),)

    def _read_call(self, raw: msgspec.Raw, where: str) -> ToolCall:
        said = decode_at(_call_decoder, raw, where)
        seals = read_extra(said.extra_content)
        if said.custom is not None:
            self._custom_ids.add(said.id)
            name, text = said.custom.name, said.custom.input
            return ToolCall(call_id=said.id, name=name, arguments=text, is_custom=True, seals=seals)
        if said.function is None:
            raise missing(f"{where}.function")
        arguments = _arguments(said.function)
        name = said.function.name
        return ToolCall(call_id=said.id, name=name, arguments=arguments, seals=seals)

    def _read_legacy(self, said: _Function) -> ToolCall:
        self._num_legacy += 1
        call_id = f"call_{self._num_legacy}"
        self._last_ids[said.name] = call_id
        return ToolCall(call_id=call_id, name=said.name, arguments=_arguments(said))

    def _read_result(self, said: _Message, where: str) -> ToolResult:
        call_id = said.tool_call_id
        if said.role == "function" and call_id is None:
            call_id = self._last_ids.get(said.name or "")
            if call_id is None:
                raise invalid(f"{where}.name", "expected the name of a function that was called")
        if call_id is None:
            raise missing(f"{where}.tool_call_id")
        parts = tuple(
            part for part in _read_content(said, where) if isinstance(part, Text | Image | Document)
        )
        return ToolResult(
            call_id=call_id,
            parts=parts,
            name=said.name,
            is_custom=call_id in self._custom_ids,
        )


def _read_content(said: _Message, where: str) -> tuple[Part, ...]:
    if said.content is None or said.content == "":
        return ()
    if isinstance(said.content, str):
        return (Text(said.content),)
    where = f"{where}.content"
    return tuple(read_part(raw, said.role, f"{where}[{at}]") for at, raw in enumerate(said.content))


def _read_reasoning(said: _Message) -> tuple[Reasoning, ...]:
    sealed = read_details(said.reasoning_details or [])
    seals = read_extra(said.extra_content)
    if seals:
        sealed = (*sealed, Reasoning(seals=seals))
    reasoning = said.reasoning
    if isinstance(reasoning, list):  # Cerebras takes an array of texts
        reasoning = read_text(reasoning, "reasoning")
    text = said.reasoning_content or reasoning
    if not text or any(part.text for part in sealed):
        return sealed
    if sealed:  # the text is of what was sealed first
        first = sealed[0]
        return (Reasoning(text=text, is_summary=first.is_summary, seals=first.seals), *sealed[1:])
    return (Reasoning(text=text),)


def _arguments(said: _Function) -> str:
    given = said.arguments
    return _encode(given).decode() if isinstance(given, dict) else given or ""
