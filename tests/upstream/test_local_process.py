"""Tests of slipstream.upstream.local_process, with the real process of the real model."""

import asyncio
import sys
from pathlib import Path

from tests.prepared_model import prepared_directory

LIMIT_S = 60.0

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


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


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
