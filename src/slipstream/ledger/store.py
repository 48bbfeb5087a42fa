"""The ledger's database: a thin connection, and the check that its schema is the one we know.

Plain SQL that SQLite and PostgreSQL both take, with `?` for parameters; SQLAlchemy would cost each
process that counts or looks up keys 24 MB and 0.2 s. Only SQLite has a driver row as yet.
"""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from slipstream.errors import ConfigError, LedgerUnavailable

REVISIONS: Final = ("0001", "0002", "0003")
"""All schema revisions that this version knows, oldest first; the last is the one it needs."""

_SQLITE_PREFIX: Final = "sqlite:///"
_BUSY_TIMEOUT_S: Final = 10.0
_MIGRATION_TIMEOUT_S: Final = 120.0
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",  # readers do not stop the writer, nor it them
    "PRAGMA synchronous = NORMAL",  # with WAL: whole after a crash; may lose the last commits
    "PRAGMA cache_size = -2048",  # KiB
)


class Store:
    """One connection to the database; every failure of it is raised as `LedgerUnavailable`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Run one statement and return its rows as tuples."""
        with _mapped():
            return self._connection.execute(sql, parameters).fetchall()

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement per row; return how many rows of the table it changed."""
        with _mapped():
            return max(0, self._connection.executemany(sql, rows).rowcount)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock for a block: all of it happens, or nothing."""
        self.execute("BEGIN IMMEDIATE")
        with _mapped(), self._connection:
            yield

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def sqlite_url(home: Path) -> str:
    """Return the URL of the database that an installation has unless it names another."""
    return f"{_SQLITE_PREFIX}{home.absolute() / 'slipstream.db'}"


def open_store(url: str) -> Store:
    """Open a database and bring its schema up to date.

    Raises:
        ConfigError: The URL, the file or the schema is of a kind that we do not know.
        LedgerUnavailable: It cannot be opened or migrated now.
    """
    with contextlib.ExitStack() as on_failure:
        store = _connect(url)
        on_failure.callback(store.close)
        if _revision(store) != REVISIONS[-1]:
            _migrate(store, url)
        on_failure.pop_all()
    return store


def _connect(url: str) -> Store:
    if not url.startswith(_SQLITE_PREFIX):
        scheme = url.partition(":")[0]
        raise ConfigError(
            f"database: a URL of the scheme '{scheme}' is not supported; "
            f"accepted: {_SQLITE_PREFIX}PATH (four slashes for an absolute path)"
        )
    path = Path(url.removeprefix(_SQLITE_PREFIX))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, cached_statements=32
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.OperationalError as exc:
        raise LedgerUnavailable(f"the ledger's database {path}: {exc}") from exc
    except (sqlite3.DatabaseError, OSError) as exc:
        raise ConfigError(f"database: {path} cannot be used: {exc}") from exc
    return Store(connection)


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise LedgerUnavailable(f"the ledger's database: {exc}") from exc


# ---- schema -------------------------------------------------------------------------------------


def _revision(store: Store) -> str | None:
    """Return the schema's revision, None for an empty database."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if not store.execute(tables):
        return None
    rows = store.execute("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def _migrate(store: Store, url: str) -> None:
    found = _revision(store)
    if found is not None and found not in REVISIONS:
        raise ConfigError(
            f"database: its schema is revision {found}, newer than this Slipstream knows "
            f"(up to {REVISIONS[-1]}); install the version that wrote it, or a later one"
        )
    command = [sys.executable, "-m", "slipstream.migrations"]
    try:
        done = subprocess.run(
            command,
            input=f"{url}\n",
            capture_output=True,
            text=True,
            timeout=_MIGRATION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise LedgerUnavailable(f"the ledger's schema could not be migrated: {exc}") from exc
    if done.returncode != 0 or _revision(store) != REVISIONS[-1]:
        last = done.stderr.strip().rpartition("\n")[2]
        raise LedgerUnavailable(f"the ledger's schema could not be migrated: {last}")
