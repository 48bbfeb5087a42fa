"""Tests of slipstream.wire.completions.answers_out."""

from typing import Any

import msgspec
import pytest
from openai.types import Completion

from slipstream.call import Frame, Meaning, Usage
from slipstream.errors import Broken
from slipstream.wire.completions.answers_out import AnswerWriter
from slipstream.wire.sse import DONE
from slipstream.wire.talk.events import (
    Began,
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

USAGE = Usage(input_tokens=5, output_tokens=3)
EVENTS: list[Event] = [
    Began(fingerprint="fp"),
    Thought("hm", begins=True),
    Said("a"),
    Said("b", choice=1),
    Counted(USAGE),
    Refused("no"),
    Ended(reason="tool_calls"),
    Ended(reason="length", choice=1),
    Over(),
]


def writer(**options: Any) -> AnswerWriter:
    return AnswerWriter(answer_id="cmpl-1", model="m", created_s=7, **options)


def frames(events: list[Event], **options: Any) -> list[Frame]:
    making = writer(**options)
    return [frame for event in events for frame in making.write(event)]


def test_writer_stream_is_text_and_ends() -> None:
    """Reasoning is not told, a refusal is text, the end has its own chunk."""
    *chunks, done = frames(EVENTS)
    read = [Completion.construct(**msgspec.json.decode(frame.data[6:-2])) for frame in chunks]
    said = [(c.choices[0].index, c.choices[0].text, c.choices[0].finish_reason) for c in read]
    assert said == [
        (0, "a", None),
        (1, "b", None),
        (0, "no", None),
        (0, "", "stop"),
        (1, "", "length"),
    ]
    assert {(c.id, c.object, c.created, c.system_fingerprint) for c in read} == {
        ("cmpl-1", "text_completion", 7, "fp")
    }
    assert [frame.usage for frame in chunks] == [None, None, USAGE, None, None]
    assert done == Frame(DONE, Meaning.END, USAGE, "stop")


def test_writer_usage_chunk_only_where_it_is_wanted() -> None:
    """It comes last, and the others say null."""
    *chunks, last, _ = frames(EVENTS, wants_usage=True)
    assert all(msgspec.json.decode(frame.data[6:-2])["usage"] is None for frame in chunks)
    usage = msgspec.json.decode(last.data[6:-2])
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 8)
    assert len(frames([Ended(reason="stop"), Over()], wants_usage=True)) == 2


def test_writer_plain_answer_is_what_the_sdk_reads() -> None:
    """The same events, whole; usage is not made up."""
    frame = writer().whole(EVENTS)
    answer = Completion.model_validate_json(frame.data)
    assert [choice.text for choice in answer.choices] == ["ano", "b"]
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "length"]
    assert answer.usage is not None
    assert (frame.meaning, frame.usage, frame.finish_reason) == (Meaning.END, USAGE, "stop")
    assert "usage" not in msgspec.json.decode(writer().whole([Ended(reason="stop")]).data)


def test_writer_pings_and_failures() -> None:
    """A sign of life is a comment; a failure is for whoever renders errors."""
    assert frames([Pinged()]) == [Frame(b": ping\n\n", Meaning.SILENT)]
    for write in (writer().write, lambda event: writer().whole([event])):
        with pytest.raises(Broken):
            write(Failed(Broken("x")))
