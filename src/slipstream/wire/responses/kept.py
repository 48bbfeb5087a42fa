"""What is kept of a Responses request and of its answer, and how it is shown again: pure.

An answer is kept as the client saw it. Items are kept as the next turn needs them: those of the
request as the client wrote them, those of the answer with all that its vendor wants back.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.refusals import decode_at
from slipstream.wire.responses.following import Following
from slipstream.wire.sse import EventSplitter, event_data

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")
_PREFIXES: Final = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctc",
    "compaction": "cmp",
}
_WITH_STATUS: Final = frozenset(_PREFIXES) - {"reasoning", "compaction"}
Fields = dict[str, Any]


class Ended(Struct):
    """What must be known of an answer.

    Args:
        store: As its vendor says, who may keep it, too.
    """

    id: str
    output: list[msgspec.Raw] = []
    status: str = "completed"
    store: bool | None = None


class Item(NamedTuple):
    """One item, and by which name it may be asked for again."""

    item_id: str
    body: bytes


class _Named(Struct):
    id: str | None = None
    type: str | None = None
    role: str | None = None


class _Input(Struct):
    input: msgspec.Raw = _NOTHING


class _Event(Struct):
    response: msgspec.Raw


class _Created(Struct):
    created_at: int


_created_decoder: Final = msgspec.json.Decoder(_Created)
_named_decoder: Final = msgspec.json.Decoder(_Named)
_final_decoder: Final = msgspec.json.Decoder(Ended)
_event_decoder: Final = msgspec.json.Decoder(_Event)
_input_decoder: Final = msgspec.json.Decoder(_Input)
_given_decoder: Final = msgspec.json.Decoder(str | list[msgspec.Raw])
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode


def read_input(body: bytes) -> list[msgspec.Raw]:
    """Return the items of a request's own input, a text made an item.

    Raises:
        BadRequest: It is neither.
    """
    try:
        said = _input_decoder.decode(body).input
        if bytes(said) in _ABSENT:
            return []
        given = decode_at(_given_decoder, said, "input")
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    if isinstance(given, list):
        return given
    part = {"type": "input_text", "text": given}
    return [msgspec.Raw(_encode({"type": "message", "role": "user", "content": [part]}))]


def referred_ids(items: Iterable[msgspec.Raw]) -> list[str]:
    """Return the ids of the items that are only named."""
    named = (_named(item) for item in items)
    return [said.id for said in named if said.id is not None and _is_reference(said)]


def kept_items(
    items: Iterable[msgspec.Raw | bytes], key: str, known: Mapping[str, msgspec.Raw] | None = None
) -> list[Item]:
    """Return items as they are kept.

    Args:
        key: Of which the ids are made of those that have none.
        known: Items that take the place of those that only name them.
    """
    kept = []
    for at, raw in enumerate(items):
        said = _named(raw)
        if _is_reference(said) and known and said.id is not None:
            raw = known.get(said.id, msgspec.Raw(raw))
        kind = said.type or "message"
        kept.append(Item(said.id or f"{_PREFIXES.get(kind, 'item')}_{key}{at:02x}", bytes(raw)))
    return kept


def shown_item(item: Item) -> Fields:
    """Return an item of an input as clients' schemas demand it, whose input may say less.

    What is shown as it was stays JSON text, whatever numbers are in it.
    """
    said = _fields_in(item.body)
    if said is None:
        return {"type": "unknown", "id": item.item_id}
    named = _named(item.body)
    kind = named.type or "message"
    shown: Fields = {**said, "type": kind, "id": item.item_id}
    if kind in _WITH_STATUS and _is_absent(said.get("status")):
        shown["status"] = "completed"
    if kind == "message":
        shown["content"] = _shown_content(said.get("content"), is_own=named.role == _MODEL)
    return shown


_MODEL: Final = "assistant"


def _shown_content(content: msgspec.Raw | None, *, is_own: bool) -> Any:
    try:
        given = [] if content is None else _given_decoder.decode(content)
    except UNREADABLE:
        return content
    if isinstance(given, str):
        text = {"type": "output_text" if is_own else "input_text", "text": given}
        return [text | {"annotations": []} if is_own else text]
    return [_shown_part(part) for part in given]


def _shown_part(part: msgspec.Raw) -> Any:
    said = _fields_in(part)
    if said is None or _named(part).type != "output_text" or "annotations" in said:
        return part
    return {"annotations": [], **said}


def _fields_in(raw: msgspec.Raw | bytes) -> dict[str, msgspec.Raw] | None:
    """Return the fields of an object; None of anything else."""
    try:
        return _fields_decoder.decode(raw)
    except UNREADABLE:
        return None


def _is_absent(raw: msgspec.Raw | None) -> bool:
    return raw is None or bytes(raw) in _ABSENT


def answer_of(data: bytes, *, is_stream: bool) -> bytes | None:
    """Return the answer's object in the bytes that end it; None if it is not in them."""
    if not is_stream:
        return data
    for event in reversed(_events(data)):
        said = event_data(event)
        if said is not None and b'"response"' in said:
            return _response_in(said)
    return None


def _events(data: bytes) -> list[bytes]:
    """Return events, of any size where we wrote them, which is with LF."""
    return EventSplitter().feed(data) if b"\r" in data else data.split(b"\n\n")


def _response_in(said: bytes) -> bytes | None:
    try:
        return bytes(_event_decoder.decode(said).response)
    except UNREADABLE:
        return None


def read_answer(body: bytes) -> Ended | None:
    """Return what must be known of an answer; None if it is none."""
    try:
        return _final_decoder.decode(body)
    except UNREADABLE:
        return None


def created_at(body: bytes) -> int:
    """Return when an answer of ours was begun, as its object says."""
    return _created_decoder.decode(body).created_at


def with_fields(body: bytes, **fields: Any) -> bytes:
    """Return an object with these fields in place of its own; the others keep their bytes."""
    said = _fields_decoder.decode(body)
    return _encode(said | {name: msgspec.Raw(_encode(value)) for name, value in fields.items()})


def without_fields(body: bytes, names: Sequence[str]) -> bytes:
    """Return an object without these fields."""
    said = _fields_decoder.decode(body)
    return _encode({name: raw for name, raw in said.items() if name not in names})


def as_unkept(data: bytes, answer: bytes, *, is_stream: bool) -> bytes:
    """Return the bytes that end an answer, saying that it is not kept.

    Args:
        answer: The answer's object, which `answer_of` found in them.
    """
    said = with_fields(answer, store=False)
    if not is_stream:
        return said
    head, found, tail = data.rpartition(answer)
    return head + said + tail if found else data


def known_upstream(following: Following, body: bytes) -> bytes:
    """Return a request that names the answer before it as the provider does that keeps it."""
    if following.upstream_id is None:
        return body
    return with_fields(body, previous_response_id=following.upstream_id)


def _named(raw: msgspec.Raw | bytes) -> _Named:
    try:
        return _named_decoder.decode(raw)
    except UNREADABLE:
        return _Named(type="")  # whoever reads it whole says what is wrong


def _is_reference(said: _Named) -> bool:
    return said.type == "item_reference" or (said.type is None and said.role is None)
