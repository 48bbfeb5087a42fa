"""What an attempt cost, in whole pico-dollars; integers all the way, one rounding at most.

    cost = Σ tokens × rate ÷ denominator + fee          (rate: pico-dollars per token)

Rules: an unknown rate of a bucket that was used makes the cost None, never 0. What the provider
itself reports is taken instead of what we compute, and its source is then `provider`.
"""

from itertools import compress
from typing import Final

from msgspec.structs import astuple

from slipstream.call import BUCKETS, Price, Rates, Usage

REPORTED: Final = "provider"
MAX_COST_USD_PICO: Final = 2**63 - 1  # what a BIGINT holds: over nine million dollars

# No model reads or writes a billion tokens in one attempt; a count over it is garbage.
MAX_TOKENS: Final = 10**9
_PICO_PER_USD: Final = 10**12
_NUM_BUCKETS: Final = len(BUCKETS)


def buckets_of(usage: Usage) -> tuple[int, ...]:
    """Return the counts of a usage in the order of `BUCKETS`."""
    counts: tuple[int, ...] = astuple(usage)[:_NUM_BUCKETS]
    return counts


def is_plausible(buckets: tuple[int, ...]) -> bool:
    """Say whether counts may be stored and priced at all: none negative, none absurd."""
    for count in filter(None, buckets):  # noqa: SIM110 -- all() over a generator takes thrice as long
        if not 0 < count <= MAX_TOKENS:
            return False
    return True


def cost_usd_pico(
    usage: Usage, price: Price | None, buckets: tuple[int, ...] | None = None
) -> tuple[int | None, str | None]:
    """Return (cost, source of the price); the cost is None if it is not known.

    Args:
        usage: Plausible.
        price: In force when the attempt started; None if nobody knows it.
        buckets: Those of the usage, if they are at hand.
    """
    reported = usage.reported_cost_usd_pico
    if reported is not None and 0 <= reported <= MAX_COST_USD_PICO:
        return reported, REPORTED
    if price is None:
        return None, None
    if usage.tier is not None:
        price = dict(price.by_service).get(usage.tier, price)
    cost = _computed_usd_pico(usage, price, buckets or buckets_of(usage))
    if cost is not None and cost > MAX_COST_USD_PICO:
        cost = None
    return cost, price.source


def _computed_usd_pico(usage: Usage, price: Price, buckets: tuple[int, ...]) -> int | None:
    """Compute the cost by a price, or None if a bucket that was used has no known rate."""
    rates = _rates_for(usage, price) if price.tiers else price.rates
    scaled = 0
    for bucket in compress(BUCKETS, buckets):  # the few that are not empty
        rate: int | None = getattr(rates, bucket)
        if rate is None:
            return None
        scaled += getattr(usage, bucket) * rate
    if price.denominator != 1:
        scaled = _divide_half_even(scaled, price.denominator)
    return scaled + price.request_usd_pico


def _rates_for(usage: Usage, price: Price) -> Rates:
    total_tokens = usage.total_input_tokens
    passed = (tier.rates for tier in price.tiers if total_tokens > tier.start_tokens)
    return next(passed, price.rates)


def usd_text(usd_pico: int) -> str:
    """Write pico-dollars as dollars, exactly: no exponent, no digit that is not needed."""
    whole, rest = divmod(usd_pico, _PICO_PER_USD)
    return f"{whole}.{rest:012d}".rstrip("0").rstrip(".")


def _divide_half_even(numerator: int, denominator: int) -> int:
    quotient, remainder = divmod(numerator, denominator)
    doubled = 2 * remainder
    is_up = doubled > denominator or (doubled == denominator and quotient % 2 == 1)
    return quotient + is_up
