"""The assembly: what opens closes again, wrong starts leave nothing, and the parts fit.

What the whole does is in tests/flows/.
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from slipstream.app import running
from slipstream.config import load
from slipstream.errors import ConfigError, GatewayError
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import FIRST_KEY_NAME, revoke_key
from tests.flows.raw import ask, encode

FILE = """
[server]
port = 0
log = "{log}"
[models]
[providers.lab]
dialect = "openai_chat"
base_url = "http://127.0.0.1:{port}/v1"
{more}
"""


def write(tmp_path: Path, *, log: str = "off", port: int = 9, more: str = "") -> Path:
    """Write a configuration whose only provider is not there."""
    path = tmp_path / "slipstream.toml"
    path.write_text(FILE.format(log=log, port=port, more=more))
    return path


def children() -> list[str]:
    """Return the pids of our children."""
    pid = os.getpid()
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def num_files() -> int:
    """Count our open files."""
    return len(os.listdir("/proc/self/fd"))


async def test_gateway_opens_and_closes_without_a_trace(tmp_path: Path) -> None:
    """No child, task or file is left, however often; the key is made once."""
    config = load(write(tmp_path, log=str(tmp_path / "log")), {"SLIPSTREAM_HOME": str(tmp_path)})
    async with running(config) as gateway:
        assert gateway.first_key is not None
    before = (children(), num_files(), len(asyncio.all_tasks()))
    for _ in range(2):
        async with running(config) as gateway:
            assert gateway.first_key is None
            assert (await ask(gateway.url, encode("GET", "/health", None, b""))).status == 200
    await asyncio.sleep(0.05)
    assert (children(), num_files(), len(asyncio.all_tasks())) == before


async def test_provider_that_is_not_there_does_not_stop_the_start(tmp_path: Path) -> None:
    """It is said once in the log, and when somebody asks for it."""
    config = load(write(tmp_path), {"SLIPSTREAM_HOME": str(tmp_path)})
    async with running(config) as gateway:
        body = b'{"model":"lab/m","messages":[]}'
        request = encode("POST", "/v1/chat/completions", gateway.first_key, body)
        answer = await ask(gateway.url, request)
        models = await ask(gateway.url, encode("GET", "/v1/models", gateway.first_key, b""))
    assert answer.status == 502
    assert answer.json()["error"]["code"] == "upstream_unreachable"
    assert models.json() == {"object": "list", "data": []}


@pytest.mark.parametrize("spoilt", ["home", "journal", "log", "port"])
async def test_wrong_start_leaves_nothing(tmp_path: Path, spoilt: str) -> None:
    """Whatever cannot be opened, what was opened before it is closed."""
    home, log, more = tmp_path / "home", "off", ""
    if spoilt == "home":
        home.write_text("")
    elif spoilt == "journal":
        home.mkdir()
        (home / "journal").write_text("")
    elif spoilt == "log":
        log = str(tmp_path / "no" / "log")
    else:
        more = '[server.x]\nport = "x"'
    before = (children(), num_files())
    with pytest.raises(GatewayError):
        async with running(
            load(write(tmp_path, log=log, more=more), {"SLIPSTREAM_HOME": str(home)})
        ):
            pass
    assert (children(), num_files()) == before


async def test_reach_without_a_key_is_refused(tmp_path: Path) -> None:
    """Who listens for other machines needs a way to know callers, and every key was revoked."""
    path = write(tmp_path)
    environ = {"SLIPSTREAM_HOME": str(tmp_path)}
    before = children()
    async with running(load(path, environ)):
        pass
    with closing(open_store(sqlite_url(tmp_path))) as store:
        revoke_key(store, FIRST_KEY_NAME, time.time_ns())
    with pytest.raises(ConfigError, match="slipstream keys create"):
        async with running(load(path, environ, {"server.host": "0.0.0.0"})):
            pass
    assert children() == before


def test_file_limit_is_raised_to_what_is_allowed() -> None:
    """1,024 open files are 500 requests; a gateway takes what the system grants."""
    code = (
        "import resource; from slipstream import app; "
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)); app._raise_file_limit(); "
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert done.stdout.split() == [str(hard), str(hard)]
