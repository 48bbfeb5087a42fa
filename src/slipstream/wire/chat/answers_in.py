"""Answers of an upstream that speaks chat, read into events: streamed, and plain.

What providers do otherwise than OpenAI is read from what they send, not from who they are: usage
beside choices or in `x_groq`, an error in the place of a chunk or of an answer, no `[DONE]`. What
a choice says is read in answer_choices.py, its calls in answer_calls.py.

Source: ../shared/reference/protocols.md, section A; providers.md; cerebras-api.md, section 3.
"""

import msgspec

from slipstream.wire.chat.answer_calls import Calls
from slipstream.wire.chat.answer_choices import Choice, ChoiceReader
from slipstream.wire.chunks_in import EMPTY, NOTHING, ChunkReader, began, check_index
from slipstream.wire.talk.events import Counted, Event, Failed, Over
from slipstream.wire.usage import in_tier, read_usage


class _XGroq(msgspec.Struct):
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class _Answer(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    choices: list[Choice] | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    x_groq: _XGroq | None = None


class AnswerReader(ChunkReader[_Answer]):
    """Reads one answer, in order.

    Args:
        vendor: The name of the provider's row: whose seals it gives out.
        own_id: Of which the ids of calls are made that come without one, where the answer has no
            id either.
        custom_names: Tools that take text and were offered as functions.
        is_reasoning_outside: It counts reasoning beside `completion_tokens` (xAI).
    """

    __slots__ = (
        "_choices",
        "_custom_names",
        "_has_begun",
        "_is_outside",
        "_own_id",
        "_vendor",
    )
    _decoder = msgspec.json.Decoder(_Answer)
    _noun = "chat completion"

    def __init__(
        self,
        *,
        vendor: str,
        own_id: str = "",
        custom_names: frozenset[str] = frozenset(),
        is_reasoning_outside: bool = False,
    ) -> None:
        super().__init__()
        self._vendor, self._own_id = vendor, own_id
        self._custom_names = custom_names
        self._is_outside = is_reasoning_outside
        self._choices: dict[int, ChoiceReader] = {}
        self._has_begun = False

    def _read(self, said: _Answer) -> list[Event]:
        events: list[Event] = []
        if not self._has_begun:
            self._begin(said, events)
        for choice in said.choices or ():
            reader = self._choices.get(choice.index or 0)
            if reader is None:
                reader = self._add_choice(choice.index or 0)
            reader.read(choice, events)
        if said.usage is not NOTHING and bytes(said.usage) not in EMPTY:
            self._count(said.usage, said.service_tier, events)
        if said.x_groq is not None and bytes(said.x_groq.usage) not in EMPTY:
            self._count(said.x_groq.usage, said.service_tier, events)
        return self._until_failed(events)

    def _begin(self, said: _Answer, events: list[Event]) -> None:
        self._has_begun = True
        self._own_id = said.id or self._own_id
        events.append(began(said, said.service_tier))

    def _add_choice(self, at: int) -> ChoiceReader:
        check_index(at)
        calls = Calls(at, self._vendor, self._own_id, self._custom_names)
        self._choices[at] = ChoiceReader(at, self._vendor, calls)
        return self._choices[at]

    def _count(self, raw: msgspec.Raw, tier: str | None, events: list[Event]) -> None:
        usage = in_tier(read_usage(raw, is_reasoning_outside=self._is_outside), tier)
        if usage is not None:
            events.append(Counted(usage))

    def _until_failed(self, events: list[Event]) -> list[Event]:
        """Leave out what comes after a failure, but for what it cost."""
        for at, event in enumerate(events):
            if type(event) is Failed:
                self._is_over = True
                costs = (later for later in events[at:] if type(later) is Counted)
                return [*events[:at], *costs, event]
        return events

    def _have_ended(self) -> bool:
        return bool(self._choices) and all(choice.has_ended for choice in self._choices.values())

    def _hidden_error(self, said: _Answer) -> msgspec.Raw:
        return NOTHING if said.x_groq is None else said.x_groq.error

    def _finish(self, events: list[Event]) -> list[Event]:
        for choice in self._choices.values():
            choice.finish(None, events)
        events = self._until_failed(events)
        if self._is_over:
            return events
        self._is_over = True
        return [*events, Over()]
