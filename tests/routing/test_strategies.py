"""The order that each strategy gives candidates, and where chance decides."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.choice import Strategy
from slipstream.routing.candidates import Candidate
from slipstream.routing.expect import FOREIGN_FACTOR, Size, rate
from slipstream.routing.glances import UNKNOWN_USD_PICO
from slipstream.routing.strategies import (
    RANKINGS,
    Placed,
    draw_unknown,
    groups_at_a_glance,
    in_order,
    measured,
)
from tests.routing.scenes import Scene, price
from tests.routing.test_field import candidate_of

SCENE = Scene(("a/m",))


def _candidate(index: int = 0, **fields: Any) -> Candidate:
    glance = {
        name: fields.pop(name)
        for name in ("usd_pico", "total_s", "scale", "byte_s", "load_s")
        if name in fields
    }
    candidate = candidate_of(SCENE, "a/m", index=index, **fields)
    candidate.glance.scale = 0.03
    for name, value in glance.items():
        setattr(candidate.glance, name, value)
    return candidate


def _first(strategy: Strategy, candidates: list[Candidate], rng: Random | None = None) -> list[int]:
    placed = RANKINGS[strategy].glance(candidates, 0)
    return [each.index for _, _, each in in_order(strategy, placed, 0, rng, 0.3)]


def _shares(strategy: Strategy, candidates: list[Candidate], num: int = 2000) -> list[float]:
    rng = Random(5)
    firsts = [_first(strategy, candidates, rng)[0] for _ in range(num)]
    return [firsts.count(each.index) / num for each in candidates]


@pytest.mark.parametrize("strategy", list(RANKINGS))
def test_in_order_without_chance_the_least_measure_is_first(strategy: Strategy) -> None:
    """What is explained is the same each time, and all candidates are in it."""
    candidates = [
        _candidate(index, usd_pico=1e9 * (index + 1), total_s=1.0 + index, weight=9.0 - index)
        for index in range(5)
    ]
    assert _first(strategy, candidates) == [0, 1, 2, 3, 4]
    if strategy != "weighted":
        assert _first(strategy, candidates[::-1]) == [0, 1, 2, 3, 4]


def test_in_order_far_apart_is_no_matter_of_chance() -> None:
    """Ten times as long is ten times as long."""
    candidates = [_candidate(index, total_s=10.0**index) for index in range(3)]
    assert _shares("fastest", candidates) == [1.0, 0.0, 0.0]


def test_in_order_chance_falls_smoothly_with_the_difference() -> None:
    """No step at which all of the traffic would turn."""
    shares = []
    for difference in (0.0, 0.01, 0.02, 0.04, 0.08):
        candidates = [_candidate(0, total_s=1.0), _candidate(1, total_s=1.0 + difference)]
        shares.append(_shares("fastest", candidates)[1])
    assert shares == sorted(shares, reverse=True)
    assert 0.45 < shares[0] < 0.55
    assert 0.3 < shares[2] < 0.4
    assert shares[4] < 0.1


def test_in_order_what_is_little_known_may_be_first_more_often() -> None:
    """The same difference means less where nobody is sure of it."""
    known = [_candidate(0, total_s=1.0), _candidate(1, total_s=1.2)]
    unknown = [_candidate(0, total_s=1.0), _candidate(1, total_s=1.2, scale=0.3)]
    assert _shares("fastest", known)[1] < 0.01
    assert _shares("fastest", unknown)[1] > 0.2


def test_in_order_many_alike_share_evenly() -> None:
    """Of thirty equals each has its turn."""
    shares = _shares("fastest", [_candidate(index, total_s=1.0) for index in range(30)], 6000)
    assert min(shares) > 0.015
    assert max(shares) < 0.06


def test_in_order_equal_costs_go_by_speed() -> None:
    """Twice as fast is four times as likely."""
    candidates = [
        _candidate(0, usd_pico=1e9, total_s=2.0),
        _candidate(1, usd_pico=1e9, total_s=1.0),
        _candidate(2, usd_pico=1.1e9, total_s=0.1),
    ]
    shares = _shares("cheapest", candidates)
    assert shares[1] == pytest.approx(0.8, abs=0.04)
    assert shares[2] == 0.0


def test_in_order_free_and_unknown_costs_are_no_trouble() -> None:
    """Models of our own cost nothing, and of some nobody knows."""
    candidates = [
        _candidate(0, usd_pico=UNKNOWN_USD_PICO, total_s=1.0),
        _candidate(1, usd_pico=0.0, total_s=1.0),
        _candidate(2, usd_pico=0.0, total_s=1.0),
    ]
    assert _first("cheapest", candidates)[2] == 0
    assert _shares("cheapest", candidates)[0] == 0.0
    assert _shares("balanced", candidates)[0] > 0.2  # as dear as the dearest known, which is free
    unknown = [_candidate(n, usd_pico=UNKNOWN_USD_PICO, total_s=1.0 + n) for n in range(2)]
    assert 0.7 < _shares("cheapest", unknown)[0] < 0.9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_in_order_weighted_is_each_ones_share(weights: list[int]) -> None:
    """By chance, as the weights stand to one another."""
    candidates = [_candidate(n, weight=float(weight)) for n, weight in enumerate(weights)]
    for share, weight in zip(_shares("weighted", candidates), weights, strict=True):
        assert share == pytest.approx(weight / sum(weights), abs=0.06)


@pytest.mark.parametrize("strategy", ["ordered", "weighted"])
def test_in_order_foreign_targets_come_last(strategy: Strategy) -> None:
    """Whoever cannot read a request's reasoning gets it when nobody else can."""
    candidates = [_candidate(0, is_foreign=True, weight=99.0), _candidate(1, weight=0.0)]
    assert _shares(strategy, candidates, 50) == [0.0, 1.0]


def test_measured_counts_what_stands_against_a_candidate() -> None:
    """Of another vendor: as many times the cost, and a free one is no exception."""
    scene = Scene(("a/m", "b/m"), prices={"a/m": price(0), "b/m": price(1)})
    size = Size(num_bytes=400)
    free = rate(candidate_of(scene, "a/m", is_foreign=True), size)
    own = rate(candidate_of(scene, "b/m"), size)
    (foreign_cost, _, _), (own_cost, _, _) = measured(RANKINGS["cheapest"], [free, own])
    assert foreign_cost == FOREIGN_FACTOR * 10**8
    assert own_cost == own.cost_usd_pico
    times = measured(RANKINGS["fastest"], [free, own])
    assert times[0][0] == pytest.approx(FOREIGN_FACTOR * times[1][0])


def test_groups_keep_their_places_and_balance_inside() -> None:
    """A name of several targets is one link of a chain."""
    candidates = [
        _candidate(0, total_s=9.0, usd_pico=0.0),
        _candidate(1, total_s=5.0, usd_pico=0.0),
        _candidate(1, total_s=2.0, usd_pico=0.0),
        _candidate(2, total_s=1.0, usd_pico=0.0),
    ]
    placed = in_order("ordered", groups_at_a_glance(candidates, 0), 0, None, 0.3)
    assert [each.glance.total_s for _, _, each in placed] == [9.0, 2.0, 5.0, 1.0]


def test_draw_unknown_is_for_what_is_little_known_and_plausible() -> None:
    """Never what was ten times worse, and not what is known."""
    scene = Scene(("a/m", "b/m", "c/m", "d/m"))
    scene.answer("a/m", times=200)
    scene.answer("b/m", times=200)
    scene.answer("d/m", times=1)
    candidates = [candidate_of(scene, name) for name in scene.targets]
    placed: list[Placed] = [
        (measure, place, each)
        for place, (measure, each) in enumerate(zip((1.0, 1.1, 3.0, 11.0), candidates, strict=True))
    ]
    rng = Random(3)
    drawn = [draw_unknown(placed, RANKINGS["fastest"], scene.now_s, rng) for _ in range(2000)]
    assert drawn.count(3) == 0
    assert drawn.count(0) == 0
    assert drawn.count(2) > 1500
    assert drawn.count(1) < 100
    free: list[Placed] = [(0.0, place, each) for _, place, each in placed]
    assert draw_unknown(free, RANKINGS["cheapest"], scene.now_s, rng) in (None, 1, 2, 3)
    dear = draw_unknown(placed[::2], RANKINGS["cheapest"], scene.now_s, rng)
    assert dear is None


def test_draw_unknown_never_asked_may_be_the_best() -> None:
    """What is assumed of it is no reason to leave it: a fast target would stay alone for ever."""
    scene = Scene(("a/m", "b/m", "c/m"))
    scene.answer("a/m", times=200)
    scene.answer("b/m", times=200)
    known, slow, new = (candidate_of(scene, name) for name in scene.targets)
    placed: list[Placed] = [(0.2, 0, known), (1.5, 1, slow), (5.6, 2, new)]
    rng = Random(3)
    drawn = [draw_unknown(placed, RANKINGS["fastest"], scene.now_s, rng) for _ in range(200)]
    assert drawn.count(2) > 190
