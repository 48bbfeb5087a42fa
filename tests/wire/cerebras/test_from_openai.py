"""Answers of OpenAI-like providers as Cerebras clients get them."""

import json
from typing import Any

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.cerebras.from_openai import CerebrasView, whole_answer
from slipstream.wire.openai_chat_answers import AnswerStream

DONE = b"data: [DONE]\n\n"
REPORT = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
USAGE = Usage(input_tokens=3, output_tokens=2)


def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
    """Return a chunk."""
    said = {"id": "c", "choices": choices, **more}
    return b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n"


def delta(finish: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a choice of a chunk."""
    return {"index": index, "delta": fields, "finish_reason": finish}


def viewed(*events: bytes) -> list[Frame]:
    """Read events as the relay does, for a client that speaks Cerebras."""
    stream, view = AnswerStream(wants_usage=False), CerebrasView()
    return [shown for each in events for shown in view.read(stream.read(each))]


def told(frames: list[Frame]) -> list[bytes]:
    """Return what the client gets."""
    return [frame.data for frame in frames if frame.meaning is not Meaning.WITHHELD]


def test_usage_of_its_own_chunk_goes_into_the_last_choice() -> None:
    """Programs for Cerebras look at `choices[0]` of every chunk."""
    role, word = event([delta(role="assistant")]), event([delta(content="x")])
    stop = event([delta("stop")])
    frames = viewed(role, word, stop, event([], usage=REPORT), DONE)
    assert told(frames) == [role, word, event([delta("stop")], usage=REPORT), DONE]
    assert [frame.usage for frame in frames] == [None, None, USAGE, None]
    assert frames[-1].finish_reason == "stop"


def test_finish_without_usage_comes_before_the_end() -> None:
    """What is held back is never lost."""
    stop = event([delta("stop")])
    assert told(viewed(event([delta(content="x")]), stop, DONE))[1:] == [stop, DONE]


def test_each_choice_finishes_in_its_turn() -> None:
    """Of several, the last one tells of usage."""
    first, second = event([delta("stop", 0)]), event([delta("length", 1)])
    frames = viewed(first, second, event([], usage=REPORT), DONE)
    assert told(frames) == [first, event([delta("length", 1)], usage=REPORT), DONE]


def test_usage_beside_the_choice_stays_where_it_is() -> None:
    """So does a comment, and a chunk of usage that finishes nothing."""
    last = event([delta("stop")], usage=REPORT)
    assert told(viewed(b": ping\n\n", last, DONE)) == [b": ping\n\n", last, DONE]
    assert told(viewed(event([], usage=REPORT), DONE)) == [DONE]


def test_reasoning_has_cerebras_name() -> None:
    """In deltas and in messages; where both names are told, its own stays."""
    chunk = event([delta(reasoning_content="a", content=None)])
    both = event([delta(reasoning_content="a", reasoning="a")])
    shown = [json.loads(data[6:])["choices"][0]["delta"] for data in told(viewed(chunk, both))]
    assert shown == [{"content": None, "reasoning": "a"}, {"reasoning": "a"}]

    body = {"choices": [{"message": {"content": "x", "reasoning_content": "a"}}, {"index": 1}]}
    frame = whole_answer(Frame(json.dumps(body).encode(), Meaning.END, USAGE, "stop"))
    assert json.loads(frame.data)["choices"][0]["message"] == {"content": "x", "reasoning": "a"}
    assert (frame.usage, frame.finish_reason) == (USAGE, "stop")


def test_answer_without_reasoning_is_the_same_bytes() -> None:
    """Nothing is written anew for nothing."""
    frame = Frame(b'{"choices": [{"message": {"content": "x"}}]}', Meaning.END)
    assert whole_answer(frame) is frame
