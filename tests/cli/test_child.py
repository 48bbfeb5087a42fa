"""A gateway of one's own, as a child process."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipstream.cli.child import StartFailed, child_environ, free_port, gateway

_LIMIT_S = 30.0
# Relays to a provider that is not there: nothing is loaded, so it starts at once.
_BARE = '[models]\n[providers.lab]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:9/v1"\n'


def _arguments(tmp_path: Path) -> list[str]:
    path = tmp_path / "slipstream.toml"
    path.write_text(_BARE)
    return ["--config", str(path), "--port", "0"]


def _environ(tmp_path: Path) -> dict[str, str]:
    return child_environ({**os.environ, "SLIPSTREAM_HOME": str(tmp_path / "home")})


def _answers(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _await_gone(url: str) -> bool:
    give_up_at_s = time.monotonic() + _LIMIT_S
    while _answers(url) and time.monotonic() < give_up_at_s:
        time.sleep(0.05)
    return not _answers(url)


def test_gateway_runs_for_as_long_as_the_block(tmp_path: Path) -> None:
    """Inside the block it answers at the URL that is given; after it nothing listens there."""
    with gateway(_arguments(tmp_path), _environ(tmp_path), tmp_path / "log") as child:
        assert _answers(child.url)
    assert not _answers(child.url)


def test_gateway_is_stopped_when_the_block_fails(tmp_path: Path) -> None:
    """An exception in the block leaves no process behind."""
    with (
        pytest.raises(KeyError),
        gateway(_arguments(tmp_path), _environ(tmp_path), tmp_path / "log") as child,
    ):
        raise KeyError
    assert not _answers(child.url)


def test_gateway_that_cannot_start_shows_why(tmp_path: Path) -> None:
    """The end of its output is in the error."""
    (tmp_path / "bad.toml").write_text("[server]\nprot = 1\n")
    arguments = ["--config", str(tmp_path / "bad.toml")]
    with (
        pytest.raises(StartFailed, match="did you mean 'port'"),
        gateway(arguments, _environ(tmp_path), tmp_path / "log"),
    ):
        pytest.fail("it came up")


def test_gateway_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the owner leaves no orphan: the child's standard input ends."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from slipstream.cli.child import child_environ, gateway\n"
        f"with gateway({_arguments(tmp_path)!r}, child_environ(), Path({str(tmp_path)!r}, 'log'))"
        " as child:\n    print(child.url, flush=True)\n    time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code], env=_environ(tmp_path), stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        assert _answers(url)
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate(timeout=_LIMIT_S)
    assert _await_gone(url)


def test_free_port_takes_another_when_one_listens_there() -> None:
    """A port in use is answered with 0, which takes any; a free one is kept."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        assert free_port(port) == 0
    assert free_port(port) == port
