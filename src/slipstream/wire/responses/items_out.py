"""Turns as the items of a Responses request.

What a model said, thought and called in one turn is an item each there. Sealed reasoning goes to
the vendor that made it; of what others thought nothing is told.

Source: openai-python 3.52.0's types, 2026-11-21.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.errors import Unsupported
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.responses.names import short_id
from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.names import field_name

Fields = dict[str, Any]
Item = Fields | msgspec.Raw

_ANNOTATIONS: Final = ("file_citation", "url_citation", "container_file_citation", "file_path")
_TTLS: Final = ("30m", "12h")
MARK: Final = "prompt_cache_breakpoint"
_decode: Final = msgspec.json.Decoder().decode
_object_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Said(Struct, frozen=True):
    """A conversation in items.

    Args:
        instructions: What leads it, where that is one text.
        changes: What of it is not told.
    """

    instructions: str | None
    items: list[Item]
    changes: tuple[str, ...]


class _Writing(Struct):
    """What writers of turns must know, and what they leave out."""

    turns: str  # what the client calls them
    thoughts: str  # likewise
    vendor: str
    has_marks: bool
    custom_calls: frozenset[str]
    changes: dict[str, None] = {}

    def leave_out(self, what: str) -> None:
        self.changes[f"{self.turns}.{what}"] = None


def write_items(asked: Asked, vendor: str, *, has_marks: bool = True) -> Said:
    """Return the conversation.

    Args:
        vendor: Whose sealed reasoning is told.
        has_marks: What is worth keeping in a cache may be marked.

    Raises:
        Unsupported: It holds what this dialect cannot say, such as sound.
    """
    calls = (p for turn in asked.turns for p in turn.parts if isinstance(p, ToolCall))
    custom_calls = frozenset(call.call_id for call in calls if call.is_custom)
    words = field_name(asked.dialect, "turns"), field_name(asked.dialect, "thoughts")
    writing = _Writing(*words, vendor, has_marks, custom_calls)
    turns = list(asked.turns)
    # A target wants an input beside its instructions.
    instructions = _instructions(turns[0]) if len(turns) > 1 else None
    if instructions is not None:
        del turns[0]
    items = [item for turn in turns for item in _write_turn(turn, writing)]
    return Said(instructions, items, tuple(writing.changes))


def _instructions(turn: Turn) -> str | None:
    match turn:
        case Turn("system", (Text(text=text, cache=None),), None):
            return text
    return None


def _write_turn(turn: Turn, writing: _Writing) -> Iterator[Item]:
    if turn.name is not None:
        writing.leave_out("name")
    match turn.role:
        case "assistant":
            yield from _write_answer(turn.parts, writing)
        case "tool":
            yield from _write_results(turn.parts, writing)
        case role:
            content = [_write_part(part, writing) for part in turn.parts]
            word = "developer" if role == "system" else role
            if content:
                yield {"type": "message", "role": word, "content": content}


def _write_answer(parts: Sequence[Part], writing: _Writing) -> Iterator[Item]:
    """Write neighbouring texts as one message, and everything else as an item of its own."""
    content: list[Fields] = []
    for part in parts:
        if isinstance(part, Text | Refusal):
            content.append(_write_said(part, writing))
            continue
        if content:
            yield _message(content)
            content = []
        match part:
            case Reasoning():
                yield from _write_reasoning(part, writing)
            case ToolCall():
                yield _write_call(part)
            case _:
                raise _unsupported(part, "in what the model has said")
    if content:
        yield _message(content)


def _message(content: list[Fields]) -> Fields:
    return {"type": "message", "role": "assistant", "content": content}


def _write_said(part: Text | Refusal, writing: _Writing) -> Fields:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    annotations = [note for raw in part.citations if (note := _annotation(raw)) is not None]
    if len(annotations) < len(part.citations):
        writing.leave_out("citations")
    return {"type": "output_text", "text": part.text, "annotations": annotations}


def _annotation(raw: str) -> Any:
    """Return a citation if it is in the words of this dialect."""
    try:
        said = _decode(raw)
    except UNREADABLE:
        return None
    return said if isinstance(said, dict) and said.get("type") in _ANNOTATIONS else None


def _write_reasoning(part: Reasoning, writing: _Writing) -> Iterator[Item]:
    has_told = False
    for seal in part.seals:
        if seal.vendor != writing.vendor:
            continue
        if seal.kind == "item" and (item := _kept_item(seal.data)) is not None:
            has_told = True
            yield item
        elif seal.kind == "encrypted_content":
            has_told = True
            summary = [{"type": "summary_text", "text": part.text}] if part.is_summary else []
            yield {
                "type": "reasoning",
                "id": seal.item_id or f"rs_{sha256(seal.data.encode()).hexdigest()[:48]}",
                "summary": summary,
                "encrypted_content": seal.data,
            }
    if not has_told:
        writing.leave_out(writing.thoughts)


def _kept_item(raw: str) -> Item | None:
    """Return an item that is told word for word; None for what is no object.

    Clients of other dialects bring it as a text, which must not end the list that it stands in.
    """
    try:
        _object_decoder.decode(raw)
    except UNREADABLE:
        return None
    return msgspec.Raw(raw.encode())


def _write_call(call: ToolCall) -> Fields:
    head = {"call_id": short_id(call.call_id), "name": call.name}
    if call.is_custom:
        return {"type": "custom_tool_call", **head, "input": call.arguments}
    return {"type": "function_call", **head, "arguments": call.arguments or "{}"}


def _write_results(parts: Sequence[Part], writing: _Writing) -> Iterator[Item]:
    for part in parts:
        if not isinstance(part, ToolResult):
            raise _unsupported(part, "among the results of tools")
        is_custom = part.is_custom or part.call_id in writing.custom_calls
        yield {
            "type": "custom_tool_call_output" if is_custom else "function_call_output",
            "call_id": short_id(part.call_id),
            "output": _output(part, writing),
        }


def _output(result: ToolResult, writing: _Writing) -> str | list[Fields]:
    parts = result.parts
    if result.is_error:  # there is no other place for it
        said = parts[0].text if parts and isinstance(parts[0], Text) else None
        rest = parts if said is None else parts[1:]
        parts = (Text(f"Error: {said}" if said else "Error"), *rest)
    match parts:
        case ():
            return ""
        case (Text(text=text, cache=None),):
            return text
    return [_write_part(part, writing) for part in parts]


def _write_part(part: Part, writing: _Writing) -> Fields:
    write = _PARTS.get(type(part))
    if write is None:
        raise _unsupported(part, "in a message")
    written = write(part, writing)
    cache = getattr(part, "cache", None)
    if cache is None:
        return written
    if not writing.has_marks:
        writing.changes[MARK] = None
        return written
    return written | {MARK: _breakpoint(cache)}


def _breakpoint(cache: CacheMark) -> Fields:
    """Keep OpenAI's own times; other vendors' are shorter than its shortest, which is its own."""
    ttl = {"ttl": cache.ttl} if cache.ttl in _TTLS else {}
    return {"mode": "explicit", **ttl}


def _write_text(part: Text, _: _Writing) -> Fields:
    return {"type": "input_text", "text": part.text}


def _write_refusal(part: Refusal, _: _Writing) -> Fields:
    return {"type": "input_text", "text": part.text}


def _write_image(part: Image, _: _Writing) -> Fields:
    url = part.url
    if part.data is not None:
        url = f"data:{part.media_type or 'image/png'};base64,{part.data}"
    where = {"file_id": part.file_id} if url is None else {"image_url": url}
    return {"type": "input_image", **where, "detail": part.detail or "auto"}


def _write_document(part: Document, writing: _Writing) -> Fields:
    if part.cites:
        writing.leave_out("citations")
    if part.text is not None:
        said = [text for text in (part.title, part.context, part.text) if text]
        return {"type": "input_text", "text": "\n".join(said)}
    if part.context is not None:
        writing.leave_out("context")
    if part.url is not None:
        return {"type": "input_file", "file_url": part.url}
    if part.file_id is not None:
        return {"type": "input_file", "file_id": part.file_id}
    kind = part.media_type or "application/pdf"
    name = part.title or f"document.{kind.rpartition('/')[2]}"
    return {
        "type": "input_file",
        "filename": name,
        "file_data": f"data:{kind};base64,{part.data}",
    }


_PARTS: Final[dict[type[Part], Callable[[Any, _Writing], Fields]]] = {
    Text: _write_text,
    Refusal: _write_refusal,
    Image: _write_image,
    Document: _write_document,
}


def _unsupported(part: Part, where: str) -> Unsupported:
    word = "input_audio" if isinstance(part, Audio) else type(part).__name__.lower()
    error = Unsupported(f"This model does not take '{word}' {where}.")
    error.param = word
    return error
