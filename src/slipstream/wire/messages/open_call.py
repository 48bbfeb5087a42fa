"""A call of an answer in Messages from its first piece until its block is closed."""

from typing import Final

import msgspec

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.asking import Seal

_object_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class OpenCall:
    """One call that is not closed yet.

    Args:
        seals: That are not told yet; they are taken from here when they are.
    """

    __slots__ = ("call_id", "is_begun", "is_custom", "name", "pieces", "seals")

    def __init__(self, call_id: str, name: str, is_custom: bool, seals: list[Seal]) -> None:
        self.call_id = call_id
        self.name = name
        self.is_custom = is_custom
        self.seals = seals
        self.pieces: list[str] = []
        self.is_begun = False

    def is_whole(self) -> bool:
        """Tell whether nothing can follow: the arguments are an object."""
        if self.is_custom or not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            _object_decoder.decode("".join(self.pieces))
        except UNREADABLE:
            return False
        return True
