"""Tests of slipstream.upstream.local_client, against a process that is played by the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from slipstream.engine.protocol import (
    Cancel,
    ChatMessage,
    Delta,
    Finished,
    FromChild,
    FromGateway,
    Generate,
    Probe,
    Ready,
    Started,
    Stats,
)
from slipstream.errors import Broken, LoadFailed, StreamCut
from slipstream.framing import MessageReader, encode_message
from slipstream.upstream.local_client import Answer, AnswerPart, EngineClient

LIMIT_S = 20.0
ASK = Generate(request_id=0, messages=(ChatMessage("user", "Hi"),))
READY = Ready(
    model="m",
    fingerprint="fp",
    context_tokens=10,
    cache_tokens=10,
    num_threads=1,
    precision="f32/f32",
    load_s=0.1,
)


def finished(request_id: int) -> Finished:
    """Return the end of an answer."""
    return Finished(
        request_id=request_id,
        reason="stop",
        prompt_tokens=1,
        cached_tokens=0,
        completion_tokens=2,
        queue_s=0.0,
        prompt_s=0.0,
        completion_s=0.0,
    )


class Played:
    """A socket at which the test says what a model's process would say."""

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


async def parts_of(answer: Answer) -> list[AnswerPart]:
    """Return all parts of an answer."""
    parts = [await answer.next()]
    while not isinstance(parts[-1], Finished):
        parts.append(await answer.next())
    return parts


async def test_generate_parts_come_in_order(tmp_path: Path) -> None:
    """A consumer that keeps up gets each part as it comes."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        asked = await played.hear()
        assert isinstance(asked, Generate)
        assert asked.request_id == answer.request_id > 0
        start = Started(request_id=answer.request_id, prompt_tokens=1, cached_tokens=0)
        for part in (start, Delta(answer.request_id, "a", 1), finished(answer.request_id)):
            played.say(part)
            assert await answer.next() == part


async def test_generate_slow_consumer_gets_all_text_at_once(tmp_path: Path) -> None:
    """What was not taken grows together, so that the buffer holds two parts at most."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        number = answer.request_id
        played.say(*(Delta(number, letter, 1) for letter in "abcdef"), finished(number))
        while not answer.is_over:
            await asyncio.sleep(0.001)

        assert await parts_of(answer) == [Delta(number, "abcdef", 6), finished(number)]


async def test_close_unfinished_answer_cancels_it_once(tmp_path: Path) -> None:
    """Giving up is told to the process; a finished answer is not cancelled."""
    async with connected(tmp_path) as (client, played):
        first, second = client.generate(ASK), client.generate(ASK)
        played.say(finished(second.request_id))
        await parts_of(second)
        second.close()
        first.close()
        first.close()
        probe = client.probe()
        heard = [await played.hear() for _ in range(4)]

        assert heard[2] == Cancel(first.request_id)
        assert isinstance(heard[3], Probe)
        played.say(Delta(first.request_id, "late", 1))  # dropped
        stats = Stats(
            request_id=heard[3].request_id,
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
        played.say(stats)
        assert await probe == stats


async def test_process_ends_open_answers_fail_by_what_was_said(tmp_path: Path) -> None:
    """Before any text a request is Broken, after it its stream was Cut; what came is not lost."""
    async with connected(tmp_path) as (client, played):
        fresh, begun, over = (client.generate(ASK) for _ in range(3))
        played.say(Delta(begun.request_id, "a", 1), finished(over.request_id))
        while not over.is_over:
            await asyncio.sleep(0.001)
        probe = client.probe()
        await played.end()

        with pytest.raises(Broken):
            await fresh.next()
        assert await begun.next() == Delta(begun.request_id, "a", 1)
        with pytest.raises(StreamCut):
            await begun.next()
        assert await parts_of(over) == [finished(over.request_id)]
        with pytest.raises(Broken):
            await probe
        assert client.ready is None
        with pytest.raises(Broken):
            client.generate(ASK)


async def test_process_comes_back_client_connects_again(tmp_path: Path) -> None:
    """A new process at the same socket is used as soon as it is ready."""
    async with connected(tmp_path) as (client, played):
        await played.end()
        (tmp_path / "s").unlink(missing_ok=True)
        while client.ready is not None:
            await asyncio.sleep(0.001)
        await played.start()

        assert await client.wait_ready() == READY
        answer = client.generate(ASK)
        played.say(finished(answer.request_id))
        assert await parts_of(answer) == [finished(answer.request_id)]


async def test_process_that_does_not_speak_the_protocol_is_dropped(tmp_path: Path) -> None:
    """Rubbish ends the connection and fails what was open, nothing else."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        played.writer.write(b"\xff" * 100)

        with pytest.raises(Broken):
            await answer.next()


async def test_give_up_fails_all_who_wait(tmp_path: Path) -> None:
    """A process that will not come back is no reason to wait for a deadline."""
    client = EngineClient(tmp_path / "nothing")
    client.start()
    waiting = asyncio.create_task(client.wait_ready())
    await asyncio.sleep(0)
    client.give_up(LoadFailed("no such model"))

    async with asyncio.timeout(LIMIT_S):
        for wait in (waiting, client.wait_ready()):
            with pytest.raises(LoadFailed, match="no such model"):
                await wait
        await client.stop()
