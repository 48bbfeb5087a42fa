"""Answers of an upstream that completes texts, read into events: streamed, and plain.

A conversation's prompt ends with the assistant's label, behind which a model writes a space first;
it is no part of the answer. Log probabilities are not asked for, and passed over.

Source: platform documentation and openai-python 3.52.0's types; vLLM's `stop_reason`; 2026-11-21.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.wire.chunks_in import EMPTY, NOTHING, ChunkReader, began, check_index
from slipstream.wire.completions.transcript import goes_on
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.events import Counted, Ended, Event, Over, Said
from slipstream.wire.usage import read_usage

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
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class _Told:
    """What is known of one choice."""

    __slots__ = ("has_ended", "has_said")

    def __init__(self, *, has_said: bool) -> None:
        self.has_said, self.has_ended = has_said, False


class AnswerReader(ChunkReader[_Answer]):
    """Reads one answer, in order.

    Args:
        asked: What was asked: its stops are told where they were found, ours are not.
    """

    __slots__ = ("_choices", "_goes_on", "_has_begun", "_stops")
    _decoder = msgspec.json.Decoder(_Answer)
    _noun = "text completion"

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._stops = asked.sampling.stop
        self._goes_on = goes_on(asked.turns)
        self._choices: dict[int, _Told] = {}
        self._has_begun = False

    def _read(self, said: _Answer) -> list[Event]:
        events: list[Event] = [] if self._has_begun else [began(said)]
        self._has_begun = True
        for choice in said.choices or ():
            self._read_choice(choice, events)
        usage = read_usage(said.usage) if bytes(said.usage) not in EMPTY else None
        if usage is not None:
            events.append(Counted(usage))
        return events

    def _read_choice(self, choice: _Choice, events: list[Event]) -> None:
        at = check_index(choice.index)
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

    def _have_ended(self) -> bool:
        return bool(self._choices) and all(told.has_ended for told in self._choices.values())

    def _finish(self, events: list[Event]) -> list[Event]:
        self._is_over = True
        for at, told in self._choices.items():
            if not told.has_ended:
                told.has_ended = True
                events.append(Ended(reason="stop", choice=at))
        return [*events, Over()]
