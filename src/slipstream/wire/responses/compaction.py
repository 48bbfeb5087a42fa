"""A conversation made shorter: what a model is asked for it, and what the client gets.

The conversation is told to the model as a text, so that any model can be asked, whatever calls and
parts the turns hold. The summary goes to the client in a parcel, which `items_in` opens as a turn
of the user's; what the user said last stands in it word for word, as far as there is room.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.wire.invalid import UNREADABLE
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
from slipstream.wire.talk.parcels import Parcel, close_parcel

_TASK: Final = (
    "You are given the transcript of a conversation between a user and an assistant. Write a "
    "summary from which the assistant can go on without the transcript. Keep what the user wants, "
    "what was decided, every fact, name, number, path and id that is still needed, what the tools "
    "returned that matters, what is done and what is left to do. Answer with the summary only."
)
# The last three are no fields of OpenAI's, but a summary may need a bound.
_PASSED_ON: Final = (
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "max_output_tokens",
    "reasoning",
    "temperature",
)
_MAX_KEPT_CHARS: Final = 40_000  # of the user's own words: some 10,000 tokens
_SUMMARY: Final = "Summary of the conversation so far:"
_OWN_WORDS: Final = "What the user said, word for word:"
_encode: Final = msgspec.json.Encoder().encode


class _Stretch(Struct):
    text: str = ""


class _Said(Struct):
    content: list[_Stretch] = []


class _Answer(Struct):
    id: str
    created_at: float
    output: list[_Said]
    usage: msgspec.Raw


_answer_decoder: Final = msgspec.json.Decoder(_Answer)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write_task(asked: Asked, body: bytes) -> bytes:
    """Return the request for a summary.

    Args:
        asked: What is to be made shorter, all of it.
        body: As the client wrote it.
    """
    fields = _fields_decoder.decode(body)
    passed = {name: fields[name] for name in _PASSED_ON if name in fields}
    transcript = "\n\n".join(_transcript(asked.turns))
    return _encode(
        {
            "model": asked.model,
            "instructions": _TASK,
            "input": f"<transcript>\n{transcript}\n</transcript>\n\nWrite the summary.",
            "store": False,
            **passed,
        }
    )


def read_summary(asked: Asked, body: bytes) -> dict[str, Any] | None:
    """Return what the client gets for a model's answer; None if it says nothing."""
    try:
        answer = _answer_decoder.decode(body)
    except UNREADABLE:
        return None
    summary = "".join(part.text for item in answer.output for part in item.content)
    if not summary.strip():
        return None
    text = f"{_SUMMARY}\n\n{summary.strip()}"
    if words := _own_words(asked.turns):
        text = f"{text}\n\n{_OWN_WORDS}\n\n{words}"
    key = answer.id.removeprefix("resp_")
    item = {
        "type": "compaction",
        "id": f"cmp_{key}",
        "encrypted_content": close_parcel(Parcel(text=text)),
    }
    return {
        "id": f"resp_{key}",
        "object": "response.compaction",
        "created_at": int(answer.created_at),
        "output": [item],
        "usage": answer.usage,
    }


def _transcript(turns: Sequence[Turn]) -> Iterator[str]:
    for turn in turns:
        said = "\n".join(text for part in turn.parts if (text := _told(part)))
        if said:
            yield f"{turn.role}: {said}"


def _told(part: Part) -> str:
    match part:
        case Text() | Refusal():
            return part.text
        case Reasoning():
            return ""
        case ToolCall():
            return f"[calls {part.name} with {part.arguments}]"
        case ToolResult():
            said = "\n".join(_told(one) for one in part.parts)
            return f"[returned: {said}]"
        case Image():
            return "[a picture]"
        case Document():
            return (
                part.text or f"[a file: {part.title or part.url or part.media_type or 'unnamed'}]"
            )
        case Audio():
            return "[sound]"


def _own_words(turns: Sequence[Turn]) -> str:
    """Return what the user said, the last of it where it is long."""
    texts = [
        part.text
        for turn in turns
        if turn.role == "user"
        for part in turn.parts
        if isinstance(part, Text)
    ]
    return "\n\n".join(texts)[-_MAX_KEPT_CHARS:]
