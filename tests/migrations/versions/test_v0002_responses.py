"""The tables of kept answers: made beside what is there, and taken away alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config

from slipstream import migrations


def config_of(path: Path) -> Config:
    """Return Alembic's view of a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = f"sqlite:///{path}"
    return config


def tables(connection: sqlite3.Connection) -> set[str]:
    """Return the names of all tables."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def test_step_goes_up_and_down_and_leaves_the_rest(tmp_path: Path) -> None:
    """Keys that were made before are there after."""
    path = tmp_path / "x.db"
    config = config_of(path)
    command.upgrade(config, "0001")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO keys VALUES ('a', 'bob', x'01', 'sk', 1, NULL)")
        before = tables(connection)
        command.upgrade(config, "0002")
        assert tables(connection) - before == {"responses", "response_items"}
        command.downgrade(config, "0001")
        assert tables(connection) == before
        assert connection.execute("SELECT name FROM keys").fetchall() == [("bob",)]


def test_answers_of_two_keys_may_share_an_id(tmp_path: Path) -> None:
    """Ids of relayed answers come from elsewhere."""
    path = tmp_path / "x.db"
    command.upgrade(config_of(path), "0002")
    insert = (
        "INSERT INTO responses (response_id, key_id, status, body, created_at_ns, touched_at_ns) "
        "VALUES ('r', ?, 'completed', x'', 1, 1)"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(insert, ("a",))
        connection.execute(insert, ("b",))
        assert connection.execute("SELECT DISTINCT num_starts FROM responses").fetchall() == [(0,)]
