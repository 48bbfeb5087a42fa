"""Whether an answer of a model that we run has said anything yet; see wire/talk/saying.py."""

from collections.abc import Iterable

import msgspec

from slipstream.call import Frame, Meaning
from slipstream.engine.protocol import Delta

_CUT = "length"


class Silence:
    """Listens to one answer, all its choices together.

    Args:
        has_spoken: It says something whatever comes, such as its prompt.
    """

    __slots__ = ("has_spoken",)

    def __init__(self, *, has_spoken: bool = False) -> None:
        self.has_spoken = has_spoken

    def hear(self, pieces: Iterable[Delta]) -> None:
        """Note what pieces say; a limit or a stop sequence explains why there is nothing."""
        self.has_spoken = self.has_spoken or any(map(_is_saying, pieces))

    def told(self, frame: Frame) -> Frame:
        """Return a frame that tells whether it is of an answer without a word so far."""
        is_telling = frame.meaning is Meaning.CONTENT or frame.meaning is Meaning.END
        if self.has_spoken or not is_telling:
            return frame
        return msgspec.structs.replace(frame, is_empty=True)


def _is_saying(piece: Delta) -> bool:
    is_explained = piece.finish == _CUT or piece.stop is not None
    return bool(piece.text or piece.reasoning or piece.tool_call) or is_explained
