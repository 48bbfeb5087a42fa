"""Answers of an upstream that speaks chat, read into events: streamed, and plain.

What providers do otherwise than OpenAI is read from what they send, not from who they are: usage
beside choices or in `x_groq`, an error in the place of a chunk or of an answer, no `[DONE]`. What
a choice says is read in answer_choices.py, its calls in answer_calls.py.

Source: ../shared/reference/protocols.md, section A; providers.md; cerebras-api.md, section 3.
"""

from typing import Final

import msgspec

from slipstream.errors import Broken, StreamCut, UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.chat.answer_calls import Calls
from slipstream.wire.chat.answer_choices import Choice, ChoiceReader
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.openai_chat_answers import MAX_CHOICES
from slipstream.wire.sse import event_data
from slipstream.wire.talk.events import Began, Counted, Event, Failed, Over, Pinged
from slipstream.wire.usage import in_tier, read_usage

_NOTHING: Final = msgspec.Raw()
_EMPTY: Final = frozenset({b"", b"null", b'""', b"[]", b"{}"})


class _XGroq(msgspec.Struct):
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


class _Answer(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    choices: list[Choice] | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    x_groq: _XGroq | None = None


_decoder: Final = msgspec.json.Decoder(_Answer)


class AnswerReader:
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
        "_is_over",
        "_own_id",
        "_vendor",
    )

    def __init__(
        self,
        *,
        vendor: str,
        own_id: str = "",
        custom_names: frozenset[str] = frozenset(),
        is_reasoning_outside: bool = False,
    ) -> None:
        self._vendor, self._own_id = vendor, own_id
        self._custom_names = custom_names
        self._is_outside = is_reasoning_outside
        self._choices: dict[int, ChoiceReader] = {}
        self._has_begun = self._is_over = False

    def read_whole(self, body: bytes) -> list[Event]:
        """Read a plain answer; an error inside a 200 is a Failed event.

        Raises:
            Broken: The body is no chat completion.
        """
        said = _decode(body, "the answer is no chat completion")
        if isinstance(said, UpstreamError):
            return [Failed(said)]
        if not said.choices:
            raise Broken("the answer holds no choices")
        events = self._read(said)
        return events if self._is_over else self._finish(events)

    def read(self, event: bytes) -> list[Event]:
        """Read one whole event of a stream; an error in its place is a Failed event.

        Raises:
            Broken: The event is no chunk of a chat completion.
        """
        if self._is_over:
            return []
        data = event_data(event)
        if data is None:
            return [Pinged()]
        if data.startswith(b"[DONE]"):
            return self._finish([])
        said = _decode(data, "a stream event is no chat completion chunk")
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
        if not self._choices or not all(choice.has_ended for choice in self._choices.values()):
            raise StreamCut("the stream ended before the answer was finished")
        return self._finish([])

    def _read(self, said: _Answer) -> list[Event]:
        events: list[Event] = []
        if not self._has_begun:
            self._begin(said, events)
        for choice in said.choices or ():
            reader = self._choices.get(choice.index or 0)
            if reader is None:
                reader = self._add_choice(choice.index or 0)
            reader.read(choice, events)
        if said.usage is not _NOTHING and bytes(said.usage) not in _EMPTY:
            self._count(said.usage, said.service_tier, events)
        if said.x_groq is not None and bytes(said.x_groq.usage) not in _EMPTY:
            self._count(said.x_groq.usage, said.service_tier, events)
        return self._until_failed(events)

    def _begin(self, said: _Answer, events: list[Event]) -> None:
        self._has_begun = True
        self._own_id = said.id or self._own_id
        began = Began(
            answer_id=said.id or "",
            model=said.model or "",
            created_s=int(said.created) if said.created else None,
            fingerprint=said.system_fingerprint,
            service_tier=said.service_tier,
        )
        events.append(began)

    def _add_choice(self, at: int) -> ChoiceReader:
        if not 0 <= at < MAX_CHOICES:
            raise Broken(f"the answer holds a choice with the index {at}")
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

    def _finish(self, events: list[Event]) -> list[Event]:
        for choice in self._choices.values():
            choice.finish(None, events)
        events = self._until_failed(events)
        if self._is_over:
            return events
        self._is_over = True
        return [*events, Over()]


def _decode(data: bytes, problem: str) -> _Answer | UpstreamError:
    """Return an answer or a chunk, or the error that it is instead."""
    try:
        said = _decoder.decode(data)
    except UNREADABLE as exc:
        if errors_in.is_error(data):
            return errors_in.read_error(200, data, retry_after_s=None)
        raise Broken(f"{problem}: {exc}") from exc
    is_plain = said.error is _NOTHING or bytes(said.error) in _EMPTY
    if not (said.choices and is_plain) and errors_in.is_error(data):
        return errors_in.read_error(200, data, retry_after_s=None)
    if said.x_groq is not None and bytes(said.x_groq.error) not in _EMPTY:
        body = b'{"error":' + bytes(said.x_groq.error) + b"}"
        return errors_in.read_error(200, body, retry_after_s=None)
    return said
