"""Events as an answer of the Responses dialect, plain or streamed, in the order of the real one.

    created › in_progress › items, each added › … › done › completed | incomplete | failed

Every event has the number after the one before it; the terminal event holds every item.

Source: openai-python 3.52.0's types; cassettes of langchain-openai 1.7.4; 2026-11-21.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.errors import GatewayError
from slipstream.wire.responses.errors_out import failure_object
from slipstream.wire.responses.items_open import Item, Told
from slipstream.wire.responses.items_written import ItemsWritten
from slipstream.wire.responses.reading import ResponsesAsked
from slipstream.wire.responses.response_object import ResponseObject
from slipstream.wire.talk import events as talk

PING: Final = b": ping\n\n"
_DELTA: Final = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"sequence_number":%d,%b,"delta":%b,"logprobs":[]}\n\n'
)
_CUT: Final = ("length", "content_filter")
_encode: Final = msgspec.json.Encoder().encode


class AnswerWriter:
    """Writes one answer; only the first choice has a place in it.

    Args:
        request: What is answered; its settings are repeated.
        response_id: `resp_…`; the ids of the items are made of it.
        created_s: Wall clock, whole seconds.
        clock: The wall clock, for when the answer is complete; without it, that is not told.
    """

    __slots__ = (
        "_clock",
        "_has_begun",
        "_items",
        "_number",
        "_object",
        "_reason",
        "_untold_usage",
        "_usage",
    )

    def __init__(
        self,
        request: ResponsesAsked,
        *,
        response_id: str,
        created_s: int,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._object = ResponseObject(request, response_id=response_id, created_s=created_s)
        self._items = ItemsWritten(request, response_id.removeprefix("resp_"))
        self._clock = clock
        self._number = 0
        self._has_begun = False
        self._reason = "stop"
        self._usage: Usage | None = None
        self._untold_usage: Usage | None = None  # for our own account, with the next frame

    def write(self, event: talk.Event) -> list[Frame]:
        """Return what one event is in a stream.

        A `Failed` is told as `response.failed`; where another target may still be tried, raise its
        error instead of writing it.
        """
        if type(event) is talk.Said and event.choice == 0:
            place = self._items.add_text(event.text)
            if place:
                return [self._said(event.text, place)]
        if type(event) is talk.Counted and self._has_begun:
            self._usage = self._untold_usage = event.usage
            return []
        match event:
            case talk.Pinged():
                return [Frame(PING, Meaning.SILENT)]
            case talk.Failed(error=error):
                return [self.fail(error)]
            case talk.Over():
                return [self._finish()]
        data = b"".join(map(self._encode, self._tell(event)))
        if not data:
            return []
        # What commits us to this target is all that a client could act upon.
        is_silent = isinstance(event, talk.Began | talk.Counted)
        return [self._frame(data, Meaning.SILENT if is_silent else Meaning.CONTENT)]

    def whole(self, events: Iterable[talk.Event]) -> Frame:
        """Return a plain answer.

        Raises:
            GatewayError: It failed.
        """
        for event in events:
            if isinstance(event, talk.Failed):
                raise event.error
            for _ in self._tell(event):
                pass
        for _ in self._end():
            pass
        return Frame(_encode(self._ended()), Meaning.END, self._usage, self._reason)

    def fail(self, error: GatewayError) -> Frame:
        """Return the last event of a stream that broke off; it holds what was said until then."""
        data = b"".join(map(self._encode, self._begin()))
        for _ in self._items.end("incomplete"):
            pass
        response = self._object.failed(failure_object(error), self._items.output(), self._usage)
        data += self._encode(("failed", {"response": response}))
        return Frame(data, Meaning.END, self._usage)

    def kept_items(self) -> list[bytes]:
        """Return the items of a finished answer as the next turn needs them, each as JSON."""
        return [_encode(item) for item in self._items.kept()]

    def _frame(self, data: bytes, meaning: Meaning) -> Frame:
        usage, self._untold_usage = self._untold_usage, None
        return Frame(data, meaning, usage)

    def _said(self, text: str, place: bytes) -> Frame:
        """Return more of an open text: what `_encode` makes of it, but for what never changes."""
        data = _DELTA % (self._number, place[1:-1], _encode(text))
        self._number += 1
        return self._frame(data, Meaning.CONTENT)

    def _tell(self, event: talk.Event) -> Iterator[Told]:
        """Return the events of this dialect that an event is."""
        if isinstance(event, talk.Began):
            self._object.told_tier(event.service_tier)
        yield from self._begin()
        if getattr(event, "choice", 0) != 0:
            return
        match event:
            case talk.Counted(usage=usage):
                self._usage = self._untold_usage = usage
            case talk.Ended(reason=reason):
                self._reason = reason
                yield from self._end()
            case _:
                yield from self._items.tell(event)

    def _begin(self) -> Iterator[Told]:
        if not self._has_begun:
            self._has_begun = True
            response = self._object.begun()
            yield "created", {"response": response}
            yield "in_progress", {"response": response}

    def _end(self) -> Iterator[Told]:
        return self._items.end("incomplete" if self._reason in _CUT else "completed")

    def _ended(self) -> Item:
        finished_s = None if self._clock is None else self._clock()
        return self._object.ended(self._reason, self._items.output(), self._usage, finished_s)

    def _finish(self) -> Frame:
        told = [*self._begin(), *self._end()]
        response = self._ended()
        told.append((response["status"], {"response": response}))
        data = b"".join(map(self._encode, told))
        return Frame(data, Meaning.END, self._usage, self._reason)

    def _encode(self, told: Told) -> bytes:
        what, fields = told
        kind = f"response.{what}"
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(event))
