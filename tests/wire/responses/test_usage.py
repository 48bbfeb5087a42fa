"""Usage of the Responses dialect: disjoint buckets that sum to the provider's totals."""

import json
from typing import Any

import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.wire.responses.usage import read_usage, usage_object

_counts = st.integers(0, 10_000)


def _report(total_in: int, total_out: int, **details: Any) -> dict[str, Any]:
    names = ("cached_tokens", "cache_write_tokens", "cache_write_tokens_details")
    return {
        "input_tokens": total_in,
        "output_tokens": total_out,
        "total_tokens": total_in + total_out,
        "input_tokens_details": {n: details[n] for n in names if n in details},
        "output_tokens_details": {"reasoning_tokens": details.get("reasoning_tokens", 0)},
    }


def _read(report: Any, tool_units: int = 0) -> Usage | None:
    return read_usage(json.dumps(report).encode(), tool_units=tool_units)


def test_read_usage_puts_each_token_in_one_bucket() -> None:
    """What lasts twelve hours has a bucket of its own."""
    report = _report(
        20,
        9,
        cached_tokens=3,
        cache_write_tokens=7,
        cache_write_tokens_details={"ttl_30m_tokens": 5, "ttl_12h_tokens": 2},
        reasoning_tokens=4,
    )
    assert _read(report, tool_units=1) == Usage(
        input_tokens=10,
        cache_read_tokens=3,
        cache_write_5m_tokens=5,
        cache_write_1h_tokens=2,
        output_tokens=5,
        output_reasoning_tokens=4,
        tool_units=1,
    )


@given(_counts, _counts, _counts, _counts, _counts)
def test_read_usage_sums_to_the_totals(
    uncached: int, cached: int, written: int, text: int, reasoning: int
) -> None:
    """And is written as it was read."""
    report = _report(
        uncached + cached + written,
        text + reasoning,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )
    usage = _read(report)
    assert usage is not None
    if uncached + written:  # else it reads as xAI's habit
        assert usage.total_input_tokens == report["input_tokens"]
    assert usage.total_output_tokens == report["output_tokens"]
    assert not usage.is_estimate
    assert usage_object(usage)["output_tokens_details"] == report["output_tokens_details"]


@given(_counts, _counts, _counts)
def test_read_usage_agrees_with_genai_prices(total: int, cached: int, output: int) -> None:
    """Its own extraction of this dialect."""
    report = _report(total + cached, output, cached_tokens=cached, cache_write_tokens=0)
    [openai] = [p for p in providers if p.id == "openai"]
    _, theirs = openai.extract_usage({"model": "gpt-5.5", "usage": report}, api_flavor="responses")
    usage = _read(report)
    assert usage is not None
    assert (usage.total_input_tokens, usage.cache_read_tokens, usage.total_output_tokens) == (
        theirs.input_tokens,
        theirs.cache_read_tokens or 0,
        theirs.output_tokens,
    )


def test_read_usage_of_xai_adds_what_was_counted_beside() -> None:
    """Cached tokens have been seen to be more than all of the input."""
    usage = _read(_report(5, 1, cached_tokens=8))
    assert usage == Usage(input_tokens=5, cache_read_tokens=8, output_tokens=1)


def test_read_usage_takes_the_reported_cost() -> None:
    """xAI's ticks and OpenRouter's dollars."""
    ticks = _read({**_report(1, 1), "cost_in_usd_ticks": 5})
    assert ticks is not None
    assert ticks.reported_cost_usd_pico == 500
    cost = _read({**_report(1, 1), "cost": 0.5})
    assert cost is not None
    assert cost.reported_cost_usd_pico == 5 * 10**11


@pytest.mark.parametrize("report", [None, {}, [], "x", {"input_tokens": "1"}])
def test_read_usage_that_cannot_be_read_is_unknown(report: Any) -> None:
    """An answer is not refused for its account."""
    assert _read(report) is None


def test_usage_object_has_what_the_strict_type_requires() -> None:
    """openai-python 3.x demands `cache_write_tokens`."""
    assert usage_object(
        Usage(input_tokens=1, cache_write_1h_tokens=2, cache_write_5m_tokens=3)
    ) == {
        "input_tokens": 6,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 5},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 6,
    }
