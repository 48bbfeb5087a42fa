"""One gateway's connection to the child: whole messages in and out, and back-pressure.

While the socket takes nothing more, text for the same request is gathered in one Delta, so that
what waits is bounded by the answers themselves and a slow reader never slows the engine.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, cast

from slipstream.engine.merging import DeltaPile
from slipstream.engine.protocol import Delta, FromChild, FromGateway
from slipstream.framing import FramingError, MessageReader, encode_message

_HIGH_WATER_BYTES: Final = 64 * 1024  # what asyncio uses: about a thousand Deltas


class Channel(asyncio.Protocol):
    """Hashable by identity; lives as long as its connection."""

    def __init__(
        self,
        *,
        on_open: Callable[["Channel"], None],
        on_message: Callable[["Channel", FromGateway], None],
        on_close: Callable[["Channel"], None],
    ) -> None:
        self._on_open, self._on_message, self._on_close = on_open, on_message, on_close
        self._reader: MessageReader[FromGateway] = MessageReader(
            cast(type[FromGateway], FromGateway)
        )
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._held: list[FromChild | DeltaPile] = []
        self._piles: dict[tuple[int, int], DeltaPile] = {}  # (request, choice) -> its last in _held

    def send(self, messages: Iterable[FromChild]) -> None:
        """Write messages in order, or hold them until the socket takes more; never blocks."""
        if self._is_paused:
            for message in messages:
                self._hold(message)
        elif self._transport is not None:
            self._transport.write(b"".join(map(encode_message, messages)))

    def close(self) -> None:
        """Close after what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._transport = transport
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FramingError:
            self.close()
            return
        for message in messages:
            self._on_message(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._held.clear()
        self._piles.clear()
        self._on_close(self)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        held, self._held = self._held, []
        self._piles.clear()
        self.send(each.take() if isinstance(each, DeltaPile) else each for each in held)

    def _hold(self, message: FromChild) -> None:
        if not isinstance(message, Delta):
            self._held.append(message)
            return
        choice = message.request_id, message.choice
        pile = self._piles.get(choice)
        if pile is None or not pile.add(message):
            self._piles[choice] = pile = DeltaPile(message)
            self._held.append(pile)
