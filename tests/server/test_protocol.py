"""The bytes between uvicorn and the socket: heads join bodies, odd heads end, nothing is stuck.

More of it is in tests/flows/test_connections.py, with the whole gateway behind it.
"""

import asyncio
from typing import Any, cast

import pytest

from slipstream.call import Call, Frame, Frames, Meaning
from slipstream.server.protocol import MAX_HEAD_BYTES, MAX_PIPELINED, JoiningTransport, _AnyLength
from tests.flows.raw import connect, encode, read_one
from tests.server.asking import ANSWER, CHAT, chat, gateway_of, listening, whole


class Wire:
    """Keeps what was written, one entry for each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        """Take a write."""
        self.writes.append(data)

    def close(self) -> None:
        """Take the end."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """Say whether it was closed."""
        return self.is_closed


def joined(wire: Wire) -> JoiningTransport:
    """Return a joining transport over a wire."""
    return JoiningTransport(cast(asyncio.Transport, wire))


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def test_head_goes_out_with_what_follows() -> None:
    """Head and body, or head and first chunk, are one write; later chunks go at once."""
    wire = Wire()
    transport = joined(wire)
    transport.write(HEAD)
    assert wire.writes == []
    transport.write(b"5\r\nhello\r\n")
    transport.write(b"0\r\n\r\n")
    assert wire.writes == [HEAD + b"5\r\nhello\r\n", b"0\r\n\r\n"]


def test_head_before_an_empty_body_goes_out() -> None:
    """An answer of no bytes is an answer."""
    wire = Wire()
    transport = joined(wire)
    transport.write(HEAD)
    transport.write(b"")
    assert wire.writes == [HEAD]


def test_interim_answer_goes_out_at_once() -> None:
    """The client sends its body only once it has it."""
    wire = Wire()
    joined(wire).write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert wire.writes == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_body_that_looks_like_a_head_is_not_held_back() -> None:
    """What follows a head is its body, whatever it begins with."""
    wire = Wire()
    transport = joined(wire)
    transport.write(HEAD)
    transport.write(HEAD)
    assert wire.writes == [HEAD + HEAD]


@pytest.mark.parametrize("end", ["flush", "close"])
def test_head_that_nothing_follows_goes_out_at_the_end(end: str) -> None:
    """The answer to a HEAD request is its head."""
    wire = Wire()
    transport = joined(wire)
    transport.write(HEAD)
    getattr(transport, end)()
    getattr(transport, end)()
    assert wire.writes == [HEAD]
    assert transport.is_closing() == (end == "close")


def test_any_length_is_never_too_short_or_too_long() -> None:
    """uvicorn's counting of a body without a length comes out right for all of them."""
    left: Any = _AnyLength()
    assert not left < 10
    left -= 10
    assert not left < 1_000_000
    assert left == 0


async def test_head_of_the_largest_size_is_read() -> None:
    """Long but honest headers pass."""
    async with listening(gateway_of(whole())) as url:
        reader, writer = await connect(url)
        request = encode("GET", "/health", None, b"", close=False)
        long = b"x-long: " + b"y" * (MAX_HEAD_BYTES - len(request) - 20) + b"\r\n\r\n"
        writer.write(request[:-2] + long[:100])
        await asyncio.sleep(0.05)
        writer.write(long[100:])
        assert (await read_one(reader)).status == 200
        writer.close()


async def test_pipelining_is_bounded_and_complete() -> None:
    """More requests at once than are read ahead are all answered."""
    num = 5 * MAX_PIPELINED
    async with listening(gateway_of(whole())) as url:
        reader, writer = await connect(url)
        writer.write(encode("POST", CHAT, None, chat(), close=False) * num)
        for _ in range(num):
            assert (await read_one(reader)).body == ANSWER
        writer.close()


async def test_garbage_behind_a_request_ends_it_without_a_second_answer() -> None:
    """Into the answer of one request nothing of another is written; its work is given up."""
    is_closed = asyncio.Event()

    async def serve(call: Call) -> Frames:
        try:
            yield Frame(b"data: 1\n\n", Meaning.CONTENT)
            await asyncio.sleep(60)
        finally:
            is_closed.set()

    async with listening(gateway_of(serve)) as url:
        reader, writer = await connect(url)
        writer.write(encode("POST", CHAT, None, chat(stream=True), close=False))
        await reader.readuntil(b"data: 1\n\n")
        writer.write(b"\x16\x03\x01 this is TLS\r\n\r\n")
        assert b"HTTP/1.1" not in await asyncio.wait_for(reader.read(-1), 10)
        await asyncio.wait_for(is_closed.wait(), 5)
        writer.close()


async def test_endless_head_behind_a_request_ends_the_connection() -> None:
    """The bound on a head holds also while another request is answered."""

    async def serve(call: Call) -> Frames:
        yield Frame(b"data: 1\n\n", Meaning.CONTENT)
        await asyncio.sleep(60)

    async with listening(gateway_of(serve)) as url:
        reader, writer = await connect(url)
        writer.write(encode("POST", CHAT, None, chat(stream=True), close=False))
        await reader.readuntil(b"data: 1\n\n")
        writer.write(b"GET / HTTP/1.1\r\nx-flood: ")
        await asyncio.sleep(0.05)
        writer.write(b"y" * (MAX_HEAD_BYTES + 1))
        assert b"431" not in await asyncio.wait_for(reader.read(-1), 10)
        writer.close()
