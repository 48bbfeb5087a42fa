"""What the readers of chat and of text completions have in common."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import Broken, StreamCut
from slipstream.wire.chat.answers_in import AnswerReader as ChatReader
from slipstream.wire.chunks_in import ChunkReader, check_index
from slipstream.wire.completions.answers_in import AnswerReader as TextReader
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.events import Began, Ended, Failed, Over, Pinged


def chat() -> ChunkReader[Any]:
    """Return a reader of chat."""
    return ChatReader(vendor="lab")


def texts() -> ChunkReader[Any]:
    """Return a reader of text completions."""
    return TextReader(Asked(dialect="openai_completions", model="m", turns=()))


READERS = pytest.mark.parametrize("make", [chat, texts])


def event(**said: Any) -> bytes:
    """Encode an event of a stream."""
    return b"data: " + msgspec.json.encode(said) + b"\n\n"


def choice(**more: Any) -> dict[str, Any]:
    """Return a choice that both dialects can read."""
    return {"index": 0, "text": "a", "delta": {"content": "a"}, **more}


@READERS
def test_stream_ends_once_with_done(make: Any) -> None:
    """A choice that nobody ended is ended then; what comes behind is not read."""
    reader = make()
    began = reader.read(event(id="x", created=7.9, choices=[choice()]))[0]
    assert began == Began(answer_id="x", created_s=7)

    ended = reader.read(b"data: [DONE]\n\n")
    assert [type(found) for found in ended] == [Ended, Over]
    assert reader.read(event(choices=[choice()])) == []
    assert reader.end() == []


@READERS
def test_stream_without_done_is_whole_when_its_choices_have_ended(make: Any) -> None:
    """It is cut when one has not, or when there are none."""
    for events in ([], [event(choices=[choice()])]):
        cut = make()
        for one in events:
            cut.read(one)
        with pytest.raises(StreamCut):
            cut.end()
    whole = make()
    whole.read(event(choices=[choice(finish_reason="stop")]))
    assert whole.end() == [Over()]


@READERS
def test_error_in_an_answers_place_is_a_failure(make: Any) -> None:
    """Plain or in a stream, where it is the last that is said."""
    error = {"message": "no room", "type": "overloaded_error"}
    (failed,) = make().read_whole(msgspec.json.encode({"error": error}))
    assert isinstance(failed, Failed)
    assert failed.error.message == "no room"
    reader = make()
    assert [type(found) for found in reader.read(event(error=error))] == [Failed]
    assert reader.read(b"data: [DONE]\n\n") == []


@READERS
def test_what_is_no_answer_is_broken(make: Any) -> None:
    """Bytes that are no JSON, and an answer without choices."""
    for body in (b"<html>", b'{"choices":[]}'):
        with pytest.raises(Broken):
            make().read_whole(body)
    with pytest.raises(Broken):
        make().read(b"data: {\n\n")


@READERS
def test_comment_is_a_ping(make: Any) -> None:
    """It says that somebody is there, and no more."""
    assert make().read(b": wait\n\n") == [Pinged()]


def test_check_index_takes_what_a_request_can_ask_for() -> None:
    """The first one where none is told; neither less nor far more."""
    assert (check_index(None), check_index(3)) == (0, 3)
    for index in (-1, 10**9):
        with pytest.raises(Broken):
            check_index(index)
