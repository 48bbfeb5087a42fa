"""Tests of slipstream.wire.completions_answer."""

from math import inf
from typing import Any

import msgspec

from slipstream.call import Meaning, Usage
from slipstream.engine.protocol import Delta, Logprob
from slipstream.wire.completions_answer import CompletionAnswer

USAGE = Usage(input_tokens=3, output_tokens=2)


def head(**more: Any) -> CompletionAnswer:
    """Return an answer's head."""
    return CompletionAnswer(answer_id="cmpl-1", model="m", created_s=7, fingerprint="f", **more)


def chunk_of(data: bytes) -> dict[str, Any]:
    """Return what a single event holds."""
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    chunk: dict[str, Any] = msgspec.json.decode(data[6:])
    return chunk


def test_tell_piece_is_one_chunk() -> None:
    """Echo first, then the text, and why it ended."""
    frame = head().tell(Delta(0, "b", 1, finish="stop"), USAGE, 4, "a")
    assert frame is not None
    assert (frame.meaning, frame.usage) == (Meaning.CONTENT, USAGE)
    assert chunk_of(frame.data) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 7,
        "model": "m",
        "system_fingerprint": "f",
        "choices": [{"index": 4, "text": "ab", "logprobs": None, "finish_reason": "stop"}],
    }


def test_tell_nothing_is_no_chunk() -> None:
    """A token that is no whole character says nothing yet."""
    assert head().tell(Delta(0, "", 1), USAGE, 0) is None


def test_close_has_usage_only_where_it_was_asked_for() -> None:
    """The terminal event carries the account in either case."""
    [end] = head().close("stop", USAGE)
    assert (end.data, end.meaning, end.usage) == (b"data: [DONE]\n\n", Meaning.END, USAGE)
    usage, end = head(wants_usage=True).close("stop", USAGE)
    assert chunk_of(usage.data)["choices"] == []
    assert chunk_of(usage.data)["usage"]["total_tokens"] == 5
    assert end.finish_reason == "stop"


def test_logprobs_of_split_character_have_offsets_of_the_text() -> None:
    """Bytes that are no character are written as OpenAI does; offsets go on over chunks."""
    answer = head(wants_logprobs=True)
    first = answer.tell(Delta(0, "a", 1, logprobs=(Logprob(b"a", -0.5),)), USAGE, 0)
    parts = (Logprob(b"\xc3", -1.0), Logprob(b"\xa9", -inf, ((b"b", -0.1),)), Logprob(b"c", 0.0))
    second = answer.tell(Delta(0, "éc", 3, logprobs=parts), USAGE, 0)
    assert first is not None
    assert second is not None
    assert chunk_of(first.data)["choices"][0]["logprobs"]["text_offset"] == [0]
    assert chunk_of(second.data)["choices"][0]["logprobs"] == {
        "tokens": ["bytes:\\xc3", "bytes:\\xa9", "c"],
        "token_logprobs": [-1.0, -9999.0, 0.0],
        "top_logprobs": [
            {"bytes:\\xc3": -1.0},
            {"b": -0.1, "bytes:\\xa9": -9999.0},
            {"c": 0.0},
        ],
        "text_offset": [1, 1, 2],
    }


def test_whole_joins_the_pieces_of_each_choice() -> None:
    """Choices are numbered in the order given."""
    frame = head().whole(
        [("", [Delta(0, "a", 1), Delta(0, "b", 1, finish="stop")]), ("x", [])], USAGE
    )
    body = msgspec.json.decode(frame.data)
    assert [(c["index"], c["text"], c["finish_reason"]) for c in body["choices"]] == [
        (0, "ab", "stop"),
        (1, "x", None),
    ]
    assert (frame.meaning, frame.finish_reason) == (Meaning.END, "stop")
    assert body["usage"]["completion_tokens"] == 2
