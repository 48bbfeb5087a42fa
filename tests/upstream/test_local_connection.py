"""Tests of slipstream.upstream.local_connection: messages over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from slipstream.engine.protocol import Cancel, Delta, FromChild
from slipstream.framing import encode_message
from slipstream.upstream.local_connection import Connection
from tests.upstream.played_engine import LIMIT_S

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[Connection, Peer, list[FromChild]]]:
    """Give a connection, its other side, and the messages that came."""
    came: list[FromChild] = []
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    server = await asyncio.start_unix_server(
        lambda reader, writer: peers.put_nowait((reader, writer)), folder / "s"
    )
    async with server:
        _, connection = await asyncio.get_running_loop().create_unix_connection(
            lambda: Connection(came.append), str(folder / "s")
        )
        reader, writer = await asyncio.wait_for(peers.get(), LIMIT_S)
        try:
            yield connection, (reader, writer), came
        finally:
            connection.close()
            writer.close()


async def test_messages_cut_anywhere_come_whole_and_in_order(tmp_path: Path) -> None:
    """Bytes arrive as they like; messages come one by one."""
    said = [Delta(1, "a" * 300), Delta(2, "é")]
    async with connected(tmp_path) as (connection, (_, writer), came):
        data = b"".join(map(encode_message, said))
        for start in range(0, len(data), 100):
            writer.write(data[start : start + 100])
            await writer.drain()
        writer.close()
        await asyncio.wait_for(connection.lost.wait(), LIMIT_S)
        assert came == said


async def test_send_writes_until_the_connection_is_lost(tmp_path: Path) -> None:
    """What cannot be sent any more is told, and no error."""
    async with connected(tmp_path) as (connection, (reader, writer), _):
        assert connection.send(Cancel(7))
        sent = await asyncio.wait_for(reader.readexactly(len(encode_message(Cancel(7)))), LIMIT_S)
        assert sent == encode_message(Cancel(7))
        writer.close()
        await asyncio.wait_for(connection.lost.wait(), LIMIT_S)
        assert not connection.send(Cancel(8))


async def test_rubbish_closes_the_connection(tmp_path: Path) -> None:
    """A peer that does not speak the protocol is hung up on."""
    async with connected(tmp_path) as (connection, (_, writer), came):
        writer.write(b"\xff" * 64)
        await asyncio.wait_for(connection.lost.wait(), LIMIT_S)
        assert came == []
        assert not connection.send(Cancel(1))


async def test_close_is_seen_at_the_other_side(tmp_path: Path) -> None:
    """Closing does not wait for anything."""
    async with connected(tmp_path) as (connection, (reader, _), _):
        connection.close()
        assert not connection.send(Cancel(1))
        await asyncio.wait_for(connection.lost.wait(), LIMIT_S)
        assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
