"""Ending child processes and reading their logs."""

import subprocess
import sys
from pathlib import Path

from slipstream.engine.weights.children import stop, tail_of

LIMIT_S = 30


def test_stop_ends_a_running_child() -> None:
    """A child that would run on is ended, its pipes are closed."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    stop(child)
    assert child.returncode is not None
    assert child.stdin is not None
    assert child.stdin.closed


def test_stop_of_an_ended_child_does_nothing() -> None:
    """The status stays what it was."""
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    child.wait(LIMIT_S)
    stop(child)
    assert child.returncode == 3


def test_stop_of_a_child_that_died_unheard_closes_both_pipes() -> None:
    """What it was still to be told is lost with it, and is no error of ours."""
    child = subprocess.Popen(
        [sys.executable, "-c", "pass"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.wait(LIMIT_S)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"too late")
    stop(child)
    assert child.stdin.closed
    assert child.stdout.closed


def test_tail_of_joins_the_last_lines(tmp_path: Path) -> None:
    """The end of a log fits a message; none is said too."""
    log = tmp_path / "log"
    assert tail_of(log) == "it said nothing"
    log.write_bytes(b"one\n\n two \nthree\n\xfffour\n")
    assert tail_of(log) == "two · three · \ufffdfour"
