"""Providers break one after another under traffic: no client may notice, and each comes back.

    python -m bench.failover.run [--strategies ordered,cheapest] [--requests 10000]

Three `slipstream mock` processes that speak different dialects, one `slipstream serve`, clients in
three dialects, plain and streaming, some through the official SDKs. The provider that gets most of
the traffic is broken in each way of faults.py, mended, and waited for. Ends with a line for each
rule, one JSON line, and status 1 if a rule is broken.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.arena import tell
from bench.conditions import machine
from bench.failover.books import complaints, cost_report, ledger_rows, sums_disagree
from bench.failover.faults import FAULTS, Fault
from bench.failover.house import Gateway, Mock, gateway, mocks, provider_table
from bench.failover.load import NUM_WORDS, Load
from bench.processes import end_on_signals

STRATEGIES = ("ordered", "weighted", "cheapest", "fastest", "balanced", "race")
_KINDS = {"alpha": "chat", "beta": "messages", "gamma": "gemini"}
_BEHAVIOURS = ("delay=exp:0.004", "delay=exp:0.008,seed=1", "delay=exp:0.012,seed=2")
_RETURN_LIMIT_S = 60.0
_MAX_COOLDOWN_S = 4.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked.

    Args:
        fault_s: How long a provider stays broken, at least.
        num_least: Requests while it is broken, at least.
        first_token_s: The deadline that a stalling provider is left at.
    """

    num_requests: int
    faults: Sequence[Fault] = FAULTS
    num_clients: int = 24
    per_s: float = 400.0
    first_token_s: float = 1.0
    fault_s: float = 1.0
    num_least: int = 200


@dataclass(slots=True)
class Seen:
    """What one strategy's run showed."""

    strategy: str
    num_requests: int = 0
    num_cut: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    p50_ms: dict[str, float] = field(default_factory=dict)
    p99_ms: dict[str, float] = field(default_factory=dict)
    added_p99_ms: float = 0.0
    back_after_s: dict[str, float | None] = field(default_factory=dict)  # None: never
    victims: dict[str, str] = field(default_factory=dict)
    num_attempts: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    exit_status: int | None = None


def config_of(running: Sequence[Mock], strategy: str, first_token_s: float) -> str:
    """Return the configuration of a gateway with one route, `the-route`, over all mocks."""
    targets = ", ".join(f'"{mock.target}"' for mock in running)
    tables = [provider_table(mock) for mock in running]
    # So many outages within a minute are no outages: as what flaps they would be left for long.
    tables.append(f"[routing]\nmax_cooldown_s = {_MAX_COOLDOWN_S}\n")
    tables.append(f"[deadlines]\nconnect_s = 1.0\nfirst_token_s = {first_token_s}\nidle_s = 5.0\n")
    tables.append(f'[routes.the-route]\nstrategy = "{strategy}"\ntargets = [{targets}]\n')
    return "\n".join(tables)


async def fail_over(work: Path, strategy: str, plan: Plan) -> Seen:
    """Run all of it for one strategy."""
    seen = Seen(strategy)
    with mocks(work, _KINDS, _BEHAVIOURS) as running:
        with gateway(work, config_of(running, strategy, plan.first_token_s)) as house:
            await _drive(house, running, plan, seen)
            seen.exit_status = await asyncio.to_thread(house.stop)
        rows = ledger_rows(house.home)
        saw = {mock.name: len(mock.rows()) for mock in running}
    seen.num_attempts = len(rows)
    for row in rows:
        seen.by_state[row["state"]] = seen.by_state.get(row["state"], 0) + 1
    seen.complaints = complaints(
        rows,
        saw,
        num_calls=seen.num_requests,
        num_cut=seen.num_cut,
        num_words=NUM_WORDS,
        is_race=strategy == "race",
    ) + sums_disagree(rows, cost_report(house.home))
    return seen


async def _drive(house: Gateway, running: Sequence[Mock], plan: Plan, seen: Seen) -> None:
    load = Load(house.url, house.key, "the-route", num_clients=plan.num_clients, per_s=plan.per_s)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await load.until(lambda: load.tally.num_done >= 2 * plan.num_least, _RETURN_LIMIT_S)
        for fault in plan.faults:
            await _break_one(load, running, plan, fault, seen)
        load.phase = "quiet"
        await load.until(lambda: load.tally.num_done >= plan.num_requests, 600.0)
        load.stop()
    tally = load.tally
    seen.num_requests, seen.num_cut = tally.num_asked, tally.num_cut
    seen.failures = dict(tally.failures)
    for phase, took_s in tally.took_s.items():
        seen.p50_ms[phase], seen.p99_ms[phase] = _ms(took_s, 0.5), _ms(took_s, 0.99)
    broken = [s for phase, took_s in tally.took_s.items() if phase != "quiet" for s in took_s]
    seen.added_p99_ms = round(_ms(broken, 0.99) - seen.p99_ms["quiet"], 1)


async def _break_one(
    load: Load, running: Sequence[Mock], plan: Plan, fault: Fault, seen: Seen
) -> None:
    """Break the provider that gets most, mend it, and wait until it answers again."""
    before = {mock.name: len(mock.rows()) for mock in running}
    num_before = load.tally.num_done
    await load.until(lambda: load.tally.num_done >= num_before + plan.num_least, _RETURN_LIMIT_S)
    victim = max(running, key=lambda mock: len(mock.rows()) - before[mock.name])
    tell(f"  {seen.strategy}: {victim.name} {fault.name}")
    seen.victims[fault.name] = victim.name
    load.phase = fault.name
    began_s, num_before = time.monotonic(), load.tally.num_done
    await asyncio.to_thread(fault.begin, victim)
    await load.until(
        lambda: (
            load.tally.num_done >= num_before + plan.num_least
            and time.monotonic() >= began_s + plan.fault_s
        ),
        _RETURN_LIMIT_S,
    )
    await asyncio.to_thread(fault.end, victim)
    mended_ms = time.monotonic() * 1000
    load.phase = f"after {fault.name}"
    is_back = await load.until(lambda: _has_answered(victim, mended_ms), _RETURN_LIMIT_S)
    took_s = round(time.monotonic() - mended_ms / 1000, 2)
    seen.back_after_s[fault.name] = took_s if is_back else None
    load.phase = "quiet"


def _has_answered(mock: Mock, since_ms: float) -> bool:
    return any(
        row["started_ms"] > since_ms and row["ending"] == "complete" for row in mock.rows()[-50:]
    )


def _ms(took_s: Sequence[float], quantile: float) -> float:
    ordered = sorted(took_s)
    return round(ordered[min(int(len(ordered) * quantile), len(ordered) - 1)] * 1000, 1)


def judge(seen: Seen, plan: Plan) -> dict[str, bool]:
    """Say of each rule whether it was kept."""
    lost = [name for name, back_s in seen.back_after_s.items() if back_s is None]
    limit_ms = plan.first_token_s * 1000
    return {
        f"no client-visible failure ({sum(seen.failures.values())} of {seen.num_requests})": (
            not seen.failures
        ),
        f"only who is killed or frozen cuts streams short ({seen.num_cut})": (
            seen.num_cut <= _may_cut(seen, plan)
        ),
        f"added p99 within the deadline ({seen.added_p99_ms} of {limit_ms:g} ms)": (
            seen.added_p99_ms <= limit_ms
        ),
        f"every provider gets traffic again (not after: {', '.join(lost) or 'none'})": not lost,
        f"the ledger agrees with the providers ({len(seen.complaints)} complaints)": (
            not seen.complaints
        ),
        f"the gateway ends with status 0 ({seen.exit_status})": seen.exit_status == 0,
    }


def _may_cut(seen: Seen, plan: Plan) -> int:
    """Return how many streams may have been amid their words when their provider went."""
    return plan.num_clients * len({"killed", "frozen"} & seen.victims.keys())


async def _run(strategies: Sequence[str], plan: Plan) -> list[Seen]:
    found = []
    for strategy in strategies:
        tell(f"failover: {strategy}")
        with tempfile.TemporaryDirectory(prefix="slipstream-failover-") as work:
            found.append(await fail_over(Path(work), strategy, plan))
        _print(found[-1], plan)
    return found


def _print(seen: Seen, plan: Plan) -> None:
    print(f"\n{seen.strategy}: {seen.num_requests} requests, {seen.num_attempts} attempts")
    for rule, is_kept in judge(seen, plan).items():
        print(f"  {'kept  ' if is_kept else 'BROKEN'} {rule}")
    for name, victim in seen.victims.items():
        back_s = seen.back_after_s.get(name)
        print(f"    {name} ({victim}): p99 {seen.p99_ms[name]} ms, back after {back_s} s")
    for failure, num in list(seen.failures.items())[:5]:
        print(f"    failure: {num} × {failure}")
    for complaint in seen.complaints[:5]:
        print(f"    complaint: {complaint}")
    sys.stdout.flush()


def _as_row(seen: Seen, plan: Plan) -> Mapping[str, Any]:
    return {**asdict(seen), "complaints": seen.complaints[:20], "kept": judge(seen, plan)}


def main() -> None:
    """Run every strategy; exit with 1 if a rule was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=10_000, help="for each strategy")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    options = parser.parse_args()
    end_on_signals()
    plan = Plan(options.requests)
    found = uvloop.run(_run(options.strategies.split(","), plan))
    told = {"failover": [_as_row(seen, plan) for seen in found], "conditions": machine()}
    print(json.dumps(told))
    sys.exit(0 if all(all(judge(seen, plan).values()) for seen in found) else 1)


if __name__ == "__main__":
    main()
