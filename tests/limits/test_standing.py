"""The headers that tell how far limits are used, in both APIs' words."""

import pytest

from slipstream.limits.standing import (
    UNLIMITED,
    Level,
    anthropic_headers,
    cerebras_headers,
    duration_text,
    openai_headers,
)

_S_US = 1_000_000


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (6_000, "6ms"),
        (6_001, "7ms"),
        (999_000, "999ms"),
        (999_001, "1s"),
        (_S_US, "1s"),
        (8_640_000, "8.64s"),
        (59_999_000, "59.999s"),
        (59_999_001, "1m0s"),
        (360 * _S_US, "6m0s"),
        (179_560_000, "2m59.56s"),
        (3_600 * _S_US, "1h0m0s"),
        (86_399_001_000, "23h59m59.001s"),
        (86_400 * _S_US, "24h0m0s"),
    ],
)
def test_duration_is_written_as_openai_writes_it(duration_us: int, text: str) -> None:
    """Milliseconds below a second, then seconds, minutes and hours; never less than it takes."""
    assert duration_text(duration_us) == text


def test_nothing_is_told_to_openai_callers_where_nothing_is_limited() -> None:
    """No limit, no header."""
    assert openai_headers([]) == []


def test_whole_family_is_told_where_nothing_is_limited() -> None:
    """A client of Cerebras finds every header that it may look for."""
    headers = dict(cerebras_headers([]))
    assert headers == {
        f"x-ratelimit-{figure}-{what}-{unit}".encode(): value
        for figure, value in (
            ("limit", b"1000000000"),
            ("remaining", b"1000000000"),
            ("reset", b"0.0"),
        )
        for what in ("requests", "tokens")
        for unit in ("minute", "hour", "day")
    }
    assert UNLIMITED == 1_000_000_000
    assert len(cerebras_headers([])) == 18


def test_family_has_the_figures_of_the_limits_that_are_set() -> None:
    """Reset is a float of seconds; what is not set stays unlimited."""
    levels = [
        Level("requests", "minute", 5, 4, 12_000_000),
        Level("tokens", "day", 1_000_000, 999_000, 86_400_001),
    ]
    headers = dict(cerebras_headers(levels))
    assert len(headers) == 18
    assert headers[b"x-ratelimit-limit-requests-minute"] == b"5"
    assert headers[b"x-ratelimit-remaining-requests-minute"] == b"4"
    assert headers[b"x-ratelimit-reset-requests-minute"] == b"12.0"
    assert headers[b"x-ratelimit-remaining-tokens-day"] == b"999000"
    assert headers[b"x-ratelimit-reset-tokens-day"] == b"86.400001"
    assert headers[b"x-ratelimit-limit-tokens-minute"] == b"1000000000"


def test_openai_callers_get_both_families_of_what_is_set() -> None:
    """OpenAI's names tell the period of which the least is left, in OpenAI's durations."""
    levels = [
        Level("requests", "minute", 5, 4, 12_000_000),
        Level("requests", "day", 2400, 3, 86_300 * _S_US),
    ]
    assert openai_headers(levels) == [
        (b"x-ratelimit-limit-requests", b"2400"),
        (b"x-ratelimit-remaining-requests", b"3"),
        (b"x-ratelimit-reset-requests", b"23h58m20s"),
        (b"x-ratelimit-limit-requests-minute", b"5"),
        (b"x-ratelimit-remaining-requests-minute", b"4"),
        (b"x-ratelimit-reset-requests-minute", b"12.0"),
        (b"x-ratelimit-limit-requests-day", b"2400"),
        (b"x-ratelimit-remaining-requests-day", b"3"),
        (b"x-ratelimit-reset-requests-day", b"86300.0"),
    ]


@pytest.mark.parametrize(
    ("uncached_left", "total_left", "limit"), [(100, 500, 300), (100, 100, 300), (100, 99, 900)]
)
def test_tokens_are_those_of_which_the_least_is_left(
    uncached_left: int, total_left: int, limit: int
) -> None:
    """Uncached or total, whichever refuses first; uncached of two equals."""
    levels = [
        Level("tokens", "minute", 300, uncached_left, 1_000_000),
        Level("tokens", "minute", 900, total_left, 2_000_000),
    ]
    for headers in (openai_headers(levels), cerebras_headers(levels)):
        told = dict(headers)
        assert told[b"x-ratelimit-limit-tokens-minute"] == b"%d" % limit
        assert told[b"x-ratelimit-remaining-tokens-minute"] == b"%d" % min(100, total_left)
        assert told[b"x-ratelimit-reset-tokens-minute"] == (b"1.0" if limit == 300 else b"2.0")
    assert dict(openai_headers(levels))[b"x-ratelimit-limit-tokens"] == b"%d" % limit


def test_anthropics_callers_are_told_when_the_nearest_limit_is_whole_again() -> None:
    """Of each kind the limit of which the least is left; times are rounded up to seconds."""
    levels = [
        Level("requests", "minute", 10, 9, 6 * _S_US),
        Level("requests", "day", 100, 3, 7_200 * _S_US),
        Level("tokens", "hour", 1_000, 500, 500_000),
    ]
    assert anthropic_headers(levels, 1_700_000_000.0) == [
        (b"anthropic-ratelimit-requests-limit", b"100"),
        (b"anthropic-ratelimit-requests-remaining", b"3"),
        (b"anthropic-ratelimit-requests-reset", b"2023-11-15T00:13:20Z"),
        (b"anthropic-ratelimit-tokens-limit", b"1000"),
        (b"anthropic-ratelimit-tokens-remaining", b"500"),
        (b"anthropic-ratelimit-tokens-reset", b"2023-11-14T22:13:21Z"),
    ]
    assert anthropic_headers([], 0.0) == []
