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

MAX_COST_USD = 10**6  # of one answer; more is a provider's slip, and an exponent may be any


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class _Reported(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    prompt_token_details: _InputDetails | None = None  # Mistral, older models
    completion_tokens_details: _OutputDetails | None = None
    num_cached_tokens: int | None = None  # Mistral
    cached_tokens: int | None = None  # Anthropic's compatible endpoint
    image_tokens: int | None = None  # Cerebras, as its documents say; live, it is in the details
    cost: msgspec.Raw = msgspec.Raw()  # OpenRouter: a number of USD; others: whatever they like
    cost_in_usd_ticks: int | None = None  # xAI


_decoder = msgspec.json.Decoder(_Reported)
_cost_decoder = msgspec.json.Decoder(Decimal)
_NO_INPUT, _NO_OUTPUT = _InputDetails(), _OutputDetails()


def read_usage(raw: bytes | msgspec.Raw, *, is_reasoning_outside: bool = False) -> Usage | None:
    """Return the buckets of a `usage` object, or None if it holds no counts that can be read.

    An answer is not refused for its account: what is no number here is not known, no more.

    Counts that contradict each other (parts larger than their whole) are cut to fit, so that the
    sum never exceeds what the provider calls its total, and the result is marked as an estimate.
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
        reported_cost_usd_pico=_reported_cost(said),
        is_estimate=is_input_cut or is_output_cut,
    )


def _total_output(said: _Reported, reasoning: int, *, is_reasoning_outside: bool) -> int:
    prompt, completion = said.prompt_tokens or 0, said.completion_tokens or 0
    outside = completion + max(reasoning, 0)
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


def _reported_cost(said: _Reported) -> int | None:
    if said.cost_in_usd_ticks is not None:
        usd_pico = said.cost_in_usd_ticks * _PICO_PER_XAI_TICK
        return usd_pico if 0 <= usd_pico <= MAX_COST_USD * _PICO_PER_USD else None
    if not bytes(said.cost):
        return None
    try:
        cost = _cost_decoder.decode(said.cost)
    except UNREADABLE:
        return None
    if not (cost.is_finite() and 0 <= cost <= MAX_COST_USD):
        return None
    return int((cost * _PICO_PER_USD).to_integral_value())
