"""Answers of an upstream that completes texts, read into events: streamed, and plain.

A conversation's prompt ends with the assistant's label, behind which a model writes a space first;
it is no part of the answer. Log probabilities are not asked for, and passed over.

Source: platform documentation and openai-python 3.52.0's types; vLLM's `stop_reason`; 2026-11-21.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.errors import Broken, StreamCut, UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.completions.transcript import goes_on
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.openai_chat_answers import MAX_CHOICES
from slipstream.wire.sse import event_data
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Failed, Over, Pinged, Said
from slipstream.wire.usage import read_usage

_NOTHING: Final = msgspec.Raw()
_EMPTY: Final = frozenset({b"", b"null", b'""', b"[]", b"{}"})
_ENDINGS: Final = {"length": "length", "max_tokens": "length", "content_filter": "content_filter"}


class _Choice(Struct):
    index: int | None = None
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: Any = None  # vLLM: the text or the token that ended it


class _Answer(Struct):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    system_fingerprint: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


_decoder: Final = msgspec.json.Decoder(_Answer)


class _Told:
    """What is known of one choice."""

    __slots__ = ("has_ended", "has_said")

    def __init__(self, *, has_said: bool) -> None:
        self.has_said, self.has_ended = has_said, False


class AnswerReader:
    """Reads one answer, in order.

    Args:
        asked: What was asked: its stops are told where they were found, ours are not.
    """

    __slots__ = ("_choices", "_goes_on", "_has_begun", "_is_over", "_stops")

    def __init__(self, asked: Asked) -> None:
        self._stops = asked.sampling.stop
        self._goes_on = goes_on(asked.turns)
        self._choices: dict[int, _Told] = {}
        self._has_begun = self._is_over = False

    def read_whole(self, body: bytes) -> list[Event]:
        """Read a plain answer; an error inside a 200 is a Failed event.

        Raises:
            Broken: The body is no text completion.
        """
        said = _decode(body, "the answer is no text completion")
        if isinstance(said, UpstreamError):
            return [Failed(said)]
        if not said.choices:
            raise Broken("the answer holds no choices")
        return self._finish(self._read(said))

    def read(self, event: bytes) -> list[Event]:
        """Read one whole event of a stream; an error in its place is a Failed event.

        Raises:
            Broken: The event is no chunk of a text completion.
        """
        if self._is_over:
            return []
        data = event_data(event)
        if data is None:
            return [Pinged()]
        if data.startswith(b"[DONE]"):
            return self._finish([])
        said = _decode(data, "a stream event is no chunk of a text completion")
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
        if not self._choices or not all(told.has_ended for told in self._choices.values()):
            raise StreamCut("the stream ended before the answer was finished")
        return self._finish([])

    def _read(self, said: _Answer) -> list[Event]:
        events: list[Event] = [] if self._has_begun else [_began(said)]
        self._has_begun = True
        for choice in said.choices or ():
            self._read_choice(choice, events)
        usage = read_usage(said.usage) if bytes(said.usage) not in _EMPTY else None
        if usage is not None:
            events.append(Counted(usage))
        return events

    def _read_choice(self, choice: _Choice, events: list[Event]) -> None:
        at = choice.index or 0
        if not 0 <= at < MAX_CHOICES:
            raise Broken(f"the answer holds a choice with the index {at}")
        told = self._choices.setdefault(at, _Told(has_said=self._goes_on))
        text = choice.text or ""
        if not told.has_said:
            text = text.lstrip()
        if text:
            told.has_said = True
            events.append(Said(text, at))
        if choice.finish_reason and not told.has_ended:
            told.has_ended = True
            events.append(self._ended(choice, at))

    def _ended(self, choice: _Choice, at: int) -> Ended:
        reason = _ENDINGS.get(choice.finish_reason or "", "stop")
        found = choice.stop_reason if choice.stop_reason in self._stops else None
        return Ended(reason=reason, choice=at, stop_sequence=found)

    def _finish(self, events: list[Event]) -> list[Event]:
        self._is_over = True
        for at, told in self._choices.items():
            if not told.has_ended:
                told.has_ended = True
                events.append(Ended(reason="stop", choice=at))
        return [*events, Over()]


def _began(said: _Answer) -> Began:
    return Began(
        answer_id=said.id or "",
        model=said.model or "",
        created_s=int(said.created) if said.created else None,
        fingerprint=said.system_fingerprint,
    )


def _decode(data: bytes, problem: str) -> _Answer | UpstreamError:
    """Return an answer or a chunk, or the error that it is instead."""
    try:
        said = _decoder.decode(data)
    except UNREADABLE as exc:
        if errors_in.is_error(data):
            return errors_in.read_error(200, data, retry_after_s=None)
        raise Broken(f"{problem}: {exc}") from exc
    is_plain = said.choices and bytes(said.error) in _EMPTY
    if not is_plain and errors_in.is_error(data):
        return errors_in.read_error(200, data, retry_after_s=None)
    return said
