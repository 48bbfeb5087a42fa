"""Whether a model of ours has said anything, from the pieces of its answer."""

import pytest

from slipstream.call import Frame, Meaning
from slipstream.engine.protocol import Delta, ToolCall
from slipstream.upstream.local_silence import Silence

SAYING = [
    Delta(1, text=" "),
    Delta(1, reasoning="hm"),
    Delta(1, tool_call=ToolCall("c", "f", "{}")),
    Delta(1, finish="length"),
    Delta(1, finish="stop", stop="END"),
]
SILENT = [
    Delta(1, num_tokens=1),
    Delta(1, num_tokens=3, is_reasoning=True),
    Delta(1, finish="stop"),
]


@pytest.mark.parametrize("piece", SAYING, ids=[str(at) for at in range(len(SAYING))])
def test_piece_that_says_something_ends_the_silence(piece: Delta) -> None:
    """Frames after it are what they are."""
    silence = Silence()
    silence.hear(SILENT)
    assert not silence.has_spoken
    silence.hear([piece])
    silence.hear(SILENT)
    frame = Frame(b"x", Meaning.CONTENT)
    assert silence.told(frame) is frame


def test_silent_answer_is_told_to_be_empty() -> None:
    """What says nothing anyway stays as it is."""
    silence = Silence()
    silence.hear(SILENT)
    for meaning in (Meaning.CONTENT, Meaning.END):
        assert silence.told(Frame(b"x", meaning)).is_empty
    for meaning in (Meaning.SILENT, Meaning.WITHHELD):
        assert not silence.told(Frame(b"x", meaning)).is_empty
    assert not Silence(has_spoken=True).told(Frame(b"x", Meaning.END)).is_empty
