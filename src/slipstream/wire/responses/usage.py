"""Usage of the Responses dialect, into disjoint buckets and out of them.

Its names differ from Chat's, and it tells how long what was written into a cache lasts.

Source: openai-python 3.52.0's types and the providers' SDKs, collected 2026-11-21.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.call import Usage
from slipstream.wire import usage as chat_usage
from slipstream.wire.invalid import UNREADABLE


class _Written(Struct):
    ttl_12h_tokens: int | None = None


class _InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_tokens_details: _Written | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | None = None


class _Reported(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    cost: msgspec.Raw = msgspec.Raw(b"null")  # OpenRouter
    estimated_cost: msgspec.Raw = msgspec.Raw(b"null")  # DeepInfra
    cost_in_usd_ticks: int | None = None  # xAI


_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(_Reported)
_NO_INPUT: Final = _InputDetails()
_NO_OUTPUT: Final = _OutputDetails()


def read_usage(raw: bytes | msgspec.Raw, *, tool_units: int = 0) -> Usage | None:
    """Return the buckets of a `usage` object, or None if it holds no counts that can be read.

    As `wire.usage.read_usage`, which does the counting. What is kept for twelve hours goes to the
    bucket of the longer time.

    Args:
        raw: The JSON of the object, or `null`.
        tool_units: Calls of the provider's own tools that the answer shows.
    """
    if not raw or bytes(raw) == b"null":
        return None
    try:
        said = _decoder.decode(raw)
    except UNREADABLE:
        return None
    details_in = said.input_tokens_details or _NO_INPUT
    usage = chat_usage.read_usage(_encode(_as_chat(said, details_in)))
    if usage is None:
        return None
    written = details_in.cache_write_tokens_details
    long = min(max((written and written.ttl_12h_tokens) or 0, 0), usage.cache_write_5m_tokens)
    return msgspec.structs.replace(
        usage,
        cache_write_5m_tokens=usage.cache_write_5m_tokens - long,
        cache_write_1h_tokens=long,
        tool_units=tool_units,
    )


def _as_chat(said: _Reported, details_in: _InputDetails) -> dict[str, Any]:
    """Say the same in Chat's names."""
    total, cached = said.input_tokens, details_in.cached_tokens or 0
    if total is not None and cached > total:
        total += cached  # xAI has been seen to count cached tokens beside the others
    details_out = said.output_tokens_details or _NO_OUTPUT
    both = (total or 0) + (said.output_tokens or 0)
    return {
        "prompt_tokens": total,
        "completion_tokens": said.output_tokens,
        "total_tokens": both,  # reasoning is always within the output here
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": details_in.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": details_out.reasoning_tokens},
        "cost": said.cost if bytes(said.cost) != b"null" else said.estimated_cost,
        "cost_in_usd_ticks": said.cost_in_usd_ticks,
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return what an answer says that it cost."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.total_input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": written,
        },
        "output_tokens": usage.total_output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.output_reasoning_tokens},
        "total_tokens": usage.total_input_tokens + usage.total_output_tokens,
    }
