"""Tests of slipstream.wire.messages.usage."""

from typing import Any

import msgspec
import pytest
from genai_prices import extract_usage
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.wire.messages.usage import (
    full_usage_object,
    read_reported,
    usage_object,
    usage_of,
)

COUNTS = st.integers(0, 10**6)


def read(*objects: Any) -> Usage | None:
    """Return the buckets of usage that was told in pieces."""
    said = None
    for one in objects:
        said = read_reported(msgspec.json.encode(one), said)
    return usage_of(said) if said else None


def test_usage_is_split_into_disjoint_buckets() -> None:
    """Input excludes what caches had a part in, output includes thinking, searches are billed."""
    assert read(
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 7,
            "cache_read_input_tokens": 3,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2},
            "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 4},
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
        }
    ) == Usage(
        input_tokens=10,
        cache_read_tokens=3,
        cache_write_5m_tokens=5,
        cache_write_1h_tokens=2,
        output_tokens=5,
        output_reasoning_tokens=4,
        tool_units=2,
    )


def test_usage_told_in_pieces_is_the_last_of_each_field() -> None:
    """`message_delta` is cumulative and may leave fields out, as older streams do."""
    start = {"input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 1}
    assert read(start, {"output_tokens": 9}, {"input_tokens": None, "output_tokens": 12}) == Usage(
        input_tokens=10, cache_read_tokens=3, output_tokens=12
    )
    assert read(start, {"input_tokens": 20}) == Usage(
        input_tokens=20, cache_read_tokens=3, output_tokens=1
    )


@pytest.mark.parametrize(
    ("total", "parts", "expected"),
    [
        (7, None, (7, 0)),
        (7, {"ephemeral_1h_input_tokens": 7}, (0, 7)),
        (9, {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}, (7, 2)),
        (1, {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}, (0, 1)),
        (None, {"ephemeral_5m_input_tokens": 5}, (5, 0)),
    ],
)
def test_usage_of_cache_writes_sums_to_their_total(
    total: int | None, parts: Any, expected: tuple[int, int]
) -> None:
    """The two prices of a write are told apart, and what is not told is of the usual time."""
    usage = read({"input_tokens": 0, "cache_creation_input_tokens": total, "cache_creation": parts})
    assert usage is not None
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == expected


@pytest.mark.parametrize(
    "said",
    [
        {"input_tokens": -1, "output_tokens": 3},
        {"input_tokens": 1, "output_tokens": 3, "output_tokens_details": {"thinking_tokens": 5}},
    ],
)
def test_usage_that_contradicts_itself_is_an_estimate(said: Any) -> None:
    """Counts are cut to fit, never negative, and their sum is the provider's total."""
    usage = read(said)
    assert usage is not None
    assert usage.is_estimate
    assert usage.total_output_tokens == 3
    assert min(usage.input_tokens, usage.output_tokens) >= 0


@pytest.mark.parametrize("raw", [b"", b"null", b"3", b'{"input_tokens": "x"}', b"{"])
def test_usage_that_cannot_be_read_is_not_known(raw: bytes) -> None:
    """An answer is not refused for its account, and what was known before is kept."""
    assert read_reported(raw) is None
    before = read_reported(b'{"input_tokens": 1}')
    assert read_reported(raw, before) is before
    assert read({"service_tier": "x"}) is None


@given(counts=st.tuples(*[COUNTS] * 6))
def test_usage_object_reads_as_it_was(counts: tuple[int, ...]) -> None:
    """Written whole it keeps every bucket; in a stream, all but how long caches keep."""
    usage = Usage(
        input_tokens=counts[0],
        cache_read_tokens=counts[1],
        cache_write_5m_tokens=counts[2],
        cache_write_1h_tokens=counts[3],
        output_tokens=counts[4],
        output_reasoning_tokens=counts[5],
    )
    assert read(full_usage_object(usage, "standard")) == usage
    told = usage_object(usage)
    total = told["input_tokens"] + told["cache_creation_input_tokens"]
    assert total + told["cache_read_input_tokens"] == usage.total_input_tokens
    assert told["output_tokens"] == usage.total_output_tokens


@given(counts=st.tuples(*[COUNTS] * 7))
def test_usage_agrees_with_genai_prices(counts: tuple[int, ...]) -> None:
    """The library that prices are taken from reads the same counts, as totals."""
    uncached, cached, short, long, text, thinking, searches = counts
    said = {
        "input_tokens": uncached,
        "cache_creation_input_tokens": short + long,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": text + thinking,
        "output_tokens_details": {"thinking_tokens": thinking},
        "server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 1},
    }
    usage = read(said)
    assert usage is not None
    answer = {"model": "claude-sonnet-4-5", "usage": said}
    theirs = extract_usage(answer, provider_id="anthropic").usage
    assert usage.total_input_tokens == theirs.input_tokens
    assert usage.total_output_tokens == theirs.output_tokens
    assert (usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (
        theirs.cache_read_tokens or 0,
        theirs.cache_write_5m_tokens or 0,
        theirs.cache_write_1h_tokens or 0,
    )
    assert usage.output_reasoning_tokens == (theirs.output_reasoning_tokens or 0)
    assert usage.tool_units == (theirs.web_searches or 0)


def test_usage_object_counts_every_other_bucket_somewhere() -> None:
    """Sound and pictures are input, predictions output; searches have a field of their own."""
    usage = Usage(
        input_tokens=1,
        input_audio_tokens=2,
        input_image_tokens=4,
        prediction_accepted_tokens=3,
        tool_units=5,
    )
    said = usage_object(usage)
    assert (said["input_tokens"], said["output_tokens"]) == (7, 3)
    assert said["server_tool_use"]["web_search_requests"] == 5
