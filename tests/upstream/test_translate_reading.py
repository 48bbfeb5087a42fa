"""Tests of slipstream.upstream.translate_reading."""

from collections.abc import Iterable

import pytest

from slipstream.call import Frame, Meaning
from slipstream.errors import Rejected, StreamCut
from slipstream.upstream.translate_reading import TranslatedReading
from slipstream.wire.chat.answers_out import AnswerWriter
from slipstream.wire.messages.answers_in import AnswerReader
from tests.wire.messages.streams import RECORDED, sse

FAILURE = sse({"type": "error", "error": {"type": "api_error", "message": "broke"}})


class Listener:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def expect_meaning(self) -> None:
        self.heard.append("expect")

    def note_meaning(self) -> None:
        self.heard.append("meaning")

    def leave(self) -> None:
        self.heard.append("leave")


def reading(listener: Listener, changes: tuple[str, ...] = ()) -> TranslatedReading:
    writer = AnswerWriter(answer_id="a", model="m", created_s=1)
    return TranslatedReading(listener, AnswerReader(), writer, changes)


def fed(to: TranslatedReading, pieces: Iterable[bytes]) -> list[Frame]:
    return [frame for piece in pieces for frame in to.feed(piece)]


def test_reading_tells_when_it_means_something_and_when_it_is_over() -> None:
    """Once each, whatever the pieces are; what follows the end is not looked at."""
    listener = Listener()
    frames = fed(reading(listener), [RECORDED + RECORDED])
    assert listener.heard == ["meaning", "leave"]
    assert [frame.meaning for frame in frames].count(Meaning.END) == 1
    assert frames[-1].meaning is Meaning.END


def test_reading_of_an_answer_without_a_word_means_nothing() -> None:
    """Why it finishes is no first token, so the deadline of that one goes on."""
    begin = {"type": "message_start", "message": {"id": "m"}}
    finish = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    listener = Listener()
    frames = fed(reading(listener), [sse(begin), sse(finish), sse({"type": "message_stop"})])
    assert listener.heard == ["leave"]
    told = [frame for frame in frames if frame.meaning is not Meaning.SILENT]
    assert [(frame.meaning, frame.is_empty) for frame in told] == [
        (Meaning.CONTENT, True),
        (Meaning.END, True),
    ]
    assert told[0].finish_reason == "stop"


def test_reading_tells_changes_with_the_first_frame() -> None:
    """And only once."""
    frames = fed(reading(Listener(), ("top_k",)), [RECORDED])
    assert [frame.changes for frame in frames if frame.changes] == [("top_k",)]
    assert frames[0].changes


def test_reading_hands_on_what_came_before_a_failure() -> None:
    """Also where both came in one read: what a client gets must not depend on the network."""
    begun = RECORDED[: RECORDED.index(b"event: content_block_stop")]
    whole, found = reading(Listener()), list[Frame]()
    with pytest.raises(Rejected, match="broke"):
        found.extend(whole.feed(begun + FAILURE))  # keeps what came before
    assert [frame.data for frame in found] == [
        frame.data for frame in fed(reading(Listener()), [begun])
    ]


def test_reading_that_ends_early_is_cut() -> None:
    """Between two events as within one."""
    for cut in (RECORDED.rindex(b"event:"), RECORDED.rindex(b"event:") - 9):
        half = reading(Listener())
        fed(half, [RECORDED[:cut]])
        with pytest.raises(StreamCut):
            list(half.finish())
        assert not half.has_ended
