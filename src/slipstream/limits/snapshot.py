"""The valid keys as the hot path looks them up, read from the database.

Apart from keys.py, since the process that keeps the ledger reads them all its life and makes none:
what makes random bits and digests would be a twentieth of all that is resident.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

KeySnapshot = dict[bytes, tuple[str, str]]
"""SHA-256 digest of each valid key to the key's id and name."""


class Database(Protocol):
    """What this module needs of a database connection; `?` marks a parameter."""

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Run one statement and return its rows."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Hold the write lock for a block: all of it happens, or nothing."""
        ...


def load_snapshot(database: Database) -> KeySnapshot:
    """Return all valid keys for the hot path."""
    query = "SELECT sha256, key_id, name FROM keys WHERE revoked_at_ns IS NULL"
    rows = database.execute(query)
    return {bytes(digest): (key_id, name) for digest, key_id, name in rows}


def snapshot_version(database: Database) -> tuple[object, ...]:
    """Return something that differs whenever the snapshot may; cheaper than the snapshot."""
    query = (
        "SELECT count(*), count(revoked_at_ns), max(created_at_ns), max(revoked_at_ns) FROM keys"
    )
    return tuple(database.execute(query)[0])
