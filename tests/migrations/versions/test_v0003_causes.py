"""The column of causes: filled for what is there, and taken away alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config

from slipstream import migrations
from slipstream.ledger.records import COLUMNS, attempt_row
from tests.ledger.samples import opened, settled


def _config_of(path: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = f"sqlite:///{path}"
    return config


def test_step_tells_first_attempts_from_fallbacks_and_can_be_undone(tmp_path: Path) -> None:
    """Attempts that are there keep their figures and get the cause that their number says."""
    path = tmp_path / "x.db"
    config = _config_of(path)
    command.upgrade(config, "0002")
    names = [name for name in COLUMNS if name != "cause"]
    rows = [
        tuple(v for n, v in zip(COLUMNS, attempt_row(old, settled()), strict=True) if n != "cause")
        for old in (opened("a"), opened("b", number=2), opened("c", number=3))
    ]
    insert = f"INSERT INTO attempts ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executemany(insert, rows)
        command.upgrade(config, "0003")
        found = connection.execute("SELECT attempt_id, cause FROM attempts ORDER BY 1").fetchall()
        assert found == [("a", "first"), ("b", "fallback"), ("c", "fallback")]
        command.downgrade(config, "0002")
        left = connection.execute(f"SELECT {', '.join(names)} FROM attempts ORDER BY 1").fetchall()
        assert left == rows
