"""Peers' strategies are what was published, and measures measure what they say."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from bench.routing import clock
from bench.routing.draws import Draws
from bench.routing.measures import Tally, quantile
from bench.routing.peers import (
    Always,
    LeastBusy,
    LowestLatency,
    Oracle,
    PeakEwma,
    RoundRobin,
    UsageBased,
)
from bench.routing.sites import Site, Watch
from bench.routing.specs import Spec
from bench.routing.traffic import Request
from slipstream.call import Outcome, State, Usage
from slipstream.choice import CHAT, Attempt, Deadlines, Target
from slipstream.errors import TimedOut

REQUEST = Request(0, 0.0, 0, 0, 100, 0, 100, CHAT)


def _spec(name: str, *, usd: float = 1.0, per_s: float = 100.0) -> Spec:
    return Spec(name=name, input_usd=usd, output_usd=usd, write_per_s=per_s, error_share=0.0)


def _sites(*specs: Spec) -> list[Site]:
    now_s = asyncio.get_running_loop().time
    watch, draws = Watch(), Draws(1)
    return [
        Site(number, spec, [REQUEST], draws, watch, day_s=1000.0, now_s=now_s)
        for number, spec in enumerate(specs)
    ]


def _outcome(total_s: float, tokens: int = 100, state: State = "complete") -> Outcome:
    attempt = Attempt(
        attempt_id="a",
        number=1,
        route="r",
        target=Target("one", "m"),
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=99.0,
    )
    return Outcome(
        attempt=attempt,
        state=state,
        error=TimedOut("first_token", 20.0) if state == "failed" else None,
        usage=Usage(output_tokens=tokens),
        cost_usd_pico=None,
        first_token_s=None,
        total_s=total_s,
        held_s=0.0,
        body_bytes=400,
    )


def _run(work: Callable[[], None]) -> None:
    async def whole() -> None:
        work()

    clock.run(whole())


def test_lowest_latency_takes_who_was_never_measured_then_the_fastest_per_token() -> None:
    """Unmeasured targets count as 0; after that the mean time of a token of ten answers decides."""

    def work() -> None:
        one, two = sites = _sites(_spec("one"), _spec("two"))
        peer = LowestLatency(random.Random(1))
        peer.ended(one, _outcome(2.0, tokens=1000), 0.0)
        assert peer.order(REQUEST, sites, 1.0)[0] is two
        peer.ended(two, _outcome(1.0, tokens=100), 0.0)
        assert peer.order(REQUEST, sites, 1.0)[0] is one
        peer.ended(one, _outcome(20.0, state="failed"), 0.0)
        assert peer.order(REQUEST, sites, 1.0)[0] is two
        assert {peer.order(REQUEST, sites, 3601.0)[0].number for _ in range(20)} == {0, 1}

    _run(work)


def test_least_busy_and_usage_based_look_at_what_is_in_use_now() -> None:
    """One counts attempts in flight, the other tokens of this minute."""

    def work() -> None:
        one, two = sites = _sites(_spec("one"), _spec("two"))
        one.in_flight = 2
        two.in_flight = 1
        assert LeastBusy(random.Random(1)).order(REQUEST, sites, 0.0)[0] is two
        usage = UsageBased(random.Random(1))
        usage.ended(two, _outcome(1.0), 10.0)
        assert usage.order(REQUEST, sites, 59.0)[0] is one
        assert {usage.order(REQUEST, sites, 61.0)[0].number for _ in range(20)} == {0, 1}

    _run(work)


def test_peak_ewma_jumps_to_a_peak_and_sinks_from_it() -> None:
    """A slow answer counts at once and fully; without news its weight is gone in a minute."""

    def work() -> None:
        one, two = sites = _sites(_spec("one"), _spec("two"))
        peer = PeakEwma(random.Random(1))
        for site, took_s in ((one, 0.5), (two, 1.0), (one, 4.0)):
            peer.ended(site, _outcome(took_s), 0.0)
        assert peer.order(REQUEST, sites, 0.0)[0] is two
        peer.ended(two, _outcome(1.0), 60.0)
        assert peer.order(REQUEST, sites, 60.0)[0] is one
        one.in_flight = 10_000
        assert peer.order(REQUEST, sites, 60.0)[0] is two

    _run(work)


def test_round_robin_and_always_ignore_what_happened() -> None:
    """One begins with the next each time, the other with the same."""

    def work() -> None:
        sites = _sites(_spec("one"), _spec("two"), _spec("three"))
        turn = RoundRobin()
        firsts = Counter(turn.order(REQUEST, sites, 0.0)[0].number for _ in range(9))
        assert firsts == {0: 3, 1: 3, 2: 3}
        order = [site.spec.name for site in Always(1).order(REQUEST, sites, 0.0)]
        assert order == ["two", "one", "three"]

    _run(work)


@pytest.mark.parametrize(("by", "best"), [("total_s", "fast"), ("cost_usd_pico", "cheap")])
def test_oracle_knows_what_each_would_make_of_it(by: str, best: str) -> None:
    """It takes the target that will be the fastest, or the cheapest, for this very request."""

    def work() -> None:
        sites = _sites(_spec("fast", per_s=900.0, usd=2.0), _spec("cheap", per_s=20.0))
        oracle = Oracle("total_s" if by == "total_s" else "cost_usd_pico")
        assert oracle.order(REQUEST, sites, 0.0)[0].spec.name == best

    _run(work)


@pytest.mark.parametrize(
    ("sends_to", "swings"),
    [
        pytest.param(lambda n: n % 2, False, id="even"),
        pytest.param(lambda n: int(n / 60) % 2, True, id="in turns of a minute"),
    ],
)
def test_swing_is_chance_apart_and_sees_whole_minutes_turn(
    sends_to: Callable[[int], int], swings: bool
) -> None:
    """An even spread has no swing; all to one target and then all to the other has all of it."""

    def work() -> None:
        sites = _sites(_spec("one"), _spec("two"))
        tally = Tally(sites)
        for number in range(1200):
            tally.began(sites[sends_to(number)], REQUEST, float(number))
            tally.took_s.append(1.0)
        swing = tally.measured().swing
        assert swing > 0.85 if swings else swing == 0.0

    _run(work)


def test_quantile_takes_the_value_that_so_many_are_below() -> None:
    """Of a hundred values, the 95th percentile has 95 below it."""
    values = [float(n) for n in range(100)]
    assert [quantile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [0.0, 50.0, 95.0, 99.0]
