"""How the frames of one stream are shaped; how they are read is tested with the relay."""

from slipstream.call import Frame, Meaning
from slipstream.upstream.relay_reading import shaping
from slipstream.wire.cerebras.from_openai import CerebrasView

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
