"""Keys that are lent for a while, and what a request cost."""

import os
import time
from pathlib import Path

import pytest

from slipstream import config as configuration
from slipstream.cli.accounts import account_of, database_url, lent_key
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import create_key, digest_of, list_keys
from slipstream.limits.snapshot import load_snapshot

_NEVER_A_PROCESS = 2**22 + 1  # beyond the largest process number of Linux


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the database of a fresh installation."""
    return sqlite_url(tmp_path)


def _is_valid(url: str, token: str) -> bool:
    store = open_store(url)
    try:
        return digest_of(token) in load_snapshot(store)
    finally:
        store.close()


def _make_key(url: str, name: str) -> str:
    store = open_store(url)
    try:
        return create_key(store, name, time.time_ns())[1]
    finally:
        store.close()


def test_lent_key_of_a_fresh_installation_is_kept(url: str) -> None:
    """The very first key stays valid: its owner has no other."""
    with lent_key(url, "demo") as lent:
        assert lent.is_kept
    assert _is_valid(url, lent.token)


def test_lent_key_ends_with_its_block(url: str) -> None:
    """Where there are keys already, one is made for the block and revoked after it."""
    mine = _make_key(url, "mine")
    with lent_key(url, "demo") as lent:
        assert not lent.is_kept
        assert _is_valid(url, lent.token)
    assert not _is_valid(url, lent.token)
    assert _is_valid(url, mine)


def test_lent_key_uses_the_row_of_an_earlier_one(url: str) -> None:
    """However often keys are lent, one after the other, there is one row, with one id."""
    _make_key(url, "mine")
    tokens = []
    for _ in range(3):
        with lent_key(url, "demo") as lent:
            assert _is_valid(url, lent.token)
            tokens.append(lent.token)
    store = open_store(url)
    assert len(list_keys(store)) == 2
    store.close()
    assert len(set(tokens)) == 3
    assert not any(_is_valid(url, token) for token in tokens)


def test_lent_keys_of_two_purposes_live_side_by_side(url: str) -> None:
    """A chat beside a demo has a key of its own."""
    _make_key(url, "mine")
    with lent_key(url, "demo") as demo, lent_key(url, "chat") as chat:
        assert _is_valid(url, demo.token)
        assert _is_valid(url, chat.token)


def test_lent_key_revokes_what_a_killed_run_left(url: str) -> None:
    """A key of a process that is gone ends; those of living ones and of people stay."""
    abandoned = _make_key(url, f"demo-{_NEVER_A_PROCESS}")
    living = _make_key(url, f"demo-{os.getppid()}")
    named = _make_key(url, "demo-key")
    with lent_key(url, "demo"):
        pass
    valid = [_is_valid(url, token) for token in (abandoned, living, named)]
    assert valid == [False, True, True]


def test_account_of_sums_all_attempts(url: str) -> None:
    """Retries of one request are one sum; one unknown price makes the sum unknown."""
    store = open_store(url)
    columns = "SELECT name, type FROM pragma_table_info('attempts') WHERE \"notnull\""
    blank: dict[str, object] = {
        name: 0 if "INT" in kind else "x" for name, kind in store.execute(columns)
    }
    for number, (call_id, cost) in enumerate([("c1", 7), ("c1", 5), ("c2", 7), ("c2", None)]):
        row = {**blank, "attempt_id": f"a{number}", "call_id": call_id, "cost_usd_pico": cost}
        marks = ", ".join("?" * len(row))
        store.execute(f"INSERT INTO attempts ({', '.join(row)}) VALUES ({marks})", [*row.values()])
    store.close()
    first, second = account_of(url, "c1"), account_of(url, "c2")
    assert first is not None
    assert (first.num_attempts, first.cost_usd_pico) == (2, 12)
    assert second is not None
    assert second.cost_usd_pico is None


def test_account_of_a_request_without_a_row_is_none(url: str) -> None:
    """What the ledger does not know within the limit is None, not zero."""
    assert account_of(url, "never", limit_s=0.01) is None


def test_database_url_is_the_configured_one_or_the_usual_file(tmp_path: Path) -> None:
    """A named database is taken as it is; otherwise it is the file in the home folder."""
    environ = {"SLIPSTREAM_HOME": str(tmp_path)}
    assert database_url(configuration.load(None, environ)) == sqlite_url(tmp_path)
    named = {**environ, "SLIPSTREAM_LEDGER_DATABASE": "sqlite:////tmp/x.db"}
    assert database_url(configuration.load(None, named)) == "sqlite:////tmp/x.db"
