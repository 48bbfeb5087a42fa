"""`slipstream serve` as a process, for what only a process can show: signals and children."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.commands import command_of
from tests.flows.conftest import CONFIG

START_S = 30.0


@dataclass
class GatewayProcess:
    """A gateway that was started, and what it has printed so far."""

    process: asyncio.subprocess.Process
    home: Path
    errors_path: Path
    url: str = ""
    key: str = ""
    output: str = ""

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    @property
    def errors(self) -> str:
        """What came on standard error."""
        return self.errors_path.read_text(errors="replace")

    def children(self) -> dict[int, str]:
        """Return the command line of every child by its pid."""
        try:
            pids = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except FileNotFoundError:
            return {}
        return {int(pid): command_of(int(pid)) for pid in pids}

    def child(self, word: str) -> int:
        """Return the pid of the child whose command has this word."""
        return next(pid for pid, command in self.children().items() if word in command)

    async def until_listening(self) -> None:
        """Wait until it says where it listens."""
        assert self.process.stdout is not None
        while not self.url:
            line = (await asyncio.wait_for(self.process.stdout.readline(), START_S)).decode()
            assert line, f"the gateway ended before it listened:\n{self.errors}"
            self.output += line
            if line.startswith("first key"):
                self.key = line.split()[-1]
            if line.startswith("listening on "):
                self.url = line.split()[-1]

    async def wait(self, limit_s: float = 30.0) -> int:
        """Wait for its end; return its exit status."""
        async with asyncio.timeout(limit_s):
            status = await self.process.wait()
        if self.process.stdout is not None:
            self.output += (await self.process.stdout.read()).decode()
        return status


async def until_gone(pids: list[int], limit_s: float = 15.0) -> None:
    """Wait until none of these processes is left."""
    async with asyncio.timeout(limit_s):
        while any(command_of(pid) for pid in pids):
            await asyncio.sleep(0.02)


def write_config(folder: Path, lab: str, *, spare: str = "", server: str = "") -> Path:
    """Write a configuration with two providers; return its path."""
    path = folder / "slipstream.toml"
    text = CONFIG.format(server=server, deadlines="", lab=lab, spare=spare or lab)
    path.write_text(text)
    return path


@asynccontextmanager
async def launched(config: Path, **environ: str) -> AsyncIterator[GatewayProcess]:
    """Start a gateway; when the context closes, it is killed if it is still there."""
    home = config.parent / "home"
    errors_path = config.parent / "stderr"
    with errors_path.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "slipstream",
            "serve",
            "--config",
            str(config),
            env={**os.environ, "SLIPSTREAM_HOME": str(home), **environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    gateway = GatewayProcess(process, home, errors_path)
    try:
        yield gateway
    finally:
        children = list(gateway.children())
        if process.returncode is None:
            process.kill()
        await process.wait()
        await until_gone(children)
