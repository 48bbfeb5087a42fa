"""Answers of Gemini's `generateContent` and `streamGenerateContent?alt=sse`, read into events.

A stream has neither event names nor a terminal event: it is complete once every candidate has said
why it finished and the bytes are over. That may be said on every frame, so ends are told at the
end. Each frame has new parts; usage is on nearly all, the last one counts. Calls arrive whole.

Source: ../shared/reference/protocols.md, section F, and providers.md, section 4, 2026-11-21.
"""

from typing import Final

import msgspec

from slipstream.errors import Broken, StreamCut, UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.gemini.candidates import Candidate, CandidateReader
from slipstream.wire.gemini.errors_in import read_failure
from slipstream.wire.gemini.usage import read_gemini_usage
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.openai_chat_answers import MAX_CHOICES
from slipstream.wire.sse import event_data
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Failed, Over, Pinged

_NOTHING: Final = msgspec.Raw()
_EMPTY: Final = (b"", b"null", b"{}")


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: msgspec.Raw = _NOTHING
    model_version: str | None = None
    response_id: str | None = None
    error: msgspec.Raw = _NOTHING


_decoder: Final = msgspec.json.Decoder(_Answer)


class AnswerReader:
    """Reads one answer, in order.

    Args:
        own_id: Of which the ids of calls are made that come without one, where the answer has no
            id either.
        custom_names: Tools that take text and were offered as functions.
        vendor: The name of the provider's row: whose seals it gives out.
    """

    __slots__ = (
        "_candidates",
        "_custom_names",
        "_has_begun",
        "_is_blocked",
        "_is_over",
        "_own_id",
        "_vendor",
    )

    def __init__(
        self,
        *,
        own_id: str = "",
        custom_names: frozenset[str] = frozenset(),
        vendor: str = "gemini",
    ) -> None:
        self._own_id, self._custom_names, self._vendor = own_id, custom_names, vendor
        self._candidates: dict[int, CandidateReader] = {}
        self._has_begun = self._is_blocked = self._is_over = False

    def read_whole(self, body: bytes) -> list[Event]:
        """Read a plain answer; an error inside a 200 is a Failed event.

        Raises:
            Broken: The body is no answer of Gemini's.
        """
        said = _decode(body, "the answer is none of generateContent")
        if isinstance(said, UpstreamError):
            return [Failed(said)]
        events = self._read(said)
        if not self._candidates and not self._is_blocked:
            raise Broken("the answer holds no candidates")
        return self._finish(events)

    def read(self, event: bytes) -> list[Event]:
        """Read one whole event of a stream; an error in its place is a Failed event.

        Raises:
            Broken: The event is no piece of an answer of Gemini's.
        """
        if self._is_over:
            return []
        data = event_data(event)
        if data is None:
            return [Pinged()]
        said = _decode(data, "a stream event is none of streamGenerateContent")
        if isinstance(said, UpstreamError):
            self._is_over = True
            return [Failed(said)]
        return self._read(said)

    def end(self) -> list[Event]:
        """Say that the bytes are over; every candidate must have said why it finished.

        Raises:
            StreamCut: One has not, or nothing came.
        """
        if self._is_over:
            return []
        candidates = self._candidates.values()
        is_whole = bool(candidates) and all(one.has_finished for one in candidates)
        if not is_whole and not self._is_blocked:
            raise StreamCut("the stream ended before the answer was finished")
        return self._finish([])

    def _read(self, said: _Answer) -> list[Event]:
        events: list[Event] = []
        if not self._has_begun:
            self._has_begun = True
            self._own_id = said.response_id or self._own_id
            began = Began(answer_id=said.response_id or "", model=said.model_version or "")
            events.append(began)
        for candidate in said.candidates or ():
            reader = self._candidates.get(candidate.index or 0)
            if reader is None:
                reader = self._add(candidate.index or 0)
            reader.read(candidate, events)
        feedback = said.prompt_feedback
        if feedback is not None and feedback.block_reason and not self._candidates:
            self._is_blocked = True
        if said.usage_metadata is not _NOTHING and bytes(said.usage_metadata) not in _EMPTY:
            usage = read_gemini_usage(said.usage_metadata)
            events += [] if usage is None else [Counted(usage)]
        return events

    def _add(self, at: int) -> CandidateReader:
        if not 0 <= at < MAX_CHOICES:
            raise Broken(f"the answer holds a candidate with the index {at}")
        reader = CandidateReader(at, self._vendor, self._own_id, self._custom_names)
        self._candidates[at] = reader
        return reader

    def _finish(self, events: list[Event]) -> list[Event]:
        self._is_over = True
        if not self._candidates:
            return [*events, Ended(reason="content_filter"), Over()]
        for candidate in self._candidates.values():
            ending = candidate.end()
            events.append(ending)
            if isinstance(ending, Failed):
                return events
        return [*events, Over()]


def _decode(data: bytes, problem: str) -> _Answer | UpstreamError:
    """Return an answer or a piece of one, or the error that it is instead."""
    try:
        said = _decoder.decode(data)
    except UNREADABLE as exc:
        if errors_in.is_error(data):  # in an array
            return read_failure(200, data, None)
        raise Broken(f"{problem}: {exc}") from exc
    is_plain = said.error is _NOTHING or bytes(said.error) in _EMPTY
    return said if is_plain else read_failure(200, data, None)
