"""Length-prefixed msgpack messages between our own processes; pure bytes, no I/O.

    +----------------+------------------+
    | length, u32 BE | msgpack, tagged  |
    +----------------+------------------+

A reader is fed whatever a socket or pipe gave it and yields whole messages in order.
"""

import struct
from typing import Generic, TypeVar

import msgspec

_LENGTH = struct.Struct(">I")
MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # twice the largest request body that the server accepts

M = TypeVar("M")


class FramingError(Exception):
    """The peer sent a length over the bound or bytes that are no message; close the channel."""


_encoder = msgspec.msgpack.Encoder()


def encode_message(message: msgspec.Struct) -> bytes:
    """Encode one message with its length in front."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class MessageReader(Generic[M]):
    """Collects bytes and gives whole messages.

    After a `FramingError` the reader is of no further use: the position in the stream is lost.
    """

    __slots__ = ("_buffer", "_decoder")

    def __init__(self, message_type: type[M]) -> None:
        self._decoder = msgspec.msgpack.Decoder(message_type)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[M]:
        """Add bytes; return the messages that became whole, oldest first.

        Raises:
            FramingError: A length over `MAX_MESSAGE_BYTES`, or a body of another type.
        """
        buffer = self._buffer
        buffer += data
        messages: list[M] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_MESSAGE_BYTES:
                raise FramingError(f"a message of {length} bytes; at most {MAX_MESSAGE_BYTES}")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            try:
                messages.append(
                    self._decoder.decode(memoryview(buffer)[start + _LENGTH.size : end])
                )
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
                raise FramingError(str(exc)) from exc
            start = end
        if start:
            del buffer[:start]
        return messages
