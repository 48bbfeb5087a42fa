"""Two providers of the same heavy-tailed latency: what hedging at the learned p95 gains and costs.

    python -m bench.failover.race [--requests 4000] [--law lognormal:0.05:1.5]

The same requests go to one of two `slipstream mock` processes and then through a race of both; the
delays are seeded, so that both see the same distribution. Latency is the client's, cost the
ledger's, and when a loser's connection was closed is the mocks' word. Ends with a line for each
rule, one JSON line, and status 1 if a rule is broken.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.arena import tell
from bench.conditions import machine
from bench.failover.asking import WAYS, Client
from bench.failover.books import Row, ledger_rows
from bench.failover.house import Mock, gateway, mocks, provider_table
from bench.processes import end_on_signals

LAW: Final = "lognormal:0.05:1.5"
CLOSE_LIMIT_MS: Final = 50.0
_NUM_WARM = 300  # before anything is counted: the p95 has to be learned
_NUM_CLIENTS = 24
_PAGE_S = 0.4
# Three letters and a space are what a loser's tokens are estimated at: a token.
_PADDING = " ".join(["abc"] * 300)
_NUMBER = re.compile(r"request (\d+) ")


@dataclass(slots=True)
class Measured:
    """One route's figures; costs are of the ledger, in USD per thousand requests."""

    num_requests: int = 0
    num_failures: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    num_attempts: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    cost_usd: float = 0.0
    num_unpriced: int = 0


@dataclass(slots=True)
class Seen:
    """What one run showed, of plain answers or of streams."""

    is_stream: bool
    law: str
    alone: Measured
    raced: Measured
    num_losers: int  # that were closed; a loser that had ended before is none
    loser_closed_p99_ms: float  # after the winner's first byte
    loser_closed_most_ms: float
    num_late: int


class LogPages:
    """Collects the mocks' log rows with their bodies, by the number in the question."""

    def __init__(self, running: Sequence[Mock]) -> None:
        self._running = running
        self._since = {mock.name: 0 for mock in running}
        self.by_number: defaultdict[int, dict[int, dict[str, Any]]] = defaultdict(dict)

    async def follow(self) -> None:
        """Collect until cancelled."""
        while True:
            await asyncio.sleep(_PAGE_S)
            await asyncio.to_thread(self.collect)

    def collect(self) -> None:
        """Collect what has come since; of a page's rows, those after one that still runs again."""
        for place, mock in enumerate(self._running):
            rows = mock.log(self._since[mock.name])
            for row in rows:
                if found := _NUMBER.search(row["body"]):
                    slot = self.by_number[int(found[1])]
                    slot[place * 10**9 + row["serial"]] = row
            ended = [row["ending"] is not None for row in rows]
            num_ended = ended.index(False) if False in ended else len(ended)
            if num_ended:
                self._since[mock.name] = rows[num_ended - 1]["serial"]


async def measure(work: Path, law: str, num_requests: int, *, is_stream: bool) -> Seen:
    """Ask one provider alone, then a race of both."""
    behaviours = [f"delay={law},seed={seed},tokens=40" for seed in (1, 2)]
    with mocks(work, {"alpha": "chat", "beta": "chat"}, behaviours) as running:
        with gateway(work, _config(running)) as house:
            pages = LogPages(running)
            numbers = count(1)
            following = asyncio.create_task(pages.follow())
            took = {}
            for route in ("alone", "raced"):
                clients = [Client(house.url, house.key) for _ in range(_NUM_CLIENTS)]
                await _ask_all(clients, f"{route}-warm", _NUM_WARM, numbers, is_stream)
                took[route] = await _ask_all(clients, route, num_requests, numbers, is_stream)
                for client in clients:
                    await client.close()
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await asyncio.to_thread(pages.collect)
            await asyncio.to_thread(house.stop)
        rows = ledger_rows(house.home)
    late_ms = sorted(_closed_after_ms(pages.by_number.values()))
    return Seen(
        is_stream=is_stream,
        law=law,
        alone=_measured(rows, "alone", took["alone"]),
        raced=_measured(rows, "raced", took["raced"]),
        num_losers=len(late_ms),
        loser_closed_p99_ms=round(_quantile(late_ms, 0.99), 2),
        loser_closed_most_ms=round(_quantile(late_ms, 1.0), 2),
        num_late=sum(ms > CLOSE_LIMIT_MS for ms in late_ms),
    )


def _config(running: Sequence[Mock]) -> str:
    both = ", ".join(f'"{mock.target}"' for mock in running)
    tables = [provider_table(mock) for mock in running]
    for name in ("alone", "alone-warm"):
        tables.append(f'[routes.{name}]\nstrategy = "pinned"\ntargets = ["{running[0].target}"]\n')
    for name in ("raced", "raced-warm"):
        tables.append(f'[routes.{name}]\nstrategy = "race"\ntargets = [{both}]\n')
    return "\n".join(tables)


async def _ask_all(
    clients: Sequence[Client], model: str, num_requests: int, numbers: Any, is_stream: bool
) -> list[tuple[float, str]]:
    """Ask so often; return how long each took and what was wrong with it."""
    told: list[tuple[float, str]] = []
    left = iter(range(num_requests))

    async def ask(client: Client) -> None:
        for _ in left:
            text = f"request {next(numbers)} {_PADDING}"
            answer = await client.ask(WAYS["chat"], model, text, is_stream=is_stream)
            is_other = answer.failure.startswith("another answer")  # 40 of its words: as scripted
            told.append((answer.took_s, "" if is_other else answer.failure))

    await asyncio.gather(*(ask(client) for client in clients))
    return told


def _measured(rows: Sequence[Row], route: str, told: Sequence[tuple[float, str]]) -> Measured:
    took_ms = sorted(took_s * 1000 for took_s, _ in told)
    own = [row for row in rows if row["route"] == route]
    states: defaultdict[str, int] = defaultdict(int)
    for row in own:
        states[row["state"]] += 1
    costs = [row["cost_usd_pico"] for row in own if row["cost_usd_pico"] is not None]
    return Measured(
        num_requests=len(told),
        num_failures=sum(bool(failure) for _, failure in told),
        p50_ms=round(_quantile(took_ms, 0.5), 1),
        p95_ms=round(_quantile(took_ms, 0.95), 1),
        p99_ms=round(_quantile(took_ms, 0.99), 1),
        num_attempts=len(own),
        by_state=dict(states),
        cost_usd=round(sum(costs) / 1e12 / max(len(told), 1) * 1000, 6),
        num_unpriced=len(own) - len(costs),
    )


def _closed_after_ms(runners: Any) -> list[float]:
    """Return how long after its winner's first byte each closed loser was closed."""
    found = []
    for slot in runners:
        rows = list(slot.values())
        winners = [row["first_byte_ms"] for row in rows if row["ending"] == "complete"]
        losers = [row["ended_ms"] for row in rows if str(row["ending"]).startswith("client_closed")]
        if winners:
            found += [ended_ms - min(winners) for ended_ms in losers]
    return found


def _quantile(ordered: Sequence[float], quantile: float) -> float:
    return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)] if ordered else 0.0


def judge(seen: Seen) -> dict[str, bool]:
    """Say of each rule whether it was kept."""
    alone, raced = seen.alone, seen.raced
    num_failures = alone.num_failures + raced.num_failures
    extra = raced.cost_usd / alone.cost_usd - 1 if alone.cost_usd else 1.0
    num_runners = sum(raced.by_state.values()) - raced.num_requests
    return {
        f"no failure ({num_failures})": num_failures == 0,
        f"p99 at most half ({alone.p99_ms} to {raced.p99_ms} ms)": (
            raced.p99_ms <= alone.p99_ms / 2
        ),
        f"at most 10 % more cost ({extra:+.1%})": extra <= 0.10,
        f"a row for each runner ({num_runners} further ones, {seen.num_losers} were closed)": (
            num_runners >= raced.by_state.get("outraced", 0) > 0
        ),
        f"no loser is open 50 ms after the win ({seen.num_late} of {seen.num_losers} are)": (
            seen.num_late == 0
        ),
    }


async def _run(options: argparse.Namespace) -> list[Seen]:
    found = []
    for is_stream in (False, True):
        kind = "streams" if is_stream else "plain answers"
        tell(f"race: {kind}, {options.law}")
        with tempfile.TemporaryDirectory(prefix="slipstream-race-") as work:
            began_s = time.monotonic()
            seen = await measure(Path(work), options.law, options.requests, is_stream=is_stream)
        found.append(seen)
        print(f"\n{kind}, in {time.monotonic() - began_s:.0f} s")
        print(f"  alone {asdict(seen.alone)}\n  raced {asdict(seen.raced)}")
        for rule, is_kept in judge(seen).items():
            print(f"  {'kept  ' if is_kept else 'BROKEN'} {rule}")
    return found


def main() -> None:
    """Measure plain answers and streams; exit with 1 if a rule was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=4000, help="of each kind and route")
    parser.add_argument("--law", default=LAW, help="of the delay before an answer")
    options = parser.parse_args()
    end_on_signals()
    found = uvloop.run(_run(options))
    told = {"race": [asdict(seen) | {"kept": judge(seen)} for seen in found]}
    print(json.dumps({**told, "conditions": machine()}))
    sys.exit(0 if all(all(judge(seen).values()) for seen in found) else 1)


if __name__ == "__main__":
    main()
