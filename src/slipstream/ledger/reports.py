"""Totals over the ledger's attempts, by any combination of what `GROUPS` names.

Exact: money is summed as integers in two parts, so that no sum overflows. Days are UTC.
What answers cost, what losers of races cost and what any other attempt cost, which is absorbed, are
three sums. An attempt whose cost is not known is in none of them, and counted.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, get_args

from slipstream.call import BUCKETS, State
from slipstream.errors import ConfigError
from slipstream.ledger.store import Store

_DAY_NS: Final = 86_400_000_000_000
_EPOCH: Final = date(1970, 1, 1)
STATES: Final[tuple[State, ...]] = get_args(State)

GROUPS: Final = {
    "provider": "provider",
    "model": "model",
    "key": "key_id",
    "route": "route",
    "day": f"started_at_ns / {_DAY_NS}",
    "state": "state",
    "cause": "cause",
}
"""What a report may be grouped by, and the expression for it."""

# A sum of BIGINTs overflows at nine million dollars; sums of whole and rest of this do not.
_PART: Final = 10**6
_ANSWERED: Final = "state = 'complete'"
_OUTRACED: Final = "state = 'outraced'"
_ABSORBED: Final = "state NOT IN ('complete', 'outraced')"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the attempts of one group.

    Args:
        group: Its values, in the order that was asked for; a day is an ISO date.
        by_state: Number of attempts by state, all states named.
        tokens: Sums by bucket, all buckets named.
        cost_usd_pico: Known cost of attempts that were answered whole.
        outraced_usd_pico: Known cost of those that lost a race, nearly all of it an estimate.
        absorbed_usd_pico: Known cost of all others: failed, cut, cancelled.
        num_unknown_cost: Attempts whose cost is not known, lost ones included.
        num_estimates: Attempts whose tokens are an estimate of ours.
    """

    group: tuple[str, ...]
    num_attempts: int
    by_state: dict[State, int]
    tokens: dict[str, int]
    cost_usd_pico: int
    outraced_usd_pico: int
    absorbed_usd_pico: int
    num_unknown_cost: int
    num_estimates: int


def parse_groups(text: str) -> tuple[str, ...]:
    """Read a comma-separated list of groups, such as `provider,day`; empty for one grand total.

    Raises:
        ConfigError: A name is not known, or stands twice; the text names the nearest.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in GROUPS:
            near = difflib.get_close_matches(name, GROUPS, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise ConfigError(f"--by: '{name}' is not known; {hint}accepted: {', '.join(GROUPS)}")
        if names.count(name) > 1:
            raise ConfigError(f"--by: '{name}' stands twice")
    return names


def totals(
    store: Store,
    by: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
) -> list[Totals]:
    """Sum the attempts that started in a span of days, one record per group, in their order.

    Args:
        store: The ledger.
        by: Names of `GROUPS`.
        since: First day, UTC.
        until: Last day, UTC, itself included.
    """
    groups = [GROUPS[name] for name in by]
    columns = ", ".join([*groups, *_SUMS])
    grouping = f"GROUP BY {', '.join(groups)} ORDER BY {', '.join(groups)}" if groups else ""
    query = (
        f"SELECT {columns} FROM attempts "  # noqa: S608 -- made of the tables in this module
        f"WHERE started_at_ns >= ? AND started_at_ns < ? {grouping}"
    )
    span = (_start_ns(since or _EPOCH), _start_ns(until + timedelta(1)) if until else 2**63 - 1)
    found = [_totals(row, by) for row in store.execute(query, span)]
    return [each for each in found if each.num_attempts]


def _sum_if(condition: str) -> str:
    return f"COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"


def _money_if(condition: str) -> tuple[str, str]:
    """Return the sums of both parts of the known costs under a condition."""
    cost = f"CASE WHEN {condition} THEN COALESCE(cost_usd_pico, 0) ELSE 0 END"
    return f"COALESCE(SUM({cost} / {_PART}), 0)", f"COALESCE(SUM({cost} % {_PART}), 0)"


_SUMS: Final = (
    "COUNT(*)",
    *(_sum_if(f"state = '{state}'") for state in STATES),
    *(f"COALESCE(SUM({bucket}), 0)" for bucket in BUCKETS),
    *_money_if(_ANSWERED),
    *_money_if(_OUTRACED),
    *_money_if(_ABSORBED),
    _sum_if("cost_usd_pico IS NULL"),
    _sum_if("is_estimate"),
)


def _totals(row: Sequence[Any], by: Sequence[str]) -> Totals:
    group, counts = row[: len(by)], [int(value) for value in row[len(by) :]]
    num_attempts, *rest = counts
    states, rest = rest[: len(STATES)], rest[len(STATES) :]
    tokens, rest = rest[: len(BUCKETS)], rest[len(BUCKETS) :]
    sums, (num_unknown_cost, num_estimates) = rest[:-2], rest[-2:]
    cost, outraced, absorbed = (
        whole * _PART + part for whole, part in zip(sums[::2], sums[1::2], strict=True)
    )
    return Totals(
        group=tuple(_shown(name, value) for name, value in zip(by, group, strict=True)),
        num_attempts=num_attempts,
        by_state=dict(zip(STATES, states, strict=True)),
        tokens=dict(zip(BUCKETS, tokens, strict=True)),
        cost_usd_pico=cost,
        outraced_usd_pico=outraced,
        absorbed_usd_pico=absorbed,
        num_unknown_cost=num_unknown_cost,
        num_estimates=num_estimates,
    )


def _shown(name: str, value: Any) -> str:
    return (_EPOCH + timedelta(int(value))).isoformat() if name == "day" else str(value)


def _start_ns(day: date) -> int:
    return (day - _EPOCH).days * _DAY_NS
