"""OpenAI chat answers as they pass through: what a whole one and what each event means."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Frame, Meaning, Usage
from slipstream.errors import Broken, Busy, GatewayError, Rejected, UpstreamError
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer
from slipstream.wire.sse import DONE, encode_event

SILENT, CONTENT, WITHHELD, END = Meaning
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def _answer(**more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}}
    said = {
        "id": "c",
        "object": "chat.completion",
        "choices": [{**choice, "finish_reason": "stop"}],
    }
    return json.dumps({**said, **more}).encode()


def test_read_answer_whole_answer_is_one_frame_of_the_same_bytes() -> None:
    """The client receives the upstream's bytes; usage and finish are read from the side."""
    body = _answer(usage=USAGE)
    usage = Usage(input_tokens=3, output_tokens=2)
    assert read_answer(body) == Frame(body, END, usage, "stop")


@pytest.mark.parametrize("usage", [None, {}, [], "none", {"prompt_tokens": "3"}])
def test_read_answer_without_readable_usage_is_still_an_answer(usage: Any) -> None:
    """Regression: a usage of another shape made a good answer `Broken`."""
    body = _answer(usage=usage)
    assert read_answer(body) == Frame(body, END, None, "stop")


def test_read_answer_reasoning_outside_is_folded_in() -> None:
    """The provider's habit reaches the reading of usage."""
    report = {**USAGE, "total_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}}
    frame = read_answer(_answer(usage=report), is_reasoning_outside=True)
    assert frame.usage == Usage(input_tokens=3, output_tokens=2, output_reasoning_tokens=4)


@pytest.mark.parametrize("error", [None, "", {}, False])
def test_read_answer_empty_error_beside_choices_is_none(error: Any) -> None:
    """Some send the key always."""
    assert read_answer(_answer(error=error)).meaning is END


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":{}}',
        b'{"choices":[5]}',
        b'{"choices":[{"finish_reason":5}]}',
        b'{"choices":[{}],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"choices":[{}]',
        b'{"choices":[{"finish_reason":"\xff"}]}',
    ],
)
def test_read_answer_no_completion_is_broken(body: bytes) -> None:
    """What is no chat completion may be tried elsewhere."""
    with pytest.raises(Broken):
        read_answer(body)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"code": 429, "message": "m"}, "choices": None}, 429),
        ({"error": {"code": 429, "message": "m"}, "choices": [{"finish_reason": "error"}]}, 429),
        ({"error": {"code": 429, "message": "m"}, "choices": {}}, 429),
        ([{"error": {"code": 429, "message": "m"}}], 429),
        ({"message": "m", "type": "t", "code": "token_quota_exceeded"}, 429),
        ({"object": "error", "message": "m", "code": "3051"}, 502),
        ({"error": "m"}, 502),
        ({"detail": "m"}, 502),
    ],
)
def test_read_answer_error_inside_a_200_is_that_error(body: Any, status: int) -> None:
    """OpenRouter and others answer 200 with an error, in any of their shapes."""
    with pytest.raises(UpstreamError) as caught:
        read_answer(json.dumps(body).encode())
    assert (caught.value.message, caught.value.status) == ("m", status)
    assert not isinstance(caught.value, Broken)


def _event(choices: Any = None, **more: Any) -> bytes:
    said = {"id": "c", "object": "chat.completion.chunk", "choices": choices, **more}
    return encode_event(json.dumps(said).encode())


def _delta(finish_reason: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish_reason}


# (what it is, event, its meaning)
EVENTS: list[tuple[str, bytes, Meaning]] = [
    ("role only", _event([_delta(role="assistant", content="")]), SILENT),
    ("role, null content", _event([_delta(role="assistant", content=None)]), SILENT),
    ("refusal null", _event([_delta(role="assistant", content="", refusal=None)]), SILENT),
    ("empty delta", _event([_delta()]), SILENT),
    ("null delta", _event([{"index": 0, "delta": None}]), SILENT),
    ("no delta", _event([{"index": 0}]), SILENT),
    ("content", _event([_delta(content="hi")]), CONTENT),
    ("a space", _event([_delta(content=" ")]), CONTENT),
    ("a NUL as text", _event([_delta(content="\0")]), CONTENT),
    ("the text null", _event([_delta(content="null")]), CONTENT),
    ("parts", _event([_delta(content=[{"type": "thinking", "thinking": []}])]), CONTENT),
    ("no parts", _event([_delta(content=[])]), SILENT),
    ("reasoning", _event([_delta(reasoning="hm")]), CONTENT),
    ("reasoning_content", _event([_delta(reasoning_content="hm")]), CONTENT),
    ("refusal", _event([_delta(refusal="no")]), CONTENT),
    ("tool call", _event([_delta(tool_calls=[{"index": 0, "id": "c1"}])]), CONTENT),
    ("no tool calls", _event([_delta(content=None, tool_calls=[])]), SILENT),
    ("function call", _event([_delta(function_call={"name": "f"})]), CONTENT),
    ("audio", _event([_delta(audio={"id": "a"})]), CONTENT),
    ("finish", _event([_delta("stop")]), CONTENT),
    ("empty finish", _event([_delta("")]), SILENT),
    ("finish and content", _event([_delta("stop", content="!")]), CONTENT),
    ("second choice speaks", _event([_delta(), _delta(index=1, content="hi")]), CONTENT),
    ("first of Azure", _event([], prompt_filter_results=[{"prompt_index": 0}]), SILENT),
    ("choices null", _event(None), SILENT),
    ("choices absent", encode_event(b'{"object":"x"}'), SILENT),
    ("usage null", _event([], usage=None), SILENT),
    ("usage empty", _event([], usage={}), SILENT),
    ("usage beside a delta", _event([_delta(role="assistant")], usage=USAGE), SILENT),
    ("error null", _event([_delta(content="hi")], error=None), CONTENT),
    ("an object without choices", encode_event(b'{"type":"ping"}'), SILENT),
    ("comment", b": OPENROUTER PROCESSING\n\n", SILENT),
    ("ping", b"event: ping\n\n", SILENT),
    ("blank", b"\n\n", SILENT),
    ("done", DONE, END),
    ("done, other line ends", b"data:[DONE]\r\n\r\n", END),
]


def _stream(*, wants_usage: bool = False, is_reasoning_outside: bool = False) -> AnswerStream:
    return AnswerStream(wants_usage=wants_usage, is_reasoning_outside=is_reasoning_outside)


@pytest.mark.parametrize("wants_usage", [True, False])
@pytest.mark.parametrize(("event", "meaning"), [e[1:] for e in EVENTS], ids=[e[0] for e in EVENTS])
def test_stream_event_means_what_the_table_says(
    event: bytes, meaning: Meaning, wants_usage: bool
) -> None:
    """What commits and what does not, with the event's bytes unchanged."""
    frame = _stream(wants_usage=wants_usage).read(event)
    assert (frame.meaning, frame.data) == (meaning, event)


@pytest.mark.parametrize(("wants_usage", "meaning"), [(False, WITHHELD), (True, SILENT)])
def test_stream_usage_chunk_is_withheld_unless_asked_for(
    wants_usage: bool, meaning: Meaning
) -> None:
    """The chunk that we asked for is ours; the client's own is handed on."""
    frame = _stream(wants_usage=wants_usage).read(_event([], usage=USAGE))
    assert frame.meaning is meaning
    assert frame.usage == Usage(input_tokens=3, output_tokens=2)


def test_stream_usage_chunk_that_cannot_be_read_is_withheld_all_the_same() -> None:
    """The client did not ask for it, whatever is in it."""
    frame = _stream().read(_event([], usage={"prompt_tokens": "many"}))
    assert (frame.meaning, frame.usage) == (WITHHELD, None)


def test_stream_usage_in_the_last_content_chunk_is_read_and_not_withheld() -> None:
    """Mistral puts usage beside the finish; that chunk is the client's."""
    frame = _stream().read(_event([_delta("stop", content="!")], usage=USAGE))
    assert frame.meaning is CONTENT
    assert frame.usage == Usage(input_tokens=3, output_tokens=2)


def test_stream_last_chunk_of_cerebras_is_read_into_disjoint_buckets() -> None:
    """It has usage and times beside its choice, and is the client's; images count once."""
    report = {
        "total_tokens": 300,
        "completion_tokens": 40,
        "completion_tokens_details": {
            "accepted_prediction_tokens": 10,
            "rejected_prediction_tokens": 5,
            "reasoning_tokens": 20,
        },
        "prompt_tokens": 260,
        "prompt_tokens_details": {"cached_tokens": 128},
        "image_tokens": 100,
    }
    event = _event([_delta("stop")], usage=report, time_info={"queue_time": 0.1})
    frame = _stream().read(event)
    assert (frame.meaning, frame.data) == (CONTENT, event)
    assert frame.usage == Usage(
        input_tokens=32,
        cache_read_tokens=128,
        input_image_tokens=100,
        output_tokens=5,
        output_reasoning_tokens=20,
        prediction_accepted_tokens=10,
        prediction_rejected_tokens=5,
    )


def test_stream_of_a_text_completion_says_something_with_its_first_text() -> None:
    """Its chunks have `text` in place of a delta."""
    stream = _stream()
    meanings = [
        stream.read(_event([{"index": 0, "text": text, "finish_reason": finish}])).meaning
        for text, finish in (("", None), ("x", None), ("y", None), ("", "stop"))
    ]
    assert meanings == [SILENT, CONTENT, CONTENT, CONTENT]
    assert stream.read(DONE).finish_reason == "stop"


def test_stream_usage_in_every_chunk_is_on_every_frame() -> None:
    """Continuous usage: each frame carries what was said so far, the last one counts."""
    stream = _stream()
    events = [
        _event([_delta(content="x")], usage={"prompt_tokens": 3, "completion_tokens": n})
        for n in (1, 2, 3)
    ]
    found = [stream.read(event).usage for event in events]
    assert found == [Usage(input_tokens=3, output_tokens=n) for n in (1, 2, 3)]


def test_stream_reasoning_outside_is_folded_in() -> None:
    """The provider's habit reaches the reading of usage."""
    report = {**USAGE, "total_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}}
    frame = _stream(is_reasoning_outside=True).read(_event([], usage=report))
    assert frame.usage == Usage(input_tokens=3, output_tokens=2, output_reasoning_tokens=4)


def test_stream_done_carries_the_last_finish_reason() -> None:
    """The terminal frame says why the answer finished."""
    stream = _stream()
    stream.read(_event([_delta("length")]))
    stream.read(_event([], usage=USAGE))
    assert stream.read(DONE) == Frame(DONE, END, None, "length")


def test_stream_without_done_after_a_finish_is_whole() -> None:
    """A provider that leaves `[DONE]` out has finished; the client gets the event that it needs."""
    stream = _stream()
    stream.read(_event([_delta(content="x")]))
    assert stream.end() is None
    stream.read(_event([_delta("stop")]))
    assert stream.end() == Frame(DONE, END, None, "stop")


def test_stream_without_done_and_one_choice_unfinished_was_cut() -> None:
    """Regression: the finish of one of two choices made the whole stream complete."""
    stream = _stream()
    stream.read(_event([_delta(content="a"), _delta(index=1, content="b")]))
    stream.read(_event([_delta("stop")]))
    assert stream.end() is None
    stream.read(_event([_delta("length", index=1)]))
    assert stream.end() == Frame(DONE, END, None, "length")


def test_stream_chunk_after_the_finish_does_not_reopen_its_choice() -> None:
    """Some send an empty delta after it."""
    stream = _stream()
    stream.read(_event([_delta("stop")]))
    stream.read(_event([_delta()]))
    assert stream.end() is not None


def test_stream_that_said_nothing_was_cut() -> None:
    """No event, no end."""
    assert _stream().end() is None


@pytest.mark.parametrize(
    ("said", "status", "kind"),
    [
        ({"error": {"message": "m", "type": "server_error", "code": None}}, 502, Rejected),
        ({"error": {"message": "m", "code": 429}, "choices": [_delta("error")]}, 429, Busy),
        ({"error": {"message": "m"}, "status_code": 429}, 429, Busy),
        ({"error": "m"}, 502, Rejected),
        ([{"error": {"message": "m", "code": 429}}], 429, Busy),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, 429, Busy),
        ({"object": "error", "message": "m", "code": "3230"}, 502, Rejected),
        ({"message": "m", "type": "t", "code": "token_quota_exceeded"}, 429, Busy),
    ],
)
def test_stream_error_event_is_raised(said: Any, status: int, kind: type[UpstreamError]) -> None:
    """An error in mid-stream is that error, in any provider's shape.

    Regression: flat and array-wrapped ones were taken for silence or for a malformed chunk.
    """
    with pytest.raises(kind) as caught:
        _stream().read(encode_event(json.dumps(said).encode()))
    assert (caught.value.message, caught.value.status) == ("m", status)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"5",
        b"null",
        b"[]",
        b'{"choices":[{"delta":{"content":"cut',
        b'{"choices":{}}',
        b'{"choices":[5]}',
        b'{"choices":[{"delta":5}]}',
        b'{"choices":[{"finish_reason":5}]}',
        b'{"choices":[{"index":-1}]}',
        b'{"choices":[{"index":1000000000}]}',
        b'{"choices":[{"finish_reason":"\xff"}]}',
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_stream_malformed_event_is_broken(data: bytes) -> None:
    """What is no chunk is the upstream's fault, whatever is wrong with it."""
    with pytest.raises(Broken):
        _stream().read(encode_event(data))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)
_deltas = st.dictionaries(
    st.sampled_from(["content", "refusal", "tool_calls", "reasoning", "role"]), _json, max_size=3
)
_choices = st.lists(
    st.fixed_dictionaries(
        {}, optional={"index": st.integers(0, 3), "delta": _deltas, "finish_reason": st.text()}
    ),
    max_size=3,
)
_chunks = st.dictionaries(
    st.sampled_from(["choices", "usage", "error", "message", "code", "x"]), _json | _choices
)


@given(st.lists(_chunks.map(json.dumps).map(str.encode) | st.binary(max_size=40), max_size=5))
def test_stream_and_answer_of_anything_raise_gateway_errors_only(pieces: list[bytes]) -> None:
    """No bytes of an upstream raise anything but our own errors; bytes that pass are unchanged."""
    stream = _stream()
    for piece in pieces:
        event = encode_event(piece)
        try:
            assert stream.read(event).data == event
        except GatewayError:
            continue
    for piece in pieces:
        try:
            assert read_answer(piece).data == piece
        except GatewayError:
            continue
    end = stream.end()
    assert end is None or end.meaning is END


@pytest.mark.parametrize("is_late", [False, True])
def test_stream_that_groq_stops_early_is_an_error(*, is_late: bool) -> None:
    """It says so beside its choices, in a field of its own; the id that stands there is none."""
    stream = _stream()
    begun = b'{"choices":[{"index":0,"delta":{"content":"a"}}],"x_groq":{"id":"req_1"}}'
    if is_late:
        assert stream.read(b"data: " + begun + b"\n\n").meaning is Meaning.CONTENT
        assert stream.read(b"data: " + begun + b"\n\n").meaning is Meaning.CONTENT
    stopped = b'{"choices":[{"index":0,"delta":{}}],"x_groq":{"id":"r","error":"over capacity"}}'
    with pytest.raises(UpstreamError, match="over capacity"):
        stream.read(b"data: " + stopped + b"\n\n")


def test_ending_that_no_sdk_knows_is_said_in_a_word_that_they_do() -> None:
    """Mistral's `model_length`, plain and streamed; all other bytes stay."""
    whole = b'{"choices":[{"message":{"content":"model_length"}, "finish_reason": "model_length"}]}'
    frame = read_answer(whole)
    assert frame.finish_reason == "length"
    assert frame.data == whole.replace(b': "model_length"', b': "length"')
    stream = _stream()
    event = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"model_length"}]}\n\n'
    assert stream.read(event).data == event.replace(b'"model_length"', b'"length"')
    assert stream.read(b"data: [DONE]\n\n").finish_reason == "length"
