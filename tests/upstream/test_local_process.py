"""Tests of slipstream.upstream.local_process, with the real process of the real model."""

import asyncio
import sys
from pathlib import Path

import pytest

from slipstream.engine.protocol import Finished, Generate
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.errors import Broken, LoadFailed
from slipstream.upstream.local_process import EngineProcess
from tests.commands import is_alive
from tests.prepared_model import prepared_directory

LIMIT_S = 180.0

# A gateway that is killed: it says its child's pid and its socket's folder, and waits.
GATEWAY = """
import asyncio, pathlib, sys, tempfile
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.upstream.local_process import EngineProcess

async def main():
    settings = EngineSettings(kv_cache_bytes=64 * MIB)
    process = EngineProcess("m", pathlib.Path(sys.argv[1]), settings)
    client = await process.launch()
    assert await process.launch() is client
    if sys.argv[2] == "ready":
        await client.wait_ready()
    print(process.pid, flush=True)
    if sys.argv[2] == "stop":
        await process.stop()
        print("stopped", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def start(how: str, folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Start a gateway whose temporary files lie in a folder; return it and its child's pid."""
    gateway = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", GATEWAY, str(prepared_directory()), how],
        stdout=asyncio.subprocess.PIPE,
        env={"TMPDIR": str(folder), "PATH": "/usr/bin:/bin"},
    )
    assert gateway.stdout is not None
    return gateway, int(await gateway.stdout.readline())


def names_in(folder: Path) -> list[str]:
    """Return what lies in a folder, at any depth."""
    return [path.name for path in folder.rglob("*")]


async def gone(pid: int) -> None:
    """Wait until a process is gone."""
    while is_alive(pid):
        await asyncio.sleep(0.01)


async def test_gateway_killed_leaves_no_process_and_no_files(tmp_path: Path) -> None:
    """SIGKILL of the gateway, while the model loads or when it is ready: nothing stays."""
    for how in ("loading", "ready"):
        async with asyncio.timeout(LIMIT_S):
            gateway, pid = await start(how, tmp_path)
            gateway.kill()
            await gateway.wait()
            await gone(pid)

    assert names_in(tmp_path) == []


async def test_stop_leaves_no_process_and_no_files(tmp_path: Path) -> None:
    """`stop` returns when the process is gone, also when its model was still loading."""
    async with asyncio.timeout(LIMIT_S):
        gateway, pid = await start("stop", tmp_path)
        assert gateway.stdout is not None
        assert await gateway.stdout.readline() == b"stopped\n"
        await gone(pid)
        gateway.kill()
        await gateway.wait()

    assert names_in(tmp_path) == []


def state_of(process: EngineProcess) -> str:
    """Return its state as it is now."""
    return process.state


async def answered(process: EngineProcess) -> int | None:
    """Have one token written as a request would; return the pid that wrote it."""
    with process.used():
        client = await process.launch()
        await client.wait_ready()
    answer = client.generate(Generate(request_id=0, prompt="One two", max_tokens=1))
    pid = process.pid
    try:
        while not isinstance(await answer.next(), Finished):
            pass
    finally:
        answer.close()
    return pid


async def test_requests_while_it_is_ended_are_answered_by_the_next_process() -> None:
    """Once it is found idle nobody is sent to it any more; who gives up waiting breaks nothing."""
    settings = EngineSettings(kv_cache_bytes=64 * MIB, unload_after_s=0.4)
    process = EngineProcess("m", prepared_directory(), settings)
    async with asyncio.timeout(LIMIT_S):
        try:
            old_pid = await answered(process)
            assert old_pid is not None
            assert state_of(process) == "ready"
            while state_of(process) != "idle":
                await asyncio.sleep(0)
            assert is_alive(old_pid), "it is being ended now"

            hasty = asyncio.create_task(answered(process))
            waiting = [asyncio.create_task(answered(process)) for _ in range(3)]
            await asyncio.sleep(0)
            hasty.cancel()
            assert process.pid is None
            (new_pid,) = set(await asyncio.gather(*waiting))

            assert new_pid != old_pid
            assert hasty.cancelled()
            assert not is_alive(old_pid), "there are never two at once"
        finally:
            await process.stop()


async def test_stop_while_it_is_ended_waits_and_lets_nothing_start() -> None:
    """The gateway's end meets an idle end: the process is gone, and stays gone."""
    settings = EngineSettings(kv_cache_bytes=64 * MIB, unload_after_s=0.1)
    process = EngineProcess("m", prepared_directory(), settings)
    async with asyncio.timeout(LIMIT_S):
        pid = await answered(process)
        assert pid is not None
        while state_of(process) != "idle":
            await asyncio.sleep(0)
        late = asyncio.create_task(process.launch())
        await asyncio.sleep(0)  # it is the first of those who wait for the end
        await process.stop()
        assert not is_alive(pid)
        assert late.done()
        assert process.pid is None
        with pytest.raises(Broken, match="'m' was stopped"):
            await process.launch()
        await process.stop()


async def test_model_that_cannot_be_loaded_stays_failed(tmp_path: Path) -> None:
    """It is not called idle after its idle time: that would hide why nobody is answered."""
    process = EngineProcess("m", tmp_path, EngineSettings(unload_after_s=0.05))
    async with asyncio.timeout(LIMIT_S):
        try:
            assert (state_of(process), process.failure) == ("idle", None)
            client = await process.launch()
            assert state_of(process) == "starting"
            with pytest.raises(LoadFailed, match="'m' cannot be loaded"):
                await client.wait_ready()
            await asyncio.sleep(0.2)
            assert state_of(process) == "failed"
            assert process.failure is not None
        finally:
            await process.stop()
