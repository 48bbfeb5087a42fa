"""Figures that are learned from scripted processes: near the truth, and following its changes."""

import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.routing.estimates import Gauge, Ratio
from slipstream.routing.histogram import Histogram

HALF_LIFE_S = 120.0
Process = Callable[[random.Random, int], tuple[float, float, float]]


def _gauge(base: float = 0.6) -> Gauge:
    return Gauge(base, units=(0.5, 1.0), times=Histogram())


def _feed(
    gauge: Gauge, process: Process, num: int, *, seed: int = 0, start: int = 0, per_s: float = 5.0
) -> float:
    """Let a process run; return the weight of its last sample."""
    rng = random.Random(seed + start)
    weight = 1.0
    for number in range(start, start + num):
        weight = math.exp2(number / per_s / HALF_LIFE_S)
        gauge.add(*process(rng, number), weight)
    return weight


def _lognormal(mean: float, sigma: float) -> Process:
    return lambda rng, _: (
        mean * rng.lognormvariate(-sigma * sigma / 2, sigma),
        rng.uniform(0.0, 2.0),
        float(rng.randint(0, 12)),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sigma", [0.0, 0.3, 0.8])
def test_gauge_comes_near_the_mean_of_a_steady_process(sigma: float, seed: int) -> None:
    """A few hundred answers are enough; what depends on nothing gets no slopes."""
    gauge = _gauge()
    _feed(gauge, _lognormal(0.5, sigma), 600, seed=seed)
    assert gauge.mean == pytest.approx(0.5, rel=0.12)
    assert gauge.base + gauge.slope1 + 6.0 * gauge.slope2 == pytest.approx(0.5, rel=0.15)
    assert gauge.spread == pytest.approx(max(sigma, 0.05), rel=0.35, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_gauge_learns_what_input_and_load_cost(seed: int) -> None:
    """A target that queues is expected to be slow when it is busy."""

    def process(rng: random.Random, _: int) -> tuple[float, float, float]:
        kilo, load = rng.expovariate(0.5), float(rng.randint(0, 20))
        return (0.3 + 0.2 * kilo + 0.05 * load) * rng.lognormvariate(-0.045, 0.3), kilo, load

    gauge = _gauge()
    _feed(gauge, process, 1000, seed=seed)
    assert gauge.base == pytest.approx(0.3, abs=0.1)
    assert gauge.slope1 == pytest.approx(0.2, abs=0.06)
    assert gauge.slope2 == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize("seed", range(5))
def test_gauge_believes_no_slope_in_noise(seed: int) -> None:
    """One that does not queue is not expected to: forty in flight cost less than a fifth more."""
    gauge = _gauge()
    _feed(gauge, _lognormal(0.5, 0.5), 1000, seed=seed)
    assert 40.0 * gauge.slope2 < 0.2 * gauge.base


@pytest.mark.parametrize("factor", [10.0, 3.0, 1 / 3.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_gauge_follows_a_change_within_a_fraction_of_its_half_life(
    factor: float, seed: int
) -> None:
    """A change is seen as one: 60 answers, in a tenth of a half-life, go most of the way."""
    gauge = _gauge()
    _feed(gauge, _lognormal(1.0, 0.4), 1000, seed=seed)
    _feed(gauge, _lognormal(factor, 0.4), 60, seed=seed, start=1000)
    assert 0.5 < gauge.mean / factor < 2.0
    _feed(gauge, _lognormal(factor, 0.4), 600, seed=seed, start=1060)
    assert gauge.mean == pytest.approx(factor, rel=0.15)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.005, 30.0), st.floats(0.0, 0.7), st.floats(0.05, 20.0), st.integers(0, 2**32))
def test_gauge_converges_and_follows_any_process(
    mean: float, sigma: float, factor: float, seed: int
) -> None:
    """Whatever its mean and spread: near the truth, and three half-lives later near the new one."""
    gauge = _gauge()
    _feed(gauge, _lognormal(mean, sigma), 400, seed=seed, per_s=1.0)
    assert 0.7 < gauge.mean / mean < 1.45
    _feed(gauge, _lognormal(mean * factor, sigma), 360, seed=seed, start=400, per_s=1.0)
    assert 0.65 < gauge.mean / (mean * factor) < 1.55


@pytest.mark.parametrize("at", [0, 1, 10, 500])
def test_gauge_bears_a_single_outlier(at: int) -> None:
    """One answer of ten minutes among short ones moves the mean by less than a tenth in the end."""
    gauge = _gauge()
    process = _lognormal(0.5, 0.3)
    _feed(gauge, lambda rng, n: (600.0, 0.0, 1.0) if n == at else process(rng, n), at + 100)
    assert gauge.mean == pytest.approx(0.5, rel=0.25)


@given(st.lists(st.tuples(st.floats(), st.floats(0.0, 1e6), st.floats(0.0, 1e5)), max_size=60))
def test_gauge_stays_finite_whatever_it_is_told(samples: list[tuple[float, float, float]]) -> None:
    """NaN, zero, infinity, negative and absurd times leave figures that can be compared."""
    gauge = _gauge()
    for number, (y, x1, x2) in enumerate(samples):
        gauge.add(y, x1, x2, math.exp2(number))
        gauge.add_longer_than(y, x2, math.exp2(number))
        assert 0.0 < gauge.base < math.inf
        assert 0.0 < gauge.mean <= 86_400.0
        assert 0.0 <= gauge.slope1 < math.inf
        assert 0.0 <= gauge.slope2 < math.inf
        assert 0.0 < gauge.spread < 10.0


def test_gauge_lean_is_what_one_length_cannot_tell() -> None:
    """Answers of one length do not say what a token takes: half of the mean at most."""
    gauge = Gauge(0.6, units=(100.0, 1.0), lean=1 / 60, times=Histogram())
    _feed(gauge, lambda rng, _: (0.3, 500.0, 0.0), 200)
    assert gauge.base + 500.0 * gauge.slope1 == pytest.approx(0.3)
    assert gauge.base > 0.1


def test_rebase_changes_no_figure() -> None:
    """Weights that become too large are made small, and nobody notices."""

    def runs() -> Iterator[Gauge]:
        for is_rebased in (False, True):
            gauge = _gauge()
            weight = _feed(gauge, _lognormal(0.5, 0.4), 300)
            if is_rebased:
                gauge.rebase(weight)
                weight = 1.0
            assert gauge.samples(weight) == pytest.approx(180.0, rel=0.5)
            for number in range(100):
                gauge.add(2.0 + 0.1 * (number % 5), 1.0, 2.0, weight)
            yield gauge

    kept, rebased = runs()
    assert rebased.mean == pytest.approx(kept.mean)
    assert rebased.base == pytest.approx(kept.base)


def test_add_longer_than_before_any_answer_counts_as_slow() -> None:
    """Nobody waited long for what never answered, and still it is not fast."""
    gauge = _gauge(0.6)
    gauge.add_longer_than(0.01, 0.0, 1.0)
    assert gauge.mean == pytest.approx(1.2)


def test_add_longer_than_sooner_than_all_tells_nothing() -> None:
    """A client that leaves at once has seen neither a slow target nor a fast one."""
    gauge = _gauge()
    weight = _feed(gauge, _lognormal(0.5, 0.1), 50)
    before = gauge.samples(weight), gauge.mean
    assert not gauge.add_longer_than(0.05, 0.0, weight)
    assert (gauge.samples(weight), gauge.mean) == before


def test_ratio_forgets_what_it_started_with() -> None:
    """The sum of all bytes against the sum of all tokens, and little of the guess before."""
    ratio = Ratio(0.25, 1000.0)
    for number in range(100):
        ratio.add(400.0, 1000.0, math.exp2(number / 20))
    assert ratio.value == pytest.approx(0.4, rel=0.02)
    ratio.rebase(math.exp2(5.0))
    ratio.add(400.0, 1000.0, 1.0)
    assert ratio.value == pytest.approx(0.4, rel=0.02)
