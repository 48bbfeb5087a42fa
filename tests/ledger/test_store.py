"""The database connection: migration on first use, refusals, transactions, the columns we write."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from slipstream.errors import ConfigError, LedgerUnavailable
from slipstream.ledger.records import COLUMNS
from slipstream.ledger.store import REVISIONS, Store, open_store, sqlite_url
from tests.ledger.samples import store_in


def test_open_store_in_an_empty_place_makes_folder_and_schema(tmp_path: Path) -> None:
    """The first use of an installation needs no set-up; its folder is private."""
    home = tmp_path / "deep" / "home"
    with store_in(home) as store:
        assert store.execute("SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]
        assert store.execute("SELECT count(*) FROM attempts") == [(0,)]
    assert home.stat().st_mode & 0o777 == 0o700


def test_open_store_of_a_current_database_starts_no_process(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is nothing to migrate, nothing is run: it works without any program."""
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with store_in(home) as store:
        assert store.execute("SELECT 1") == [(1,)]


def test_open_store_of_a_newer_schema_is_refused(home: Path) -> None:
    """A database that a later version wrote is not touched; both revisions are named."""
    with closing(sqlite3.connect(home / "slipstream.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match=rf"revision 9999, newer .* \(up to {REVISIONS[-1]}\)"):
        open_store(sqlite_url(home))


def test_open_store_of_another_scheme_is_refused_without_its_secret() -> None:
    """The text names the scheme and what is accepted, never the password in the URL."""
    with pytest.raises(ConfigError, match="'postgresql' is not supported") as caught:
        open_store("postgresql://me:hunter2@127.0.0.1/x")
    assert "hunter2" not in str(caught.value)


def test_open_store_of_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The text names the file."""
    (tmp_path / "slipstream.db").write_bytes(b"certainly no database " * 100)
    with pytest.raises(ConfigError, match=r"slipstream\.db cannot be used"):
        open_store(sqlite_url(tmp_path))


def test_open_store_in_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A place where no file can be made gives a typed error that names it; root is no exception."""
    (tmp_path / "plain").write_bytes(b"a file, not a folder")
    with pytest.raises((ConfigError, LedgerUnavailable), match=str(tmp_path)):
        open_store(sqlite_url(tmp_path / "plain" / "home"))


def _insert_and_fail(store: Store, insert: str) -> None:
    with store.transaction():
        store.execute(insert)
        store.execute("SELECT * FROM nowhere")


def test_transaction_that_fails_leaves_nothing(home: Path) -> None:
    """All statements of a block happen or none, whatever is raised in it."""
    insert = "INSERT INTO journal_offsets (segment, end_bytes) VALUES ('s', 1)"
    with store_in(home) as store:
        with pytest.raises(LedgerUnavailable, match="nowhere"):
            _insert_and_fail(store, insert)
        assert store.execute("SELECT count(*) FROM journal_offsets") == [(0,)]
        with store.transaction():
            store.execute(insert)
        assert store.execute("SELECT count(*) FROM journal_offsets") == [(1,)]


def test_store_maps_errors_of_the_database(home: Path) -> None:
    """Callers meet one error type, with the database's own words in it."""
    with store_in(home) as store:
        with pytest.raises(LedgerUnavailable, match="no such table: nowhere"):
            store.execute("SELECT * FROM nowhere")
        with pytest.raises(LedgerUnavailable, match="UNIQUE"):
            store.execute_many(
                "INSERT INTO journal_offsets (segment, end_bytes) VALUES (?, ?)",
                [("s", 1), ("s", 2)],
            )


def test_columns_are_those_of_the_table(home: Path) -> None:
    """What the bookkeeper writes and what the migration makes are the same list."""
    with store_in(home) as store:
        found = store.execute("SELECT name FROM pragma_table_info('attempts')")
    names = [name for (name,) in found]
    assert sorted(names) == sorted(COLUMNS)
