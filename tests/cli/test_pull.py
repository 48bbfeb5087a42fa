"""`slipstream pull` as a user meets it: its lines, its bars, its statuses."""

import io
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from slipstream.cli.pull import pull_with_progress
from slipstream.engine.weights.store import Store
from tests.engine.weights.tiny_gguf import write_tiny_gguf

LIMIT_S = 120


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small random llama as a GGUF."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def run(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run `slipstream pull`."""
    return subprocess.run(
        [sys.executable, "-m", "slipstream", "pull", *words],
        env={**os.environ, "SLIPSTREAM_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_pull_prints_a_line_for_each_phase_then_finds_it_ready(tiny: Path, tmp_path: Path) -> None:
    """Plain lines where nobody watches; the second time one line, with status 0."""
    first = run(str(tiny), home=tmp_path)
    assert first.returncode == 0, first.stderr
    words = [line.split()[0].rstrip(",") for line in first.stdout.splitlines()]
    assert words == ["check", "convert", "prepare", "tiny", "made"]
    assert "SHA-256" in first.stdout
    second = run(str(tiny), home=tmp_path)
    assert second.returncode == 0
    assert second.stdout.startswith("tiny is ready: q8_0, ")
    assert second.stdout.count("\n") == 1


def test_pull_with_check_finds_a_changed_byte(tiny: Path, tmp_path: Path) -> None:
    """--check reads every byte; a changed one is an error that says what to do."""
    assert run(str(tiny), "--name", "m", "--quiet", home=tmp_path).stdout == ""
    assert run(str(tiny), "--name", "m", "--check", home=tmp_path).returncode == 0
    weights = tmp_path / "models" / "m" / "openvino_model.bin"
    data = bytearray(weights.read_bytes())
    data[0] ^= 1
    weights.write_bytes(data)
    assert run(str(tiny), "--name", "m", home=tmp_path).returncode == 0
    checked = run(str(tiny), "--name", "m", "--check", home=tmp_path)
    assert checked.returncode == 1
    assert "slipstream pull --force" in checked.stderr
    assert run(str(tiny), "--name", "m", "--force", "--check", home=tmp_path).returncode == 0


def test_pull_of_nothing_is_one_line_and_status_1(tmp_path: Path) -> None:
    """An unknown name: no traceback, and the nearest one that exists."""
    done = run("smollm2-135", home=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "did you mean 'smollm2-135m'" in done.stderr


def test_pull_on_a_terminal_shows_all_phases_in_one_display(tiny: Path, tmp_path: Path) -> None:
    """Bars for each phase, all of them full at the end."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, legacy_windows=False)
    pull_with_progress(str(tiny), tmp_path, console)
    last = screen.getvalue().rpartition("check")[2]
    assert "convert" in last
    assert "prepare" in last
    assert "tiny" in last


def test_pull_interrupted_by_ctrl_c_prints_one_line_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    """Ctrl-C while the child works: one line, status 130, the lock free, no model."""
    source = tmp_path / "slow.gguf"
    write_tiny_gguf(source)
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "slipstream", "pull", str(source), "--home", str(tmp_path)],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(terminal)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("  check")
        # As a terminal does: to the whole group, the child included.
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait(LIMIT_S)
        os.close(main)
    assert process.returncode == 130
    assert errors == "slipstream: interrupted; the same command goes on where this one stopped\n"
    assert Store(tmp_path).installed() == []
    deadline = time.monotonic() + LIMIT_S
    with Store(tmp_path).lock("slow", lambda: None):
        assert time.monotonic() < deadline
