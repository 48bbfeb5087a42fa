"""The gateway's end of the bookkeeper: keys arrive, stay while it is away, and come again."""

import asyncio
import logging
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from slipstream.books import KeyRing, keeping_books
from slipstream.errors import ConfigError
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import create_key, digest_of, revoke_key
from tests.commands import command_of

LIMIT_S = 20.0


async def until_len(ring: KeyRing, num: int) -> None:
    """Wait until the ring has so many keys."""
    async with asyncio.timeout(LIMIT_S):
        while len(ring) != num:
            await asyncio.sleep(0.02)


def bookkeeper_pid() -> int:
    """Return the pid of this process's bookkeeper."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return next(int(pid) for pid in children if "slipstream.bookkeeper" in command_of(pid))


def test_ring_finds_a_key_by_its_digest_only() -> None:
    """What is looked up is the hash; a replaced ring forgets all others, and their names."""
    ring = KeyRing()
    assert ring.find("sk-a") is None
    assert ring.name_of("key-1") is None
    ring.replace({digest_of("sk-a"): ("key-1", "anna")})
    assert ring.find("sk-a") == "key-1"
    assert ring.find("sk-b") is None
    assert ring.find(digest_of("sk-a").hex()) is None
    assert len(ring) == 1
    assert ring.name_of("key-1") == "anna"
    assert ring.name_of("anna") is None
    ring.replace({})
    assert ring.find("sk-a") is None
    assert ring.name_of("key-1") is None


async def test_keys_are_there_when_it_opens_and_follow_changes(tmp_path: Path) -> None:
    """The ring has every valid key from the first moment, and changes without being asked."""
    url = sqlite_url(tmp_path)
    with closing(open_store(url)) as store:
        record, token = create_key(store, "one", time.time_ns())
        async with keeping_books(tmp_path, url) as ring:
            assert ring.find(token) == record.key_id
            assert ring.name_of(record.key_id) == "one"
            second, _ = create_key(store, "two", time.time_ns())
            await until_len(ring, 2)
            assert ring.name_of(second.key_id) == "two"
            revoke_key(store, "one", time.time_ns())
            await until_len(ring, 1)
            assert ring.find(token) is None
            assert ring.name_of(record.key_id) is None
            assert ring.name_of(second.key_id) == "two"


async def test_keys_stay_while_the_bookkeeper_is_away(tmp_path: Path) -> None:
    """A bookkeeper that was killed takes no key with it, and knows of changes when it is back."""
    url = sqlite_url(tmp_path)
    with closing(open_store(url)) as store:
        _, token = create_key(store, "one", time.time_ns())
        async with keeping_books(tmp_path, url) as ring:
            for number in range(2):
                os.kill(bookkeeper_pid(), signal.SIGKILL)
                assert ring.find(token) is not None
                create_key(store, f"more-{number}", time.time_ns())
                await until_len(ring, 2 + number)
                assert ring.find(token) is not None


async def test_database_that_cannot_be_used_is_a_config_error(tmp_path: Path) -> None:
    """What the bookkeeper says of it is what the operator reads."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        async with keeping_books(tmp_path, f"sqlite:///{tmp_path}/file/ledger.db"):
            pass


async def test_bookkeeper_that_says_nothing_is_not_waited_for_longer_than_said(
    tmp_path: Path,
) -> None:
    """A database that somebody holds is a clear error, not a traceback. (It once was one.)"""
    url = sqlite_url(tmp_path)
    with closing(sqlite3.connect(tmp_path / "slipstream.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        asyncio.get_running_loop().call_later(1.0, holder.rollback)  # or its end takes 10 s
        with pytest.raises(ConfigError, match=r"did not come up within 0\.5 s"):
            async with keeping_books(tmp_path, url, start_s=0.5):
                pass


async def test_database_that_is_lost_later_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bookkeeper that cannot work when it comes back says why; keys stay."""
    home = tmp_path / "home"
    home.mkdir()
    database = tmp_path / "db" / "ledger.db"
    url = f"sqlite:///{database}"
    with closing(open_store(url)) as store:
        _, token = create_key(store, "one", time.time_ns())
    async with keeping_books(home, url) as ring:
        database.parent.rename(tmp_path / "gone")
        database.parent.write_text("")
        with caplog.at_level(logging.ERROR):
            os.kill(bookkeeper_pid(), signal.SIGKILL)
            async with asyncio.timeout(LIMIT_S):
                while "the bookkeeper cannot work" not in caplog.text:
                    await asyncio.sleep(0.02)
        assert ring.find(token) is not None
