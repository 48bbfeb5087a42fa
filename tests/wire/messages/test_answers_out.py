"""Tests of slipstream.wire.messages.answers_out."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.call import Meaning, Usage
from slipstream.errors import Busy
from slipstream.wire.messages.answers_in import AnswerReader
from slipstream.wire.messages.answers_out import PING, AnswerWriter
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
    Pinged,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)
from tests.wire.messages.streams import RECORDED, datas, read_all, write_all

USAGE = Usage(
    input_tokens=10,
    cache_read_tokens=5,
    cache_write_5m_tokens=2,
    cache_write_1h_tokens=1,
    output_tokens=7,
    output_reasoning_tokens=3,
)
USAGE_OBJECT = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 10,
    "output_tokens_details": {"thinking_tokens": 3},
}
CALL = CallBegan(index=0, call_id="toolu_1", name="f")


def whole(*events: Event) -> dict[str, Any]:
    """Return the body of a plain answer."""
    body = AnswerWriter(answer_id="msg_1", model="m").whole(events).data
    said: dict[str, Any] = msgspec.json.decode(body)
    return said


def test_write_stream_has_the_order_of_anthropic() -> None:
    """One start with the estimate, one block, the delta with all usage, one stop."""
    events: list[Event] = [
        Began(),
        Said("Hel"),
        Said("lo"),
        Ended(reason="stop"),
        Counted(USAGE),
        Over(),
    ]
    stream = write_all(events, input_tokens=9)
    start, *rest = datas(stream)
    assert start["type"] == "message_start"
    message = start["message"]
    assert message["usage"]["input_tokens"] == 9
    assert message["content"] == []
    assert {message[name] for name in ("stop_reason", "stop_sequence")} == {None}
    assert rest == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hel"},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": None},
            "usage": USAGE_OBJECT,
        },
        {"type": "message_stop"},
    ]
    names = [raw.split(b"\n")[0] for raw in EventSplitter().feed(stream)]
    assert names == [b"event: " + said["type"].encode() for said in [start, *rest]]


def test_write_more_of_a_block_differs_in_text_only() -> None:
    """What is added to an open block is encoded in a shorter way, to the same bytes."""
    began = CallBegan(index=0, call_id="c", name="f")
    for before, first, second in (
        ((), Said("a"), Said("b")),
        ((), Thought("a", begins=True), Thought("b")),
        ((began,), CallSaid(0, "a"), CallSaid(0, "b")),
    ):
        written = write_all([Began(), *before, first, second]).split(b"event: ")
        assert written[-1] == written[-2].replace(b'"a"', b'"b"')


def test_write_recorded_stream_again_gives_its_events() -> None:
    """Decode and encode are inverse: the stream of protocols.md, section B."""

    def meaningful(stream: bytes) -> list[Event]:
        return [event for event in read_all(stream) if not isinstance(event, Began | Counted)]

    again = write_all(read_all(RECORDED))
    assert meaningful(again) == meaningful(RECORDED)
    kinds = [said["type"] for said in datas(RECORDED)]
    assert sorted(said["type"] for said in datas(again)) == sorted(kinds[:-6] + kinds[-5:])
    assert datas(again)[-2] == datas(RECORDED)[-2]


def test_write_frames_mean_what_they_carry() -> None:
    """Start and ping commit to nothing; usage and reason are on the frames that carry them."""
    writer = AnswerWriter(answer_id="msg_1", model="m")
    (start,) = writer.write(Began())
    assert start.meaning is Meaning.SILENT
    assert writer.write(Pinged()) == [PING]
    assert writer.write(Counted(USAGE)) == []
    (text,) = writer.write(Said("a"))
    assert (text.meaning, text.usage) == (Meaning.CONTENT, USAGE)
    (more,) = writer.write(Said("b"))
    assert (more.meaning, more.usage) == (Meaning.CONTENT, None)
    assert [frame.meaning for frame in writer.write(Ended(reason="length"))] == [Meaning.CONTENT]
    delta, stop = writer.write(Over())
    assert (delta.meaning, delta.usage) == (Meaning.CONTENT, USAGE)
    assert (stop.meaning, stop.usage, stop.finish_reason) == (Meaning.END, USAGE, "length")


@pytest.mark.parametrize("first", [Pinged(), Said("a"), Over()])
def test_write_without_a_beginning_starts_once(first: Event) -> None:
    """Nothing comes before `message_start`, and there is never a second one."""
    kinds = [said["type"] for said in datas(write_all([first, Began(), Said("a"), Over()]))]
    assert kinds[0] == "message_start"
    assert kinds.count("message_start") == 1


def test_write_failure_is_raised() -> None:
    """An upstream that fails inside its answer makes no end of ours, streamed or plain."""
    error = Busy("x")
    writer = AnswerWriter(answer_id="msg_1", model="m")
    with pytest.raises(Busy):
        writer.write(Failed(error))
    with pytest.raises(Busy):
        writer.whole([Began(), Failed(error)])


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([Ended(reason="stop")], "end_turn"),
        ([Ended(reason="stop", stop_sequence="#")], "stop_sequence"),
        ([Ended(reason="length")], "max_tokens"),
        ([Ended(reason="content_filter")], "refusal"),
        ([Ended(reason="pause")], "pause_turn"),
        ([Ended(reason="tool_calls")], "end_turn"),
        ([CALL, Ended(reason="tool_calls")], "tool_use"),
        ([CALL, Ended(reason="stop")], "tool_use"),
        ([CALL, Ended(reason="length")], "max_tokens"),
        ([Refused("no"), Ended(reason="stop")], "refusal"),
        ([], "end_turn"),
    ],
)
def test_write_stop_reason_maps_it(events: list[Event], reason: str) -> None:
    """A call outweighs `stop`, and without a call nobody waits for results."""
    *_, delta, _ = datas(write_all([*events, Over()]))
    assert delta["delta"]["stop_reason"] == reason
    assert whole(*events)["stop_reason"] == reason


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ('{"type":"refusal","category":"bio"}', {"type": "refusal", "category": "bio"}),
        ('{"a":1}', None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_write_refusal_tells_only_what_the_dialect_knows(
    details: str | None, expected: Any
) -> None:
    """`stop_details` are handed on if they are Anthropic's."""
    ended = Ended(reason="content_filter", details=details)
    assert whole(ended)["stop_details"] == expected


def test_write_other_choices_and_scores_say_nothing() -> None:
    """A client of this dialect can ask for neither."""
    events: list[Event] = [Said("a", choice=1), Scored("[]"), Ended(reason="length", choice=1)]
    body = whole(*events, Ended(reason="stop"))
    assert (body["content"], body["stop_reason"]) == ([], "end_turn")


def test_whole_answer_has_its_blocks_and_usage() -> None:
    """Pieces are joined; a plain answer tells how long caches keep, and the tier."""
    body = whole(
        Began(service_tier="priority"),
        Said("a"),
        Said("b"),
        Cited('{"type":"page_location"}', "anthropic_messages"),
        CALL,
        CallSaid(0, '{"x": '),
        CallSaid(0, "1.50}"),
        CallBegan(index=1, call_id="toolu_2", name="zero"),
        CallBegan(index=2, call_id="toolu_3", name="broken"),
        CallSaid(2, '{"x": '),
        Ended(reason="tool_calls"),
        Counted(USAGE),
        Over(),
    )
    assert body["content"] == [
        {"type": "text", "text": "ab", "citations": [{"type": "page_location"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1.5}},
        {"type": "tool_use", "id": "toolu_2", "name": "zero", "input": {}},
        {"type": "tool_use", "id": "toolu_3", "name": "broken", "input": {}},
    ]
    assert body["usage"] == USAGE_OBJECT | {
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1},
        "service_tier": "priority",
    }
    assert (body["id"], body["model"], body["role"]) == ("msg_1", "m", "assistant")


TEXTS = st.text(min_size=1, max_size=5)
PARTS = st.one_of(
    st.builds(Said, TEXTS),
    st.builds(Thought, TEXTS),
    st.builds(
        lambda data: Sealed(Seal(vendor="anthropic", kind="redacted", data=data)),
        st.text("ab", min_size=1),
    ),
    st.dictionaries(st.sampled_from("abc"), st.integers() | TEXTS, max_size=2),
)


def events_of(parts: list[Any]) -> list[Event]:
    """Return an answer: a dict among the parts is a call, in two pieces."""
    events: list[Event] = [Began()]
    num_calls = 0
    for part in parts:
        if not isinstance(part, dict):
            events.append(part)
            continue
        text = msgspec.json.encode(part).decode()
        name = f"f{num_calls}"
        events += [
            CallBegan(index=num_calls, call_id=f"toolu_{num_calls}", name=name),
            CallSaid(num_calls, text[:2]),
            *([CallSaid(num_calls, text[2:])] if text[2:] else []),
        ]
        num_calls += 1
    return [*events, Ended(reason="tool_calls" if num_calls else "stop"), Counted(USAGE), Over()]


def gist(events: list[Event]) -> tuple[Any, ...]:
    """Return what must survive a round trip."""
    texts = "".join(event.text for event in events if isinstance(event, Said))
    thoughts = "".join(event.text for event in events if isinstance(event, Thought))
    calls: dict[tuple[str, str], str] = {}
    ids: dict[int, tuple[str, str]] = {}
    for event in events:
        if isinstance(event, CallBegan):
            ids[event.index] = (event.call_id, event.name)
            calls[ids[event.index]] = ""
        elif isinstance(event, CallSaid):
            calls[ids[event.index]] += event.text
    reasons = [event.reason for event in events if isinstance(event, Ended)]
    usages = [event.usage for event in events if isinstance(event, Counted)]
    totals = (usages[-1].total_input_tokens, usages[-1].total_output_tokens)
    return (
        texts,
        thoughts,
        {key: msgspec.json.decode(said) for key, said in calls.items()},
        (
            reasons,
            totals,
        ),
    )


@settings(deadline=None, max_examples=60)
@given(parts=st.lists(PARTS, max_size=6), at=st.integers(0, 4000))
def test_write_any_answer_reads_as_it_was(parts: list[Any], at: int) -> None:
    """Streamed and split anywhere, or plain: text, thoughts, calls, reason and usage are kept."""
    events = events_of(parts)
    stream = write_all(events)
    splitter, reader = EventSplitter(), AnswerReader()
    raws = [*splitter.feed(stream[:at]), *splitter.feed(stream[at:])]
    read = [event for raw in raws for event in reader.read(raw)]
    assert gist(read) == gist(events)
    body = AnswerWriter(answer_id="msg_1", model="m").whole(events).data
    assert gist(AnswerReader().read_whole(body)) == gist(events)


@settings(deadline=None, max_examples=60)
@given(parts=st.lists(PARTS, max_size=6))
def test_write_any_answer_has_blocks_one_after_the_other(parts: list[Any]) -> None:
    """Blocks are numbered from 0, never overlap, and every one that starts stops."""
    is_open, num_blocks = False, 0
    for said in datas(write_all(events_of(parts)))[1:-2]:
        match said["type"]:
            case "content_block_start":
                assert (is_open, said["index"]) == (False, num_blocks)
                is_open, num_blocks = True, num_blocks + 1
            case "content_block_delta":
                assert (is_open, said["index"]) == (True, num_blocks - 1)
            case "content_block_stop":
                assert (is_open, said["index"]) == (True, num_blocks - 1)
                is_open = False
    assert not is_open
