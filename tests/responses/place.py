"""A database for kept answers, and answers to keep in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slipstream.ledger.store import Store, open_store
from slipstream.responses.records import Kept, KeptItem

DAY_NS = 24 * 3600 * 10**9


@contextmanager
def database_in(folder: Path) -> Iterator[Store]:
    """Open a database of the newest schema."""
    store = open_store(url_in(folder))
    try:
        yield store
    finally:
        store.close()


def url_in(folder: Path) -> str:
    """Return the URL of the database in a folder."""
    return f"sqlite:///{folder / 'x.db'}"


def answer(response_id: str = "resp_1", **fields: Any) -> Kept:
    """Return an answer of the key `k`."""
    said: dict[str, Any] = {
        "key_id": "k",
        "response_id": response_id,
        "status": "completed",
        "body": b'{"id":"%b"}' % response_id.encode(),
        "created_at_ns": 1,
    }
    return Kept(**said | fields)


def items(*names: str, is_output: bool = False) -> list[KeptItem]:
    """Return items with these ids."""
    return [KeptItem(name, name.encode(), is_output) for name in names]


def turn(name: str) -> list[KeptItem]:
    """Return the items of one turn: what was asked, and what was said."""
    return [*items(f"{name}-in"), *items(f"{name}-out", is_output=True)]
