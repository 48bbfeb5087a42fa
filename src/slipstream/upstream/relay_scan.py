"""Answers of Messages and Responses as they pass through: what each piece means.

They are relayed as they are; the dialect's own reader looks on from the side.
"""

from collections.abc import Callable
from typing import Final

from slipstream.call import Dialect, Frame, Meaning, Usage
from slipstream.upstream.translate_reading import Reader
from slipstream.wire.messages import answers_in as messages_in
from slipstream.wire.responses import answers_in as responses_in
from slipstream.wire.responses.compaction_in import CompactionReader
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Failed, Over, Pinged, Sealed

# What is cut or broken does not end so.
_WHOLE: Final = (b"}\n\n", b"}\r\n\r\n")
_SILENT: Final = (Began, Counted, Pinged, Sealed)


class ScannedStream:
    """Says of each event of one stream what it is to the layers that relay it.

    Args:
        ordinary: How events begin that only say something; they are not read.
    """

    __slots__ = ("_finish_reason", "_ordinary", "_reader", "_usage")

    def __init__(self, reader: Reader, ordinary: tuple[bytes, ...] = ()) -> None:
        self._reader, self._ordinary = reader, ordinary
        self._usage: Usage | None = None
        self._finish_reason: str | None = None

    def read(self, event: bytes) -> Frame:
        """Return the frame of one whole event.

        Raises:
            UpstreamError: The event tells that the answer failed.
            Broken: It is none of its dialect.
        """
        if event.startswith(self._ordinary) and event.endswith(_WHOLE):
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
        return self._frame(body, self._reader.read_whole(body))

    def _frame(self, data: bytes, events: list[Event]) -> Frame:
        meaning, usage = Meaning.SILENT, None
        for event in events:
            match event:
                case Failed():
                    raise event.error
                case Counted():
                    usage = self._usage = event.usage
                case Ended():
                    self._finish_reason = self._finish_reason or event.reason
                    meaning = Meaning.CONTENT
                case Over():
                    return Frame(data, Meaning.END, self._usage, self._finish_reason)
                case _ if not isinstance(event, _SILENT):
                    meaning = Meaning.CONTENT
        return Frame(data, meaning, usage)


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


SCANS: Final[dict[Dialect, Callable[[str], ScannedStream]]] = {
    Dialect.ANTHROPIC_MESSAGES: _scan_messages,
    Dialect.OPENAI_RESPONSES: _scan_responses,
    Dialect.OPENAI_COMPACTION: lambda vendor: ScannedStream(CompactionReader(vendor=vendor)),
}
"""By dialect, what begins to look at one answer of a vendor."""
