"""Answers of Messages and Responses as they pass through: what each piece means.

They are relayed as they are; the dialect's own reader looks on from the side.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from slipstream.call import Dialect, Frame, Meaning, Usage
from slipstream.upstream.translate_reading import Reader
from slipstream.wire.messages import answers_in as messages_in
from slipstream.wire.responses import answers_in as responses_in
from slipstream.wire.responses.compaction_in import CompactionReader
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Failed, Over, Pinged, Sealed
from slipstream.wire.talk.saying import REFUSAL, are_refusing, is_saying

# What is cut or broken does not end so.
_WHOLE: Final = (b"}\n\n", b"}\r\n\r\n")
_SILENT: Final = (Began, Counted, Pinged, Sealed)
_BLANK: Final = re.compile(rb'"(?:text|delta|thinking|partial_json)"\s*:\s*""')


class ScannedStream:
    """Says of each event of one stream what it is to the layers that relay it.

    Args:
        ordinary: How events begin that only say something; they are not read.
        is_spoken: An answer is never empty, whatever its events tell.
    """

    __slots__ = ("_finish_reason", "_has_spoken", "_ordinary", "_reader", "_usage")

    def __init__(
        self, reader: Reader, ordinary: tuple[bytes, ...] = (), *, is_spoken: bool = False
    ) -> None:
        self._reader, self._ordinary = reader, ordinary
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._has_spoken = is_spoken

    def read(self, event: bytes) -> Frame:
        """Return the frame of one whole event.

        Raises:
            UpstreamError: The event tells that the answer failed.
            Broken: It is none of its dialect.
        """
        is_ordinary = event.startswith(self._ordinary) and event.endswith(_WHOLE)
        if is_ordinary and (self._has_spoken or _BLANK.search(event) is None):
            self._has_spoken = True
            return Frame(event, Meaning.CONTENT)
        return self._frame(event, self._reader.read(event))

    def end(self) -> Frame | None:
        """Return what the end of the bytes means; None if it adds nothing.

        Raises:
            StreamCut: The terminal event had not come.
        """
        self._reader.end()
        return None

    def whole(self, body: bytes) -> Frame:
        """Return the frame of a plain answer.

        Raises:
            UpstreamError: It tells that it failed.
            Broken: It is none of its dialect.
        """
        events = self._reader.read_whole(body)
        frame = self._frame(body, events)
        return replace(frame, finish_reason=REFUSAL) if are_refusing(events) else frame

    def _frame(self, data: bytes, events: list[Event]) -> Frame:
        meaning, usage, reason = Meaning.SILENT, None, None
        had_spoken = self._has_spoken
        for event in events:
            if not self._has_spoken:
                self._has_spoken = is_saying(event)
            match event:
                case Failed():
                    raise event.error
                case Counted():
                    usage = self._usage = event.usage
                case Ended():
                    reason = event.reason
                    self._finish_reason = self._finish_reason or reason
                    meaning = Meaning.CONTENT
                case Over():
                    is_empty = not self._has_spoken
                    return Frame(
                        data, Meaning.END, self._usage, self._finish_reason, is_empty=is_empty
                    )
                case _ if not isinstance(event, _SILENT):
                    meaning = Meaning.CONTENT
        if had_spoken or meaning is not Meaning.CONTENT:
            return Frame(data, meaning, usage)
        reason = REFUSAL if are_refusing(events) else reason
        return Frame(data, meaning, usage, reason, is_empty=not self._has_spoken)


def _scan_messages(vendor: str) -> ScannedStream:
    return ScannedStream(
        messages_in.AnswerReader(vendor=vendor), (b"event: content_block_delta\ndata: {",)
    )


def _scan_responses(vendor: str) -> ScannedStream:
    ordinary = (
        b"event: response.output_text.delta\ndata: {",
        b"event: response.function_call_arguments.delta\ndata: {",
        b"event: response.reasoning_summary_text.delta\ndata: {",
    )
    return ScannedStream(responses_in.AnswerReader(vendor=vendor), ordinary)


def _scan_compaction(vendor: str) -> ScannedStream:
    return ScannedStream(CompactionReader(vendor=vendor), is_spoken=True)


SCANS: Final[dict[Dialect, Callable[[str], ScannedStream]]] = {
    Dialect.ANTHROPIC_MESSAGES: _scan_messages,
    Dialect.OPENAI_RESPONSES: _scan_responses,
    Dialect.OPENAI_COMPACTION: _scan_compaction,
}
"""By dialect, what begins to look at one answer of a vendor."""
