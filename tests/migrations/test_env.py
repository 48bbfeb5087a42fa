"""Migrations are one transaction each: two at once, again, and one that fails."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from slipstream.ledger.store import REVISIONS
from tests.ledger.samples import new_home

_LIMIT_S = 60
_MEETING_S = 1.0  # for the child to reach the database; if it takes longer, they just do not meet


def _start(url: str) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-m", "slipstream.migrations"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(f"{url}\n")
    child.stdin.flush()
    return child


def test_two_migrations_at_once_make_one_schema(tmp_path: Path) -> None:
    """Gateway and command line may both meet an empty database; neither fails. Again is no harm."""
    path = tmp_path / "x.db"
    for number in (2, 1):
        children = [_start(f"sqlite:///{path}") for _ in range(number)]
        for child in children:
            _, said = child.communicate(timeout=_LIMIT_S)
            assert child.returncode == 0, said
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert found == [(REVISIONS[-1],)]


def test_migration_that_meets_another_waits_and_finds_its_work(tmp_path: Path) -> None:
    """The schema is looked at under the write lock: what another process is making counts."""
    path = tmp_path / "x.db"
    made = new_home(tmp_path / "made") / "slipstream.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        closing(sqlite3.connect(made)) as source,
    ):
        connection.execute("BEGIN IMMEDIATE")
        for statement in list(source.iterdump())[1:-1]:  # without its own BEGIN and COMMIT
            connection.execute(statement)
        child = _start(f"sqlite:///{path}")
        time.sleep(_MEETING_S)
        connection.execute("COMMIT")
    _, said = child.communicate(timeout=_LIMIT_S)
    assert child.returncode == 0, said


def test_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """All steps are one transaction: a table in the way stops it, and nothing half is left."""
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE keys (mine TEXT)")
    child = _start(f"sqlite:///{path}")
    _, said = child.communicate(timeout=_LIMIT_S)
    assert child.returncode != 0
    assert "keys already exists" in said
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
    assert tables == [("keys",)]
