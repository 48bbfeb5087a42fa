"""One answer's bytes on their way from a provider to frames in the words of a client's dialect.

    bytes ── events ── the provider's reader ──▶ Event ── the client's writer ──▶ Frame

As relay_reading.py, which hands on what it is given, this knows a stream and no connection.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from slipstream.call import Frame, Meaning
from slipstream.errors import Broken, StreamCut
from slipstream.upstream.hearing import Writer
from slipstream.upstream.relay_reading import Listening, split
from slipstream.wire.sse import EventSplitter
from slipstream.wire.talk.events import Ended, Event, Failed, Refused
from slipstream.wire.talk.saying import REFUSAL, are_empty, are_refusing, is_saying


class Reader(Protocol):
    """Reads one answer of a provider."""

    def read_whole(self, body: bytes) -> list[Event]:
        """Return the events of a plain answer."""

    def read(self, event: bytes) -> list[Event]:
        """Return what one whole event of a stream means."""

    def end(self) -> list[Event]:
        """Return what the end of the bytes means."""


class TranslatedReading:
    """One answer, read in one dialect and written in another.

    Args:
        changes: What the first frame tells of the request.
    """

    __slots__ = (
        "_changes",
        "_has_spoken",
        "_is_silent",
        "_reader",
        "_response",
        "_splitter",
        "_writer",
        "has_ended",
    )

    def __init__(
        self, response: Listening, reader: Reader, writer: Writer, changes: tuple[str, ...] = ()
    ) -> None:
        self._response, self._reader, self._writer = response, reader, writer
        self._changes = changes  # not told yet
        self._splitter = EventSplitter()
        self._is_silent = True
        self._has_spoken = False
        self.has_ended = False

    def whole(self, body: bytes) -> Frame:
        """Return the frame of a plain answer.

        Raises:
            UpstreamError: It says that it failed.
            Broken: It is none of the provider's dialect.
        """
        events = self._reader.read_whole(body)
        raise_failed(events)
        frame = self._writer.whole(events)
        if are_empty(events):
            frame = msgspec.structs.replace(frame, is_empty=True)
        elif are_refusing(events):
            frame = msgspec.structs.replace(frame, finish_reason=REFUSAL)
        return self._telling(frame) if self._changes else frame

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames of the events that became whole, none after the terminal one."""
        for event in split(self._splitter, data):
            yield from self._written(self._reader.read(event))
            if self.has_ended:
                return

    def finish(self) -> Iterator[Frame]:
        """Yield what the end of the bytes means.

        Raises:
            StreamCut: It came before the terminal event, or in the middle of one.
        """
        if rest := self._splitter.finish():
            try:
                events = self._reader.read(rest + b"\n\n")
            except Broken as exc:
                raise StreamCut("the stream ended in the middle of an event") from exc
            yield from self._written(events)
        if not self.has_ended:
            yield from self._written(self._reader.end())

    def _written(self, events: list[Event]) -> Iterator[Frame]:
        for event in events:
            if type(event) is Failed:
                raise event.error
            frames = self._writer.write(event)
            if not self._has_spoken:
                frames = self._first(event, frames)
            for frame in frames:
                if frame.meaning is Meaning.END:
                    self.has_ended = True
                    self._response.leave()
                elif self._is_silent and frame.meaning is Meaning.CONTENT and not frame.is_empty:
                    self._is_silent = False
                    self._response.note_meaning()
                yield self._telling(frame) if self._changes else frame

    def _first(self, event: Event, frames: list[Frame]) -> list[Frame]:
        """Return frames of an event before which nothing was said, and what they are worth."""
        self._has_spoken = is_saying(event)
        if self._has_spoken and type(event) is not Refused:
            return frames
        reason = REFUSAL if self._has_spoken else event.reason if type(event) is Ended else None
        return [
            msgspec.structs.replace(
                frame, finish_reason=frame.finish_reason or reason, is_empty=not self._has_spoken
            )
            if frame.meaning is Meaning.CONTENT or frame.meaning is Meaning.END
            else frame
            for frame in frames
        ]

    def _telling(self, frame: Frame) -> Frame:
        """Tell with the first frame what was changed."""
        changes, self._changes = self._changes, ()
        return msgspec.structs.replace(frame, changes=changes)


def raise_failed(events: list[Event]) -> None:
    """Raise the error that an answer is instead.

    Raises:
        UpstreamError: One of the events is a Failed.
    """
    for event in events:
        if type(event) is Failed:
            raise event.error
