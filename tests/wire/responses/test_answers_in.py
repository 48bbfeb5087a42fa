"""Answers of upstreams that speak Responses: their events, however their bytes are cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.errors import Broken, Busy, Fault, Rejected, StreamCut, UpstreamError
from slipstream.wire.responses.answers_in import AnswerReader
from slipstream.wire.sse import EventSplitter
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Cited,
    Counted,
    Ended,
    Event,
    Failed,
    Over,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 19,
}
COUNTED = Counted(
    Usage(
        input_tokens=5,
        cache_read_tokens=3,
        cache_write_5m_tokens=2,
        output_tokens=5,
        output_reasoning_tokens=4,
    )
)
BEGAN = Began(answer_id="resp_1", model="gpt-6-sol", created_s=17, service_tier="default")
NOTE = {
    "type": "url_citation",
    "url": "https://x.y",
    "title": "X",
    "start_index": 0,
    "end_index": 2,
}
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "So so"}],
    "encrypted_content": "gAAA",
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [
        {
            "type": "output_text",
            "text": "Hi you",
            "annotations": [NOTE],
            "logprobs": [{"token": "Hi", "logprob": -1.0, "top_logprobs": []}],
        },
        {"type": "refusal", "refusal": "no"},
    ],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "look",
    "arguments": '{"a":1}',
}
CUSTOM = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "p", "input": "x"}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
OUTPUT = [REASONING, SEARCH, MESSAGE, CALL, CUSTOM]
SCORED = Scored('[{"token":"Hi","logprob":-1.0,"top_logprobs":[],"bytes":[72,105]}]')
ITEMS: list[Event] = [
    Thought("So so", is_summary=True, begins=True),
    Sealed(Seal(vendor="openai", kind="encrypted_content", data="gAAA", item_id="rs_1")),
    Said("Hi you"),
    SCORED,
    Cited(json.dumps(NOTE), "openai_responses"),
    Refused("no"),
    CallBegan(index=0, call_id="call_1", name="look"),
    CallSaid(0, '{"a":1}'),
    CallBegan(index=1, call_id="call_2", name="p", is_custom=True),
    CallSaid(1, "x"),
]


def _response(status: str = "completed", **more: Any) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 17, "model": "gpt-6-sol"}
    rest: dict[str, Any] = {
        "status": status,
        "error": None,
        "incomplete_details": None,
        "output": [],
    }
    return {**head, **rest, "service_tier": "default", "usage": None, **more}


def _sse(*events: dict[str, Any], end: str = "\n") -> bytes:
    return b"".join(
        f"event: {e.get('type')}{end}data: {json.dumps(e)}{end}{end}".encode() for e in events
    )


def _at(kind: str, at: int, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": at, **more}


# In the order of recorded streams; what `done` events repeat is all there.
STREAM: list[dict[str, Any]] = [
    {"type": "response.created", "response": _response("in_progress")},
    {"type": "response.in_progress", "response": _response("in_progress")},
    _at("output_item.added", 0, item={"id": "rs_1", "type": "reasoning", "summary": []}),
    _at("reasoning_summary_part.added", 0, summary_index=0),
    _at("reasoning_summary_text.delta", 0, summary_index=0, delta="So "),
    _at("reasoning_summary_text.delta", 0, summary_index=0, delta="so"),
    _at("reasoning_summary_text.done", 0, summary_index=0, text="So so"),
    _at("output_item.done", 0, item=REASONING),
    _at("output_item.added", 1, item={"id": "ws_1", "type": "web_search_call"}),
    _at("web_search_call.searching", 1, item_id="ws_1"),
    _at("output_item.done", 1, item=SEARCH),
    _at("output_item.added", 2, item={**MESSAGE, "content": []}),
    _at("content_part.added", 2, content_index=0, part={"type": "output_text", "text": ""}),
    _at(
        "output_text.delta",
        2,
        content_index=0,
        delta="Hi",
        logprobs=[{"token": "Hi", "logprob": -1.0, "top_logprobs": []}],
        obfuscation="xyz",
    ),
    _at("output_text.delta", 2, content_index=0, delta=" you", logprobs=[]),
    _at("output_text.annotation.added", 2, annotation_index=0, annotation=NOTE),
    _at("output_text.done", 2, content_index=0, text="Hi you"),
    _at("refusal.delta", 2, content_index=1, delta="no"),
    _at("refusal.done", 2, content_index=1, refusal="no"),
    _at("output_item.done", 2, item=MESSAGE),
    _at("output_item.added", 3, item={**CALL, "arguments": ""}),
    _at("function_call_arguments.delta", 3, delta='{"a":'),
    _at("function_call_arguments.delta", 3, delta="1}"),
    _at("function_call_arguments.done", 3, arguments='{"a":1}'),
    _at("output_item.done", 3, item=CALL),
    _at("output_item.added", 4, item={**CUSTOM, "input": ""}),
    _at("custom_tool_call_input.delta", 4, delta="x"),
    _at("custom_tool_call_input.done", 4, input="x"),
    _at("output_item.done", 4, item=CUSTOM),
    {"type": "response.completed", "response": _response(output=OUTPUT, usage=USAGE)},
]


def _read(data: bytes) -> list[Event]:
    reader = AnswerReader()
    events = [said for event in EventSplitter().feed(data) for said in reader.read(event)]
    return events + reader.end()


def _joined(events: list[Event]) -> list[Event]:
    """Join neighbouring pieces of one text or call."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Said) and isinstance(last, Said):
            joined[-1] = Said(last.text + event.text)
        elif isinstance(event, CallSaid) and isinstance(last, CallSaid):
            joined[-1] = CallSaid(last.index, last.text + event.text)
        elif isinstance(event, Thought) and isinstance(last, Thought) and not event.begins:
            joined[-1] = Thought(last.text + event.text, is_summary=True, begins=last.begins)
        else:
            joined.append(event)
    return joined


def test_read_stream_tells_everything_once() -> None:
    """What `done` events and the last one repeat is not told again."""
    counted = Counted(_with_search(COUNTED.usage))
    told: list[Event] = [e for e in _read(_sse(*STREAM)) if not isinstance(e, Scored)]
    expected = [e for e in ITEMS if not isinstance(e, Scored)]
    assert _joined(told) == [BEGAN, *expected, Ended(reason="tool_calls"), counted, Over()]


def _with_search(usage: Usage) -> Usage:
    return Usage(
        **{name: getattr(usage, name) for name in Usage.__struct_fields__} | {"tool_units": 1}
    )


def test_read_whole_tells_the_same() -> None:
    """A plain answer is the same sequence, with whole texts."""
    body = json.dumps(_response(output=OUTPUT, usage=USAGE)).encode()
    counted = Counted(_with_search(COUNTED.usage))
    assert AnswerReader().read_whole(body) == [
        BEGAN,
        *ITEMS,
        Ended(reason="tool_calls"),
        counted,
        Over(),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_read_stream_split_at_every_byte_is_the_same(end: str) -> None:
    """Nothing depends on how the bytes arrive; comments and `[DONE]` say nothing."""
    data = b": hi\n\n" + _sse(*STREAM, end=end) + b"data: [DONE]\n\n"
    whole = _read(data)
    reader, splitter = AnswerReader(), EventSplitter()
    told = [
        said
        for at in range(len(data))
        for event in splitter.feed(data[at : at + 1])
        for said in reader.read(event)
    ]
    assert told == whole


_SPARED = ("response.output_item.done", "response.completed")


@given(st.sets(st.sampled_from(sorted({e["type"] for e in STREAM} - set(_SPARED)))))
def test_read_stream_without_some_kinds_of_events_tells_all(left_out: set[str]) -> None:
    """Some upstreams send items whole: their end tells what no piece told."""
    kept = [e for e in STREAM if e["type"] not in left_out]
    told = _read(_sse(*kept))
    text = "".join(e.text for e in told if isinstance(e, Said))
    arguments = "".join(e.text for e in told if isinstance(e, CallSaid) and e.index == 0)
    assert text == "Hi you"
    assert arguments == '{"a":1}'
    assert "".join(e.text for e in told if isinstance(e, Thought)) == "So so"
    assert "".join(e.text for e in told if isinstance(e, Refused)) == "no"
    assert len([e for e in told if isinstance(e, Cited)]) == 1


def test_read_only_the_last_event_tells_all() -> None:
    """An upstream that streams nothing but its end is heard all the same."""
    told = _read(_sse(STREAM[0], STREAM[-1]))
    assert told[1:-3] == ITEMS


@pytest.mark.parametrize(
    ("status", "details", "reason"),
    [
        ("completed", None, "stop"),
        ("incomplete", {"reason": "max_output_tokens"}, "length"),
        ("incomplete", {"reason": "content_filter"}, "content_filter"),
        ("incomplete", {"reason": "steered"}, "stop"),
        ("incomplete", None, "stop"),
    ],
)
def test_read_end_says_why(status: str, details: Any, reason: str) -> None:
    """An incomplete answer is a finished one, for a reason."""
    response = _response(status, incomplete_details=details, output=[MESSAGE])
    told = _read(_sse({"type": f"response.{status}", "response": response}))
    assert Ended(reason=reason) in told
    assert told[-1] == Over()


def test_read_end_without_status_goes_by_the_event() -> None:
    """Some leave the status out of the last response."""
    response = {name: value for name, value in _response().items() if name != "status"}
    events = {"type": "response.incomplete", "response": response}
    assert _read(_sse(events))[-2:] == [Ended(reason="stop"), Over()]


def test_read_failed_is_a_failure_after_its_account() -> None:
    """What failed was billed; its error is blamed on the right one."""
    error = {"code": "server_error", "message": "oh"}
    response = _response("failed", error=error, usage=USAGE)
    told = _read(_sse(STREAM[0], {"type": "response.failed", "response": response}))
    assert told[:2] == [BEGAN, COUNTED]
    [failed] = told[2:]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamError)
    assert (failed.error.message, failed.error.fault) == ("oh", Fault.TARGET)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None},
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow"}},
        {"error": {"type": "rate_limit_error", "message": "slow"}},
    ],
)
def test_read_error_event_is_a_failure(event: dict[str, Any]) -> None:
    """Flat, nested or in Chat's shape."""
    [failed] = _read(_sse(event))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Busy)
    assert failed.error.message == "slow"


def test_end_without_terminal_event_is_a_cut() -> None:
    """`[DONE]` alone ends nothing."""
    with pytest.raises(StreamCut):
        _read(_sse(*STREAM[:-1]) + b"data: [DONE]\n\n")


def test_read_unknown_events_are_nobodys_error() -> None:
    """Also where their fields are of other types than those that we know."""
    odd = {"type": "response.new.delta", "output_index": "x", "delta": {"a": 1}}
    assert _read(_sse(odd, STREAM[-1]))[-1] == Over()


def test_read_after_the_end_says_nothing() -> None:
    """A second end is not an end."""
    assert _read(_sse(STREAM[-1], STREAM[-1], STREAM[2])).count(Over()) == 1


def test_read_without_output_index_goes_by_item_id() -> None:
    """Some leave the index out."""
    events: list[dict[str, Any]] = [
        {
            "type": "response.output_item.added",
            "item": {**CALL, "arguments": ""},
            "item_id": "fc_1",
        },
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": '{"a":1}'},
        {"type": "response.output_item.done", "item_id": "fc_1", "item": CALL},
        STREAM[-1],
    ]
    told = [e for e in _read(_sse(*events)) if isinstance(e, CallBegan | CallSaid)]
    assert told == [CallBegan(index=0, call_id="call_1", name="look"), CallSaid(0, '{"a":1}')]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"object":"response","output":1}', b'{"output":[1]}'],
)
def test_read_whole_of_something_else_is_broken(body: bytes) -> None:
    """An answer without output is none."""
    with pytest.raises(Broken):
        AnswerReader().read_whole(body)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_read_whole_unfinished_is_broken(status: str) -> None:
    """We never ask for an answer in the background."""
    with pytest.raises(Broken, match=status):
        AnswerReader().read_whole(json.dumps(_response(status)).encode())


def test_read_whole_error_is_a_failure() -> None:
    """An error inside a 200; xAI's is a string."""
    for body in (
        b'{"error":{"message":"no","code":429}}',
        b'{"code":"x","error":"no"}',
        b'{"id":1,"error":{"message":"no"}}',
    ):
        [failed] = AnswerReader().read_whole(body)
        assert isinstance(failed, Failed)
        assert failed.error.message == "no"


def test_read_whole_failed_says_the_clients_fault() -> None:
    """A prompt that is refused is not the target's failure."""
    body = _response("failed", error={"code": "invalid_prompt", "message": "bad"})
    *_, failed = AnswerReader().read_whole(json.dumps(body).encode())
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Rejected)
    assert (failed.error.status, failed.error.fault) == (400, Fault.CLIENT)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: 1\n\n",
        b'data: {"type":"response.output_text.delta","output_index":"x"}\n\n',
        b'data: {"type":"response.completed"}\n\n',
        b'data: {"type":"response.output_item.done","output_index":0,"item":1}\n\n',
        b'data: {"type":"response.output_item.done","item":{"type":"function_call"}}\n\n',
    ],
)
def test_read_event_of_a_wrong_shape_is_broken(data: bytes) -> None:
    """What we must understand and cannot is the upstream's fault."""
    with pytest.raises(Broken):
        _read(data)


def test_reader_seals_for_its_vendor() -> None:
    """What xAI sealed goes back to xAI."""
    body = json.dumps(_response(output=[REASONING])).encode()
    seals = [
        e.seal.vendor for e in AnswerReader(vendor="xai").read_whole(body) if isinstance(e, Sealed)
    ]
    assert seals == ["xai"]
