"""The SQL of answers in the background: from queued to their end.

Rules
 1. Only what has not ended ends: a cancelled answer stays so, whatever comes of it.
 2. An answer is made under an id of its own, as one in the foreground is, and what was kept of it
    is then given to the id that the client knows.
"""

from collections.abc import Sequence

from slipstream.responses.records import Ending, KeptItem, Status, Waiting
from slipstream.responses.rows import Database, add_items, drop


def begin(database: Database, key_id: str, response_id: str) -> Waiting | None:
    """Note that an answer is being made, and return it; None if it waits for that no more."""
    with database.transaction():
        if not _is_open(database, key_id, response_id):
            return None
        database.execute(
            "UPDATE responses SET status = ?, num_starts = num_starts + 1 "
            "WHERE response_id = ? AND key_id = ?",
            (Status.IN_PROGRESS, response_id, key_id),
        )
        [(request, body, num_starts)] = database.execute(
            "SELECT request, body, num_starts FROM responses WHERE response_id = ? AND key_id = ?",
            (response_id, key_id),
        )
    return Waiting(key_id, response_id, bytes(request), bytes(body), num_starts)


def end(
    database: Database,
    key_id: str,
    response_id: str,
    ending: Ending,
    output: Sequence[KeptItem] = (),
) -> bool:
    """Note how an answer ended; return False if it had ended already, or is gone.

    Args:
        output: Its items, for where none were kept under the id that it was made as.
    """
    with database.transaction():
        is_open = _is_open(database, key_id, response_id)
        if is_open:
            database.execute(
                "UPDATE responses SET status = ?, body = coalesce(?, body) "
                "WHERE response_id = ? AND key_id = ?",
                (ending.status, ending.body, response_id, key_id),
            )
            if ending.made_as is None or not _adopt(database, key_id, response_id, ending.made_as):
                add_items(database, key_id, response_id, output)
        if ending.made_as is not None:
            drop(database, key_id, ending.made_as)
    return is_open


def unfinished(database: Database) -> list[tuple[str, str]]:
    """Return key and id of all that were to be made, oldest first."""
    rows = database.execute(
        "SELECT key_id, response_id FROM responses "
        "WHERE request IS NOT NULL AND status IN (?, ?) ORDER BY created_at_ns, response_id",
        (Status.QUEUED, Status.IN_PROGRESS),
    )
    return [(key_id, response_id) for key_id, response_id in rows]


def _is_open(database: Database, key_id: str, response_id: str) -> bool:
    rows = database.execute(
        "SELECT 1 FROM responses WHERE response_id = ? AND key_id = ? "
        "AND request IS NOT NULL AND status IN (?, ?)",
        (response_id, key_id, Status.QUEUED, Status.IN_PROGRESS),
    )
    return bool(rows)


def _adopt(database: Database, key_id: str, response_id: str, made_as: str) -> bool:
    """Give an answer what was kept of it under another id; return whether there was anything."""
    made = database.execute(
        "SELECT provider, upstream_id FROM responses WHERE response_id = ? AND key_id = ?",
        (made_as, key_id),
    )
    if not made:
        return False
    database.execute(
        "UPDATE responses SET provider = ?, upstream_id = ? WHERE response_id = ? AND key_id = ?",
        (*made[0], response_id, key_id),
    )
    database.execute(
        "DELETE FROM response_items WHERE response_id = ? AND key_id = ?", (response_id, key_id)
    )
    database.execute(
        "UPDATE response_items SET response_id = ? WHERE response_id = ? AND key_id = ?",
        (response_id, made_as, key_id),
    )
    return True
