"""Answers of an upstream that speaks Messages, plain and streamed, as events: `AnswerReader`.

1. A block of the answer is open between its start and its stop; what it is decides what its deltas
   mean. Blocks of Anthropic's own tools, and what no version known here sends, say nothing.
2. Calls are numbered among themselves: the index of a block counts all blocks.
3. A signature belongs to the thinking before it, and is told when its block stops.
4. The stream is whole at `message_stop`, or ends with an `error`.

Source: anthropic-python 2.11.0's types and recorded streams, 2026-11-21.
"""

from typing import Final

import msgspec
from msgspec import Struct

from slipstream.errors import Broken, StreamCut
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.messages.blocks_in import Block, Delta, OpenBlock
from slipstream.wire.messages.errors_in import read_failure
from slipstream.wire.messages.usage import Reported, read_reported, usage_of
from slipstream.wire.sse import event_data
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Failed, Over, Pinged

_NOTHING: Final = msgspec.Raw()
_EMPTY: Final = (b"", b"null")

# What the dialect says of an end: what it is called between dialects.
_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "pause",
    "compaction": "pause",
}
_KNOWN: Final = frozenset(
    {
        "content_block_delta",
        "content_block_start",
        "content_block_stop",
        "error",
        "message_delta",
        "message_start",
        "message_stop",
    }
)


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    content: list[msgspec.Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: msgspec.Raw = _NOTHING
    usage: msgspec.Raw = _NOTHING


class _Piece(Struct):
    """Any event; which of the fields it has, its type says."""

    type: str
    index: int = 0
    delta: Delta | None = None
    content_block: Block | None = None
    message: _Message | None = None
    usage: msgspec.Raw = _NOTHING


class _Named(Struct):
    """As much of an event as can be read where it has not the shape of its type."""

    type: str | None = None
    error: msgspec.Raw = _NOTHING


_piece_decoder: Final = msgspec.json.Decoder(_Piece)
_named_decoder: Final = msgspec.json.Decoder(_Named)
_message_decoder: Final = msgspec.json.Decoder(_Message)
_block_decoder: Final = msgspec.json.Decoder(Block)


class AnswerReader:
    """Reads one answer.

    Args:
        vendor: Whose the upstream is: its signatures are sealed for it.
        custom_names: Names of tools that take text, offered as functions of one string.
    """

    __slots__ = (
        "_custom_names",
        "_has_ended",
        "_is_over",
        "_num_calls",
        "_open",
        "_said",
        "_vendor",
    )

    def __init__(
        self, *, vendor: str = "anthropic", custom_names: frozenset[str] = frozenset()
    ) -> None:
        self._vendor = vendor
        self._custom_names = custom_names
        self._open: dict[int, OpenBlock] = {}  # by the block's index
        self._num_calls = 0
        self._said: Reported | None = None
        self._has_ended = self._is_over = False

    def read(self, event: bytes) -> list[Event]:
        """Return what one whole event of a stream means.

        Raises:
            Broken: It is none of this dialect.
        """
        data = event_data(event)
        if data is None or self._is_over:
            return []
        try:
            said = _piece_decoder.decode(data)
        except UNREADABLE as exc:
            return self._unread(data, exc)
        block = self._open.get(said.index)
        match said.type:
            case "content_block_delta":
                return block.add(said.delta) if block and said.delta else []
            case "content_block_start":
                return self._start(said.index, said.content_block)
            case "content_block_stop":
                return self._open.pop(said.index).stop() if block else []
            case "message_start":
                return self._begin(said.message)
            case "message_delta":
                return [*self._end(said.delta), *self._count(said.usage)]
            case "message_stop":
                return self._stop()
            case "ping":
                return [Pinged()]
            case "error":
                return self._fail(data)
            case _:
                return []

    def end(self) -> list[Event]:
        """Return what the end of the bytes means.

        Raises:
            StreamCut: The terminal event had not come.
        """
        if not self._is_over:
            raise StreamCut("the stream ended before its terminal event")
        return []

    def read_whole(self, body: bytes) -> list[Event]:
        """Return what a plain answer means; an error inside a 200 is the only event then.

        Raises:
            Broken: The body is no message.
        """
        try:
            said = _message_decoder.decode(body)
            if said.content is None:
                return self._no_message(body)
            blocks = [_block_decoder.decode(raw) for raw in said.content]
        except UNREADABLE as exc:
            if errors_in.is_error(body):
                return self._fail(body)
            raise Broken(f"the answer is no message: {exc}") from exc
        events = self._begin(said)
        for index, block in enumerate(blocks):
            events += self._start(index, block)
            events += self._open.pop(index).stop()
        ending = Delta(
            stop_reason=said.stop_reason,
            stop_sequence=said.stop_sequence,
            stop_details=said.stop_details,
        )
        return [*events, *self._end(ending), *self._stop()]

    def _no_message(self, body: bytes) -> list[Event]:
        if errors_in.is_error(body):
            return self._fail(body)
        raise Broken("the answer holds no content")

    def _unread(self, data: bytes, exc: Exception) -> list[Event]:
        """Return what an event means that has not the shape of its type, or none known here."""
        if data == b"[DONE]":  # of servers that end every dialect so
            return []
        try:
            said = _named_decoder.decode(data)
        except UNREADABLE:
            said = _Named()
        if bytes(said.error) not in _EMPTY:
            return self._fail(data)
        if said.type is None or said.type in _KNOWN:
            raise Broken(f"a stream event is none of Messages: {exc}") from exc
        return []

    def _begin(self, said: _Message | None) -> list[Event]:
        if said is None:
            return [Began()]
        counted = self._count(said.usage)
        tier = self._said.service_tier if self._said else None
        return [
            Began(answer_id=said.id or "", model=said.model or "", service_tier=tier),
            *counted,
        ]

    def _start(self, index: int, said: Block | None) -> list[Event]:
        block = OpenBlock(said or Block(""), self._vendor, self._num_calls, self._custom_names)
        self._num_calls += block.is_call
        self._open[index] = block
        return block.start()

    def _end(self, said: Delta | None) -> list[Event]:
        if said is None or said.stop_reason is None:
            return []
        self._has_ended = True
        unclosed = [event for block in self._open.values() for event in block.stop()]
        self._open.clear()
        details = bytes(said.stop_details)
        usual = "tool_calls" if self._num_calls else "stop"
        return [
            *unclosed,
            Ended(
                reason=_REASONS.get(said.stop_reason, usual),
                stop_sequence=said.stop_sequence,
                details=None if details in _EMPTY else details.decode(),
            ),
        ]

    def _count(self, raw: msgspec.Raw) -> list[Event]:
        if bytes(raw) in _EMPTY:
            return []
        self._said = read_reported(raw, self._said)
        usage = usage_of(self._said) if self._said else None
        return [Counted(usage)] if usage else []

    def _stop(self) -> list[Event]:
        self._is_over = True
        if self._has_ended:
            return [Over()]
        return [Ended(reason="tool_calls" if self._num_calls else "stop"), Over()]

    def _fail(self, data: bytes) -> list[Event]:
        self._is_over = True
        return [Failed(read_failure(200, data, None))]
