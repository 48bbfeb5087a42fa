"""Tests of slipstream.wire.gemini.answers_in."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from slipstream.call import Usage
from slipstream.errors import Broken, Busy, StreamCut
from slipstream.wire.gemini.answers_in import AnswerReader
from slipstream.wire.sse import EventSplitter, encode_event
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Counted,
    Ended,
    Event,
    Failed,
    Over,
    Pinged,
    Said,
    Sealed,
    Thought,
)

SIGNED = Seal(vendor="gemini", kind="thought_signature", data="sig")
BEGAN = Began(answer_id="r", model="gemini-3")


def frame(
    *parts: dict[str, Any], finish: str | None = None, index: int = 0, **fields: Any
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": index, "content": {"role": "model", "parts": list(parts)}}
    candidate |= {"finishReason": finish} if finish else {}
    candidate |= fields.pop("candidate", {})
    return {
        "candidates": [candidate],
        "responseId": "r",
        "modelVersion": "gemini-3",
        **fields,
    }


def sse(*frames: Any) -> list[bytes]:
    return [encode_event(msgspec.json.encode(each)) for each in frames]


def stream(*frames: Any, **options: Any) -> list[Event]:
    """Read a stream; what every one begins and ends with is left out."""
    reader = AnswerReader(**options)
    found = [event for data in sse(*frames) for event in reader.read(data)]
    found += reader.end()
    return [event for event in found if type(event) not in (Began, Over)]


def call(name: str, signature: str | None = None, **function: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"functionCall": {"name": name, **function}}
    return said | ({"thoughtSignature": signature} if signature else {})


MADE_ID = f"call_{sha256(b'r:0:0').hexdigest()[:24]}"  # of the answer's id, and places
USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}
COUNTED = Counted(Usage(input_tokens=5, output_tokens=2, output_reasoning_tokens=3))
STREAM = [
    frame({"text": "hm", "thought": True}, usageMetadata={"promptTokenCount": 5}),
    frame({"text": "!", "thought": True}),
    frame({"text": "aé"}),
    frame(call("f", "sig", args={"a": "é"}), call("g", id="own", args={}), finish="STOP"),
    frame(finish="STOP", usageMetadata=USAGE),
]
EVENTS = [
    BEGAN,
    Thought("hm", is_summary=True, begins=True),
    Counted(Usage(input_tokens=5)),
    Thought("!", is_summary=True),
    Said("aé"),
    CallBegan(index=0, call_id=MADE_ID, name="f"),
    CallSaid(0, '{"a":"é"}'),
    Sealed(SIGNED, call=0),
    CallBegan(index=1, call_id="own", name="g"),
    COUNTED,
    Ended(reason="tool_calls"),
    Over(),
]


def test_reader_stream_in_order() -> None:
    """Thoughts, text, whole calls with their signatures; the end is told once, at the end."""
    reader = AnswerReader()
    found = [event for data in sse(*STREAM) for event in reader.read(data)]
    found += reader.end()
    assert found == EVENTS
    assert reader.end() == []
    assert reader.read(b": ping\n\n") == []
    assert AnswerReader().read(b": ping\n\n") == [Pinged()]


def test_reader_stream_split_anywhere_gives_the_same() -> None:
    """Neither where the bytes were cut nor how lines end changes what is read."""
    expected = stream(*STREAM)
    for body in (b"".join(sse(*STREAM)), b"".join(sse(*STREAM)).replace(b"\n", b"\r\n")):
        for at in range(0, len(body), 3):
            splitter, reader = EventSplitter(), AnswerReader()
            events = [*splitter.feed(body[:at]), *splitter.feed(body[at:]), splitter.finish()]
            found = [event for data in events if data for event in reader.read(data)]
            found += reader.end()
            assert found[1:-1] == expected


def test_reader_plain_answer_says_the_same() -> None:
    """A plain answer is one frame and its end."""
    whole = frame({"text": "a"}, finish="MAX_TOKENS", usageMetadata=USAGE)
    assert AnswerReader().read_whole(msgspec.json.encode(whole)) == [
        BEGAN,
        Said("a"),
        COUNTED,
        Ended(reason="length"),
        Over(),
    ]


def test_reader_stream_is_cut_unless_every_candidate_finished() -> None:
    """There is no terminal event: the reason to finish stands in for it."""
    half = [frame({"text": "a"}, finish="STOP"), frame({"text": "b"}, index=1)]
    for frames in ([], [frame({"text": "a"})], half, [{"usageMetadata": USAGE}]):
        with pytest.raises(StreamCut):
            stream(*frames)
    unsaid = frame({"text": "a"}, finish="FINISH_REASON_UNSPECIFIED")
    with pytest.raises(StreamCut):
        stream(unsaid)


def test_reader_reasons_that_are_failures_fail() -> None:
    """A call that cannot be read is no answer that stopped."""
    candidate = {"finishMessage": "no such call"}
    [failed] = stream(frame(finish="MALFORMED_FUNCTION_CALL", candidate=candidate))
    assert isinstance(failed, Failed)
    assert "no such call" in failed.error.message
    whole = AnswerReader().read_whole(msgspec.json.encode(frame(finish="UNEXPECTED_TOOL_CALL")))
    assert [type(event) for event in whole] == [Began, Failed]


def test_reader_blocked_prompt_is_filtered() -> None:
    """A prompt that was blocked has no candidates and is an answer all the same."""
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE}
    assert stream(blocked) == [COUNTED, Ended(reason="content_filter")]
    whole = AnswerReader().read_whole(msgspec.json.encode(blocked))
    assert whole[-2:] == [Ended(reason="content_filter"), Over()]


def test_reader_errors_are_the_end() -> None:
    """As a frame, in an array, inside a plain 200."""
    said = {"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}
    for body in (said, [said]):
        reader = AnswerReader()
        reader.read(sse(frame({"text": "a"}))[0])
        [failed] = reader.read(sse(body)[0])
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, Busy)
        assert reader.end() == []
        [failed] = AnswerReader().read_whole(msgspec.json.encode(body))
        assert isinstance(failed, Failed)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"candidates":[{"index":-1}]}'])
def test_reader_what_is_no_answer_is_broken(body: bytes) -> None:
    """Neither an answer nor an error: the provider broke its word."""
    with pytest.raises(Broken):
        AnswerReader().read_whole(body)
    if body != b"{}":
        with pytest.raises(Broken):
            AnswerReader().read(encode_event(body))
