"""What `demo` and `chat` need of the installation's database: a key, and the cost of a request.

The key ends with them; one that a killed run left behind is revoked by the next. Rows of keys that
were lent are used again, so that there are never more of them than runs at one time.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from slipstream.config import Config
from slipstream.ledger.store import Store, open_store, sqlite_url
from slipstream.limits.keys import (
    KEY_PREFIX,
    KeyRecord,
    create_first_key,
    create_key,
    digest_of,
    list_keys,
    revoke_key,
)

_POLL_S = 0.05
_NUM_RANDOM_BYTES = 32


class Lent(msgspec.Struct, frozen=True):
    """A key to call the gateway with.

    `is_kept` is true for the first key of a fresh installation, which stays valid.
    """

    token: str
    is_kept: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of one request, all its attempts together."""

    num_attempts: int
    cost_usd_pico: int | None  # None: at least one attempt's price is not known


def database_url(config: Config) -> str:
    """Return the URL of the database that a configuration names, or of the usual file."""
    return config.ledger.database or sqlite_url(config.home)


@contextmanager
def lent_key(url: str, purpose: str) -> Iterator[Lent]:
    """Give a key for as long as the block runs; the first one ever made is kept after it."""
    store = open_store(url)
    try:
        _revoke_abandoned(store, purpose)
        first = create_first_key(store, time.time_ns())
        if first is not None:
            yield Lent(first[1], is_kept=True)
            return
        name = f"{purpose}-{os.getpid()}"
        key_id, token = _reissue(store, purpose, name) or _issue(store, name)
        try:
            yield Lent(token, is_kept=False)
        finally:
            revoke_key(store, key_id, time.time_ns())
    finally:
        store.close()


def _issue(store: Store, name: str) -> tuple[str, str]:
    record, token = create_key(store, name, time.time_ns())
    return record.key_id, token


def _reissue(store: Store, purpose: str, name: str) -> tuple[str, str] | None:
    """Give a new key to the row of one that was lent before; None if there is no such row."""
    token = KEY_PREFIX + secrets.token_urlsafe(_NUM_RANDOM_BYTES)
    values = (name, digest_of(token), f"{token[: len(KEY_PREFIX) + 4]}…", time.time_ns())
    update = (
        "UPDATE keys SET name = ?, sha256 = ?, shown = ?, created_at_ns = ?, revoked_at_ns = NULL "
        "WHERE key_id = ?"
    )
    with store.transaction():
        for key in list_keys(store):
            if key.revoked_at_ns is not None and _borrower(key, purpose) is not None:
                store.execute(update, (*values, key.key_id))
                return key.key_id, token
    return None


def _revoke_abandoned(store: Store, purpose: str) -> None:
    """Revoke keys that were lent to processes that are gone, or to earlier ones of our number."""
    for key in list_keys(store):
        process_id = _borrower(key, purpose)
        if key.revoked_at_ns is None and process_id is not None and not _is_other(process_id):
            revoke_key(store, key.key_id, time.time_ns())


def _borrower(key: KeyRecord, purpose: str) -> int | None:
    """Return the process that a key was lent to; None for a key that people made."""
    name, _, number = key.name.rpartition("-")
    return int(number) if name == purpose and number.isdecimal() else None


def _is_other(process_id: int) -> bool:
    """Say whether another process of this number is alive."""
    if process_id == os.getpid():
        return False
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def account_of(url: str, call_id: str, limit_s: float = 5.0) -> Account | None:
    """Return what a finished request cost; None if its row is not there within `limit_s`.

    The bookkeeper writes rows in batches, so the row may come a moment after the answer.
    """
    query = "SELECT cost_usd_pico FROM attempts WHERE call_id = ?"
    give_up_at_s = time.monotonic() + limit_s
    store = open_store(url)
    try:
        while not (rows := store.execute(query, (call_id,))):
            if time.monotonic() > give_up_at_s:
                return None
            time.sleep(_POLL_S)
    finally:
        store.close()
    costs = [cost for (cost,) in rows]
    total = None if None in costs else sum(costs)
    return Account(num_attempts=len(costs), cost_usd_pico=total)
