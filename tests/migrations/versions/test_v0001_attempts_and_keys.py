"""The first schema: constraints that the code relies on, and the way back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from slipstream import migrations
from slipstream.call import BUCKETS


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return Alembic's view of an empty database."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = f"sqlite:///{tmp_path / 'x.db'}"
    return config


@pytest.fixture
def database(config: Config, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Give a database of this revision."""
    command.upgrade(config, "0001")
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        yield connection


def test_two_valid_keys_never_share_a_name(database: sqlite3.Connection) -> None:
    """The database itself refuses, should two processes make one at the same moment."""
    insert = "INSERT INTO keys VALUES (?, 'bob', ?, 'sk', 1, ?)"
    database.execute(insert, ("a", b"1", None))
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(insert, ("b", b"2", None))
    database.execute(insert, ("c", b"3", 5))
    with pytest.raises(sqlite3.IntegrityError, match="sha256"):
        database.execute(insert, ("d", b"3", 5))


def test_attempts_have_a_column_per_bucket(database: sqlite3.Connection) -> None:
    """A bucket that is added to Usage needs a migration."""
    columns = {row[1] for row in database.execute("PRAGMA table_info(attempts)")}
    assert set(BUCKETS) <= columns


def test_downgrade_leaves_no_table(database: sqlite3.Connection, config: Config) -> None:
    """The first step can be taken back whole."""
    command.downgrade(config, "base")
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
    assert database.execute(query).fetchall() == []
