"""What the journal holds of one attempt, and the ledger row that the two records make together.

Fields are only ever appended, with a default: a journal may be read by a later version.
"""

from typing import Final

import msgspec
from msgspec.structs import astuple

from slipstream.call import BUCKETS, State
from slipstream.choice import Cause

LOST: Final[State] = "lost"


class Opened(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Written before an attempt's request goes to its target.

    `cause` is None in a record of a version that knew only first attempts and fallbacks.
    """

    attempt_id: str
    call_id: str
    key_id: str
    route: str
    provider: str
    model: str
    credential: str
    number: int
    is_stream: bool
    started_at_ns: int
    cause: Cause | None = None


class Settled(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """Written before the last bytes of an attempt's answer go to the client, or when it failed.

    `buckets` are in the order of `call.BUCKETS`. Times are durations since the attempt's start.
    """

    attempt_id: str
    state: State
    buckets: tuple[int, ...]
    is_estimate: bool
    cost_usd_pico: int | None
    price_source: str | None
    price_date: str | None
    http_status: int | None
    fault: str | None
    error_code: str | None
    finish_reason: str | None
    first_token_us: int | None
    total_us: int | None


Record = Opened | Settled

OPENED_COLUMNS: Final = Opened.__struct_fields__
COLUMNS: Final = (
    *OPENED_COLUMNS,
    "state",
    *BUCKETS,
    "is_estimate",
    "cost_usd_pico",
    "price_source",
    "price_date",
    "http_status",
    "fault",
    "error_code",
    "finish_reason",
    "first_token_us",
    "total_us",
)
"""Columns of the table `attempts`, in the order of a `Row`."""

Row = tuple[object, ...]

_NO_BUCKETS: Final = (0,) * len(BUCKETS)


def attempt_row(opened: Opened, settled: Settled) -> Row:
    """Return the ledger row of an attempt that came to an end."""
    _, state, buckets, *rest = astuple(settled)
    return (*_opened_row(opened), state, *_fitted(buckets), *rest)


def lost_row(opened: Opened) -> Row:
    """Return the ledger row of an attempt whose process died: neither usage nor cost is known."""
    unknown = (None,) * (len(COLUMNS) - len(OPENED_COLUMNS) - 1 - len(BUCKETS) - 1)
    return (*_opened_row(opened), LOST, *_NO_BUCKETS, True, *unknown)


def _opened_row(opened: Opened) -> Row:
    *rest, cause = astuple(opened)
    return (*rest, cause or ("first" if opened.number == 1 else "fallback"))


def _fitted(buckets: tuple[int, ...]) -> tuple[int, ...]:
    """Return the buckets of a record of an earlier version, which may have fewer of them."""
    return buckets if len(buckets) == len(BUCKETS) else (buckets + _NO_BUCKETS)[: len(BUCKETS)]
