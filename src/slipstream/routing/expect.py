"""What a request is expected to cost and how long it will take, at one of its candidates.

input   = counted, or bytes x tokens per byte, + images and the like
output  = what this route's answers at this target have been, at most what is asked for
cost    = the ledger's arithmetic for these tokens, part of them read from a warm cache
time    = see lanes; to the end of the answer, company and failures included
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from slipstream.call import Price, Rates
from slipstream.routing.affinity import TargetKey, Warm
from slipstream.routing.candidates import Candidate
from slipstream.routing.glances import UNKNOWN_USD_PICO

FOREIGN_FACTOR: Final = 4.0
"""How much better a target must be for a request to leave the vendor of its opaque reasoning."""

STAY: Final = 0.1
"""How much better another one must be for a conversation to leave a wholly warm cache."""

_PICO_PER_USD: Final = 10**12


class Size(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How large a request is, and what it may cost.

    Args:
        num_bytes: Of what the model reads, images and the like apart.
        media_tokens: Those.
        input_tokens: As somebody counted them, or None.
        max_output_tokens: As asked for; 0 where an answer is no text at all.
        is_stream: Otherwise its first token comes with its last.
        warm: What its targets have of it in their caches.
        max_cost_usd_pico: Expected cost that a target may have at most.
    """

    num_bytes: int
    media_tokens: int = 0
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    is_stream: bool = True
    warm: Mapping[TargetKey, Warm] = {}
    max_cost_usd_pico: int | None = None


class Rated(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A candidate and what is expected of it for one request.

    Args:
        cost_usd_pico: None where the price is not known.
        first_s: To the first token.
        total_s: To the end.
        bias: What counts against it (over 1) or for it (below): caches, opaque reasoning.
        num_input: Tokens.
        num_output: Tokens.
    """

    candidate: Candidate
    cost_usd_pico: int | None
    first_s: float
    total_s: float
    bias: float
    num_input: int
    num_output: int


class Tokens(NamedTuple):
    """How many tokens a request is expected to take, and how long they do."""

    num_input: int
    text: int
    reasoning: int
    first_s: float
    total_s: float


def expect_tokens(candidate: Candidate, size: Size) -> Tokens:
    """Return what to expect of a candidate but for its cost."""
    lane, answers = candidate.lane, candidate.answers
    num_input = _num_input(candidate, size)
    text, reasoning = answers.text_tokens, answers.reasoning_tokens
    most = size.max_output_tokens
    if most is not None and text + reasoning > most:
        reasoning = reasoning * most // (text + reasoning)
        text = most - reasoning
    first_s, total_s = lane.expect_s(text + reasoning, num_input)
    if lane.is_on_trial:  # whether its failures are over is just what a trial is to find out
        total_s -= lane.failing_s
    return Tokens(num_input, text, reasoning, first_s if size.is_stream else total_s, total_s)


def rate(candidate: Candidate, size: Size) -> Rated:
    """Return what to expect of a candidate for a request of this size."""
    num_input, text, reasoning, first_s, total_s = expect_tokens(candidate, size)
    num_read = _num_warm(candidate, size.warm, num_input) if size.warm else 0
    num_written = int((num_input - num_read) * candidate.answers.write_share)
    return Rated(
        candidate=candidate,
        cost_usd_pico=expected_cost_usd_pico(
            candidate.price, num_input, num_read, num_written, text, reasoning
        ),
        first_s=first_s,
        total_s=total_s,
        bias=(FOREIGN_FACTOR if candidate.is_foreign else 1.0)
        * (1.0 - STAY * num_read / (num_input or 1)),
        num_input=num_input,
        num_output=text + reasoning,
    )


def _num_input(candidate: Candidate, size: Size) -> int:
    if size.input_tokens is not None:
        return size.input_tokens
    return int(size.num_bytes * candidate.lane.tokens_per_byte) + size.media_tokens


def _num_warm(candidate: Candidate, warm: Mapping[TargetKey, Warm], num_input: int) -> int:
    sent = warm.get(candidate.key)
    if sent is None:
        return 0
    tokens = sent.num_bytes * candidate.lane.tokens_per_byte * candidate.answers.hit_share
    return min(int(tokens), num_input)


def why_unfit(candidate: Candidate, size: Size) -> str | None:
    """Return in words why a request of this size is none for a candidate; None if it is."""
    num_input = _num_input(candidate, size)
    num_output = 1 if size.max_output_tokens is None else size.max_output_tokens
    if num_output > candidate.max_output_tokens:
        return f"it writes {candidate.max_output_tokens} tokens at most; {num_output} are asked for"
    if num_input + num_output > candidate.context_tokens:
        return (
            f"its context holds {candidate.context_tokens} tokens; "
            f"about {num_input} of input and {num_output} of output are asked for"
        )
    budget = size.max_cost_usd_pico
    if budget is None:
        return None
    cost = rate(candidate, size).cost_usd_pico
    if cost is None:
        return f"its price is not known, and at most {usd_words(budget)} may be spent"
    if cost > budget:
        return f"it is expected to cost {usd_words(cost)}; at most {usd_words(budget)} may be spent"
    return None


# ---- money ---------------------------------------------------------------------------------------


def expected_cost_usd_pico(
    price: Price | None,
    num_input: int,
    num_read: int = 0,
    num_written: int = 0,
    text: int = 0,
    reasoning: int = 0,
) -> int | None:
    """Return what tokens cost, to the pico-dollar as the ledger computes it; None: unknown.

    Args:
        num_input: All that is read, `num_read` from a cache and `num_written` into it included.
    """
    if price is None:
        return None
    rates = price.rates
    for tier in price.tiers:
        if num_input > tier.start_tokens:
            rates = tier.rates
            break
    scaled = _scaled(
        rates, (num_input - num_read - num_written, num_read, num_written, text, reasoning)
    )
    if scaled is None:
        return None
    if price.denominator != 1:  # to the nearest, halves to the even one
        quotient, remainder = divmod(scaled, price.denominator)
        doubled = 2 * remainder
        is_up = doubled > price.denominator
        is_up = is_up or (doubled == price.denominator and quotient % 2 == 1)
        scaled = quotient + is_up
    return scaled + price.request_usd_pico


def _scaled(rates: Rates, counts: tuple[int, int, int, int, int]) -> int | None:
    """Return the sum of counts at their rates; None where a rate is not known that is needed."""
    per_token = (
        rates.input_tokens,
        rates.cache_read_tokens,
        rates.cache_write_5m_tokens,
        rates.output_tokens,
        rates.output_reasoning_tokens,
    )
    scaled = 0
    for count, rate_usd_pico in zip(counts, per_token, strict=True):
        if not count:
            continue
        if rate_usd_pico is None:
            return None
        scaled += count * rate_usd_pico
    return scaled


def usd_words(usd_pico: int) -> str:
    """Write an amount for people to read; reports and sums use the integer."""
    rounded = Decimal(f"{usd_pico / _PICO_PER_USD:.3g}")
    return f"${rounded:f}"  # never with an exponent


# ---- at a glance ---------------------------------------------------------------------------------

HEDGE_QUANTILE: Final = 0.95
PATIENCE_QUANTILE: Final = 0.99
PATIENCE_TIMES: Final = 4.0
LEAST_PATIENCE_S: Final = 5.0
LEAST_SAMPLES: Final = 20.0

_LEAST_SCALE: Final = 0.03
# Standard errors: times have tails that their spread tells little of, and two are compared.
_DOUBT: Final = 3.0
_MOST_SCALE: Final = 0.3
_A_THOUSAND: Final = 1000


def glance_at(candidate: Candidate) -> None:
    """Work out a candidate's glance from what is known of it now."""
    lane, answers, glance = candidate.lane, candidate.answers, candidate.glance
    per_byte = lane.tokens_per_byte
    num_output = answers.text_tokens + answers.reasoning_tokens
    glance.tokens_per_byte, glance.num_output = per_byte, num_output
    glance.byte_s = lane.first_input_s * per_byte
    failing_s = 0.0 if lane.is_on_trial else lane.failing_s
    glance.total_s = lane.first_base_s + lane.late_s + lane.token_s * num_output + failing_s
    glance.load_s = lane.first_load_s + lane.token_load_s * num_output
    error = _DOUBT * lane.spread / (lane.samples + 1.0) ** 0.5
    glance.scale = min(max(error, _LEAST_SCALE), _MOST_SCALE)
    _glance_at_price(candidate)


def look_at_quantiles(candidate: Candidate) -> None:
    """Work out what of a candidate's glance comes from quantiles, which takes its time."""
    lane, glance = candidate.lane, candidate.glance
    first_s, total_s = lane.expect_s(_A_THOUSAND, _A_THOUSAND)
    late_s, late_plain_s = (
        lane.first_token_quantile_s(
            HEDGE_QUANTILE,
            is_stream=is_stream,
            output_tokens=_A_THOUSAND,
            input_tokens=_A_THOUSAND,
        )
        for is_stream in (True, False)
    )
    glance.late_s = None if late_s is None else late_s - first_s
    glance.late_plain_s = None if late_plain_s is None else late_plain_s - total_s
    if lane.samples < LEAST_SAMPLES:
        return
    usual_s = lane.first_token_quantile_s(PATIENCE_QUANTILE, input_tokens=_A_THOUSAND)
    if usual_s is not None:
        glance.patience_s = max(PATIENCE_TIMES * usual_s, LEAST_PATIENCE_S)


def _glance_at_price(candidate: Candidate) -> None:
    """Work out the cost as a line through two points: no price bends below its first tier."""
    price, answers, glance = candidate.price, candidate.answers, candidate.glance
    glance.most_tokens = candidate.context_tokens
    glance.usd_pico, glance.byte_usd_pico = UNKNOWN_USD_PICO, 0.0
    if price is None:
        return
    for tier in price.tiers:
        glance.most_tokens = min(glance.most_tokens, tier.start_tokens)
    output = (0, 0, 0, answers.text_tokens, answers.reasoning_tokens)
    written = int(_A_THOUSAND * answers.write_share)
    at_start = _scaled(price.rates, output)
    of_input = _scaled(price.rates, (_A_THOUSAND - written, 0, written, 0, 0))
    if at_start is None or of_input is None:
        return
    glance.usd_pico = at_start / price.denominator + price.request_usd_pico
    per_token = of_input / _A_THOUSAND / price.denominator
    glance.byte_usd_pico = per_token * glance.tokens_per_byte
