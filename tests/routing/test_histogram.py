"""Weighted quantiles, and samples of which only the least is known."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.routing.histogram import Histogram


def _of(values: list[float]) -> Histogram:
    times = Histogram()
    for value in values:
        times.add(value, 1.0)
    return times


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.95, 0.99])
def test_quantile_of_many_samples_is_near_the_exact_one(share: float) -> None:
    """Buckets are fine enough to hedge by."""
    rng = random.Random(1)
    values = sorted(rng.lognormvariate(-0.5, 0.8) for _ in range(20_000))
    quantile = _of(values).quantile(share)
    assert quantile == pytest.approx(values[int(share * len(values))], rel=0.04)


def test_quantile_without_samples_is_none() -> None:
    """Nothing is known of what never answered."""
    assert Histogram().quantile(0.5) is None


@given(st.floats(allow_nan=False), st.floats(0.0, 1.0))
def test_quantile_of_one_sample_is_within_bounds(value: float, share: float) -> None:
    """Whatever is told, it counts at one end at worst."""
    quantile = _of([value]).quantile(share)
    assert quantile is not None
    assert 0.0009 < quantile < 4200.0


def test_weights_of_newer_samples_move_quantiles() -> None:
    """One new sample of weight three is as good as three old ones."""
    times = _of([0.1] * 3)
    times.add(10.0, 9.0)
    assert times.quantile(0.5) == pytest.approx(10.0, rel=0.13)


def test_scale_leaves_quantiles_as_they_were() -> None:
    """Making weights small again forgets nothing."""
    times = _of([0.1, 0.2, 0.4, 0.8])
    before = times.quantile(0.6)
    times.scale(1e-12)
    assert times.quantile(0.6) == pytest.approx(before)
    assert times.total == pytest.approx(4e-12)


def test_add_longer_than_keeps_the_tail_that_races_cut_off() -> None:
    """Losers that are closed at the 60th percentile do not bend the p95: closing is no answer."""
    rng = random.Random(2)
    values = [rng.lognormvariate(-0.7, 0.7) for _ in range(20_000)]
    exact = sorted(values)[int(0.95 * len(values))]
    cut_s = sorted(values)[int(0.6 * len(values))]
    times, naive = Histogram(), Histogram()
    for number, value in enumerate(values):
        if number < 500 or value < cut_s or rng.random() < 0.5:
            times.add(value, 1.0)
            naive.add(value, 1.0)
        else:
            times.add_longer_than(cut_s, 1.0)
    p95, bent = times.quantile(0.95), naive.quantile(0.95)
    assert p95 is not None
    assert bent is not None
    assert p95 == pytest.approx(exact, rel=0.06)
    assert bent < 0.9 * exact


def test_add_longer_than_everything_counts_as_it_is() -> None:
    """Nobody knows how much longer than the longest it would have been."""
    times = _of([0.1])
    assert times.add_longer_than(5.0, 1.0) == 5.0
    assert times.quantile(0.9) == pytest.approx(5.0, rel=0.13)


def test_share_below_counts_whole_buckets() -> None:
    """What is sooner than all samples is below none of them."""
    times = _of([0.1, 1.0, 10.0, 100.0])
    assert [times.share_below(v) for v in (0.05, 0.5, 5.0, 1000.0)] == [0.0, 0.25, 0.5, 1.0]
    assert Histogram().share_below(1.0) == 0.0
