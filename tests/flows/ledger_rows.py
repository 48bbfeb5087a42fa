"""Reading the ledger of a gateway in a test."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

DEADLINE_S = 10.0


async def rows_of(home: Path, *, num: int) -> list[dict[str, Any]]:
    """Wait until the bookkeeper has written `num` attempts; return all rows, oldest first.

    Raises:
        TimeoutError: There are fewer after ten seconds, or more.
    """
    end_s = time.monotonic() + DEADLINE_S
    while len(rows := read_rows(home)) < num and time.monotonic() < end_s:
        await asyncio.sleep(0.02)
    if len(rows) != num:
        raise TimeoutError(f"{len(rows)} rows in the ledger, expected {num}: {rows}")
    return rows


def read_rows(home: Path) -> list[dict[str, Any]]:
    """Return what is in the ledger now."""
    with closing(sqlite3.connect(home / "slipstream.db")) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT * FROM attempts ORDER BY started_at_ns, attempt_id"
        return [dict(row) for row in connection.execute(query)]
