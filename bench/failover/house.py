"""Real processes for routing: scripted providers that can be killed or changed, and one gateway."""

import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.endpoints import free_port
from bench.processes import Tree, start

_START_LIMIT_S = 60.0
_CALL_LIMIT_S = 10.0
_STEP_S = 0.01


@dataclass(frozen=True, slots=True)
class Kind:
    """Which provider a mock plays.

    Args:
        like: The provider's row in the gateway's catalogue, whose habits and prices it has.
        path: Where the mock has that provider's API.
        model: One that has a price.
    """

    like: str
    path: str
    model: str


KINDS: Mapping[str, Kind] = {
    "chat": Kind("groq", "/groq/openai/v1", "openai/gpt-oss-120b"),
    "messages": Kind("anthropic", "/anthropic/v1", "claude-haiku-4-5"),
    "gemini": Kind("gemini", "/gemini/v1beta/openai", "gemini-2.5-flash"),
    "responses": Kind("openai", "/openai/v1", "gpt-5-mini"),
    "deepinfra": Kind("deepinfra", "/deepinfra/v1/openai", "openai/gpt-oss-120b"),
    "mistral": Kind("mistral", "/mistral/v1", "mistral-large-latest"),
}


class Mock:
    """A `slipstream mock` process on a port of its own, which it keeps when it is started again."""

    def __init__(self, name: str, kind: Kind, work: Path, behaviour: str) -> None:
        self.name = name
        self.kind = kind
        self.port = free_port()
        self.log_path = work / f"{name}.jsonl"
        self._behaviour = behaviour
        self._output = work / f"{name}.out"
        self._tree: Tree | None = None
        self._log = LogReader(self.log_path)

    @property
    def base_url(self) -> str:
        """Of the provider that it plays."""
        return f"http://127.0.0.1:{self.port}{self.kind.path}"

    @property
    def target(self) -> str:
        """As a route names it."""
        return f"{self.name}/{self.kind.model}"

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._tree is not None
        return self._tree.pid

    def start(self) -> None:
        """Start the process; return when it listens."""
        command = [sys.executable, "-m", "slipstream.cli.mock", "--port", str(self.port)]
        command += ["--log", str(self.log_path), "--behaviour", self._behaviour]
        self._tree = start(command, core=None, log=self._output)
        wait_for_line(self._tree, "listening on ")

    def kill(self) -> None:
        """End it with SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def freeze(self) -> None:
        """Stop it from running: its kernel still accepts connections."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._tree is not None:
            self._tree.stop()
            self._tree = None

    def behave(self, *behaviours: Mapping[str, object]) -> None:
        """Give every request from now on these behaviours; without any, those of the start."""
        if behaviours:
            self._control("PUT", "/mock/behaviour", {"behaviour": list(behaviours)})
        else:
            self._control("DELETE", "/mock/behaviour", None)

    def stats(self) -> dict[str, int]:
        """Return its counters."""
        found: dict[str, int] = self._control("GET", "/mock/stats", None)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return the requests for answers that it ever saw, killed or not, in their order."""
        return self._log.read()

    def log(self, since: int) -> list[dict[str, Any]]:
        """Return the last rows of its log, bodies included, from this serial number on."""
        rows: list[dict[str, Any]] = self._control("GET", f"/mock/log?since={since}", None)[
            "requests"
        ]
        return rows

    def _control(self, method: str, path: str, document: object) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_CALL_LIMIT_S)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"the mock {self.name}: {said}")
        return said


class LogReader:
    """Reads a mock's log file on: its POST requests, with what was known at their begin and end.

    A process that was started again counts from 1 again: its rows follow those of the one before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._running: dict[int, dict[str, Any]] = {}
        self._rows: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Return all rows so far, `ending` None where it is not known; the list is not a copy."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offset += len(whole)
            for line in whole.splitlines():
                self._take(json.loads(line))
        return self._rows

    def _take(self, said: dict[str, Any]) -> None:
        if "ending" in said:
            if (row := self._running.pop(said["serial"], None)) is not None:
                row.update(said)
        elif said["method"] == "POST":
            row = self._running[said["serial"]] = {**said, "ending": None}
            self._rows.append(row)


@dataclass(slots=True)
class Gateway:
    """A `slipstream serve` process."""

    tree: Tree
    url: str
    key: str
    home: Path

    def stop(self) -> int:
        """End it with SIGTERM; return its exit status once its last attempt is in the ledger."""
        self.tree.stop()
        status = self.tree.status()
        assert status is not None
        return status


def wait_for_line(tree: Tree, *starts: str) -> list[str]:
    """Return the rests of the lines that begin so, once a process has printed all of them.

    Raises:
        TimeoutError: It did not in time, or ended before.
    """
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        is_alive = tree.is_alive()
        lines = tree.log.read_text(errors="replace").splitlines()
        found = [next((x for x in lines if x.startswith(begin)), None) for begin in starts]
        told = [
            line[len(begin) :].strip() for line, begin in zip(found, starts, strict=True) if line
        ]
        if len(told) == len(starts):
            return told
        if not is_alive:
            break
        time.sleep(_STEP_S)
    raise TimeoutError(f"it did not say {starts}:\n{tree.tail()}")


def provider_table(mock: Mock, more: str = "") -> str:
    """Return the `[providers.NAME]` table of a mock."""
    return (
        f'[providers.{mock.name}]\nlike = "{mock.kind.like}"\nbase_url = "{mock.base_url}"\n'
        f'api_key = "sk-{mock.name}"\n{more}\n'
    )


@contextmanager
def mocks(work: Path, kinds: Mapping[str, str], behaviours: Sequence[str]) -> Iterator[list[Mock]]:
    """Run a mock for each name of a kind; all end with the context."""
    with ExitStack() as stack:
        running = []
        for (name, kind), behaviour in zip(kinds.items(), behaviours, strict=True):
            mock = Mock(name, KINDS[kind], work, behaviour)
            stack.callback(mock.stop)
            mock.start()
            running.append(mock)
        yield running


@contextmanager
def gateway(work: Path, config: str) -> Iterator[Gateway]:
    """Run a gateway of this configuration, on a free port; it ends with the context."""
    path = work / "slipstream.toml"
    path.write_text('[server]\nport = 0\nlog = "off"\n' + config + "\n[models]\n")
    home = work / "home"
    tree = start(
        [sys.executable, "-m", "slipstream", "serve", "--config", path],
        core=None,
        log=work / "gateway.out",
        env={"SLIPSTREAM_HOME": str(home)},
    )
    try:
        key, url = wait_for_line(tree, "first key, shown only now:", "listening on ")
        yield Gateway(tree, url, key, home)
    finally:
        tree.stop()
