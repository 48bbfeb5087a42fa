"""Tests of slipstream.engine.channel, over a real Unix socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from slipstream.engine.channel import Channel
from slipstream.engine.protocol import Cancel, Delta, Finished, FromChild, FromGateway, Started
from slipstream.framing import MessageReader, encode_message

LIMIT_S = 20.0
START = Started(request_id=1, prompt_tokens=2, cached_tokens=0)
FINISH = Finished(
    request_id=1,
    prompt_tokens=2,
    cached_tokens=0,
    completion_tokens=9,
    queue_s=0.0,
    prompt_s=0.0,
    completion_s=0.0,
)


class Peer:
    """A server of channels and one connection to it."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.received: list[FromGateway] = []
        self.closed: list[Channel] = []
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    def open(self) -> Channel:
        """Return the protocol of a new connection."""
        return Channel(
            on_open=self.channels.append,
            on_message=lambda _, message: self.received.append(message),
            on_close=self.closed.append,
        )

    async def read_until(self, last: FromChild) -> list[FromChild]:
        """Return what comes, up to and with a message."""
        messages: list[FromChild] = []
        decoder: MessageReader[FromChild] = MessageReader(cast(type[FromChild], FromChild))
        async with asyncio.timeout(LIMIT_S):
            while last not in messages:
                data = await self.reader.read(65_536)
                assert data, "the channel closed"
                messages += decoder.feed(data)
        return messages


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[Peer]:
    """Connect to a channel."""
    peer = Peer()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(peer.open, str(folder / "s"))
    peer.reader, peer.writer = await asyncio.open_unix_connection(str(folder / "s"))
    async with asyncio.timeout(LIMIT_S):
        while not peer.channels:
            await asyncio.sleep(0.001)
    try:
        yield peer
    finally:
        peer.writer.close()
        server.close()
        async with asyncio.timeout(LIMIT_S):
            while not peer.closed:
                await asyncio.sleep(0.001)


async def test_send_reader_that_keeps_up_gets_each_message(tmp_path: Path) -> None:
    """Nothing is gathered while the socket takes all."""
    async with connected(tmp_path) as peer:
        sent: list[FromChild] = [START, Delta(1, "a", 1), Delta(1, "b", 1), FINISH]
        peer.channels[0].send(sent)

        assert await peer.read_until(FINISH) == sent


async def test_send_slow_reader_gets_all_text_in_fewer_messages(tmp_path: Path) -> None:
    """What a slow reader did not take grows together: same text, same count, same order."""
    async with connected(tmp_path) as peer:
        piece = "x" * 1_000
        peer.channels[0].send([START])
        for _ in range(1_000):
            peer.channels[0].send([Delta(1, piece, 1), Delta(2, "y", 1)])
        peer.channels[0].send([FINISH])
        messages = await peer.read_until(FINISH)

    deltas = [message for message in messages if isinstance(message, Delta)]
    first = [delta for delta in deltas if delta.request_id == 1]
    assert "".join(delta.text for delta in first) == piece * 1_000
    assert sum(delta.num_tokens for delta in first) == 1_000
    assert sum(delta.num_tokens for delta in deltas if delta.request_id == 2) == 1_000
    assert len(first) < 800
    assert messages[0] == START
    assert messages[-1] == FINISH


async def test_receive_message_in_pieces_is_whole(tmp_path: Path) -> None:
    """Messages arrive whole, however the socket cuts them."""
    async with connected(tmp_path) as peer:
        for byte in encode_message(Cancel(7)):
            peer.writer.write(bytes([byte]))
            await peer.writer.drain()
        async with asyncio.timeout(LIMIT_S):
            while not peer.received:
                await asyncio.sleep(0.001)

    assert peer.received == [Cancel(7)]


async def test_receive_rubbish_closes_the_channel(tmp_path: Path) -> None:
    """A peer that does not speak the protocol is dropped."""
    async with connected(tmp_path) as peer:
        peer.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            assert await peer.reader.read() == b""

    assert peer.received == []
    assert peer.closed == peer.channels
