"""Tests of slipstream.engine.drawing."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slipstream.engine.drawing import Points, draw, largest, nucleus, points, softmax
from slipstream.engine.sampling import Sampling
from tests.engine.sampling_reference import edited, probabilities

RNG = np.random.default_rng(20261121)
FLAT = RNG.normal(0, 1, 20_000).astype(np.float32)
PEAKED = RNG.normal(0, 4, 20_000).astype(np.float32)


def drawn(
    row: np.ndarray[tuple[int], np.dtype[np.float32]], sampling: Sampling, num: int
) -> list[int]:
    """Return tokens at the positions 0 to num - 1."""
    return [draw(row, sampling, points(sampling.seed, position)) for position in range(num)]


def chi_squared(
    observed: Counter[int], expected: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> tuple[float, int]:
    """Return the statistic and its degrees of freedom; rare tokens are taken together."""
    num = observed.total()
    common = np.flatnonzero(expected * num >= 10).tolist()
    rest = 1 - float(expected[common].sum())
    value = sum((observed[i] - expected[i] * num) ** 2 / (expected[i] * num) for i in common)
    if rest * num < 1:
        return value, len(common) - 1
    num_rest = num - sum(observed[i] for i in common)
    return value + (num_rest - rest * num) ** 2 / (rest * num), len(common)


def limit(degrees: int) -> float:
    """Return what chi-squared exceeds once in 10,000 times (Wilson and Hilferty 1931)."""
    ninth = 2 / (9 * max(degrees, 1))
    return max(degrees, 1) * (1 - ninth + 3.719 * math.sqrt(ninth)) ** 3


def test_points_are_uniform_and_independent() -> None:
    """Of 40,000 seeds and positions, in 100 × 100 boxes of both numbers: as many as by chance."""
    numbers = [points(seed, position) for seed in range(200) for position in range(200)]
    boxes = Counter(int(a * 10) * 10 + int(b * 10) for a, b in numbers)
    follows = Counter(int(a.first * 10) * 10 + int(b.first * 10) for a, b in pairwise(numbers))

    for counts in (boxes, follows):
        value, degrees = chi_squared(counts, np.full(100, 0.01))
        assert degrees == 99
        assert value < limit(degrees)
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 1 for pair in numbers for number in pair)


@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1, -(2**63), 2**64 - 1])
def test_points_any_64_bit_seed_works(seed: int) -> None:
    """Every seed that a request may carry is accepted; -1 and 2^64 - 1 are one."""
    assert points(seed, 5) == points(seed % 2**64, 5)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(1.0, 1.0, 1),
        Sampling(0.7, 1.0, 2),
        Sampling(1.0, 0.9, 3),
        Sampling(1.0, 0.3, 4),
        Sampling(2.0, 0.8, 5),
        Sampling(1.0, 1.0, 6, top_k=7),
        Sampling(1.0, 0.8, 7, top_k=12),
        Sampling(1.0, 1.0, 8, min_p=0.02),
        Sampling(1.3, 0.95, 9, min_p=0.01, top_k=30),
    ],
)
@pytest.mark.parametrize("shift", [0.0, 500.0, -500.0])
def test_draw_follows_the_distribution(sampling: Sampling, shift: float) -> None:
    """Frequencies of 4,000 draws over 3,000 tokens match the reference by chi-squared."""
    row = (PEAKED[:3_000] * 0.6 + shift).astype(np.float32)
    expected = probabilities(row.astype(np.float64), sampling)

    observed = Counter(drawn(row, sampling, 4_000))
    assert all(expected[token_id] > 0 for token_id in observed)
    value, degrees = chi_squared(observed, expected)
    assert degrees >= 5
    assert value < limit(degrees)


logit = st.one_of(st.integers(-6, 6).map(float), st.floats(-20, 20, width=32), st.just(-math.inf))


@given(
    st.lists(logit, min_size=1, max_size=40),
    st.floats(0.05, 2),
    st.one_of(st.just(1.0), st.floats(0, 1)),
    st.integers(0, 45),
    st.one_of(st.just(0.0), st.floats(0, 1)),
    st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)),
)
@settings(max_examples=400, deadline=None)
def test_draw_small_rows_keep_what_the_reference_keeps(
    logits: list[float],
    temperature: float,
    top_p: float,
    top_k: int,
    min_p: float,
    at: tuple[float, float],
) -> None:
    """Whatever the filters, ties and infinities: only kept tokens are drawn.

    Tokens at a border, and those whose logits differ by less than float32 can tell, may pass.
    """
    row = np.array(logits, np.float32)
    assume(row.max() > -math.inf)
    sampling = Sampling(temperature, top_p, 0, top_k=top_k, min_p=min_p)
    lenient = Sampling(
        temperature, min(top_p + 1e-5, 1), 0, top_k=top_k, min_p=max(min_p * (1 - 1e-4), 0)
    )

    token_id = draw(row, sampling, Points(*at))
    kept = probabilities(row.astype(np.float64), lenient) > 0
    assert row[token_id] >= row[kept].min() - 1e-5
    assert row[token_id] > -math.inf


@given(st.lists(logit, min_size=1, max_size=40), st.integers(1, 45))
def test_largest_ranks_and_breaks_ties_by_id(logits: list[float], count: int) -> None:
    """The largest first, lower ids first among equals."""
    row = np.array(logits, np.float32)

    ranked = sorted(range(len(row)), key=lambda token_id: (-row[token_id], token_id))
    assert largest(row, count).tolist() == ranked[:count]


@pytest.mark.parametrize("size", [511, 512, 1_023, 1_024, 1_400, 20_000])
@pytest.mark.parametrize("count", [1, 5, 20, 512, 513, 1_200])
def test_largest_of_many_finds_all(size: int, count: int) -> None:
    """Where columns bound the search, and where they cannot; with many ties."""
    row = np.round(FLAT[:size], 1)

    expected = np.argsort(-row, kind="stable")[:count]
    assert largest(row, count).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "row", [FLAT, PEAKED, np.zeros(5_000, np.float32)], ids=["flat", "peaked", "ties"]
)
@pytest.mark.parametrize("top_p", [0.0, 0.01, 0.5, 0.9, 0.999, 1.0])
def test_nucleus_is_the_shortest_prefix_of_the_ranked(
    row: np.ndarray[tuple[int], np.dtype[np.float32]], top_p: float
) -> None:
    """Levels and buckets find what a sort of everything finds, in float32 and in float64."""
    for weights in (np.exp(row), np.exp(row.astype(np.float64))):
        ranked = np.argsort(-weights, kind="stable")
        sums = np.cumsum(weights[ranked], dtype=np.float64)
        wanted = top_p * float(sums[-1])

        found = nucleus(weights, wanted)
        assert sorted(found.tolist()) == sorted(ranked[: len(found)].tolist())
        assert sums[len(found) - 1] >= wanted * (1 - 1e-12)
        assert len(found) == 1 or sums[len(found) - 2] <= wanted * (1 + 1e-12)


def test_nucleus_of_what_cannot_be_reached_is_everything() -> None:
    """Rounding may ask for more than there is."""
    weights = np.exp(FLAT)

    assert len(nucleus(weights, float(weights.sum(dtype=np.float64)) * 1.001)) == len(weights)
    assert len(nucleus(weights[:9], 1e9)) == 9


@pytest.mark.parametrize("point", [0.0, 0.5, 1 - 2**-53])
@pytest.mark.parametrize("size", [1, 100, 512, 600, 20_000])
def test_draw_at_the_ends_of_the_line_stays_inside(point: float, size: int) -> None:
    """Neither rounding nor the zeros behind the row lead to a token that cannot be."""
    row = np.full(size, -np.inf, np.float32)
    row[[0, size // 2]] = 1.0

    assert draw(row, Sampling(1.0, 1.0, 0), Points(point, point)) in (0, size // 2)


@pytest.mark.parametrize("shift", [-1e4, -100.0, -40.0, 0.0, 55.0, 75.0, 100.0, 1e4])
def test_softmax_of_any_size_of_logits_has_the_same_shares(shift: float) -> None:
    """Nothing overflows, and the scale is told."""
    row = (PEAKED.astype(np.float64) + shift).astype(np.float32)
    whole = softmax(row, 1.0)
    expected = probabilities(row.astype(np.float64), Sampling(1.0, 1.0, 0))

    shares = whole.weights[: len(row)] / whole.total
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    log_total = math.log(whole.total) + whole.log_scale
    assert math.isclose(row.max() - log_total, math.log(expected.max()), abs_tol=1e-3)


def test_draw_tiny_share_is_drawn_as_often_as_it_should() -> None:
    """20,000 tokens of 1/20,000 of the likeliest one's weight each have half of the mass."""
    row = np.full(20_001, math.log(1 / 20_000), np.float32)
    row[777] = 0.0

    num = sum(token_id == 777 for token_id in drawn(row, Sampling(1.0, 1.0, 3), 4_000))
    assert 1_870 < num < 2_130  # four standard deviations of 31.6
    assert edited(row, Sampling(1.0, 1.0, 3)).argmax() == 777
