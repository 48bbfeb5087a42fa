"""Ends child processes and reads what they left in their logs."""

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

_STOP_S: Final = 5.0
_TAIL_BYTES: Final = 4000


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a child process if it still runs, and wait for its end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(
                BrokenPipeError
            ):  # what it was still to be told; it is closed all the same
                stream.close()


def tail_of(log: Path) -> str:
    """Return the last lines of a log as one line, or say that there are none."""
    try:
        text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " · ".join(lines[-3:]) or "it said nothing"
