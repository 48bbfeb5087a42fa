"""Tests of slipstream.wire.completions.answers_in."""

from typing import Any

import msgspec
import pytest

from slipstream.call import Usage
from slipstream.errors import Broken, StreamCut
from slipstream.wire.completions.answers_in import AnswerReader
from slipstream.wire.talk.asking import Asked, Text, Turn
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Failed, Over, Pinged, Said
from slipstream.wire.talk.means import Sampling

HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "base"}
BEGAN = Began(answer_id="cmpl-1", model="base", created_s=7)
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
COUNTED = Counted(Usage(input_tokens=5, output_tokens=3))
USER = Turn("user", (Text("Hi"),))


def reader(*turns: Turn, stop: tuple[str, ...] = ()) -> AnswerReader:
    asked = Asked(dialect="openai_chat", model="m", turns=turns, sampling=Sampling(stop=stop))
    return AnswerReader(asked)


def choice(text: str, finish: str | None = None, at: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": at, "text": text, "logprobs": None, "finish_reason": finish, **more}


def body(*choices: dict[str, Any], **more: Any) -> bytes:
    return msgspec.json.encode(HEAD | {"choices": choices, **more})


def event(*choices: dict[str, Any], **more: Any) -> bytes:
    return b"data: " + body(*choices, **more) + b"\n\n"


def read(*events: bytes, turns: tuple[Turn, ...] = (USER,)) -> list[Event]:
    reading = reader(*turns)
    said = [told for one in events for told in reading.read(one)]
    return [*said, *reading.end()]


STREAM = (
    event(choice("\n ")),
    event(choice(" Hel")),
    b": ping\n\n",
    event(choice(" lo ")),
    event(choice("", "length")),
    event(usage=USAGE),
    b"data: [DONE]\n\n",
)


def test_reader_stream_is_the_text_without_the_space_before_it() -> None:
    """Which the model writes behind the assistant's label; spaces within are its own."""
    assert read(*STREAM) == [
        BEGAN,
        Said("Hel"),
        Pinged(),
        Said(" lo "),
        Ended(reason="length"),
        COUNTED,
        Over(),
    ]


def test_reader_keeps_the_space_where_the_answer_goes_on() -> None:
    """With what the assistant had begun."""
    turns = (USER, Turn("assistant", (Text("Hello"),)))
    told = read(event(choice(" you", "stop")), turns=turns)
    assert told == [BEGAN, Said(" you"), Ended(reason="stop"), Over()]


def test_reader_plain_answer_is_the_same_events() -> None:
    """Each choice has its own text and its own end."""
    both = body(choice(" a", "stop"), choice(" b", "content_filter", 1), usage=USAGE)
    assert reader(USER).read_whole(both) == [
        BEGAN,
        Said("a"),
        Ended(reason="stop"),
        Said("b", 1),
        Ended(reason="content_filter", choice=1),
        COUNTED,
        Over(),
    ]
    unsaid = reader(USER).read_whole(body(choice("a")))
    assert unsaid == [BEGAN, Said("a"), Ended(reason="stop"), Over()]


@pytest.mark.parametrize(
    ("found", "told"), [("END", "END"), ("\n\nUser:", None), (50256, None), (None, None)]
)
def test_reader_tells_the_clients_stop_and_not_ours(found: object, told: str | None) -> None:
    """vLLM says what ended the answer; our own stops are none of the client's business."""
    whole = body(choice("a", "stop", stop_reason=found))
    ended = reader(USER, stop=("END",)).read_whole(whole)[2]
    assert ended == Ended(reason="stop", stop_sequence=told)


def test_reader_stream_without_done_is_whole_once_each_choice_has_ended() -> None:
    """Some leave it out; without an end the stream was cut."""
    assert read(event(choice("a", "stop")))[-1] == Over()
    for events in ((), (event(choice("a")),), (event(choice("a", "stop"), choice("b", at=1)),)):
        with pytest.raises(StreamCut):
            read(*events)


def test_reader_nothing_follows_the_end() -> None:
    """Whatever is sent after it."""
    reading = reader(USER)
    for one in STREAM:
        reading.read(one)
    assert reading.read(event(choice("more"))) == []
    assert reading.end() == []


@pytest.mark.parametrize("error", [{"message": "no", "code": 500}, "no"])
def test_reader_error_in_place_of_an_answer_is_a_failure(error: object) -> None:
    """Plain and streamed; nothing follows it."""
    told = msgspec.json.encode({"error": error})
    [failed] = reader(USER).read_whole(told)
    assert isinstance(failed, Failed)
    reading = reader(USER)
    assert isinstance(reading.read(b"data: " + told + b"\n\n")[0], Failed)
    assert reading.end() == []


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"choices":5}', b'{"choices":[]}', b"{}"])
def test_reader_answer_that_is_none_is_broken(data: bytes) -> None:
    """A plain one has choices."""
    with pytest.raises(Broken):
        reader(USER).read_whole(data)


def test_reader_refuses_choices_without_end() -> None:
    """Each costs memory."""
    with pytest.raises(Broken, match="index 5000"):
        reader(USER).read(event(choice("a", at=5000)))
