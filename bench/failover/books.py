"""Holds the ledger against what the providers saw: a row for each attempt, and sums that agree."""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

_LIMIT_S = 60
_PICO = 10**12
_RUNNERS_UP = ("outraced", "cancelled")

Row = Mapping[str, Any]


def ledger_rows(home: Path) -> list[Row]:
    """Return all attempts of a gateway that has ended, once what its journals hold is moved."""
    cost_report(home)
    with closing(sqlite3.connect(home / "slipstream.db")) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT * FROM attempts ORDER BY started_at_ns, attempt_id"
        return [dict(row) for row in connection.execute(query)]


def cost_report(home: Path) -> Any:
    """Return what `slipstream cost --json` says."""
    command = [sys.executable, "-m", "slipstream", "cost", "--json"]
    config = ["--config", str(home.parent / "slipstream.toml")]
    done = subprocess.run(
        [*command, *config],
        env={**os.environ, "SLIPSTREAM_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=True,
    )
    return json.loads(done.stdout)


def complaints(
    rows: Sequence[Row],
    seen: Mapping[str, int],
    *,
    num_calls: int,
    num_cut: int = 0,
    num_words: int | None = None,
    is_race: bool = False,
) -> list[str]:
    """Say what is wrong with a ledger; nothing where it is right.

    Args:
        rows: Of the ledger.
        seen: Requests for answers that each provider saw.
        num_calls: Requests that clients sent.
        num_cut: Of these, streams that broke off; all others were answered.
        num_words: Of each answer.
        is_race: Several attempts of a call run at the same time.
    """
    found = list(_of_calls(rows, num_calls, num_cut, is_race))
    found += _of_providers(rows, seen)
    found += _of_sums(rows, num_words)
    lost = sum(row["state"] == "lost" for row in rows)
    return [*found, f"{lost} attempts are lost"] if lost else found


def _of_calls(rows: Sequence[Row], num_calls: int, num_cut: int, is_race: bool) -> Iterable[str]:
    num_unanswered = 0
    by_call: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_call[row["call_id"]].append(row)
    if len(by_call) != num_calls:
        yield f"{len(by_call)} calls on record, {num_calls} were made"
    for call_id, attempts in by_call.items():
        numbers = sorted(row["number"] for row in attempts)
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{call_id} has the attempts {numbers}"
        whole = sum(_is_whole(row) and row["output_tokens"] > 0 for row in attempts)
        num_unanswered += whole == 0
        if whole > 1 and not is_race:
            yield f"{call_id} has {whole} attempts that answered"
    if num_unanswered != num_cut:
        yield f"{num_unanswered} calls without an answer on record, {num_cut} were cut"


def _of_providers(rows: Sequence[Row], seen: Mapping[str, int]) -> Iterable[str]:
    """An attempt that nobody saw must be one that a killed or fast-forgotten target never read."""
    made = Counter(row["provider"] for row in rows)
    unreached = Counter(row["provider"] for row in rows if _may_be_unseen(row))
    for name, num_seen in seen.items():
        if num_seen > made[name]:
            yield f"{name} saw {num_seen} requests, {made[name]} attempts are on record"
        if made[name] - num_seen > unreached[name]:
            yield (
                f"{name}: {made[name]} attempts on record, {num_seen} seen, and only "
                f"{unreached[name]} of them cannot have reached it"
            )


def _may_be_unseen(row: Row) -> bool:
    return row["fault"] == "network" or row["state"] in _RUNNERS_UP


def _of_sums(rows: Sequence[Row], num_words: int | None) -> Iterable[str]:
    for row in rows:
        is_odd = row["output_tokens"] not in (0, num_words)  # of an empty answer there are none
        if _is_whole(row) and num_words is not None and is_odd:
            yield f"{row['attempt_id']} has {row['output_tokens']} output tokens"
        if row["state"] != "lost" and row["cost_usd_pico"] is None:
            yield f"{row['attempt_id']} at {row['provider']} has no cost"


def sums_disagree(rows: Sequence[Row], report: Any) -> list[str]:
    """Say where `slipstream cost` and the rows do not sum to the same."""
    total = report["total"]
    by_state = Counter(row["state"] for row in rows)
    found = []
    if total["attempts"] != len(rows):
        found.append(f"the report has {total['attempts']} attempts, the ledger {len(rows)}")
    told = {state: count for state, count in total["states"].items() if count}
    if told != by_state:
        found.append(f"the report counts {told}, the ledger {dict(by_state)}")
    for name in ("cost_usd", "outraced_usd", "absorbed_usd"):
        parts = [row["cost_usd_pico"] or 0 for row in rows if _sum_of(row) == name]
        if Decimal(total[name]) * _PICO != sum(parts):
            found.append(f"{name} is {total[name]} in the report, {sum(parts)} pico in the ledger")
    return found


def _sum_of(row: Row) -> str:
    """Return which sum of the report an attempt's cost is part of."""
    sums = {"complete": "cost_usd", "outraced": "outraced_usd"}
    return sums.get(row["state"], "absorbed_usd")


def _is_whole(row: Row) -> bool:
    return bool(row["state"] == "complete")
