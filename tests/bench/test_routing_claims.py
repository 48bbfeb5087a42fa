"""What the strategies claim holds on short days: the real planner, board and dispatch, no waiting.

Everything is drawn from a seed and time is simulated, so these figures are the same on every
machine; bounds are looser than those of whole days, of which learning is a smaller part.
"""

import subprocess
import sys
from functools import cache

import pytest

from bench.routing.choosers import CHOOSERS, always
from bench.routing.claims import Verdict, verdicts
from bench.routing.measures import Measured
from bench.routing.run import Setting, run
from bench.routing.worlds import WORLDS
from tests.structure.tree import ROOT

SHORT = Setting(seed=1, day_s=900.0)


@cache
def _measured(world: str, strategy: str) -> Measured:
    return run(WORLDS[world], CHOOSERS[strategy], SHORT)


@cache
def _hindsight(world: str) -> Measured:
    """Return the best of always the same target."""
    singles = [
        run(WORLDS[world], always(number), SHORT) for number in range(len(WORLDS[world].specs))
    ]
    return min(singles, key=lambda single: single.mean_s)


def test_run_is_the_same_in_every_process() -> None:
    """Neither the hash seed nor the clock of the machine has a part in a figure."""
    code = (
        "from bench.routing.choosers import CHOOSERS\n"
        "from bench.routing.run import Setting, run\n"
        "from bench.routing.worlds import WORLDS\n"
        "print(run(WORLDS['outage'], CHOOSERS['race'], Setting(seed=3, day_s=200.0)))\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}/src"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert "num_requests=" in told.pop()


@pytest.mark.parametrize(
    ("world", "most"),
    [
        ("steady", 1.10),
        ("shifting", 1.0),
        ("outage", 1.0),
        ("brown-out", 1.0),
        ("garbage", 1.25),  # of a quarter of an hour, finding out who else there is takes a part
    ],
)
def test_fastest_is_near_the_best_target_in_hindsight(world: str, most: float) -> None:
    """Nobody has to know beforehand which target will have been the fastest."""
    fastest, best = _measured(world, "fastest"), _hindsight(world)
    assert fastest.failures == 0
    assert fastest.mean_s <= most * best.mean_s
    assert fastest.p95_s <= most * best.p95_s


@pytest.mark.parametrize("world", ["shifting", "outage", "brown-out"])
def test_fastest_beats_every_single_target_where_the_best_one_changes(world: str) -> None:
    """Hindsight has one target all day; whoever follows the day does better."""
    assert _measured(world, "fastest").mean_s < 0.92 * _hindsight(world).mean_s


@pytest.mark.parametrize("world", ["steady", "limited", "garbage"])
def test_cheapest_costs_about_what_an_oracle_pays(world: str) -> None:
    """It knows prices, caches and limits, but not beforehand how long an answer will be."""
    cheapest, oracle = _measured(world, "cheapest"), _measured(world, "oracle of cost")
    assert cheapest.failures == 0
    assert cheapest.cost_usd <= 1.06 * oracle.cost_usd


@pytest.mark.parametrize("world", ["brown-out", "limited"])
def test_balanced_is_between_cheapest_and_fastest(world: str) -> None:
    """It is dearer and faster than the one, cheaper and slower than the other."""
    low, mine, high = (_measured(world, name) for name in ("cheapest", "balanced", "fastest"))
    assert low.cost_usd < mine.cost_usd <= 1.02 * high.cost_usd
    assert 0.98 * high.mean_s <= mine.mean_s < low.mean_s


def test_race_cuts_the_tail_for_a_tenth_of_the_cost_at_most() -> None:
    """Two targets of the same heavy tail: p99 at most half, hedging at the learned p95."""
    race, best = _measured("tails", "race"), _hindsight("tails")
    assert race.p99_s <= 0.5 * best.p99_s
    assert race.cost_usd <= 1.10 * best.cost_usd
    assert 1.01 < race.attempts < 1.10


@pytest.mark.parametrize("strategy", ["cheapest", "fastest", "balanced", "race"])
def test_equal_targets_are_not_crowded_in_turns(strategy: str) -> None:
    """With queues at the targets, a herd would make them wait; chance is a low bar for it."""
    mine, chance = _measured("queues", strategy), _measured("queues", "random")
    assert mine.herd <= 1.3 * chance.herd
    assert mine.mean_s <= 1.05 * chance.mean_s
    assert _measured("queues", "lowest latency").herd > 3 * mine.herd


def test_verdict_is_missed_above_its_bound_and_left_out_without_its_strategies() -> None:
    """A claim that does not hold says so, and one that cannot be looked at says nothing."""
    row = {"fastest": _measured("tails", "fastest")}
    told = {verdict.text for verdict in verdicts("tails", row)}
    assert told
    assert all(text.startswith("fastest") for text in told)
    assert Verdict("w", "t", 1.0, 1.0).is_held
    assert not Verdict("w", "t", 1.1, 1.0).is_held
