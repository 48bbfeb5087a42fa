"""Tests of slipstream.engine.child: the process itself, around the real model."""

import asyncio
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from slipstream.engine.protocol import (
    ChatMessage,
    Count,
    Counted,
    Failed,
    Finished,
    FromChild,
    FromGateway,
    Generate,
    Probe,
    Ready,
    Stats,
)
from slipstream.framing import MessageReader, encode_message
from slipstream.process import EXIT_IS_FINAL

LIMIT_S = 180.0
SECRET = "the prompt that no log may hold"


class Running:
    """A child process and one connection to it."""

    def __init__(self, process: asyncio.subprocess.Process, socket: Path) -> None:
        self.process, self.socket = process, socket
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self._decoder: MessageReader[FromChild] = MessageReader(cast(type[FromChild], FromChild))
        self._messages: list[FromChild] = []

    async def connect(self) -> None:
        """Connect as soon as the socket is there."""
        while True:
            try:
                self.reader, self.writer = await asyncio.open_unix_connection(str(self.socket))
            except OSError:
                await asyncio.sleep(0.02)
            else:
                return

    async def next(self) -> FromChild:
        """Return the next message."""
        while not self._messages:
            data = await self.reader.read(65_536)
            assert data, "the child closed the connection"
            self._messages += self._decoder.feed(data)
        return self._messages.pop(0)

    def send(self, message: FromGateway) -> None:
        """Send a message."""
        self.writer.write(encode_message(message))


async def spawn(model: Path, socket: Path) -> asyncio.subprocess.Process:
    """Start a child."""
    where = ["--model-dir", str(model), "--socket", str(socket)]
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "slipstream.engine.child", *where],
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(model: Path, folder: Path) -> AsyncIterator[Running]:
    """Start a child and connect to it; kill it if the test leaves it alive."""
    child = Running(await spawn(model, folder / "own" / "e.sock"), folder / "own" / "e.sock")
    try:
        async with asyncio.timeout(LIMIT_S):
            await child.connect()
            yield child
            child.writer.close()
    finally:
        if child.process.returncode is None:
            child.process.kill()
        await child.process.wait()


@pytest.mark.parametrize("how", ["sigterm", "end of standard input"])
async def test_child_answers_and_ends_cleanly(
    prepared_smollm2: Path, tmp_path: Path, how: str
) -> None:
    """Ready comes first; a stop removes the socket and its directory; no prompt is logged."""
    async with running(prepared_smollm2, tmp_path) as child:
        assert stat.S_IMODE(child.socket.parent.stat().st_mode) == 0o700
        ready = await child.next()
        assert isinstance(ready, Ready)
        assert (ready.model, ready.context_tokens) == ("smollm2-135m", 8192)
        child.send(Generate(request_id=1, messages=(ChatMessage("user", SECRET),), max_tokens=3))
        while not isinstance(message := await child.next(), Finished):
            assert not isinstance(message, Failed)
        assert message.completion_tokens <= 3

        if how == "sigterm":
            child.process.send_signal(signal.SIGTERM)
        else:
            assert child.process.stdin is not None
            child.process.stdin.close()
        assert await child.process.wait() == 0
        assert child.process.stderr is not None
        assert SECRET.encode() not in await child.process.stderr.read()

    assert not child.socket.parent.exists()


async def test_child_long_prompt_is_refused_by_name(prepared_smollm2: Path, tmp_path: Path) -> None:
    """A prompt over the context fails with its counts and disturbs nothing."""
    async with running(prepared_smollm2, tmp_path) as child:
        assert isinstance(await child.next(), Ready)
        child.send(Generate(request_id=1, messages=(ChatMessage("user", "word " * 9_000),)))
        refusal = await child.next()

        assert isinstance(refusal, Failed)
        assert refusal.code == "context_length_exceeded"
        assert "8192" in refusal.message


async def test_child_counts_the_tokens_that_a_prompt_would_have(
    prepared_smollm2: Path, tmp_path: Path
) -> None:
    """As many as an answer to it says, also for a prompt that is too long for one."""
    async with running(prepared_smollm2, tmp_path) as child:
        assert isinstance(await child.next(), Ready)
        short = Generate(request_id=9, messages=(ChatMessage("user", "Hi"),), max_tokens=1)
        child.send(Count(1, short))
        child.send(Count(2, Generate(request_id=9, messages=(ChatMessage("user", "a " * 9_000),))))
        child.send(Count(3, Generate(request_id=9, prompt=(-1,))))
        counted, long, refused = [await child.next() for _ in range(3)]
        child.send(short)
        while not isinstance(message := await child.next(), Finished):
            assert not isinstance(message, Failed)

        assert counted == Counted(1, message.prompt_tokens)
        assert isinstance(long, Counted)
        assert long.num_tokens > 9_000
        assert isinstance(refused, Failed)
        assert refused.param == "prompt"


async def test_child_connection_that_ends_frees_its_requests(
    prepared_smollm2: Path, tmp_path: Path
) -> None:
    """A gateway worker that goes away leaves no running request behind; others are served."""
    async with running(prepared_smollm2, tmp_path) as child:
        assert isinstance(await child.next(), Ready)
        for request_id in range(4):
            child.send(Generate(request_id=request_id, messages=(ChatMessage("user", "Count."),)))
        await child.next()
        child.writer.close()

        other = Running(child.process, child.socket)
        await other.connect()
        assert isinstance(await other.next(), Ready)
        other.send(Probe(1))
        while (stats := cast(Stats, await other.next())).num_free_blocks < stats.num_blocks:
            other.send(Probe(1))
        assert (stats.num_running, stats.num_waiting) == (0, 0)
        other.writer.close()


async def test_child_model_that_is_not_there_ends_for_good(tmp_path: Path) -> None:
    """The exit status says that starting again cannot help; the last line says why."""
    process = await spawn(tmp_path / "nothing", tmp_path / "own" / "e.sock")
    async with asyncio.timeout(LIMIT_S):
        _, said = await process.communicate()

    assert process.returncode == EXIT_IS_FINAL
    assert said.decode().splitlines()[-1].startswith("ERROR ")
    assert "slipstream pull" in said.decode()
    assert not (tmp_path / "own").exists()
