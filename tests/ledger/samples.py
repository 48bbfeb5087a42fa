"""Records and stores that the ledger's tests share."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from slipstream.call import BUCKETS, State
from slipstream.ledger.records import Opened, Settled
from slipstream.ledger.store import Store, open_store, sqlite_url

NOON_NS = 1_795_262_400_000_000_000  # 2026-11-21 12:00 UTC


def opened(attempt_id: str = "a-1", **changes: object) -> Opened:
    """Make a record of a new attempt."""
    fields: dict[str, object] = {
        "attempt_id": attempt_id,
        "call_id": f"call-{attempt_id}",
        "key_id": "key-1",
        "route": "fast",
        "provider": "cerebras",
        "model": "gpt-oss-120b",
        "credential": "default",
        "number": 1,
        "is_stream": False,
        "started_at_ns": NOON_NS,
        "cause": "first",
    }
    return Opened(**(fields | changes))  # type: ignore[arg-type]


def buckets(**counts: int) -> tuple[int, ...]:
    """Make the counts of all buckets from those that are not zero."""
    return tuple(counts.get(name, 0) for name in BUCKETS)


def settled(
    attempt_id: str = "a-1",
    state: State = "complete",
    cost_usd_pico: int | None = 1_000_000,
    **changes: object,
) -> Settled:
    """Make a record of an attempt's end."""
    fields: dict[str, object] = {
        "attempt_id": attempt_id,
        "state": state,
        "buckets": buckets(input_tokens=10, output_tokens=5),
        "is_estimate": False,
        "cost_usd_pico": cost_usd_pico,
        "price_source": "test",
        "price_date": None,
        "http_status": 200,
        "fault": None,
        "error_code": None,
        "finish_reason": "stop",
        "first_token_us": 1_500,
        "total_us": 2_500,
    }
    return Settled(**(fields | changes))  # type: ignore[arg-type]


@contextmanager
def store_in(home: Path) -> Iterator[Store]:
    """Open the ledger of an installation."""
    with closing(open_store(sqlite_url(home))) as store:
        yield store


def new_home(home: Path) -> Path:
    """Make an installation with an empty ledger, by copying one that was migrated once."""
    home.mkdir(exist_ok=True)
    (home / "slipstream.db").write_bytes(_migrated())
    return home


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        with store_in(Path(folder)) as store:
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(folder, "slipstream.db").read_bytes()
