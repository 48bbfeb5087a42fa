"""Usage of an OpenAI-like answer into disjoint buckets.

Providers agree on the outer names and differ in where they count what; each difference is a field
here or an argument that the provider's row fills. Money is not known here.

Source: the providers' SDK types and live notes, collected 2026-11-21.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from slipstream.call import Usage
from slipstream.wire.invalid import UNREADABLE

_PICO_PER_USD = 10**12
_PICO_PER_XAI_TICK = 100  # a tick is 1e-10 USD

# Tiers of service that cost otherwise, by the providers' words; all others are the usual price.
_PRICED_TIERS = frozenset({"flex", "priority", "fast"})

MAX_COST_USD = 10**6  # of one answer; more is a provider's slip, and an exponent may be any


class InputDetails(msgspec.Struct):
    """What of the input is something else than uncached text."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    """What of the output is something else than visible text."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class Reported(msgspec.Struct):
    """A `usage` object."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    prompt_token_details: InputDetails | None = None  # Mistral, older models
    completion_tokens_details: OutputDetails | None = None
    num_cached_tokens: int | None = None  # Mistral
    cached_tokens: int | None = None  # Anthropic's compatible endpoint
    image_tokens: int | None = None  # Cerebras, as its documents say; live, it is in the details
    cost: msgspec.Raw = msgspec.Raw()  # OpenRouter: a number of USD; others: whatever they like
    estimated_cost: msgspec.Raw = msgspec.Raw()  # DeepInfra: a number of USD
    cost_in_usd_ticks: int | None = None  # xAI


_decoder = msgspec.json.Decoder(Reported)
_cost_decoder = msgspec.json.Decoder(Decimal)
_NO_INPUT, _NO_OUTPUT = InputDetails(), OutputDetails()


def read_usage(raw: bytes | msgspec.Raw, *, is_reasoning_outside: bool = False) -> Usage | None:
    """Return the buckets of a `usage` object, or None if it holds no counts that can be read.

    An answer is not refused for its account: what is no number here is not known, no more.

    Counts that contradict each other (parts larger than their whole) are cut to fit, so that the
    sum never exceeds what the provider calls its total, and the result is marked as an estimate;
    but where DeepInfra tells more reasoning than output, the reasoning was left out of the total.
    A reported cost that is negative or over `MAX_COST_USD` is unknown.

    Args:
        raw: The JSON of the object, or `null`.
        is_reasoning_outside: The provider counts reasoning beside `completion_tokens`, not in it
            (xAI). Where `total_tokens` says which it was, that decides.
    """
    if not raw or bytes(raw) == b"null":
        return None
    try:
        said = _decoder.decode(raw)
    except UNREADABLE:
        return None
    return usage_of(said, is_reasoning_outside=is_reasoning_outside)


def usage_of(said: Reported, *, is_reasoning_outside: bool = False) -> Usage | None:
    """Return the buckets of a `usage` object that was read; as `read_usage`."""
    if said.prompt_tokens is None and said.completion_tokens is None:
        return None
    details_in = said.prompt_tokens_details or said.prompt_token_details or _NO_INPUT
    details_out = said.completion_tokens_details or _NO_OUTPUT
    reasoning = details_out.reasoning_tokens or 0
    cached = details_in.cached_tokens or said.num_cached_tokens or said.cached_tokens or 0
    input_parts, input_rest, is_input_cut = _fit(
        said.prompt_tokens or 0,
        cached,
        details_in.cache_write_tokens or 0,
        details_in.audio_tokens or 0,
        details_in.image_tokens or said.image_tokens or 0,
    )
    output_parts, output_rest, is_output_cut = _fit(
        _total_output(said, reasoning, is_reasoning_outside=is_reasoning_outside),
        reasoning,
        details_out.audio_tokens or 0,
        details_out.image_tokens or 0,
        details_out.accepted_prediction_tokens or 0,
        details_out.rejected_prediction_tokens or 0,
    )
    return Usage(
        input_tokens=input_rest,
        cache_read_tokens=input_parts[0],
        cache_write_5m_tokens=input_parts[1],
        input_audio_tokens=input_parts[2],
        input_image_tokens=input_parts[3],
        output_tokens=output_rest,
        output_reasoning_tokens=output_parts[0],
        output_audio_tokens=output_parts[1],
        output_image_tokens=output_parts[2],
        prediction_accepted_tokens=output_parts[3],
        prediction_rejected_tokens=output_parts[4],
        reported_cost_usd_pico=reported_cost_usd_pico(
            said.cost if bytes(said.cost) else said.estimated_cost, said.cost_in_usd_ticks
        ),
        is_estimate=is_input_cut or is_output_cut,
    )


def in_tier(usage: Usage | None, tier: object) -> Usage | None:
    """Return a usage with the tier of service that answered, if that has a price of its own.

    Args:
        tier: The provider's word for it, or whatever it says there.
    """
    if usage is None or not isinstance(tier, str) or tier not in _PRICED_TIERS:
        return usage
    return msgspec.structs.replace(usage, tier=tier)


def _total_output(said: Reported, reasoning: int, *, is_reasoning_outside: bool) -> int:
    prompt, completion = said.prompt_tokens or 0, said.completion_tokens or 0
    outside = completion + max(reasoning, 0)
    if bytes(said.estimated_cost) and reasoning > completion:
        return outside  # DeepInfra leaves it out of both totals for models of Google's
    if said.total_tokens == prompt + completion:
        return completion
    return outside if is_reasoning_outside or said.total_tokens == prompt + outside else completion


def _fit(total: int, *parts: int) -> tuple[Sequence[int], int, bool]:
    """Cut parts so that they fit into the total; return them, the rest, and if any was cut."""
    rest = total - sum(parts)
    if rest >= 0 and min(parts) >= 0:
        return parts, rest, False
    left, fitted, is_cut = max(total, 0), [], total < 0
    for part in parts:
        taken = min(max(part, 0), left)
        fitted.append(taken)
        left -= taken
        is_cut = is_cut or taken != part
    return fitted, left, is_cut


def reported_cost_usd_pico(usd: bytes | msgspec.Raw, ticks: int | None) -> int | None:
    """Return what a provider says that an answer cost; None if it says nothing, or nonsense.

    Args:
        usd: JSON that should be a number of dollars; empty where nothing is said.
        ticks: xAI's unit, which then counts.
    """
    if ticks is not None:
        usd_pico = ticks * _PICO_PER_XAI_TICK
        return usd_pico if 0 <= usd_pico <= MAX_COST_USD * _PICO_PER_USD else None
    if not bytes(usd):
        return None
    try:
        cost = _cost_decoder.decode(usd)
    except UNREADABLE:
        return None
    if not (cost.is_finite() and 0 <= cost <= MAX_COST_USD):
        return None
    return int((cost * _PICO_PER_USD).to_integral_value())
