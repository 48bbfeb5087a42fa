"""A model's process played by a test: a socket at which the test says what the engine would say."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from slipstream.engine.protocol import Finished, FromChild, FromGateway, Ready, Stats
from slipstream.framing import MessageReader, encode_message
from slipstream.upstream.local_client import EngineClient

LIMIT_S = 20.0
READY = Ready(
    model="m",
    fingerprint="fp",
    context_tokens=10,
    cache_tokens=10,
    num_threads=1,
    precision="f32/f32",
    load_s=0.1,
)


def finished(request_id: int, **more: Any) -> Finished:
    """Return the end of an answer."""
    counts = {"prompt_tokens": 1, "cached_tokens": 0, "completion_tokens": 2} | more
    return Finished(request_id=request_id, queue_s=0.0, prompt_s=0.0, completion_s=0.0, **counts)


def stats_of(request_id: int) -> Stats:
    """Return figures in which no two are the same."""
    return Stats(
        request_id=request_id,
        num_running=1,
        num_waiting=2,
        num_blocks=3,
        num_free_blocks=4,
        num_steps=5,
        prompt_tokens=6,
        completion_tokens=7,
        busy_s=8.0,
        runner_s=9.0,
    )


class Played:
    """The process; it can end, and come back at the same socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._server: asyncio.Server | None = None
        self._writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: list[asyncio.StreamWriter] = []
        self.writer: asyncio.StreamWriter
        self.received: asyncio.Queue[FromGateway] = asyncio.Queue()

    async def start(self) -> None:
        """Listen, and greet the client."""
        self._server = await asyncio.start_unix_server(self._serve, str(self._socket))
        self.writer = await self._writers.get()
        self.say(READY)

    async def end(self) -> None:
        """End as a killed process does: all connections at once, the socket file stays."""
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()
            await asyncio.gather(*self._tasks)
            await self._server.wait_closed()
            self._server = None

    def say(self, *messages: FromChild) -> None:
        """Send messages in one write."""
        self.writer.write(b"".join(map(encode_message, messages)))

    async def hear(self) -> FromGateway:
        """Return the next message."""
        return await self.received.get()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.append(writer)
        self._writers.put_nowait(writer)
        decoder: MessageReader[FromGateway] = MessageReader(cast(type[FromGateway], FromGateway))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                for message in decoder.feed(data):
                    self.received.put_nowait(message)
        writer.close()


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[EngineClient, Played]]:
    """Connect a client to a played process."""
    played, client = Played(folder / "s"), EngineClient(folder / "s")
    async with asyncio.timeout(LIMIT_S):
        client.start()
        try:
            await played.start()
            await client.wait_ready()
            yield client, played
        finally:
            await client.stop()
            await played.end()
