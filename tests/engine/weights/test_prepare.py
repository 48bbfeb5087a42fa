"""Running the converting child: its failures and its death become errors that say why."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from slipstream.engine.weights.conversion import Job, Progress
from slipstream.engine.weights.prepare import prepare
from slipstream.errors import LoadFailed

LIMIT_S = 30


@pytest.fixture
def lock(tmp_path: Path) -> int:
    """Give a descriptor for the child to inherit; the file's end closes it."""
    return os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)


def test_prepare_of_a_good_model_gives_traits_and_progress(
    tiny_gguf: Path, tmp_path: Path, lock: int
) -> None:
    """The child's progress is handed on as it comes, and its traits returned."""
    target = tmp_path / "out"
    target.mkdir()
    seen: list[Progress] = []
    job = Job("gguf", str(tiny_gguf), str(target), "tiny")
    traits = prepare(job, tmp_path / "log", lock, seen.append)
    os.close(lock)
    assert traits.num_layers == 2
    assert seen[0].phase == "convert"
    assert seen[-1].phase == "prepare"


def test_prepare_of_a_bad_model_raises_what_the_child_said(tmp_path: Path, lock: int) -> None:
    """The child's words reach the caller."""
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF")
    job = Job("gguf", str(bad), str(tmp_path), "the label")
    with pytest.raises(LoadFailed, match=r"bad\.gguf: not a usable GGUF"):
        prepare(job, tmp_path / "log", lock, lambda _: None)
    os.close(lock)


def test_prepare_with_a_killed_child_names_the_signal(tmp_path: Path, lock: int) -> None:
    """A crash in native code, or the kernel's, is an error that says which signal it was."""
    pipe = tmp_path / "endless.gguf"
    os.mkfifo(pipe)  # keeps the child busy
    job = Job("gguf", str(pipe), str(tmp_path), "the label")
    killer = threading.Thread(target=_kill_only_child)
    killer.start()
    with pytest.raises(LoadFailed, match="the label: converting it was ended by SIGKILL"):
        prepare(job, tmp_path / "log", lock, lambda _: None)
    killer.join(LIMIT_S)
    os.close(lock)


def _kill_only_child() -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            if _is_our_converter(process):
                os.kill(int(process.name), signal.SIGKILL)
                return
        time.sleep(0.02)


def _is_our_converter(process: Path) -> bool:
    try:
        status = (process / "status").read_text()
        command = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return f"PPid:\t{os.getpid()}\n" in status and b"slipstream.engine.weights.convert" in command
