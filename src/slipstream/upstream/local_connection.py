"""One connection to the process that runs a model: whole messages, until it is lost."""

import asyncio
from collections.abc import Callable
from typing import cast

from slipstream.engine.protocol import FromChild, FromGateway
from slipstream.framing import FramingError, MessageReader, encode_message


class Connection(asyncio.Protocol):
    """Rubbish from the other side closes it."""

    def __init__(self, on_message: Callable[[FromChild], None]) -> None:
        self._on_message = on_message
        self._reader: MessageReader[FromChild] = MessageReader(cast(type[FromChild], FromChild))
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()

    def send(self, message: FromGateway) -> bool:
        """Write a message; False if the connection is lost."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(encode_message(message))
        return True

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FramingError:
            self.close()
            return
        for message in messages:
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.lost.set()
