"""Streams and events that the tests of Messages share."""

from collections.abc import Iterable
from typing import Any

import msgspec

from slipstream.wire.messages.answers_in import AnswerReader
from slipstream.wire.messages.answers_out import AnswerWriter
from slipstream.wire.sse import EventSplitter
from slipstream.wire.talk.events import Event


def sse(*events: dict[str, Any]) -> bytes:
    """Return events as Anthropic writes them."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), msgspec.json.encode(event))
        for event in events
    )


def read_all(stream: bytes, reader: AnswerReader | None = None) -> list[Event]:
    """Return the events of a whole stream."""
    reader = reader or AnswerReader()
    said = [event for raw in EventSplitter().feed(stream) for event in reader.read(raw)]
    return [*said, *reader.end()]


def write_all(events: Iterable[Event], **settings: Any) -> bytes:
    """Return the bytes that events make."""
    writer = AnswerWriter(**{"answer_id": "msg_1", "model": "m"} | settings)
    return b"".join(frame.data for event in events for frame in writer.write(event))


def datas(stream: bytes) -> list[dict[str, Any]]:
    """Return what the events of a stream say."""
    return [msgspec.json.decode(raw.split(b"data: ", 1)[1]) for raw in EventSplitter().feed(stream)]


# The stream of protocols.md, section B: text, then a call; `input_json_delta` begins empty.
RECORDED = sse(
    {
        "type": "message_start",
        "message": {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-5-5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 377,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 20,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 10,
                    "ephemeral_1h_input_tokens": 20,
                },
                "output_tokens": 1,
                "service_tier": "standard",
            },
        },
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "ping"},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "Hm"},
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "signature_delta", "signature": "c2ln"},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Iñ"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {
            "type": "tool_use",
            "id": "toolu_01",
            "name": "get_weather",
            "input": {},
            "caller": {"type": "direct"},
        },
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": ""},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '{"city": '},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '"Rome"}'},
    },
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None, "stop_details": None},
        "usage": {
            "input_tokens": 377,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 20,
            "output_tokens": 65,
            "output_tokens_details": {"thinking_tokens": 3},
        },
    },
    {"type": "message_stop"},
)
