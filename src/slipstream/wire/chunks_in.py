"""Answers in OpenAI's chunks, what chat and text completions have in common.

    plain    body ───────────────╮
    stream   event, …, `[DONE]` ─┴─ decoded, or the error that it is instead ──▶ events

A stream without `[DONE]` is whole if every choice has ended.
"""

from abc import ABC, abstractmethod
from collections.abc import Sized
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from slipstream.errors import Broken, StreamCut, UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.openai_chat_answers import MAX_CHOICES
from slipstream.wire.sse import event_data
from slipstream.wire.talk.events import Began, Event, Failed, Pinged

NOTHING: Final = msgspec.Raw()
EMPTY: Final = frozenset({b"", b"null", b'""', b"[]", b"{}"})
"""JSON that says as little as nothing."""


class Chunk(Protocol):
    """What every answer and every chunk may hold."""

    id: str | None
    model: str | None
    created: float | None
    system_fingerprint: str | None
    error: msgspec.Raw

    @property
    def choices(self) -> Sized | None:
        """The choices, of whatever shape."""


C = TypeVar("C", bound=Chunk)


class ChunkReader(ABC, Generic[C]):
    """Reads one answer, in order; a subclass knows what its choices say.

    `_is_over` is set once nothing more is to be read.
    """

    __slots__ = ("_is_over",)

    _decoder: ClassVar[msgspec.json.Decoder[Any]]
    _noun: ClassVar[str]  # of what is read, for errors

    def __init__(self) -> None:
        self._is_over = False

    def read_whole(self, body: bytes) -> list[Event]:
        """Read a plain answer; an error inside a 200 is a Failed event.

        Raises:
            Broken: The body is no such answer.
        """
        said = self._decode(body, f"the answer is no {self._noun}")
        if isinstance(said, UpstreamError):
            return [Failed(said)]
        if not said.choices:
            raise Broken("the answer holds no choices")
        events = self._read(said)
        return events if self._is_over else self._finish(events)

    def read(self, event: bytes) -> list[Event]:
        """Read one whole event of a stream; an error in its place is a Failed event.

        Raises:
            Broken: The event is no chunk of such an answer.
        """
        if self._is_over:
            return []
        data = event_data(event)
        if data is None:
            return [Pinged()]
        if data.startswith(b"[DONE]"):
            return self._finish([])
        said = self._decode(data, f"a stream event is no chunk of a {self._noun}")
        if isinstance(said, UpstreamError):
            self._is_over = True
            return [Failed(said)]
        return self._read(said)

    def end(self) -> list[Event]:
        """Say that the bytes are over; without `[DONE]` every choice must have been finished.

        Raises:
            StreamCut: One was not, or nothing came.
        """
        if self._is_over:
            return []
        if not self._have_ended():
            raise StreamCut("the stream ended before the answer was finished")
        return self._finish([])

    @abstractmethod
    def _read(self, said: C) -> list[Event]:
        """Return what an answer or a chunk says."""

    @abstractmethod
    def _finish(self, events: list[Event]) -> list[Event]:
        """Return these events and those that end the answer; it is over then."""

    @abstractmethod
    def _have_ended(self) -> bool:
        """Whether there are choices, and each has ended."""

    def _hidden_error(self, said: C) -> msgspec.Raw:
        """Return an error that stands elsewhere than in the place of the answer."""
        return NOTHING

    def _decode(self, data: bytes, problem: str) -> C | UpstreamError:
        """Return an answer or a chunk, or the error that it is instead."""
        try:
            said: C = self._decoder.decode(data)
        except UNREADABLE as exc:
            if errors_in.is_error(data):
                return errors_in.read_error(200, data, retry_after_s=None)
            raise Broken(f"{problem}: {exc}") from exc
        is_plain = said.choices and (said.error is NOTHING or bytes(said.error) in EMPTY)
        if not is_plain and errors_in.is_error(data):
            return errors_in.read_error(200, data, retry_after_s=None)
        hidden = self._hidden_error(said)
        if hidden is not NOTHING and bytes(hidden) not in EMPTY:
            body = b'{"error":' + bytes(hidden) + b"}"
            return errors_in.read_error(200, body, retry_after_s=None)
        return said


def began(said: Chunk, service_tier: str | None = None) -> Began:
    """Return what the first chunk tells of the answer."""
    return Began(
        answer_id=said.id or "",
        model=said.model or "",
        created_s=int(said.created) if said.created else None,
        fingerprint=said.system_fingerprint,
        service_tier=service_tier,
    )


def check_index(index: int | None) -> int:
    """Return the index of a choice.

    Raises:
        Broken: There cannot be so many.
    """
    at = index or 0
    if not 0 <= at < MAX_CHOICES:
        raise Broken(f"the answer holds a choice with the index {at}")
    return at
