"""The items of an answer that is being written, made of events.

One item is open at a time, but for calls, whose pieces may interleave: they end together, when
text or reasoning follows or the answer ends. What a vendor wants back is in `encrypted_content`
where the client asked for it, and in what we keep always.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from slipstream.wire.responses.annotations import read_annotation
from slipstream.wire.responses.items_open import (
    Item,
    OpenCall,
    OpenItem,
    OpenMessage,
    OpenReasoning,
    Told,
)
from slipstream.wire.responses.reading import SEALED, ResponsesAsked
from slipstream.wire.talk import events as talk
from slipstream.wire.talk.custom_tools import custom_names
from slipstream.wire.talk.parcels import CallSeal, Parcel

_tokens_decoder: Final = msgspec.json.Decoder(list[Any])


class ItemsWritten:
    """All items of one answer.

    Args:
        key: Of which their ids are made.
    """

    __slots__ = (
        "_call_ids",
        "_call_seals",
        "_calls",
        "_custom",
        "_items",
        "_key",
        "_open",
        "_origins",
        "_shows_seals",
    )

    def __init__(self, request: ResponsesAsked, key: str) -> None:
        self._key = key
        self._custom = custom_names(request.asked)
        self._origins = request.origins
        self._shows_seals = SEALED in request.includes
        self._items: list[OpenItem] = []  # in their order, closed or not
        self._open: OpenMessage | OpenReasoning | None = None
        self._calls: dict[int, OpenCall] = {}  # the open ones, by index
        self._call_ids: dict[int, str] = {}
        self._call_seals: list[CallSeal] = []  # not told yet

    def tell(self, event: talk.Event) -> Iterator[Told]:
        """Return the events of this dialect that an event is; none of what is no item's."""
        tell = _TELLERS.get(type(event))
        return iter(()) if tell is None else tell(self, event)

    def add_text(self, text: str) -> bytes:
        """Add to the text that is open; return its place, encoded: b"" if none is open."""
        return self._open.add(text) if type(self._open) is OpenMessage and text else b""

    def end(self, status: str) -> Iterator[Told]:
        """End all items; seals of calls, which have no place in them, get an item of their own."""
        yield from self._close_all(status)
        if self._call_seals and self._shows_seals:
            item = self._seals_item()
            self._items.append(item)
            self._call_seals = []
            yield item.open()
            yield from item.close("completed")

    def output(self) -> list[Item]:
        """Return the items as the client sees them."""
        return [item.item() for item in self._items]

    def kept(self) -> list[Item]:
        """Return the items as the next turn needs them."""
        kept = [item.item(keeps=True) for item in self._items]
        return [*kept, self._seals_item().item(keeps=True)] if self._call_seals else kept

    def _said(self, event: talk.Said) -> Iterator[Told]:
        return self._say(event.text, "output_text")

    def _refused(self, event: talk.Refused) -> Iterator[Told]:
        return self._say(event.text, "refusal")

    def _say(self, text: str, kind: str) -> Iterator[Told]:
        if not text:
            return
        if not isinstance(self._open, OpenMessage):
            yield from self._open_message()
        assert isinstance(self._open, OpenMessage), "just opened"
        yield from self._open.say(text, kind)

    def _scored(self, event: talk.Scored) -> Iterator[Told]:
        if isinstance(self._open, OpenMessage):
            yield from self._open.score(_tokens_decoder.decode(event.raw))

    def _cited(self, event: talk.Cited) -> Iterator[Told]:
        message = self._open if isinstance(self._open, OpenMessage) else None
        note = read_annotation(event, message.num_chars() if message else 0)
        if note is None:
            return
        if message is None:
            yield from self._open_message()
        assert isinstance(self._open, OpenMessage), "just opened"
        yield from self._open.cite(note)

    def _thought(self, event: talk.Thought) -> Iterator[Told]:
        if not event.text:
            return
        last = self._open
        is_other = not isinstance(last, OpenReasoning) or last.is_summary != event.is_summary
        if is_other or (isinstance(last, OpenReasoning) and last.seals and event.begins):
            yield from self._open_reasoning(is_summary=event.is_summary)
        assert isinstance(self._open, OpenReasoning), "just opened"
        yield from self._open.think(event.text, begins=event.begins)

    def _sealed(self, event: talk.Sealed) -> Iterator[Told]:
        if event.call is not None:
            call_id = self._call_ids.get(event.call)
            if call_id is not None:
                self._call_seals.append(CallSeal(call_id, event.seal))
            return
        if not isinstance(self._open, OpenReasoning):
            yield from self._open_reasoning(is_summary=False)
        assert isinstance(self._open, OpenReasoning), "just opened"
        self._open.seals.append(event.seal)

    def _call_began(self, event: talk.CallBegan) -> Iterator[Told]:
        yield from self._close_open("completed")
        is_custom = event.is_custom or event.name in self._custom
        call = OpenCall(
            self._item_id("ctc" if is_custom else "fc"),
            len(self._items),
            call_id=event.call_id,
            name=event.name,
            origin=self._origins.get(event.name),
            is_custom=is_custom,
            is_wrapped=is_custom and not event.is_custom,
        )
        self._calls[event.index] = call
        self._call_ids[event.index] = event.call_id
        self._items.append(call)
        yield call.open()

    def _call_said(self, event: talk.CallSaid) -> Iterator[Told]:
        call = self._calls.get(event.index)
        if call is not None:
            yield from call.say(event.text)

    def _item_id(self, kind: str) -> str:
        return f"{kind}_{self._key}{len(self._items):02x}"

    def _open_message(self) -> Iterator[Told]:
        yield from self._close_all("completed")
        self._open = OpenMessage(self._item_id("msg"), len(self._items))
        self._items.append(self._open)
        yield self._open.open()

    def _open_reasoning(self, *, is_summary: bool) -> Iterator[Told]:
        yield from self._close_all("completed")
        self._open = OpenReasoning(
            self._item_id("rs"),
            len(self._items),
            is_summary=is_summary,
            shows_seals=self._shows_seals,
        )
        self._items.append(self._open)
        yield self._open.open()

    def _seals_item(self) -> OpenReasoning:
        parcel = Parcel(call_seals=tuple(self._call_seals))
        return OpenReasoning(self._item_id("rs"), len(self._items), shows_seals=True, parcel=parcel)

    def _close_open(self, status: str) -> Iterator[Told]:
        if self._open is not None:
            yield from self._open.close(status)
            self._open = None

    def _close_all(self, status: str) -> Iterator[Told]:
        yield from self._close_open(status)
        for call in self._calls.values():
            yield from call.close(status)
        self._calls.clear()


_TELLERS: Final[dict[type[talk.Event], Callable[[ItemsWritten, Any], Iterator[Told]]]] = {
    talk.Said: ItemsWritten._said,
    talk.Refused: ItemsWritten._refused,
    talk.Scored: ItemsWritten._scored,
    talk.Cited: ItemsWritten._cited,
    talk.Thought: ItemsWritten._thought,
    talk.Sealed: ItemsWritten._sealed,
    talk.CallBegan: ItemsWritten._call_began,
    talk.CallSaid: ItemsWritten._call_said,
}
