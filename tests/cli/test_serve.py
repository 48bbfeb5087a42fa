"""`slipstream serve` as a process: flags, the line that says where it listens, and its end."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

_LIMIT_S = 30
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:\d+$")
_FILE = '[server]\nport = 1\nlog = "off"\n[models]\n[providers]\n'


def _command(tmp_path: Path, *arguments: str) -> "subprocess.Popen[str]":
    path = tmp_path / "slipstream.toml"
    if not path.exists():
        path.write_text(_FILE)
    command = [sys.executable, "-m", "slipstream", "serve", "--config", str(path), *arguments]
    return subprocess.Popen(
        command,
        env={**os.environ, "SLIPSTREAM_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_it_listens_and_ends_with_0(tmp_path: Path, number: int) -> None:
    """A flag stands over the file, the line is true, and both signals end it in good order."""
    with _command(tmp_path, "--port", "0") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        (url,) = next(
            found.groups() for line in lines if (found := re.match(r"listening on (\S+)$", line))
        )
        with urllib.request.urlopen(f"{url}/health", timeout=_LIMIT_S) as answer:
            assert answer.status == 200
        process.send_signal(number)
        _, errors = process.communicate(timeout=_LIMIT_S)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors


def test_serve_with_a_wrong_configuration_says_what_and_where(tmp_path: Path) -> None:
    """Status 2 and one line for each problem, with its place; no traceback."""
    (tmp_path / "slipstream.toml").write_text("[server]\nprot = 1\n")
    with _command(tmp_path) as process:
        output, errors = process.communicate(timeout=_LIMIT_S)
    assert process.returncode == 2
    assert output == ""
    assert errors.startswith("slipstream: ")
    assert "slipstream.toml:2: server.prot" in errors
    assert errors.count("\n") == 1


def test_serve_refuses_a_value_that_a_flag_cannot_have(tmp_path: Path) -> None:
    """A flag is checked as the file is, and the text names the flag."""
    with _command(tmp_path, "--port", "70000") as process:
        _, errors = process.communicate(timeout=_LIMIT_S)
    assert process.returncode == 2
    assert "--port" in errors
    assert "65535" in errors
