"""When providers ask to be tried again: every header and every body that says it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.wire.rate_hints import MAX_RETRY_AFTER_S, wait_in_body, wait_in_headers

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

# (headers, seconds to wait)
WAITS: list[tuple[dict[bytes, bytes], float | None]] = [
    ({}, None),
    ({b"retry-after": b"5"}, 5.0),
    ({b"retry-after": b"0"}, 0.0),
    ({b"retry-after": b"1.5"}, 1.5),
    ({b"retry-after": b" 5 "}, 5.0),
    ({b"retry-after": b"-5"}, 0.0),
    ({b"retry-after": b"1e9"}, MAX_RETRY_AFTER_S),
    ({b"retry-after": b"inf"}, None),
    ({b"retry-after": b"-inf"}, None),
    ({b"retry-after": b"1e400"}, None),
    ({b"retry-after": b"nan"}, None),
    ({b"retry-after": b"soon"}, None),
    ({b"retry-after": b""}, None),
    ({b"retry-after": b"\xff"}, None),
    ({b"retry-after": b"Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
    ({b"retry-after": b"Sat, 21 Nov 2026 14:00:30 +0200"}, 30.0),
    ({b"retry-after": b"Sat, 21 Nov 2026 12:00:30"}, 30.0),  # no zone: UTC
    ({b"retry-after": b"Sat, 21 Nov 2020 12:00:30 GMT"}, 0.0),
    ({b"retry-after": b"Sat, 21 Nov 2099 12:00:30 GMT"}, MAX_RETRY_AFTER_S),
    ({b"retry-after": b"Sat, 21 Nov 99999 12:00:30 GMT"}, None),
    ({b"retry-after": b"Sat, 21 Nov 2026 12:00:30 -" + b"9" * 30}, None),
    ({b"retry-after-ms": b"250"}, 0.25),
    ({b"retry-after-ms": b"250", b"retry-after": b"9"}, 0.25),
    ({b"retry-after-ms": b"nan", b"retry-after": b"9"}, 9.0),
    ({b"retry-after-ms": b"soon"}, None),
]


@pytest.mark.parametrize(("headers", "wait_s"), WAITS)
def test_wait_in_headers_of_the_table(headers: dict[bytes, bytes], wait_s: float | None) -> None:
    """Seconds, a date or milliseconds; nonsense is no wait, and no wait is over the bound.

    Regression: a time zone of thirty digits raised `OverflowError`; `-inf` was a wait of 0.
    """
    assert wait_in_headers(headers, NOW) == wait_s


@given(st.binary(max_size=40) | st.text("0123456789 :+-,GMTNovSat", max_size=40).map(str.encode))
def test_wait_in_headers_anything_is_a_bounded_wait_or_none(value: bytes) -> None:
    """A provider's header raises nothing."""
    for name in (b"retry-after", b"retry-after-ms"):
        wait_s = wait_in_headers({name: value}, NOW)
        assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        # OpenAI, Groq, xAI: the limit that is used up counts, the longest of several.
        (
            {
                b"x-ratelimit-remaining-requests": b"0",
                b"x-ratelimit-reset-requests": b"1m0.5s",
                b"x-ratelimit-remaining-tokens": b"5",
                b"x-ratelimit-reset-tokens": b"6m0s",
            },
            60.5,
        ),
        (
            {
                b"x-ratelimit-remaining-requests": b"0",
                b"x-ratelimit-reset-requests": b"250ms",
                b"x-ratelimit-remaining-tokens": b"0",
                b"x-ratelimit-reset-tokens": b"2m59.56s",
            },
            179.56,
        ),
        # Cerebras and Mistral: seconds.
        (
            {
                b"x-ratelimit-remaining-tokens-minute": b"0",
                b"x-ratelimit-reset-tokens-minute": b"33.0",
            },
            33.0,
        ),
        (
            {b"x-ratelimit-remaining-req-minute": b"0", b"x-ratelimit-reset-req-minute": b"60"},
            60.0,
        ),
        # Anthropic: a time.
        (
            {
                b"anthropic-ratelimit-input-tokens-remaining": b"0",
                b"anthropic-ratelimit-input-tokens-reset": b"2026-11-21T12:00:20Z",
            },
            20.0,
        ),
        # OpenRouter: milliseconds since 1970.
        (
            {b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"1795262405000"},
            5.0,
        ),
        (
            {
                b"retry-after": b"3",
                b"x-ratelimit-remaining": b"0",
                b"x-ratelimit-reset": b"60",
            },
            3.0,
        ),
        ({b"x-ratelimit-remaining": b"1", b"x-ratelimit-reset": b"60"}, None),
        ({b"x-ratelimit-remaining": b"0"}, None),
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"soon"}, None),
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b""}, None),
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"9d"}, MAX_RETRY_AFTER_S),
    ],
)
def test_reset_of_a_limit_that_is_used_up_is_a_wait(
    headers: dict[bytes, bytes], wait_s: float | None
) -> None:
    """In every provider's names and units, where no header says plainly when to come back."""
    assert wait_in_headers(headers, NOW) == wait_s


@pytest.mark.parametrize(
    ("body", "wait_s"),
    [
        ({"error": {"details": [{"violations": []}, {"retryDelay": "34.5s"}]}}, 34.5),
        ([{"error": {"details": [{"retryDelay": "1s"}]}}], 1.0),
        ({"error": {"metadata": {"headers": {"X-RateLimit-Reset": "1795262405000"}}}}, None),
        (
            {
                "error": {
                    "metadata": {
                        "headers": {
                            "X-RateLimit-Remaining": "0",
                            "X-RateLimit-Reset": "1795262405000",
                        }
                    }
                }
            },
            5.0,
        ),
        ({"error": {"metadata": {"headers": {"Retry-After": "7", "x": 5}}}}, 7.0),
        ({"error": {"details": [5, {"retryDelay": 3}], "metadata": 5}}, None),
        ({"error": "text"}, None),
        ([], None),
        (5, None),
    ],
)
def test_body_tells_a_wait_too(body: Any, wait_s: float | None) -> None:
    """Google's details and the headers that OpenRouter repeats; anything else says nothing."""
    assert wait_in_body(json.dumps(body).encode(), NOW) == wait_s


def test_body_without_a_clock_passes_over_times() -> None:
    """Within a stream only a duration can be told."""
    body = b'{"error":{"metadata":{"headers":{"retry-after":"7"}}}}'
    assert wait_in_body(body) is None
    assert wait_in_body(b"<html>") is None


_HEADERS = st.sampled_from(
    [
        b"retry-after",
        b"retry-after-ms",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
        b"anthropic-ratelimit-tokens-remaining",
        b"anthropic-ratelimit-tokens-reset",
    ]
)
_VALUES = st.binary(max_size=30) | st.text("0123456789smhd.:+-TZ", max_size=24).map(str.encode)


@given(st.dictionaries(_HEADERS, _VALUES | st.just(b"0")))
def test_any_headers_are_a_bounded_wait_or_none(headers: dict[bytes, bytes]) -> None:
    """A provider's headers raise nothing."""
    wait_s = wait_in_headers(headers, NOW)
    assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S
