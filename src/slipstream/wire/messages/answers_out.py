"""Answers for a client that speaks Messages, plain and streamed, from events: `AnswerWriter`.

    message_start, blocks one after the other (blocks_out.py), message_delta, message_stop

What the input has cost is often known only at the end, so the start tells an estimate and
`message_delta` the truth. An upstream that fails is raised: errors_out.py has the words for that.

Source: recorded streams and anthropic-python 2.11.0's types, 2026-11-21.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.messages.blocks_out import BlockOrder, Closed, Grown, Move, Opened
from slipstream.wire.messages.usage import full_usage_object, usage_object
from slipstream.wire.talk.events import (
    Began,
    CallSaid,
    Counted,
    Ended,
    Event,
    Failed,
    Over,
    Pinged,
    Refused,
    Said,
    Thought,
)

_encode: Final = msgspec.json.Encoder().encode
_object_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_details_decoder: Final = msgspec.json.Decoder(dict[str, Any])

PING: Final = Frame(b'event: ping\ndata: {"type":"ping"}\n\n', Meaning.SILENT)
"""A sign of life for a silent stream."""

_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
)
_PIECES: Final = (Said, Thought, CallSaid)
# How the delta of a piece begins that adds to its block.
_HEADS: Final[dict[type, bytes]] = {
    Said: b'{"type":"text_delta","text":',
    Thought: b'{"type":"thinking_delta","thinking":',
    CallSaid: b'{"type":"input_json_delta","partial_json":',
}
_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "pause": "pause_turn",
}
_TIERS: Final = {"priority": "priority", "batch": "batch"}  # all others are standard
_FIELDS_OF_DELTA: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("input", "partial_json"),
}


class AnswerWriter:
    """Writes one answer: either its frames one by one, or whole.

    Args:
        answer_id: `msg_…`.
        model: The name that the client asked for.
        input_tokens: An estimate of what it sent, for the start of a stream.
    """

    __slots__ = (
        "_answer_id",
        "_ended",
        "_estimate",
        "_has_begun",
        "_has_refused",
        "_model",
        "_new_usage",
        "_num_blocks",
        "_order",
        "_tier",
        "_usage",
    )

    def __init__(self, *, answer_id: str, model: str, input_tokens: int = 0) -> None:
        self._answer_id = answer_id
        self._model = model
        self._estimate = Usage(input_tokens=input_tokens, is_estimate=True)
        self._usage: Usage | None = None
        self._new_usage: Usage | None = None  # not told on a frame yet
        self._order = BlockOrder(answer_id.removeprefix("msg_"))
        self._ended = Ended(reason="stop")
        self._has_begun = self._has_refused = False
        self._num_blocks = 0
        self._tier = "standard"

    def write(self, event: Event) -> list[Frame]:
        """Return the frames that one event of a stream makes; what it cost so far is on the first.

        Raises:
            GatewayError: The upstream says that it failed; the stream has no end then.
        """
        if isinstance(event, _PIECES) and not event.choice and self._order.grows(event):
            head = _DELTA % (self._num_blocks - 1) + _HEADS[type(event)]
            return [self._frame(head + _encode(event.text) + b"}}\n\n")]
        match event:
            case Failed():
                raise event.error
            case Counted():
                self._usage = self._new_usage = event.usage
                return []
            case Pinged():
                return [*self._begin(), PING]
            case Began():
                self._tier = _TIERS.get(event.service_tier or "", "standard")
                return self._begin()
            case Over():
                return [*self._begin(), *self._end()]
        moves = self._take(event)
        data = b"".join(self._move(move) for move in moves)
        return [*self._begin(), self._frame(data)] if data else []

    def whole(self, events: Iterable[Event]) -> Frame:
        """Return a plain answer, its body whole.

        Raises:
            GatewayError: The upstream says that it failed.
        """
        moves: list[Move] = []
        for event in events:
            match event:
                case Failed():
                    raise event.error
                case Counted():
                    self._usage = event.usage
                case Began():
                    self._tier = _TIERS.get(event.service_tier or "", "standard")
                case _:
                    moves += self._take(event)
        body = self._message(_fold([*moves, *self._order.close()]), **self._ending())
        return Frame(_encode(body), Meaning.END, self._usage, self._ended.reason)

    def _take(self, event: Event) -> list[Move]:
        if getattr(event, "choice", 0) != 0:  # a client of this dialect asks for one
            return []
        if isinstance(event, Ended):
            self._ended = event
            return self._order.close()
        self._has_refused = self._has_refused or isinstance(event, Refused)
        return self._order.take(event)

    def _frame(self, data: bytes) -> Frame:
        usage, self._new_usage = self._new_usage, None
        return Frame(data, Meaning.CONTENT, usage)

    def _begin(self) -> list[Frame]:
        """Return the start of the message, once."""
        if self._has_begun:
            return []
        self._has_begun = True
        message = self._message([], stop_reason=None, stop_sequence=None, stop_details=None)
        data = _event("message_start", {"message": message})
        return [Frame(data, Meaning.SILENT, self._usage)]

    def _end(self) -> list[Frame]:
        rest = b"".join(self._move(move) for move in self._order.close())
        usage = usage_object(self._usage or self._estimate)
        data = rest + _event("message_delta", {"delta": self._ending(), "usage": usage})
        return [
            Frame(data, Meaning.CONTENT, self._usage),
            Frame(_STOP, Meaning.END, self._usage, self._ended.reason),
        ]

    def _move(self, move: Move) -> bytes:
        match move:
            case Opened():
                self._num_blocks += 1
                fields = {"index": self._num_blocks - 1, "content_block": move.block}
                return _event("content_block_start", fields)
            case Grown():
                return _DELTA % (self._num_blocks - 1) + _encode(move.delta) + b"}\n\n"
            case Closed():
                return _event("content_block_stop", {"index": self._num_blocks - 1})

    def _message(self, content: list[dict[str, Any]], **ending: Any) -> dict[str, Any]:
        usage = full_usage_object(self._usage or self._estimate, self._tier)
        return {
            "id": self._answer_id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            **ending,
            "usage": usage,
        }

    def _ending(self) -> dict[str, Any]:
        """Return why the message ended; that calls were made outweighs what the upstream says."""
        ended = self._ended
        reason = _REASONS.get(ended.reason, "end_turn")
        if self._order.num_calls and reason == "end_turn":
            reason = "tool_use"
        elif self._has_refused and reason == "end_turn":
            reason = "refusal"
        elif ended.stop_sequence is not None and reason == "end_turn":
            reason = "stop_sequence"
        is_found = reason == "stop_sequence"
        return {
            "stop_reason": reason,
            "stop_sequence": ended.stop_sequence if is_found else None,
            "stop_details": _details(ended.details) if reason == "refusal" else None,
        }


def _event(name: str, fields: dict[str, Any]) -> bytes:
    data = _encode({"type": name, **fields})
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _details(raw: str | None) -> dict[str, Any] | None:
    """Return what an upstream of this dialect said of its refusal."""
    try:
        said = _details_decoder.decode(raw or "{}")
    except UNREADABLE:
        return None
    return said if said.get("type") == "refusal" else None


def _fold(moves: list[Move]) -> list[dict[str, Any]]:
    """Return the blocks that moves make, whole."""
    content: list[dict[str, Any]] = []
    pieces: dict[str, list[str]] = {}  # of the open block, by its field
    for move in moves:
        match move:
            case Opened():
                content.append(move.block)
                pieces = {}
            case Grown() if move.delta["type"] == "citations_delta":
                content[-1].setdefault("citations", []).append(move.delta["citation"])
            case Grown():
                field, name = _FIELDS_OF_DELTA[move.delta["type"]]
                pieces.setdefault(field, []).append(move.delta[name])
            case Closed():
                content[-1] |= {field: "".join(texts) for field, texts in pieces.items()}
                if content[-1]["type"] == "tool_use":
                    content[-1]["input"] = _input(content[-1]["input"])
    return content


def _input(arguments: str) -> dict[str, msgspec.Raw]:
    """Return arguments as an object; none of those that broke off within it."""
    try:
        return _object_decoder.decode(arguments)
    except UNREADABLE:
        return {}
