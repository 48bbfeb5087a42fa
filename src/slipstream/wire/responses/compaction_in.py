"""A compaction that OpenAI made, as it passes through: what it has cost."""

from typing import Final

import msgspec
from msgspec import Struct

from slipstream.errors import Broken
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.responses.usage import read_usage
from slipstream.wire.talk.events import Counted, Ended, Event, Over


class _Compaction(Struct):
    output: list[msgspec.Raw]
    usage: msgspec.Raw = msgspec.Raw(b"null")


_decoder: Final = msgspec.json.Decoder(_Compaction)


class CompactionReader:
    """Reads one; there are no streams of them.

    Args:
        vendor: Who made it.
    """

    def __init__(self, vendor: str = "") -> None:
        self._vendor = vendor

    def read_whole(self, body: bytes) -> list[Event]:
        """Return the events of a plain answer.

        Raises:
            Broken: It is none.
        """
        try:
            said = _decoder.decode(body)
        except UNREADABLE as exc:
            raise Broken(f"{self._vendor or 'the provider'} answered with no compaction") from exc
        usage = read_usage(said.usage)
        counted = [] if usage is None else [Counted(usage)]
        return [*counted, Ended(reason="stop"), Over()]

    def read(self, event: bytes) -> list[Event]:
        """Refuse an event: nobody asked for a stream."""
        raise Broken("the provider answered with a stream that nobody asked for")

    def end(self) -> list[Event]:
        """Refuse the end of a stream."""
        return self.read(b"")
