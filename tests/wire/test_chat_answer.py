"""Tests of slipstream.wire.chat_answer."""

from typing import Any

import msgspec
import pytest

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.chat_answer import ChatAnswer
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer

USAGE = Usage(input_tokens=7, cache_read_tokens=3, output_tokens=5)


def answer(*, wants_usage: bool = False) -> ChatAnswer:
    """Return an answer's builder."""
    return ChatAnswer(
        answer_id="chatcmpl-1",
        model="asked-for",
        created_s=1_800_000_000,
        fingerprint="fp_1",
        wants_usage=wants_usage,
    )


def stream(*, wants_usage: bool = False) -> list[Frame]:
    """Return the frames of a short stream."""
    head = answer(wants_usage=wants_usage)
    said = [head.say(text, USAGE) for text in ('Hé"', "\n😀\u2028")]
    return [head.open(), *said, *head.close("stop", USAGE)]


def event(frame: Frame) -> Any:
    """Return the JSON of one event, checking how it is framed."""
    assert frame.data.startswith(b"data: ")
    assert frame.data.endswith(b"\n\n")
    assert frame.data.count(b"\n") == 2
    return msgspec.json.decode(frame.data[6:-2])


def test_stream_pieces_come_in_openais_order() -> None:
    """Role, text, finish, [DONE], each with the meaning that dispatch relies on."""
    frames = stream()

    meanings = [frame.meaning for frame in frames]
    assert meanings == [Meaning.SILENT, *[Meaning.CONTENT] * 3, Meaning.END]
    assert frames[-1].data == b"data: [DONE]\n\n"
    assert frames[-1].usage == USAGE
    deltas = [event(frame)["choices"][0]["delta"] for frame in frames[:-1]]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": 'Hé"'},
        {"content": "\n😀\u2028"},
        {},
    ]
    reasons = [event(frame)["choices"][0]["finish_reason"] for frame in frames[:-1]]
    assert reasons == [None, None, None, "stop"]


def test_stream_pieces_share_their_head() -> None:
    """Every chunk says whose it is."""
    for frame in stream()[:-1]:
        said = event(frame)
        del said["choices"]
        assert said == {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_800_000_000,
            "model": "asked-for",
            "system_fingerprint": "fp_1",
        }


def test_stream_usage_that_was_asked_for_is_a_chunk_of_its_own() -> None:
    """With include_usage: null in every chunk, then one without choices."""
    frames = stream(wants_usage=True)

    assert all(event(frame)["usage"] is None for frame in frames[:-2])
    last = event(frames[-2])
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 10
    assert last["usage"]["completion_tokens"] == 5
    assert last["usage"]["total_tokens"] == 15
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 3


@pytest.mark.parametrize("wants_usage", [True, False])
def test_stream_reads_back_as_a_relay_would_read_it(wants_usage: bool) -> None:
    """Against the reader for upstreams: the same meanings, usage and finish."""
    reader = AnswerStream(wants_usage=wants_usage)
    for frame in stream(wants_usage=wants_usage):
        read = reader.read(frame.data)
        assert (read.meaning, read.finish_reason) == (frame.meaning, frame.finish_reason)


def test_whole_answer_reads_back_as_a_relay_would_read_it() -> None:
    """One body, with usage in its buckets."""
    frame = answer().whole("Hi", "length", USAGE)

    assert read_answer(frame.data) == frame
    said = msgspec.json.decode(frame.data)
    assert said["object"] == "chat.completion"
    assert said["choices"][0]["message"] == {"role": "assistant", "content": "Hi", "refusal": None}
