"""Usage of Messages, into disjoint buckets and out of them.

Input there is what no cache had a part in; writes to the cache are told whole and by how long they
are kept; thinking is counted within the output. A stream tells it in pieces, each field the whole
so far: the last that is told counts.

Source: anthropic-python 2.11.0's types, 2026-11-21. Only web searches are billed by the call.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.call import Usage
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.usage import in_tier, reported_cost_usd_pico


class _Written(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Details(Struct):
    thinking_tokens: int | None = None


class _Hosted(Struct):
    web_search_requests: int | None = None


class Reported(Struct):
    """A `usage` object; None where nothing is told."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _Written | None = None
    output_tokens_details: _Details | None = None
    server_tool_use: _Hosted | None = None
    service_tier: str | None = None
    speed: str | None = None
    cost: msgspec.Raw | None = None  # OpenRouter
    estimated_cost: msgspec.Raw | None = None  # DeepInfra
    cost_in_usd_ticks: int | None = None  # xAI


_decoder: Final = msgspec.json.Decoder(Reported)


def read_reported(raw: bytes | msgspec.Raw, before: Reported | None = None) -> Reported | None:
    """Return what is known with one more object; unchanged if it cannot be read.

    An answer is not refused for its account: what is no number here is not known, no more.
    """
    try:
        said = _decoder.decode(raw) if bytes(raw) not in (b"", b"null") else None
    except UNREADABLE:
        said = None
    if said is None or before is None:
        return said or before
    for name in Reported.__struct_fields__:
        if getattr(said, name) is None:
            setattr(said, name, getattr(before, name))
    return said


def usage_of(said: Reported) -> Usage | None:
    """Return the buckets; None if nothing is counted.

    Counts that contradict each other are cut to fit, and the result is marked as an estimate.
    """
    if said.input_tokens is None and said.output_tokens is None:
        return None
    short, long = _written(said)
    thinking = said.output_tokens_details and said.output_tokens_details.thinking_tokens
    hosted = said.server_tool_use and said.server_tool_use.web_search_requests
    told: dict[str, int] = {
        "input_tokens": said.input_tokens or 0,
        "cache_read_tokens": said.cache_read_input_tokens or 0,
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
        "output_tokens": (said.output_tokens or 0) - (thinking or 0),
        "output_reasoning_tokens": thinking or 0,
        "tool_units": hosted or 0,
    }
    counts = {name: max(count, 0) for name, count in told.items()}
    most = max(said.output_tokens or 0, 0)
    counts["output_reasoning_tokens"] = min(counts["output_reasoning_tokens"], most)
    counts["output_tokens"] = most - counts["output_reasoning_tokens"]
    usd = said.cost or said.estimated_cost or b""
    cost = reported_cost_usd_pico(usd, said.cost_in_usd_ticks)
    usage = msgspec.structs.replace(
        Usage(is_estimate=counts != told, reported_cost_usd_pico=cost), **counts
    )
    return in_tier(usage, said.speed)  # other tiers there cost what the usual one does


def _written(said: Reported) -> tuple[int, int]:
    """Return what was written to the cache for five minutes, and for an hour."""
    by_time = said.cache_creation or _Written()
    short = by_time.ephemeral_5m_input_tokens or 0
    long = by_time.ephemeral_1h_input_tokens or 0
    total = said.cache_creation_input_tokens
    if total is None:
        return short, long
    # The total may be newer than its parts; what they leave over is of the usual time.
    long = min(long, max(total, 0))
    return total - long, long


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return what an answer says that it cost, but for the times that caches keep."""
    counts: dict[str, Any] = {
        "input_tokens": usage.total_input_tokens
        - usage.cache_read_tokens
        - usage.cache_write_5m_tokens
        - usage.cache_write_1h_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.total_output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.output_reasoning_tokens},
    }
    if usage.tool_units:
        counts["server_tool_use"] = {
            "web_search_requests": usage.tool_units,
            "web_fetch_requests": 0,
        }
    return counts


def full_usage_object(usage: Usage, service_tier: str) -> dict[str, Any]:
    """Return what a whole message says that it cost."""
    return usage_object(usage) | {
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "service_tier": service_tier,
    }
