"""CPU time of a choice: a pinned name, and twenty candidates under each strategy, everything on.

    python -m bench.planning             # a few seconds; ends with one JSON line
    python -m bench.planning --targets 5

The call is a streamed chat of 400 bytes; its needs are read from the body, the candidates have
prices and 30 measured answers each, times and load are looked up, close ones are drawn, and 2%
explore. The figure is the least of several runs, CPU time of the process: others can only add.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, get_args

from bench.conditions import machine
from slipstream.call import Call, Dialect, Outcome, Price, Rates, Usage
from slipstream.choice import Attempt, Deadlines, Strategy, Target, Wishes
from slipstream.routing.board import Board
from slipstream.routing.facts import TargetFacts
from slipstream.routing.plan import Planner
from slipstream.routing.routes import Catalogue, Route
from slipstream.routing.settings import RoutingSettings
from slipstream.wire.needs import needs_of

_LIMIT_US: Final = 15.0
_NUM_ANSWERS: Final = 30
_NUM_PLANS: Final = 2_000
_NUM_RUNS: Final = 15
_BODY: Final = json.dumps(
    {
        "model": "fastest",
        "stream": True,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the weather like in Paris? " * 7},
        ],
        "max_tokens": 1024,
    }
).encode()


def planner_of(num_targets: int) -> Planner:
    """Return a planner with a route of each strategy over targets that have been measured."""
    targets = tuple(Target(f"p{n}", "model") for n in range(num_targets))
    strategies: tuple[Strategy, ...] = get_args(Strategy)
    catalogue = Catalogue(
        routes={
            name: Route(name=name, strategy=name, targets=targets)
            for name in strategies
            if name != "pinned"
        },
        served={},
        providers=frozenset(target.provider for target in targets),
        deadlines=Deadlines(),
        facts_of=lambda target: TargetFacts(target=target, context_tokens=128_000),
    )
    board = Board(catalogue.facts_of, RoutingSettings(), Random(1))
    now_s = time.monotonic()
    for number, target in enumerate(targets):
        for _ in range(_NUM_ANSWERS):
            board.begin(target, now_s)
            board.end(target)
            board.note(_answer(target, 1.0 + 0.05 * number), now_s)
    return Planner(
        catalogue,
        board,
        needs_of=needs_of,
        price_of=_price_of,
        now_s=time.monotonic,
        wall_ns=time.time_ns,
        rng=Random(1),
        explore=0.02,
    )


def _price_of(provider: str, _model: str, _at_ns: int) -> Price:
    """Return one of five prices, so that some are equal."""
    usd_pico = 10**6 * (1 + int(provider[1:]) % 5)
    rates = Rates(
        input_tokens=usd_pico,
        cache_read_tokens=usd_pico,
        output_tokens=4 * usd_pico,
        output_reasoning_tokens=4 * usd_pico,
    )
    return Price(rates=rates, source="bench")


def _answer(target: Target, total_s: float) -> Outcome:
    attempt = Attempt(
        attempt_id="bench-1",
        number=1,
        route="bench",
        target=target,
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=0.0,
    )
    return Outcome(
        attempt=attempt,
        state="complete",
        error=None,
        usage=Usage(input_tokens=100, output_tokens=200),
        cost_usd_pico=None,
        first_token_s=0.2 * total_s,
        total_s=total_s,
        held_s=0.0,
        body_bytes=len(_BODY),
    )


def _call(model: str, wishes: Wishes | None = None) -> Call:
    return Call(
        call_id="bench",
        dialect=Dialect.OPENAI_CHAT,
        body=_BODY,
        model=model,
        key_id="none",
        is_stream=True,
        max_output_tokens=1024,
        wishes=wishes,
    )


def least_us(work: Callable[[], object]) -> float:
    """Return the least CPU time of a call of `work`, over some runs."""
    times = []
    for _ in range(_NUM_RUNS):
        began_s = time.process_time()
        for _ in range(_NUM_PLANS):
            work()
        times.append((time.process_time() - began_s) / _NUM_PLANS * 1e6)
    return min(times)


def measure(num_targets: int) -> dict[str, float]:
    """Return microseconds for each kind of choice."""
    planner = planner_of(num_targets)
    calls = {"pinned": _call("p0/model")}
    calls |= {name: _call(name) for name in get_args(Strategy) if name != "pinned"}
    found = {name: least_us(lambda call=call: planner.plan(call)) for name, call in calls.items()}  # type: ignore[misc]
    explained = _call("fastest", Wishes(is_explained=True))
    found["fastest, explained"] = least_us(lambda: planner.plan(explained))
    found["of it, needs"] = least_us(lambda: needs_of(calls["fastest"]))
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 if a choice takes longer than it may."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--targets", type=int, default=20, help="candidates of each route")
    options = parser.parse_args(arguments)
    conditions = machine()
    found = measure(options.targets)
    print(f"| choice | µs CPU, {options.targets} candidates |\n|:--|--:|")
    for name, us in found.items():
        print(f"| {name} | {us:.2f} |")
    most_us = max(found[name] for name in get_args(Strategy))
    print(f"\nmost: {most_us:.1f} µs, limit {_LIMIT_US:g}")
    line = {"benchmark": "planning", "conditions": conditions, "targets": options.targets}
    print(json.dumps({**line, "us": {name: round(us, 3) for name, us in found.items()}}))
    return int(most_us > _LIMIT_US)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
