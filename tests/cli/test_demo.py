"""`slipstream demo` with the real embedded model."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipstream.cli.accounts import Account
from slipstream.cli.answer import Answer
from slipstream.cli.demo import curl_line, figures
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.snapshot import load_snapshot
from tests.prepared_model import MODEL, prepared_directory

_LIMIT_S = 120
_DEMO = [sys.executable, "-m", "slipstream", "demo"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a fresh installation that has the model already."""
    # Links, not copies: the demo only reads them.
    shutil.copytree(prepared_directory(), tmp_path / "models" / MODEL, copy_function=os.link)
    return {**os.environ, "SLIPSTREAM_HOME": str(tmp_path), "NO_COLOR": "1"}


def test_demo_in_ci_streams_an_answer_and_ends(environ: dict[str, str], tmp_path: Path) -> None:
    """With CI=true: a real answer, its figures, base URL and curl line, then status 0."""
    done = subprocess.run(
        _DEMO,
        env={**environ, "CI": "true"},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    for name in ("time to first token", "speed", "tokens", "cost", "base URL"):
        assert re.search(rf"^  {name} +\S", done.stdout, re.MULTILINE), name
    assert "local/smollm2-135m" in done.stdout
    assert not _is_listening(done.stdout), "it left a gateway behind"
    rows = open_store(sqlite_url(tmp_path)).execute("SELECT state, output_tokens FROM attempts")
    ((state, output_tokens),) = rows
    assert state == "complete"
    assert f"{output_tokens} out" in done.stdout


def _is_listening(shown: str) -> bool:
    found = re.search(r"base URL +(http://\S+)/v1", shown)
    assert found is not None
    command = ["curl", "--silent", "--max-time", "2", f"{found.group(1)}/health"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_demo_stays_up_until_it_is_told_to_stop(environ: dict[str, str], tmp_path: Path) -> None:
    """Without CI the curl line works as pasted; SIGINT ends everything, quietly, with status 0."""
    environ.pop("CI", None)
    with subprocess.Popen(_DEMO, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = _read_curl_line(process)
            done = subprocess.run(
                ["bash", "-c", line], capture_output=True, timeout=_LIMIT_S, check=True
            )
            assert json.loads(done.stdout)["choices"][0]["message"]["content"]
        finally:
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=_LIMIT_S)
    assert process.returncode == 0
    assert "Stopping." in rest
    store = open_store(sqlite_url(tmp_path))
    assert len(load_snapshot(store)) == 1, "the first key stays valid, and no other"
    store.close()


def _read_curl_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    give_up_at_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < give_up_at_s:
        line = process.stdout.readline()
        if line.startswith("curl "):
            return line
        assert line or process.poll() is None, "it ended"
    raise AssertionError("no curl line was printed")


def test_demo_that_fails_says_so(environ: dict[str, str], tmp_path: Path) -> None:
    """Whatever goes wrong: a status that is not 0, the reason, no traceback."""
    environ["SLIPSTREAM_ENGINE_THREADS"] = "many"
    done = subprocess.run(
        _DEMO, env=environ, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    assert done.returncode == 2
    assert "engine.threads" in done.stderr
    assert "Traceback" not in done.stderr


def test_curl_line_holds_a_whole_request() -> None:
    """The line is one command of words that a shell takes apart again."""
    words = shlex.split(curl_line("http://127.0.0.1:1", "sk-slip-x"))
    assert words[:2] == ["curl", "http://127.0.0.1:1/v1/chat/completions"]
    assert "Authorization: Bearer sk-slip-x" in words
    assert json.loads(words[-1])["model"] == MODEL


@pytest.mark.parametrize(
    ("cost_usd_pico", "text"),
    [
        (None, "price not known"),
        (0, "$0, as it ran on this machine"),
        (1_230_000, "$0.00000123"),
    ],
)
def test_figures_never_call_an_unknown_cost_zero(cost_usd_pico: int | None, text: str) -> None:
    """Cost is exact, zero where it is known to be, and said to be unknown where it is not."""
    answer = Answer("hi", "stop", 0.1, 1.1, input_tokens=3, output_tokens=11)
    shown = dict(figures(answer, Account(num_attempts=1, cost_usd_pico=cost_usd_pico)))
    assert shown["cost"] == text
    assert shown["speed"] == "10 tokens/s"
    assert shown["time to first token"] == "100 ms"
