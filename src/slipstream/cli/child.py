"""A gateway of one's own: `slipstream serve` as a child process, for as long as a `with` block.

Used by `demo` and `chat`. The child's output goes to a file, whose end is shown if it does not
come up. It is stopped and awaited in any case; its standard input is a pipe that ends with us, so
that it does not outlive us even when we are killed.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipstream.cli.main import main
from slipstream.errors import GatewayError
from slipstream.process import watch_lifeline

START_LIMIT_S = 60.0  # a cold start with a model to compile takes a few seconds
STOP_LIMIT_S = 15.0  # open answers may end; then the process is killed
_POLL_S = 0.02
_LISTENING = re.compile(r"^listening on (http://\S+)$", re.MULTILINE)
_NUM_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Child:
    """A gateway that answers at `url`."""

    url: str
    process: "subprocess.Popen[bytes]"

    def wait(self) -> int:
        """Wait until it ends of itself; return its exit status."""
        return self.process.wait()


class StartFailed(GatewayError):
    """The child ended, or did not answer in time; the text holds the end of its output."""


def free_port(wanted: int, host: str = "127.0.0.1") -> int:
    """Return the wanted port if nothing listens there, else 0, which takes any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            return 0
    return wanted


@contextmanager
def gateway(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    log_path: Path,
    limit_s: float = START_LIMIT_S,
) -> Iterator[Child]:
    """Run `slipstream serve` with these arguments; give it once it answers.

    Raises:
        StartFailed: It ended or was not there within `limit_s`; nothing is left running.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", __name__, "serve", *arguments]
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(environ),
            start_new_session=True,  # a Ctrl-C is for us: it may only mean to stop one answer
        )
    try:
        yield Child(_await_listening(process, log_path, limit_s), process)
    finally:
        _stop(process)


def _await_listening(process: "subprocess.Popen[bytes]", log_path: Path, limit_s: float) -> str:
    give_up_at_s = time.monotonic() + limit_s
    while time.monotonic() < give_up_at_s:
        has_ended = process.poll() is not None
        text = log_path.read_text(errors="replace")
        found = _LISTENING.search(text)
        if found:
            return found.group(1)
        if has_ended:
            raise StartFailed(f"the gateway did not start:\n{_tail(text)}")
        time.sleep(_POLL_S)
    raise StartFailed(
        f"the gateway did not answer within {limit_s:g} s:\n{_tail(log_path.read_text())}"
    )


def _tail(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-_NUM_TAIL_LINES:]) or "  (it said nothing)"


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_LIMIT_S)
    finally:
        if process.stdin is not None:
            process.stdin.close()


def child_environ(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child, in which its output is written line by line."""
    return {**(os.environ if environ is None else environ), "PYTHONUNBUFFERED": "1"}


if __name__ == "__main__":
    watch_lifeline(lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.exit(main())
