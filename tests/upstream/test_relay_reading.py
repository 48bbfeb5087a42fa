"""How the frames of one stream are shaped; how they are read is tested with the relay."""

from slipstream.call import Frame, Meaning
from slipstream.upstream.relay_reading import Reading, shaping
from slipstream.wire.cerebras.from_openai import CerebrasView
from slipstream.wire.openai_chat_answers import AnswerStream
from tests.upstream.test_translate_reading import Listener

WORD = Frame(b'data: {"choices":[{"delta":{"reasoning_content":"x"}}]}\n\n', Meaning.CONTENT)
DONE = Frame(b"data: [DONE]\n\n", Meaning.END)


def test_frames_that_stay_as_they_are_are_not_shaped() -> None:
    """The common stream pays for nothing."""
    assert shaping(None, ()) is None


def test_changes_are_told_once_on_the_first_frame() -> None:
    """The server sends headers with the first frame, and no later."""
    shape = shaping(None, ("store",))
    assert shape is not None
    shown = [frame for each in (WORD, DONE) for frame in shape(each)]
    assert [frame.changes for frame in shown] == [("store",), ()]
    assert [frame.data for frame in shown] == [WORD.data, DONE.data]


def test_changes_and_the_clients_view_go_together() -> None:
    """A client that speaks otherwise learns of its request, too."""
    shape = shaping(CerebrasView, ("min_tokens",))
    assert shape is not None
    [shown] = shape(WORD)
    assert shown.changes == ("min_tokens",)
    assert b'"reasoning":"x"' in shown.data


def test_reading_of_an_answer_without_a_word_means_nothing() -> None:
    """Why it finishes is no first token, so the deadline of that one goes on."""
    finish = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    listener = Listener()
    reading = Reading(listener, AnswerStream(wants_usage=True), None)
    frames = list(reading.feed(finish + DONE.data))
    assert listener.heard == ["expect", "leave"]
    assert [frame.is_empty for frame in frames] == [True, True]
    assert b"".join(frame.data for frame in frames) == finish + DONE.data
