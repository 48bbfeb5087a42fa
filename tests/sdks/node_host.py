"""Node.js beside the tests: one process that runs our JavaScript programs, asked in JSON lines."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "node"
_LIMIT_S = 60.0


def missing() -> str | None:
    """Return why JavaScript cannot be run here; None if it can."""
    if shutil.which("node") is None:
        return "node is not installed (Debian: apt-get install nodejs npm)"
    if not (FOLDER / "node_modules" / ".slipstream").is_file():
        return "the JavaScript SDKs are not installed (scripts/setup-node)"
    return None


class NodeHost:
    """A process that runs the programs of `node/`, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, program: str, **argument: Any) -> Any:
        """Run a program; return what it returns.

        Raises:
            AssertionError: It threw; the message is its stack.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"program": program, "argument": argument})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        # A program that hangs is ended, and the line that is read is then empty.
        deadline = threading.Timer(_LIMIT_S, self._process.kill)
        deadline.start()
        try:
            answer = self._process.stdout.readline()
        finally:
            deadline.cancel()
        assert answer, f"{program} did not end within {_LIMIT_S} s"
        said = json.loads(answer)
        assert "error" not in said, said["error"]
        return said["value"]


@contextmanager
def hosting(url: str, key: str) -> Iterator[NodeHost]:
    """Run a host whose programs ask one gateway, which they find in their environment."""
    environment = {**os.environ, "CEREBRAS_BASE_URL": url, "CEREBRAS_API_KEY": key}
    process = subprocess.Popen(
        ["node", "host.mjs"],
        cwd=FOLDER,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    try:
        yield NodeHost(process)
    finally:
        process.stdin.close()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
