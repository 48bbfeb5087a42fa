"""The process that runs one model: started, kept alive, ended when idle, and the connection to it.

    none ──launch──▶ running ──idle for long, or stop──▶ ending ──▶ none

Rules
 1. Whether the process is idle is decided, and its connection taken away, without an await between
    them; from then on `launch` waits until it is gone and starts the next.
 2. `used` is entered before `launch` and left when the request was sent, so that rule 1 sees it.
 3. Starting and ending hold one lock. Nothing that ends a process is ever cancelled half-way.

Its socket lies in a directory that nobody else may enter, made for it and removed with it.
"""

import asyncio
import shutil
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from slipstream.engine.settings import EngineSettings
from slipstream.errors import Broken, LoadFailed
from slipstream.process import Supervised
from slipstream.upstream.local_client import EngineClient
from slipstream.upstream.local_idle import Idleness

State = Literal["idle", "starting", "ready", "failed"]

_GRACE_S: Final = 5.0  # it finishes a step, or the loading of a model, before it looks up
_NEVER_S: Final = float("inf")


class _Running(NamedTuple):
    """A process that was started, and what belongs to it."""

    home: Path
    client: EngineClient
    supervised: Supervised


class EngineProcess:
    """One model's process and our client of it. All methods on one event loop."""

    def __init__(self, name: str, model_dir: Path, settings: EngineSettings) -> None:
        self._name, self._model_dir, self._settings = name, model_dir, settings
        self._running: _Running | None = None
        self._changing = asyncio.Lock()
        self._idleness = Idleness(settings.unload_after_s or _NEVER_S)
        self._watch: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._failure: LoadFailed | None = None

    @property
    def client(self) -> EngineClient | None:
        """The connection; None while no process is started."""
        return self._running.client if self._running is not None else None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._running.supervised.pid if self._running is not None else None

    @property
    def state(self) -> State:
        """What a request would meet; idle: the next one starts the process."""
        if self._failure is not None:
            return "failed"
        if self._running is None:
            return "idle"
        return "ready" if self._running.client.ready is not None else "starting"

    @property
    def failure(self) -> LoadFailed | None:
        """Why the model will never answer."""
        return self._failure

    def used(self) -> AbstractContextManager[None]:
        """Keep the process from being found idle while the context is open."""
        return self._idleness.used()

    async def launch(self) -> EngineClient:
        """Start the process, if there is none; return before its model is ready.

        Raises:
            Broken: It was stopped.
        """
        if self._running is not None:
            return self._running.client
        async with self._changing:
            if self._is_stopped:
                raise Broken(f"the model '{self._name}' was stopped")
            running = self._running or await self._start()
            return running.client

    async def stop(self) -> None:
        """End the process and wait until it is gone; it is not started again."""
        async with self._changing:
            self._is_stopped = True
            if self._watch is not None:
                self._watch.cancel()  # it holds no lock: it sleeps, or waits for ours
            await self._end()

    async def _start(self) -> _Running:
        # Short, whatever SLIPSTREAM_HOME is: a socket's path has about 100 bytes at most.
        home = Path(tempfile.mkdtemp(prefix="slipstream-"))  # mode 0700
        client = EngineClient(home / "engine.sock")
        supervised = Supervised(
            f"engine.{self._name}",
            self._argv(home / "engine.sock"),
            on_down=lambda _: self._went_down(client),
            grace_s=_GRACE_S,
        )
        self._running = running = _Running(home, client, supervised)
        client.start()
        if self._settings.unload_after_s is not None:
            self._watch = asyncio.create_task(self._end_when_idle())
        await supervised.start()
        return running

    async def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await asyncio.gather(running.client.stop(), running.supervised.stop())
            shutil.rmtree(running.home, ignore_errors=True)

    async def _end_when_idle(self) -> None:
        while self._failure is None:
            wait_s = self._look()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                continue
            async with self._changing:
                if self._look() == 0:
                    await self._end()
                    return

    def _look(self) -> float:
        client = self.client
        is_busy = client is not None and (client.ready is None or client.num_open > 0)
        return self._idleness.look(is_busy, asyncio.get_running_loop().time())

    def _argv(self, socket: Path) -> list[str]:
        settings = msgspec.json.encode(self._settings).decode()
        child = [sys.executable, "-m", "slipstream.engine.child"]
        where = ["--model-dir", str(self._model_dir), "--socket", str(socket)]
        return [*child, *where, "--settings", settings]

    def _went_down(self, client: EngineClient) -> None:
        if self._running is None or self._running.client is not client:
            return  # it is being ended
        supervised = self._running.supervised
        if supervised.has_given_up:
            self._failure = LoadFailed(
                f"the model '{self._name}' cannot be loaded: {supervised.last_words}"
            )
            client.give_up(self._failure)
