"""The SQL of answers that are kept: each function is one statement or one transaction.

Rules
 1. Every look-up has the key of who asks: another's answer is as good as none.
 2. An answer holds the items of its own request and its own output; what it follows is a link. So
    a conversation of many turns takes its room once.
 3. Who follows an answer keeps all that it follows from being swept before itself.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import msgspec

from slipstream.errors import BadRequest
from slipstream.responses.records import FOLLOWABLE, Conversation, Kept, KeptItem, PreviousNotFound

SWEEP_BATCH: Final = 500
_DAY_NS: Final = 24 * 3600 * 10**9
_FIND: Final = (
    "SELECT key_id, response_id, status, body, created_at_ns, previous_id, provider, upstream_id, "
    "request, touched_at_ns FROM responses WHERE response_id = ? AND key_id = ?"
)
_INSERT: Final = (
    "INSERT INTO responses (key_id, response_id, status, body, created_at_ns, previous_id, "
    "provider, upstream_id, request, touched_at_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ITEMS: Final = (
    "SELECT item_id, body, is_output FROM response_items WHERE response_id = ? AND key_id = ? "
    "ORDER BY number"
)
_NAMED: Final = (
    "SELECT i.body, r.provider FROM response_items i JOIN responses r "
    "ON r.response_id = i.response_id AND r.key_id = i.key_id "
    "WHERE i.item_id = ? AND i.key_id = ? ORDER BY r.created_at_ns DESC LIMIT 1"
)
_ADD_ITEM: Final = (
    "INSERT INTO response_items (response_id, key_id, number, item_id, is_output, body) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)


class Database(Protocol):
    """What this module needs of a database connection; `?` marks a parameter."""

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Run one statement and return its rows."""
        ...

    def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Run one statement per row."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Hold the write lock for a block: all of it happens, or nothing."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def insert(database: Database, kept: Kept, items: Sequence[KeptItem]) -> None:
    """Keep an answer; one of the same id and key is replaced."""
    with database.transaction():
        drop(database, kept.key_id, kept.response_id)
        database.execute(_INSERT, [*msgspec.structs.astuple(kept), kept.created_at_ns])
        add_items(database, kept.key_id, kept.response_id, items)


def find(database: Database, key_id: str, response_id: str, since_ns: int) -> Kept | None:
    """Return an answer; None if the key has none of this id, or it is to be swept."""
    found = _find(database, key_id, response_id)
    return None if found is None or found[1] < since_ns else found[0]


def delete(database: Database, key_id: str, response_id: str) -> bool:
    """Forget an answer and its items; return whether it was there."""
    with database.transaction():
        return drop(database, key_id, response_id)


def conversation(
    database: Database, key_id: str, response_id: str, *, now_ns: int, max_bytes: int
) -> Conversation:
    """Return an answer that is to be followed, with everything before it.

    Raises:
        PreviousNotFound: It or one that it follows is not there.
        BadRequest: It cannot be followed, or all of it is over the bound.
    """
    chain = _chain(database, key_id, response_id, now_ns)
    last = chain[0]
    if last.status not in FOLLOWABLE:
        raise BadRequest(
            f"The response '{response_id[:100]}' is {last.status}: only one that was answered can "
            "be gone on with.",
            param="previous_response_id",
            code="invalid_value",
        )
    items: list[KeptItem] = []
    num_bytes = 0
    for kept in reversed(chain):
        own = items_of(database, key_id, kept.response_id)
        num_bytes += sum(len(item.body) for item in own)
        if num_bytes > max_bytes:
            raise BadRequest(
                f"The conversation that '{response_id[:100]}' ends has more than {max_bytes} "
                "bytes, the largest request that is accepted: compact it.",
                param="previous_response_id",
                code="request_too_large",
            )
        items += own
    return Conversation(last, tuple(items))


def _chain(database: Database, key_id: str, response_id: str, now_ns: int) -> list[Kept]:
    """Return an answer and all that it follows, newest first."""
    chain: dict[str, Kept] = {}
    old_ns = now_ns - _DAY_NS  # a day more or less: so most turns write nothing here
    next_id: str | None = response_id
    while next_id is not None and next_id not in chain:
        found = _find(database, key_id, next_id)
        if found is None:
            raise PreviousNotFound(f"Previous response with id '{next_id[:100]}' not found.")
        chain[next_id], touched_at_ns = found
        if touched_at_ns < old_ns:
            database.execute(
                "UPDATE responses SET touched_at_ns = ? WHERE response_id = ? AND key_id = ?",
                (now_ns, next_id, key_id),
            )
        next_id = found[0].previous_id
    return list(chain.values())


def input_of(database: Database, kept: Kept) -> list[KeptItem]:
    """Return all items that an answer was made of, as far as they are there, oldest first."""
    own = items_of(database, kept.key_id, kept.response_id)
    parts = [[item for item in own if not item.is_output]]
    seen = {kept.response_id}
    before = kept.previous_id
    while before is not None and before not in seen:
        seen.add(before)
        parts.append(items_of(database, kept.key_id, before))
        found = _find(database, kept.key_id, before)
        before = None if found is None else found[0].previous_id
    return [item for part in reversed(parts) for item in part]


def items_of(database: Database, key_id: str, response_id: str) -> list[KeptItem]:
    """Return the items of one answer and of its own request, in their order."""
    rows = database.execute(_ITEMS, (response_id, key_id))
    return [KeptItem(item_id, bytes(body), bool(is_output)) for item_id, body, is_output in rows]


def items_named(
    database: Database, key_id: str, item_ids: Sequence[str]
) -> dict[str, tuple[bytes, str | None]]:
    """Return items by id, each with the provider that keeps it, too; the newest of a name."""
    found = {}
    for item_id in item_ids:
        if rows := database.execute(_NAMED, (item_id, key_id)):
            found[item_id] = (bytes(rows[0][0]), rows[0][1])
    return found


def sweep(database: Database, before_ns: int) -> int:
    """Forget what was not touched since then; return how many answers that were.

    At most `SWEEP_BATCH`, so that nobody waits long for the lock: more are left to the next call.
    """
    with database.transaction():
        rows = database.execute(
            "SELECT key_id, response_id FROM responses WHERE touched_at_ns < ? LIMIT ?",
            (before_ns, SWEEP_BATCH),
        )
        for key_id, response_id in rows:
            drop(database, key_id, response_id)
    return len(rows)


# ---- inside a transaction -----------------------------------------------------------------------


def drop(database: Database, key_id: str, response_id: str) -> bool:
    """Take an answer and its items out; return whether it was there."""
    one = (response_id, key_id)
    if not database.execute("SELECT 1 FROM responses WHERE response_id = ? AND key_id = ?", one):
        return False
    database.execute("DELETE FROM response_items WHERE response_id = ? AND key_id = ?", one)
    database.execute("DELETE FROM responses WHERE response_id = ? AND key_id = ?", one)
    return True


def add_items(database: Database, key_id: str, response_id: str, items: Sequence[KeptItem]) -> None:
    """Put items behind those that an answer has."""
    last = database.execute(
        "SELECT max(number) FROM response_items WHERE response_id = ? AND key_id = ?",
        (response_id, key_id),
    )[0][0]
    start = 0 if last is None else last + 1
    database.execute_many(
        _ADD_ITEM,
        [
            (response_id, key_id, number, item.item_id, item.is_output, item.body)
            for number, item in enumerate(items, start)
        ],
    )


def _find(database: Database, key_id: str, response_id: str) -> tuple[Kept, int] | None:
    """Return an answer, and when it was last touched."""
    rows = database.execute(_FIND, (response_id, key_id))
    if not rows:
        return None
    owner, own_id, status, body, created_at_ns, previous_id, provider, upstream_id, request, at = (
        rows[0]
    )
    kept = Kept(
        key_id=owner,
        response_id=own_id,
        status=status,
        body=bytes(body),
        created_at_ns=created_at_ns,
        previous_id=previous_id,
        provider=provider,
        upstream_id=upstream_id,
        request=None if request is None else bytes(request),
    )
    return kept, at
