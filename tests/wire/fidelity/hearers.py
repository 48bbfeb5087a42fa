"""What is understood of a stream, by whoever reads streams here, however its bytes arrive."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from slipstream.call import Call, Dialect, Frame, Meaning
from slipstream.errors import GatewayError
from slipstream.upstream.hearing import CLIENTS, hear
from slipstream.upstream.relay_reading import Reading, Scanning
from slipstream.upstream.relay_scan import SCANS
from slipstream.upstream.translate import TONGUES, Peer
from slipstream.upstream.translate_reading import Reader, TranslatedReading
from slipstream.wire.openai_chat_answers import AnswerStream
from slipstream.wire.sse import EventSplitter
from slipstream.wire.talk.events import Event, Failed, Pinged
from tests.wire.fidelity.streams import Stream

Heard = tuple[Any, ...]
"""What was understood; a failure is its last member, as type and message."""

_OUTSIDE: Final = "xai"  # counts its reasoning beside the completion


class Ear(NamedTuple):
    """Listens for as long as one answer lasts."""

    feed: Callable[[bytes], Iterable[Any]]
    finish: Callable[[], Iterable[Any]]


class Nobody:
    """Hears how far an answer is, and does nothing."""

    def expect_meaning(self) -> None:
        """Do nothing."""

    def note_meaning(self) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Do nothing."""


def _call(client: Dialect) -> Call:
    said: dict[str, Any] = {"model": "public", "stream": True, "max_tokens": 500}
    said["messages"] = [{"role": "user", "content": "hi"}]
    match client:
        case Dialect.OPENAI_RESPONSES:
            said = {"model": "public", "input": "hi", "stream": True}
            said["include"] = ["reasoning.encrypted_content"]
        case Dialect.OPENAI_COMPLETIONS | Dialect.CEREBRAS_COMPLETIONS:
            said = {"model": "public", "prompt": "hi", "stream": True}
        case Dialect.CEREBRAS_CHAT:
            del said["max_tokens"]
    return Call(
        call_id="call-1",
        dialect=client,
        body=json.dumps(said).encode(),
        model="public",
        key_id="k",
        is_stream=True,
        wants_usage=True,
    )


def _reader(stream: Stream) -> Reader:
    asked = hear(_call(Dialect.OPENAI_CHAT), _noon).asked
    peer = Peer(stream.vendor, is_reasoning_outside=stream.vendor == _OUTSIDE)
    return TONGUES[stream.dialect].reader(asked, peer, "call-1")


def _noon() -> float:
    return 1_700_000_000.0


def as_events(stream: Stream) -> Ear:
    """Read it as a translation does; signs of life are passed over."""
    reader, splitter = _reader(stream), EventSplitter()

    def heard(events: list[Event]) -> Iterable[Any]:
        for event in events:
            if isinstance(event, Failed):
                raise event.error
            if not isinstance(event, Pinged):
                yield event

    def feed(data: bytes) -> Iterable[Any]:
        for raw in splitter.feed(data):
            yield from heard(reader.read(raw))

    def finish() -> Iterable[Any]:
        if rest := splitter.finish():
            yield from heard(reader.read(rest + b"\n\n"))
        yield from heard(reader.end())

    return Ear(feed, finish)


def for_client(client: Dialect) -> Callable[[Stream], Ear]:
    """Return how a client of a dialect is told it: the bytes, but for signs of life."""

    def ear(stream: Stream) -> Ear:
        writer = hear(_call(client), _noon).writer
        reading = TranslatedReading(Nobody(), _reader(stream), writer)
        held: list[bytes] = []

        def told(frames: Iterable[Frame]) -> Iterable[bytes]:
            for frame in frames:
                if not _is_ping(frame):
                    held.append(frame.data)
                if frame.meaning is not Meaning.SILENT:  # until then, as dispatch does, it waits
                    yield from held
                    held.clear()

        def feed(data: bytes) -> Iterable[bytes]:
            return () if reading.has_ended else told(reading.feed(data))

        return Ear(feed, lambda: () if reading.has_ended else told(reading.finish()))

    return ear


def _is_ping(frame: Frame) -> bool:
    return frame.meaning is Meaning.SILENT and b"ping" in frame.data


def as_relayed(stream: Stream) -> Ear:
    """Look on from the side: that it says something, what for the account, and how it ends.

    Which events say something is not compared: those that surely do are not read when their bytes
    are as usual, and what repeats them may then look new.
    """
    reading = Reading(Nobody(), _scanning(stream), None)
    said: list[bool] = []

    def told(frames: Iterable[Frame]) -> Iterable[Any]:
        for frame in frames:
            if frame.meaning is Meaning.CONTENT and not said:
                said.append(True)
                yield "says something"
            if frame.usage is not None or frame.meaning in (Meaning.END, Meaning.WITHHELD):
                yield frame.meaning is Meaning.END, frame.usage, frame.finish_reason

    def feed(data: bytes) -> Iterable[Any]:
        return () if reading.has_ended else told(reading.feed(data))

    return Ear(feed, lambda: () if reading.has_ended else told(reading.finish()))


def _scanning(stream: Stream) -> Scanning:
    scan = SCANS.get(stream.dialect)
    if scan is not None:
        return scan(stream.vendor)
    return AnswerStream(wants_usage=True, is_reasoning_outside=stream.vendor == _OUTSIDE)


def understood(ear: Ear, pieces: Iterable[bytes]) -> Heard:
    """Return all that an ear makes of the pieces, up to its failure."""
    found: list[Any] = []
    try:
        for piece in pieces:
            found += ear.feed(piece)
        found += ear.finish()
    except GatewayError as error:
        found.append((type(error).__name__, str(error)))
    return tuple(found)


EARS: Final[dict[str, Callable[[Stream], Ear]]] = {
    "events": as_events,
    "relayed": as_relayed,
    **{f"for {client.value}": for_client(client) for client in CLIENTS},
}
"""Who may hear a stream."""
