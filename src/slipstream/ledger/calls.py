"""What the ledger says of one call: its attempts in their order, and ids that look like its own."""

import difflib
from typing import Any, Final

import msgspec

from slipstream.call import BUCKETS, State
from slipstream.ledger.store import Store

_NUM_RECENT: Final = 2000  # rows among which the nearest id is looked for
_COLUMNS: Final = (
    "attempt_id",
    "number",
    "cause",
    "route",
    "provider",
    "model",
    "credential",
    "started_at_ns",
    "state",
    "error_code",
    "http_status",
    "fault",
    "finish_reason",
    "first_token_us",
    "total_us",
    "cost_usd_pico",
    "is_estimate",
)


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it is on record.

    Args:
        first_token_us: From its start; None: there was none.
        cost_usd_pico: None where it is not known.
        tokens: By bucket, all buckets named.
    """

    attempt_id: str
    number: int
    cause: str
    route: str
    provider: str
    model: str
    credential: str
    started_at_ns: int
    state: State
    error_code: str | None
    http_status: int | None
    fault: str | None
    finish_reason: str | None
    first_token_us: int | None
    total_us: int | None
    cost_usd_pico: int | None
    is_estimate: bool
    tokens: dict[str, int]

    @property
    def target_name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"


def attempts_of(store: Store, call_id: str) -> list[AttemptRow]:
    """Return the attempts of a call that have ended, in the order in which they began."""
    query = (
        f"SELECT {', '.join((*_COLUMNS, *BUCKETS))} FROM attempts "  # noqa: S608 -- names of ours
        "WHERE attempt_id >= ? AND attempt_id < ? AND call_id = ? ORDER BY number"
    )
    rows = store.execute(query, (*_span(call_id), call_id))
    return [_attempt(row) for row in rows]


def num_open(store: Store, call_id: str) -> int:
    """Return how many attempts of a call were begun and have not ended."""
    query = "SELECT COUNT(*) FROM open_attempts WHERE attempt_id >= ? AND attempt_id < ?"
    [(count,)] = store.execute(query, _span(call_id))
    return int(count)


def nearest_calls(store: Store, call_id: str) -> list[str]:
    """Return ids of recent calls that look like this one, the nearest first."""
    query = "SELECT call_id FROM attempts ORDER BY started_at_ns DESC LIMIT ?"
    recent = dict.fromkeys(str(found) for (found,) in store.execute(query, (_NUM_RECENT,)))
    return difflib.get_close_matches(call_id, recent, n=2, cutoff=0.6)


def _span(call_id: str) -> tuple[str, str]:
    """Return where the ids of a call's attempts begin and end: the table is sorted by them."""
    return f"{call_id}-", f"{call_id}."  # the character after the hyphen


def _attempt(row: tuple[Any, ...]) -> AttemptRow:
    told = dict(zip(_COLUMNS, row, strict=False))
    told["is_estimate"] = bool(told["is_estimate"])
    counts = (int(count) for count in row[len(_COLUMNS) :])
    return AttemptRow(**told, tokens=dict(zip(BUCKETS, counts, strict=True)))
