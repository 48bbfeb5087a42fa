"""The process that runs one model: started, kept alive, stopped, and the connection to it.

Its socket lies in a directory that nobody else may enter, made for it and removed with it.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from slipstream.engine.settings import EngineSettings
from slipstream.errors import LoadFailed
from slipstream.process import Supervised
from slipstream.upstream.local_client import EngineClient

_GRACE_S: Final = 5.0  # it finishes a step, or the loading of a model, before it looks up


class EngineProcess:
    """One model's process and our client of it. All methods on one event loop."""

    def __init__(self, name: str, model_dir: Path, settings: EngineSettings) -> None:
        self._name, self._model_dir, self._settings = name, model_dir, settings
        self._home: Path | None = None
        self._supervised: Supervised | None = None
        self._client: EngineClient | None = None

    @property
    def client(self) -> EngineClient | None:
        """The connection; None until `launch`."""
        return self._client

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._supervised.pid if self._supervised is not None else None

    async def launch(self) -> EngineClient:
        """Start the process, once; return before its model is ready."""
        if self._client is None:
            # Short, whatever SLIPSTREAM_HOME is: a socket's path has about 100 bytes at most.
            self._home = Path(tempfile.mkdtemp(prefix="slipstream-"))  # mode 0700
            self._client = EngineClient(self._home / "engine.sock")
            self._supervised = Supervised(
                f"engine.{self._name}",
                self._argv(self._home / "engine.sock"),
                on_down=self._went_down,
                grace_s=_GRACE_S,
            )
            self._client.start()
            await self._supervised.start()
        return self._client

    async def stop(self) -> None:
        """End the process and wait until it is gone."""
        if self._client is not None and self._supervised is not None:
            await asyncio.gather(self._client.stop(), self._supervised.stop())
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    def _argv(self, socket: Path) -> list[str]:
        settings = msgspec.json.encode(self._settings).decode()
        child = [sys.executable, "-m", "slipstream.engine.child"]
        where = ["--model-dir", str(self._model_dir), "--socket", str(socket)]
        return [*child, *where, "--settings", settings]

    def _went_down(self, status: int | None) -> None:
        assert self._supervised is not None, "it was launched"
        assert self._client is not None, "it was launched"
        if self._supervised.has_given_up:
            words = self._supervised.last_words
            self._client.give_up(LoadFailed(f"the model '{self._name}' cannot be loaded: {words}"))
