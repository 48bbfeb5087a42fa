"""`slipstream chat` as a process, with a scripted provider behind a real gateway."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slipstream.cli.chat import asked
from slipstream.cli.child import child_environ, gateway
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import list_keys

_LIMIT_S = 60
_CHAT = [sys.executable, "-m", "slipstream", "chat"]

Done = subprocess.CompletedProcess[str]
Chat = Callable[..., Done]


@pytest.fixture
def environ(tmp_path: Path, mock_url: str) -> dict[str, str]:
    """Return the environment of an installation whose one provider is the scripted one."""
    lab = f'[providers.lab]\ndialect = "openai_chat"\nbase_url = "{mock_url}/v1"\n'
    (tmp_path / "slipstream.toml").write_text(f'[server]\nport = 1\nlog = "off"\n[models]\n{lab}')
    ours = {k: v for k, v in os.environ.items() if not k.startswith("SLIPSTREAM_")}
    return child_environ({**ours, "SLIPSTREAM_HOME": str(tmp_path)})


@pytest.fixture
def chat(tmp_path: Path, environ: dict[str, str]) -> Chat:
    """Return a function that runs one `slipstream chat` to its end."""

    def run(
        *words: str, piped: str | None = None, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*_CHAT, *words],
            env={**environ, **more},
            cwd=tmp_path,
            input=piped,
            stdin=subprocess.DEVNULL if piped is None else None,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )

    return run


def test_chat_answers_one_question_through_a_gateway_of_its_own(chat: Chat, tmp_path: Path) -> None:
    """With nothing running it starts a gateway; the answer alone is on standard output."""
    done = chat("-m", "lab/echo-1", "hello", "there")
    assert (done.returncode, done.stdout) == (0, "hello there\n"), done.stderr
    assert "first key, shown only now: sk-slip-" in done.stderr
    store = open_store(sqlite_url(tmp_path))
    assert len(list_keys(store)) == 1
    store.close()


def test_chat_takes_what_is_piped_in_after_the_question(chat: Chat, mock_url: str) -> None:
    """`cat text | slipstream chat "Sum it up"` asks about the text."""
    done = chat("--base-url", mock_url, "Sum it up:", piped="a text\n")
    assert done.stdout.split() == ["Sum", "it", "up:", "a", "text"]


def test_chat_asks_the_gateway_that_is_named(chat: Chat, mock_url: str) -> None:
    """Its URL and a key in the environment are all that is needed; its first model answers."""
    done = chat("hi", SLIPSTREAM_BASE_URL=mock_url, SLIPSTREAM_API_KEY="any")
    assert (done.returncode, done.stdout) == (0, "hi\n"), done.stderr


def test_chat_borrows_a_key_of_the_gateway_that_runs(
    chat: Chat, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A running gateway of the same installation is used, with a key that ends afterwards."""
    with gateway(["--port", "0"], {**environ}, tmp_path / "log") as child:
        port = child.url.rpartition(":")[2]
        for _ in range(2):
            done = chat("-m", "lab/echo-1", "hello", SLIPSTREAM_SERVER_PORT=port)
            assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    assert not (tmp_path / "chat.log").exists(), "it started one of its own"
    store = open_store(sqlite_url(tmp_path))
    lent = [key for key in list_keys(store) if key.name.startswith("chat-")]
    store.close()
    assert len(lent) == 1
    assert lent[0].revoked_at_ns is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "echo-1?status=503", "hi"], "(status 503)"),
        (["--max-tokens", "0", "hi"], "--max-tokens"),
        ([], "nothing was asked"),
    ],
)
def test_chat_that_fails_says_why(chat: Chat, mock_url: str, words: list[str], said: str) -> None:
    """No answer: nothing on standard output, the reason on standard error, no traceback."""
    done = chat("--base-url", mock_url, *words)
    assert done.returncode != 0
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_chat_where_nobody_listens_names_the_address(chat: Chat) -> None:
    """A wrong base URL is shown, so that it can be seen to be wrong."""
    done = chat("--base-url", "http://127.0.0.1:9", "-m", "x", "hi")
    assert done.returncode == 1
    assert "http://127.0.0.1:9/v1" in done.stderr


def test_chat_on_a_terminal_keeps_the_conversation(environ: dict[str, str], mock_url: str) -> None:
    """Lines are asked one after the other; a failed one is reported and the talk goes on."""
    command = [*_CHAT, "--base-url", mock_url, "-m", "echo-1"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environ)
    try:
        for typed, answer in [("one", b"one\r\n"), ("two", b"two\r\n")]:
            _read_until(terminal, "› ".encode())
            os.write(terminal, f"{typed}\n".encode())
            _read_until(terminal, f"{typed}\r\n".encode())  # the terminal's own echo
            _read_until(terminal, answer)
        _read_until(terminal, "› ".encode())
        os.write(terminal, b"\x04")
    finally:
        status = _end_of(pid)
        os.close(terminal)
    assert status == 0


def _read_until(terminal: int, wanted: bytes) -> None:
    seen = b""
    give_up_at_s = time.monotonic() + _LIMIT_S
    while wanted not in seen:
        readable, _, _ = select.select([terminal], [], [], 0.1)
        if readable:
            seen += os.read(terminal, 1)
        assert time.monotonic() < give_up_at_s, seen


def _end_of(pid: int) -> int:
    give_up_at_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < give_up_at_s:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return -9


def test_asked_joins_words_and_what_is_piped(tmp_path: Path) -> None:
    """Words first, then the text of a file or pipe; nothing at all is None."""
    path = tmp_path / "text"
    path.write_text(" a text \n")
    with path.open() as piped:
        assert asked(["what", "is"], piped) == "what is\n\na text"
    with path.open() as piped:
        assert asked([], piped) == "a text"
    with open(os.devnull) as nothing:
        assert asked(["hi"], nothing) == "hi"
        assert asked([], nothing) is None
