"""One stream's bytes on their way from a provider to the frames that the client gets."""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from slipstream.call import Frame, Meaning
from slipstream.errors import Broken, StreamCut
from slipstream.wire.cerebras.from_openai import CerebrasView
from slipstream.wire.sse import EventSplitter, EventTooLarge

Shape = Callable[[Frame], Iterator[Frame]]
"""From a frame as the provider sent it to those that the client gets in its place."""


def shaping(view: Callable[[], CerebrasView] | None, changes: tuple[str, ...]) -> Shape | None:
    """Return what shapes the frames of one stream; None where they stay as they are.

    Args:
        view: For a client that speaks otherwise than the provider.
        changes: What the first frame tells of the request.
    """
    if view is None and not changes:
        return None
    read = None if view is None else view().read
    untold = [changes] if changes else []

    def shape(frame: Frame) -> Iterator[Frame]:
        for shown in (frame,) if read is None else read(frame):
            yield msgspec.structs.replace(shown, changes=untold.pop()) if untold else shown

    return shape


class Listening(Protocol):
    """Is told how far an answer is, as HttpResponse is."""

    def expect_meaning(self) -> None:
        """Hear that bytes come which may mean nothing yet."""

    def note_meaning(self) -> None:
        """Hear that the answer has begun to say something."""

    def leave(self) -> None:
        """Hear that what is still to come does not matter."""


class Scanning(Protocol):
    """Says of each event of a stream what it is to the layers that relay it."""

    def read(self, event: bytes) -> Frame:
        """Return the frame of one whole event."""

    def end(self) -> Frame | None:
        """Return what the end of the bytes adds; None where the stream was not whole."""


class Reading:
    """One stream's bytes on their way to frames.

    Tells the response when the answer has begun to say something, since bytes that mean nothing are
    no first token, and when it has been read as far as it matters.
    """

    __slots__ = ("_is_silent", "_response", "_shape", "_splitter", "_stream", "has_ended")

    def __init__(self, response: Listening, stream: Scanning, shape: Shape | None) -> None:
        self._response = response
        self._stream = stream
        self._shape = shape
        self._splitter = EventSplitter()
        self._is_silent = True
        self.has_ended = False
        response.expect_meaning()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that became whole, none after the terminal one."""
        for event in split(self._splitter, data):
            frame = self._stream.read(event)
            if frame.meaning is Meaning.END:
                self.has_ended = True
                self._response.leave()
                yield from self._seen(frame)
                return
            if self._is_silent and frame.meaning is Meaning.CONTENT and not frame.is_empty:
                self._is_silent = False
                self._response.note_meaning()
            if self._shape is None:
                yield frame
            else:
                yield from self._shape(frame)

    def finish(self) -> Iterator[Frame]:
        """Yield what the end of the bytes means.

        Raises:
            StreamCut: It came before the terminal event, or in the middle of one.
        """
        if rest := self._splitter.finish():
            try:
                # With a blank line, or what follows would become a part of this event.
                frame = self._stream.read(rest + b"\n\n")
            except Broken as exc:
                raise StreamCut("the stream ended in the middle of an event") from exc
            yield from self._seen(frame)
            if frame.meaning is Meaning.END:
                return
        end = self._stream.end()
        if end is None:
            raise StreamCut("the stream ended before its terminal event")
        yield from self._seen(end)

    def _seen(self, frame: Frame) -> Iterator[Frame]:
        return iter((frame,)) if self._shape is None else self._shape(frame)


def split(splitter: EventSplitter, data: bytes) -> list[bytes]:
    """Return the events that these bytes make whole.

    Raises:
        Broken: One is larger than any that means something.
    """
    try:
        return splitter.feed(data)
    except EventTooLarge as exc:
        raise Broken(str(exc)) from exc
