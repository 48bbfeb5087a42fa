"""Exact arithmetic: by hand, and against fractions for anything at all."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import BUCKETS, Price, Rates, Tier, Usage
from slipstream.ledger.cost import (
    MAX_COST_USD_PICO,
    MAX_TOKENS,
    REPORTED,
    buckets_of,
    cost_usd_pico,
    is_plausible,
)

_TEXT = Price(
    rates=Rates(input_tokens=250_000, cache_read_tokens=25_000, output_tokens=2_000_000),
    source="test",
)


def _usage(counts: dict[str, int]) -> Usage:
    return Usage(**counts)  # type: ignore[arg-type]


_counts = st.lists(st.integers(0, 10**6), min_size=len(BUCKETS), max_size=len(BUCKETS)).map(
    lambda counts: dict(zip(BUCKETS, counts, strict=True))
)


def test_cost_of_text_is_the_sum_of_tokens_times_rates() -> None:
    """1,000 in at $0.25, 500 cached at $0.025, 100 out at $2 per million: $0.0004625."""
    usage = Usage(input_tokens=1000, cache_read_tokens=500, output_tokens=100)
    assert cost_usd_pico(usage, _TEXT) == (462_500_000, "test")


def test_cost_without_a_price_is_unknown_and_not_zero() -> None:
    """A model that nobody has a price for costs None."""
    assert cost_usd_pico(Usage(input_tokens=1), None) == (None, None)


def test_cost_with_one_used_bucket_of_unknown_rate_is_unknown() -> None:
    """Audio that has no rate makes the whole cost unknown; unused audio does not."""
    assert cost_usd_pico(Usage(input_tokens=1, input_audio_tokens=1), _TEXT) == (None, "test")
    assert cost_usd_pico(Usage(input_tokens=1), _TEXT) == (250_000, "test")


def test_cost_reported_by_the_provider_overrides_the_price() -> None:
    """What the provider says it charged is the cost, and the source says so; zero counts."""
    for reported in (0, 7):
        usage = Usage(input_tokens=10**6, reported_cost_usd_pico=reported)
        assert cost_usd_pico(usage, _TEXT) == (reported, REPORTED)


def test_cost_reported_absurdly_is_ignored() -> None:
    """A negative or astronomic report falls back to the price."""
    for reported in (-1, MAX_COST_USD_PICO + 1):
        usage = Usage(input_tokens=4, reported_cost_usd_pico=reported)
        assert cost_usd_pico(usage, _TEXT) == (1_000_000, "test")


def test_cost_over_what_the_database_holds_is_unknown() -> None:
    """A cost that no BIGINT holds is not cut off to one that it does."""
    dear = Price(rates=Rates(input_tokens=MAX_COST_USD_PICO), source="test")
    assert cost_usd_pico(Usage(input_tokens=1), dear) == (MAX_COST_USD_PICO, "test")
    assert cost_usd_pico(Usage(input_tokens=2), dear) == (None, "test")


@pytest.mark.parametrize(("total", "rate"), [(200, 1), (201, 2), (400, 2), (401, 5)])
def test_cost_over_a_tiers_start_is_all_at_that_tier(total: int, rate: int) -> None:
    """Tiers are cliffs on the whole input: over the start, every token has the new rate."""
    price = Price(
        rates=Rates(input_tokens=1, cache_read_tokens=1, output_tokens=1),
        tiers=(
            Tier(400, Rates(input_tokens=5, cache_read_tokens=5, output_tokens=5)),
            Tier(200, Rates(input_tokens=2, cache_read_tokens=2, output_tokens=2)),
        ),
        source="test",
    )
    usage = Usage(input_tokens=total - 100, cache_read_tokens=100, output_tokens=7)
    assert cost_usd_pico(usage, price) == ((total + 7) * rate, "test")


@pytest.mark.parametrize(("count", "cost"), [(1, 0), (2, 1), (3, 2), (5, 2), (6, 3), (7, 4)])
def test_cost_of_a_fractional_rate_is_rounded_once_half_to_even(count: int, cost: int) -> None:
    """Half a pico-dollar per token: 0.5 → 0, 1.5 → 2, 2.5 → 2, 3.5 → 4."""
    price = Price(rates=Rates(input_tokens=1), denominator=2, source="test")
    assert cost_usd_pico(Usage(input_tokens=count), price) == (cost, "test")


def test_cost_includes_the_fee_per_request_once() -> None:
    """A fee per request is added as it is, after the division."""
    price = Price(rates=Rates(input_tokens=4), denominator=2, request_usd_pico=9, source="test")
    assert cost_usd_pico(Usage(input_tokens=3), price) == (15, "test")


@given(counts=_counts, rates=_counts, denominator=st.integers(1, 10**6))
def test_cost_of_anything_is_within_half_a_pico_of_the_exact_sum(
    counts: dict[str, int], rates: dict[str, int], denominator: int
) -> None:
    """No bucket is forgotten or counted twice, whatever the usage and the price."""
    price = Price(rates=Rates(**rates), denominator=denominator, source="test")
    cost, _ = cost_usd_pico(_usage(counts), price)
    exact = Fraction(sum(counts[name] * rates[name] for name in BUCKETS), denominator)
    assert cost is not None
    assert abs(cost - exact) <= Fraction(1, 2)


@given(counts=_counts)
def test_buckets_of_a_usage_sum_to_its_totals(counts: dict[str, int]) -> None:
    """Buckets are disjoint: input, output and tool units together are all of them."""
    usage = _usage(counts)
    total = usage.total_input_tokens + usage.total_output_tokens + usage.tool_units
    assert sum(buckets_of(usage)) == total


def test_rates_have_the_names_and_order_of_the_buckets() -> None:
    """A bucket that is added to Usage must be added to Rates, in the same place."""
    assert Rates.__struct_fields__ == BUCKETS


@pytest.mark.parametrize(
    ("count", "is_good"),
    [(0, True), (1, True), (MAX_TOKENS, True), (MAX_TOKENS + 1, False), (-1, False)],
)
def test_plausible_counts_are_neither_negative_nor_absurd(count: int, is_good: bool) -> None:
    """Garbage from an upstream is seen before it is stored."""
    assert is_plausible(buckets_of(Usage(output_tokens=count))) is is_good
