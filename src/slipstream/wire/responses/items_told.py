"""The items of an upstream's answer and how much of each was told.

A `done` event repeats what the pieces before it said. It is compared with what was told, and what
is missing is told: some upstreams send an item whole, without pieces.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.errors import Broken
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.responses.names import DIALECT, flat_name
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    CallBegan,
    CallSaid,
    Cited,
    Event,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)

Key = int | str
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_NOTHING: Final = msgspec.Raw()


class _Part(Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[msgspec.Raw] | None = None
    logprobs: list[Any] | None = None


class _Item(Struct):
    type: str | None = None
    id: str | None = None
    content: list[_Part] | None = None
    summary: list[_Part] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Any = None
    input: Any = None


class _Told(Struct):
    """How much of one item was told."""

    call: int | None = None  # its index among the calls
    num_text: int = 0
    num_refusal: int = 0
    num_thought: int = 0
    num_summary: int = 0
    num_arguments: int = 0
    num_citations: int = 0
    thought_part: tuple[bool, int] | None = None  # whether of the summary, and which
    is_complete: bool = False


_item_decoder: Final = msgspec.json.Decoder(_Item)
_list_decoder: Final = msgspec.json.Decoder(list[Any])
_encode: Final = msgspec.json.Encoder().encode


class ItemsTold:
    """What was told of an answer so far; every method returns what is new.

    Args:
        vendor: Whose sealed reasoning it is.
    """

    __slots__ = ("_told", "_vendor", "num_calls", "num_searches")

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._told: dict[Key, _Told] = {}
        self.num_calls = 0
        self.num_searches = 0

    @property
    def is_untold(self) -> bool:
        """No item has begun."""
        return not self._told

    def open(self, key: Key, raw: msgspec.Raw) -> list[Event]:
        """Begin an item; what it holds already is told with the rest of it."""
        item = _read_item(raw)
        return self._begin_call(self._of(key), item) if item.type in _CALLS else []

    def say(self, key: Key, text: str, logprobs: bytes | msgspec.Raw = b"") -> list[Event]:
        """Tell more text."""
        told = self._of(key)
        told.num_text += len(text)
        events: list[Event] = [Said(text)] if text else []
        if bytes(logprobs):
            events += _scored(_list_decoder.decode(logprobs))
        return events

    def refuse(self, key: Key, text: str) -> list[Event]:
        """Tell more of a refusal."""
        self._of(key).num_refusal += len(text)
        return [Refused(text)] if text else []

    def think(self, key: Key, text: str, part: int, *, is_summary: bool) -> list[Event]:
        """Tell more reasoning, of one part of it."""
        if not text:
            return []
        told = self._of(key)
        begins = told.thought_part != (is_summary, part)
        told.thought_part = (is_summary, part)
        if is_summary:
            told.num_summary += len(text)
        else:
            told.num_thought += len(text)
        return [Thought(text, is_summary=is_summary, begins=begins)]

    def call(self, key: Key, text: str) -> list[Event]:
        """Tell more of a call's arguments; of a call that did not begin, its end tells all."""
        told = self._of(key)
        if told.call is None or not text:
            return []
        told.num_arguments += len(text)
        return [CallSaid(told.call, text)]

    def cite(self, key: Key, raw: msgspec.Raw) -> list[Event]:
        """Tell an annotation."""
        self._of(key).num_citations += 1
        return [Cited(bytes(raw).decode(), DIALECT)] if bytes(raw) else []

    def complete(self, key: Key, raw: msgspec.Raw) -> list[Event]:
        """End an item; tell what of it was not told."""
        told = self._of(key)
        if told.is_complete:
            return []
        told.is_complete = True
        item = _read_item(raw)
        match item.type:
            case "message":
                return self._complete_message(key, told, item)
            case "reasoning":
                return self._complete_reasoning(key, told, item)
            case "function_call" | "custom_tool_call" as kind:
                return self._complete_call(key, told, item, kind)
            case "web_search_call":
                self.num_searches += 1
        return []

    def _of(self, key: Key) -> _Told:
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = _Told()
        return told

    def _begin_call(self, told: _Told, item: _Item) -> list[Event]:
        if told.call is not None or not item.name or not item.call_id:
            return []
        told.call = self.num_calls
        self.num_calls += 1
        began = CallBegan(
            index=told.call,
            call_id=item.call_id,
            name=flat_name(item.namespace, item.name),
            is_custom=item.type == "custom_tool_call",
        )
        return [began]

    def _complete_message(self, key: Key, told: _Told, item: _Item) -> list[Event]:
        parts = item.content or []
        seen, refused, cited = told.num_text, told.num_refusal, told.num_citations
        events: list[Event] = []
        for part in parts:
            text, refusal, notes = part.text or "", part.refusal or "", part.annotations or []
            if part.type == "refusal":
                events += self.refuse(key, refusal[refused:])
                refused = max(refused - len(refusal), 0)
                continue
            events += self.say(key, text[seen:])
            if not seen:
                events += _scored(part.logprobs or [])
            seen = max(seen - len(text), 0)
            for raw in notes[cited:]:
                events += self.cite(key, raw)
            cited = max(cited - len(notes), 0)
        return events

    def _complete_reasoning(self, key: Key, told: _Told, item: _Item) -> list[Event]:
        events: list[Event] = []
        for is_summary, parts in ((True, item.summary or []), (False, item.content or [])):
            seen = told.num_summary if is_summary else told.num_thought
            for at, part in enumerate(parts):
                text = part.text or ""
                events += self.think(key, text[seen:], at, is_summary=is_summary)
                seen = max(seen - len(text), 0)
        if item.encrypted_content:
            seal = Seal(
                vendor=self._vendor,
                kind="encrypted_content",
                data=item.encrypted_content,
                item_id=item.id,
            )
            events.append(Sealed(seal))
        return events

    def _complete_call(self, key: Key, told: _Told, item: _Item, kind: str) -> list[Event]:
        events = self._begin_call(told, item)
        if told.call is None:
            raise Broken("a call in the answer has no name or no id")
        said = getattr(item, _CALLS[kind])
        text = said if isinstance(said, str) else ""
        return [*events, *self.call(key, text[told.num_arguments :])]


def _read_item(raw: msgspec.Raw) -> _Item:
    try:
        return _item_decoder.decode(raw)
    except UNREADABLE as exc:
        problem = f"an item of the answer cannot be read: {exc}"
        raise Broken(problem) from exc


def _scored(tokens: list[Any]) -> list[Event]:
    """Tell log probabilities as Chat does, which says the bytes of each token, too."""
    if not tokens:
        return []
    return [Scored(_encode([_token(token) for token in tokens]).decode())]


def _token(said: Any) -> Any:
    if not isinstance(said, dict) or not isinstance(said.get("token"), str):
        return said
    top = said.get("top_logprobs")
    told = {**said, "bytes": said.get("bytes") or list(said["token"].encode())}
    return told if top is None else {**told, "top_logprobs": [_token(one) for one in top]}
