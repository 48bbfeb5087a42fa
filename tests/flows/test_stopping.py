"""The gateway as a process: how it starts, stops, dies, and what it leaves behind."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from slipstream.ledger.notices import journal_directory
from slipstream.ledger.segments import list_segments
from slipstream.upstream.scripted.server import scripted_upstream
from tests.flows.gateway_process import GatewayProcess, launched, until_gone, write_config
from tests.flows.ledger_rows import read_rows, rows_of
from tests.flows.raw import Answer, ask, encode
from tests.prepared_model import MODEL, prepared_directory

CHAT = "/v1/chat/completions"


def chat(model: str = "lab/any", **fields: object) -> bytes:
    """Encode a chat request's body."""
    messages = [{"role": "user", "content": "one two"}]
    return json.dumps({"model": model, "messages": messages, **fields}).encode()


async def post(gateway: GatewayProcess, body: bytes) -> Answer:
    """Send a chat request on a connection that stays open as long as the gateway lets it."""
    return await ask(gateway.url, encode("POST", CHAT, gateway.key, body), timeout_s=40.0)


async def test_sigterm_lets_open_answers_end_and_cuts_the_rest(tmp_path: Path) -> None:
    """Short answers are whole, endless ones end with an error; every row is settled; status 0."""
    async with scripted_upstream() as lab:
        config = write_config(tmp_path, lab.base_url, server="shutdown_s = 1.5")
        async with launched(config) as gateway:
            await gateway.until_listening()
            lab.script("delay=0.5")
            lab.script("rate=50,tokens=100000", requests=2)
            lab.script("delay=60")
            short = asyncio.ensure_future(post(gateway, chat()))
            await lab.wait_for(lambda lab: lab.stats.active_requests == 1)
            streams = [asyncio.ensure_future(post(gateway, chat(stream=True))) for _ in range(2)]
            await lab.wait_for(lambda lab: lab.stats.active_requests == 3)
            waiting = asyncio.ensure_future(post(gateway, chat()))
            await lab.wait_for(lambda lab: lab.stats.active_requests == 4)
            children = list(gateway.children())
            gateway.process.send_signal(signal.SIGTERM)
            assert await gateway.wait() == 0

            assert (await short).status == 200
            assert (await waiting).status == 503
            for stream in streams:
                body = (await stream).body
                assert b'"code":"shutting_down"' in body
                assert b"[DONE]" not in body
        await until_gone(children)
        await lab.wait_for(lambda lab: lab.stats.active_requests == 0)

    rows = read_rows(gateway.home)
    assert sorted(row["state"] for row in rows) == ["cancelled"] * 3 + ["complete"]
    assert list_segments(journal_directory(gateway.home)) == []
    assert "Traceback" not in gateway.errors
    assert "3 open answers were cut" in gateway.errors


async def test_second_sigterm_does_not_wait(tmp_path: Path) -> None:
    """Who asks twice gets the end at once, still in good order."""
    async with scripted_upstream() as lab:
        config = write_config(tmp_path, lab.base_url, server="shutdown_s = 600.0")
        async with launched(config) as gateway:
            await gateway.until_listening()
            lab.script("delay=600")
            waiting = asyncio.ensure_future(post(gateway, chat()))
            await lab.wait_for(lambda lab: lab.stats.active_requests == 1)
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            assert not waiting.done()
            gateway.process.send_signal(signal.SIGTERM)
            assert await gateway.wait(20.0) == 0
            assert (await waiting).status == 503
    assert [row["state"] for row in read_rows(gateway.home)] == ["cancelled"]
    assert "Traceback" not in gateway.errors


async def test_sigterm_while_starting_ends_with_0(tmp_path: Path) -> None:
    """A stop that comes before it listens is obeyed, and leaves no child."""
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    async with launched(config) as gateway:
        async with asyncio.timeout(20):
            while not gateway.children():  # the signals are taken care of before the first child
                await asyncio.sleep(0.005)
        children = list(gateway.children())
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.wait() == 0
        await until_gone(children)
    assert "Traceback" not in gateway.errors


async def test_sigkill_leaves_no_child_and_a_whole_ledger(tmp_path: Path) -> None:
    """Whatever ends the gateway ends its bookkeeper, after a last drain, and its models."""
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    (models / MODEL).symlink_to(prepared_directory())
    async with scripted_upstream() as lab:
        config = write_config(tmp_path, lab.base_url)
        config.write_text(config.read_text().replace("[models]", f"[models.{MODEL}]"))
        async with launched(config) as gateway:
            await gateway.until_listening()
            for _ in range(20):
                assert (await post(gateway, chat())).status == 200
            children = gateway.children()
            assert any("bookkeeper" in command for command in children.values())
            assert any("engine" in command for command in children.values())
            gateway.process.kill()
            await gateway.wait()
            await until_gone(list(children))
    rows = read_rows(gateway.home)
    assert [row["state"] for row in rows] == ["complete"] * 20


async def test_bookkeeper_killed_comes_back_and_loses_nothing(tmp_path: Path) -> None:
    """Keys stay valid meanwhile, answers go on, and every row arrives."""
    async with scripted_upstream() as lab:
        config = write_config(tmp_path, lab.base_url)
        async with launched(config) as gateway:
            await gateway.until_listening()
            first = gateway.child("bookkeeper")
            os.kill(first, signal.SIGKILL)
            for _ in range(30):
                assert (await post(gateway, chat())).status == 200
            await rows_of(gateway.home, num=30)
            assert gateway.child("bookkeeper") != first
            gateway.process.send_signal(signal.SIGTERM)
            assert await gateway.wait() == 0


# ---- starts that cannot succeed -----------------------------------------------------------------


def _database_in_a_file(folder: Path) -> str:
    (folder / "file").write_text("")
    return f'[ledger]\ndatabase = "sqlite:///{folder}/file/ledger.db"\n'


def _database_of_garbage(folder: Path) -> str:
    (folder / "ledger.db").write_bytes(b"no database at all " * 100)
    return f'[ledger]\ndatabase = "sqlite:///{folder}/ledger.db"\n'


def _database_of_the_future(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.commit()
    return f'[ledger]\ndatabase = "sqlite:///{folder}/ledger.db"\n'


def _home_in_a_file(folder: Path) -> str:
    (folder / "home").write_text("")
    return ""


def _journal_in_a_file(folder: Path) -> str:
    (folder / "home").mkdir()
    (folder / "home" / "journal").write_text("")
    return ""


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_database_in_a_file, "database"),
        (_database_of_garbage, "database"),
        (_database_of_the_future, "9999"),
        (_home_in_a_file, "SLIPSTREAM_HOME"),
        (_journal_in_a_file, "ledger"),
    ],
)
async def test_start_that_cannot_succeed_says_why_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], str], word: str
) -> None:
    """An operator reads one line and no traceback; the status is not 0; no child stays."""
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    config.write_text(spoil(tmp_path) + config.read_text())
    async with launched(config) as gateway:
        status = await gateway.wait()
    assert status in (1, 2)
    assert "listening" not in gateway.output
    assert gateway.errors.count("\n") == 1, gateway.errors
    assert gateway.errors.startswith("slipstream: ")
    assert word in gateway.errors


async def test_start_on_a_port_that_is_taken_says_so(tmp_path: Path) -> None:
    """The most common mistake of all names the port and the flag."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = write_config(tmp_path, "http://127.0.0.1:9/v1")
        config.write_text(config.read_text().replace("port = 0", f"port = {port}"))
        async with launched(config) as gateway:
            assert await gateway.wait() == 2
    assert str(port) in gateway.errors
    assert "--port" in gateway.errors
    assert gateway.errors.count("\n") == 1
