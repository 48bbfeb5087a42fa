"""Runs the child process that converts a model, and turns what it says into progress and facts."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from slipstream.engine.weights.children import stop, tail_of
from slipstream.engine.weights.conversion import Failure, Job, Progress, Said, Traits
from slipstream.errors import LoadFailed

_CHILD: Final = "slipstream.engine.weights.convert"
_said = msgspec.json.Decoder(Said)


def prepare(job: Job, log: Path, lock: int, on_progress: Callable[[Progress], None]) -> Traits:
    """Convert one model in a process of its own.

    Args:
        log: Where the messages of native code go.
        lock: A descriptor that the child inherits, so that nobody else builds while it may write.

    Raises:
        LoadFailed: The model cannot be read, or the process died.
    """
    traits: Traits | None = None
    with log.open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD],  # -P: no modules of the working directory
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=(lock,),
            process_group=0,  # Ctrl-C is ours to handle: we end it
        )
        try:
            traits = _listen(child, job, on_progress)
            status = child.wait()
        finally:
            stop(child)
    if traits is None:
        raise LoadFailed(f"{job.label}: converting it {_end(status)}: {tail_of(log)}")
    return traits


def _listen(
    child: "subprocess.Popen[bytes]", job: Job, on_progress: Callable[[Progress], None]
) -> Traits | None:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(msgspec.json.encode(job) + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        return None  # it died at its start; its status and log say why
    for line in child.stdout:
        match _said.decode(line):
            case Progress() as progress:
                on_progress(progress)
            case Failure() as failure:
                raise LoadFailed(failure.message)
            case Traits() as traits:
                return traits
    return None


def _end(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
