"""Tests of slipstream.wire.messages.answers_in."""

from typing import Any

import msgspec
import pytest

from slipstream.call import Usage
from slipstream.errors import Broken, Busy, Rejected, StreamCut
from slipstream.wire.messages.answers_in import AnswerReader
from slipstream.wire.sse import EventSplitter
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Counted,
    Ended,
    Failed,
    Over,
    Pinged,
    Said,
    Sealed,
    Thought,
)
from tests.wire.messages.streams import RECORDED, read_all, sse

START = Usage(
    input_tokens=377,
    cache_read_tokens=20,
    cache_write_5m_tokens=10,
    cache_write_1h_tokens=20,
    output_tokens=1,
)
END = msgspec.structs.replace(START, output_tokens=62, output_reasoning_tokens=3)
SIGNED = Sealed(Seal(vendor="anthropic", kind="signature", data="c2ln"))
EVENTS = [
    Began(answer_id="msg_01", model="claude-opus-5-5", service_tier="standard"),
    Counted(START),
    Pinged(),
    Thought("Hm", begins=True),
    SIGNED,
    Said("Iñ"),
    CallBegan(index=0, call_id="toolu_01", name="get_weather"),
    CallSaid(0, '{"city": '),
    CallSaid(0, '"Rome"}'),
    Ended(reason="tool_calls"),
    Counted(END),
    Over(),
]
DELTA = {"type": "content_block_delta", "index": 0}
STOP = {"type": "content_block_stop", "index": 0}


def start(block: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """Return the start of a block."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def ended(reason: str, **fields: Any) -> dict[str, Any]:
    """Return why a message ended."""
    return {"type": "message_delta", "delta": {"stop_reason": reason, **fields}}


def whole(*content: dict[str, Any], **fields: Any) -> bytes:
    """Return a plain answer."""
    usage = {"input_tokens": 3, "output_tokens": 2}
    message = {"id": "msg_1", "model": "m", "stop_reason": "end_turn", "usage": usage}
    return msgspec.json.encode({"type": "message", "content": content, **message, **fields})


def test_read_recorded_stream_gives_its_events() -> None:
    """Calls are counted by themselves, empty pieces say nothing, and a block's end tells its seal.

    Usage is merged: how long a cache keeps is told at the start only.
    """
    assert read_all(RECORDED) == EVENTS


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_read_stream_split_at_every_byte_gives_the_same_events(newline: bytes) -> None:
    """It does not matter how the bytes come, nor that comments stand between events."""
    stream = RECORDED.replace(b"\n\n", b"\n\n: keep-alive\n\n").replace(b"\n", newline)
    for at in range(len(stream)):
        splitter, reader = EventSplitter(), AnswerReader()
        raw = [*splitter.feed(stream[:at]), *splitter.feed(stream[at:])]
        assert [event for one in raw for event in reader.read(one)] == EVENTS


def test_end_before_the_terminal_event_is_a_cut() -> None:
    """A stream without `message_stop` is not whole, whatever it said of its end."""
    events = EventSplitter().feed(RECORDED)
    for num_read in range(len(events)):
        reader = AnswerReader()
        for event in events[:num_read]:
            reader.read(event)
        with pytest.raises(StreamCut):
            reader.end()


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause"),
        ("something_new", "stop"),
    ],
)
def test_read_stop_reason_maps_it(reason: str, expected: str) -> None:
    """Each of Anthropic's reasons has one of ours, and an unknown one is the usual end."""
    stream = sse(ended(reason), {"type": "message_stop"})
    assert read_all(stream) == [Ended(reason=expected), Over()]
    assert Ended(reason=expected) in AnswerReader().read_whole(whole(stop_reason=reason))


def test_read_refusal_keeps_what_is_said_of_it() -> None:
    """`stop_details` and the sequence that stopped it are handed on."""
    details = {"type": "refusal", "category": "bio"}
    delta = ended("refusal", stop_details=details, stop_sequence="#")
    (event,) = AnswerReader().read(sse(delta))
    assert isinstance(event, Ended)
    assert event.stop_sequence == "#"
    assert msgspec.json.decode(event.details or "") == details


@pytest.mark.parametrize("has_begun", [False, True])
def test_read_error_event_is_a_failure(has_begun: bool) -> None:
    """An overload inside a stream, before its start or after, ends it, and nothing is cut."""
    reader = AnswerReader()
    if has_begun:
        reader.read(EventSplitter().feed(RECORDED)[0])
    error = {"type": "overloaded_error", "message": "Overloaded"}
    (event,) = reader.read(sse({"type": "error", "error": error}))
    assert isinstance(event, Failed)
    assert isinstance(event.error, Busy)
    assert reader.read(sse({"type": "message_stop"})) == []
    assert reader.end() == []


def test_read_error_without_a_type_is_a_failure() -> None:
    """Servers that are like Anthropic's fail in OpenAI's words."""
    (event,) = AnswerReader().read(b'data: {"error": {"message": "no", "code": 500}}\n\n')
    assert isinstance(event, Failed)
    assert isinstance(event.error, Rejected)


@pytest.mark.parametrize(
    "event",
    [
        b": comment\n\n",
        b"data: [DONE]\n\n",
        b'data: {"type": "new", "message": 3}\n\n',
        b'data: {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta"}}\n\n',
        b'data: {"type": "content_block_stop", "index": 9}\n\n',
        b'data: {"type": "message_delta", "delta": {}, "usage": null}\n\n',
    ],
)
def test_read_what_is_not_known_says_nothing(event: bytes) -> None:
    """Comments, new events and pieces of no block are no errors."""
    assert AnswerReader().read(event) == []


@pytest.mark.parametrize(
    "event",
    [
        b"data: nonsense\n\n",
        b'data: {"type": "content_block_delta", "index": "0"}\n\n',
        b"data: []\n\n",
    ],
)
def test_read_known_event_of_wrong_shape_is_broken(event: bytes) -> None:
    """What should have been understood and was not is no end of an answer."""
    with pytest.raises(Broken):
        AnswerReader().read(event)


def test_read_blocks_of_hosted_tools_say_nothing() -> None:
    """Their pieces are no arguments of a client's tool, and do not count among its calls."""
    stream = sse(
        start({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}),
        {**DELTA, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        STOP,
        start({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}, 1),
        start({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, 2),
        ended("tool_use"),
        {"type": "message_stop"},
    )
    call = CallBegan(index=0, call_id="toolu_1", name="f")
    assert read_all(stream) == [call, CallSaid(0, "{}"), Ended(reason="tool_calls"), Over()]


def test_read_stream_without_a_reason_ends_as_its_calls_say() -> None:
    """Where `message_stop` came and no reason did, the answer is whole all the same."""
    call = start({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}})
    assert read_all(sse({"type": "message_stop"})) == [Ended(reason="stop"), Over()]
    assert read_all(sse(call, STOP, {"type": "message_stop"}))[-2:] == [
        Ended(reason="tool_calls"),
        Over(),
    ]


def test_read_unclosed_block_is_told_before_the_end() -> None:
    """Servers that leave out `content_block_stop` do not lose arguments told at the start."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    events = read_all(sse(start(block), ended("tool_use"), {"type": "message_stop"}))
    assert events[1:3] == [CallSaid(0, '{"a":1}'), Ended(reason="tool_calls")]


def test_read_whole_gives_the_events_of_a_stream() -> None:
    """A plain answer is the same sequence, with whole texts."""
    body = whole(
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "xx"},
        {"type": "text", "text": "I", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, 2.50]}},
        {"type": "tool_use", "id": "toolu_2", "name": "zero", "input": {}},
        stop_reason="tool_use",
    )
    assert AnswerReader().read_whole(body) == [
        Began(answer_id="msg_1", model="m"),
        Counted(Usage(input_tokens=3, output_tokens=2)),
        Thought("Hm", begins=True),
        SIGNED,
        Sealed(Seal(vendor="anthropic", kind="redacted", data="xx")),
        Said("I"),
        CallBegan(index=0, call_id="toolu_1", name="f"),
        CallSaid(0, '{"a":[1,2.5]}'),
        CallBegan(index=1, call_id="toolu_2", name="zero"),
        CallSaid(1, "{}"),
        Ended(reason="tool_calls"),
        Over(),
    ]


def test_read_whole_error_inside_a_200_is_a_failure() -> None:
    """A status 200 is no success."""
    body = b'{"type":"error","error":{"type":"api_error","message":"x"}}'
    (event,) = AnswerReader().read_whole(body)
    assert isinstance(event, Failed)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"content": [3]}', b'{"content": null}'])
def test_read_whole_of_something_else_is_broken(body: bytes) -> None:
    """What is no message is the target's fault."""
    with pytest.raises(Broken):
        AnswerReader().read_whole(body)


def test_read_vendor_owns_its_seals() -> None:
    """Another vendor that speaks Messages gets its signatures back, Anthropic does not."""
    body = whole({"type": "thinking", "thinking": "", "signature": "s"})
    events = AnswerReader(vendor="xai").read_whole(body)
    assert Sealed(Seal(vendor="xai", kind="signature", data="s")) in events


def test_read_call_of_a_custom_tool_gives_its_text() -> None:
    """A tool that takes text was offered as a function of one string; the text is taken out."""
    stream = sse(
        start({"type": "tool_use", "id": "toolu_1", "name": "exec", "input": {}}),
        {**DELTA, "delta": {"type": "input_json_delta", "partial_json": '{"input": "l'}},
        {**DELTA, "delta": {"type": "input_json_delta", "partial_json": 's\\n"}'}},
        STOP,
        {"type": "message_stop"},
    )
    events = read_all(stream, AnswerReader(custom_names=frozenset({"exec"})))
    assert events[:2] == [
        CallBegan(index=0, call_id="toolu_1", name="exec", is_custom=True),
        CallSaid(0, "ls\n"),
    ]
