"""What is left of rate limits, in every provider's headers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.choice import Room
from slipstream.wire.room_hints import read_room

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

TABLE: dict[str, tuple[dict[str, str], Room | None]] = {
    "none": ({"content-type": "x", "retry-after": "3"}, None),
    "openai": (
        {
            "x-ratelimit-limit-requests": "500",
            "x-ratelimit-remaining-requests": "499",
            "x-ratelimit-reset-requests": "120ms",
            "x-ratelimit-limit-tokens": "30000",
            "x-ratelimit-remaining-tokens": "29976",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        Room(requests=499, requests_reset_s=0.12, tokens=29976, tokens_reset_s=360.0),
    ),
    "groq": (
        {
            "x-ratelimit-remaining-requests": "14370",
            "x-ratelimit-reset-requests": "2m59.56s",
            "x-ratelimit-remaining-tokens": "17997",
            "x-ratelimit-reset-tokens": "7.66s",
        },
        Room(requests=14370, requests_reset_s=179.56, tokens=17997, tokens_reset_s=7.66),
    ),
    "cerebras": (
        {
            "x-ratelimit-remaining-requests-day": "1000",
            "x-ratelimit-reset-requests-day": "33011.382",
            "x-ratelimit-remaining-tokens-minute": "60000",
            "x-ratelimit-reset-tokens-minute": "11.38",
        },
        Room(requests=1000, requests_reset_s=33011.382, tokens=60000, tokens_reset_s=11.38),
    ),
    "mistral": (
        {
            "x-ratelimit-limit-req-minute": "60",
            "x-ratelimit-remaining-req-minute": "59",
            "x-ratelimit-remaining-tokens-minute": "1000",
            "x-ratelimit-reset-tokens-minute": "20",
        },
        Room(requests=59, tokens=1000, tokens_reset_s=20.0),
    ),
    "anthropic": (
        {
            "anthropic-ratelimit-requests-remaining": "9",
            "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:06Z",
            "anthropic-ratelimit-tokens-remaining": "90000",
            "anthropic-ratelimit-tokens-reset": "2026-11-21T12:01:00Z",
            "anthropic-ratelimit-input-tokens-remaining": "80000",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-21T12:00:30Z",
            "anthropic-ratelimit-output-tokens-remaining": "5000",
            "anthropic-ratelimit-output-tokens-reset": "2026-11-21T12:00:10Z",
        },
        Room(requests=9, requests_reset_s=6.0, tokens=5000, tokens_reset_s=10.0),
    ),
    "openrouter": (
        {"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(NOW_MS + 20_000)},
        Room(requests=3, requests_reset_s=20.0),
    ),
    "two windows": (
        {
            "x-ratelimit-remaining-tokens-day": "900",
            "x-ratelimit-reset-tokens-day": "4000",
            "x-ratelimit-remaining-tokens-minute": "1000",
            "x-ratelimit-reset-tokens-minute": "5",
        },
        Room(tokens=900, tokens_reset_s=4000.0),
    ),
    "equal windows": (
        {
            "x-ratelimit-remaining-requests-minute": "0",
            "x-ratelimit-reset-requests-minute": "5",
            "x-ratelimit-remaining-requests-day": "0",
            "x-ratelimit-reset-requests-day": "4000",
        },
        Room(requests=0, requests_reset_s=4000.0),
    ),
    "past and far": (
        {
            "x-ratelimit-remaining-requests": "1",
            "x-ratelimit-reset-requests": "2026-11-21T11:00:00Z",
            "x-ratelimit-remaining-tokens": "1",
            "x-ratelimit-reset-tokens": "2199-01-01T00:00:00Z",
        },
        Room(requests=1, requests_reset_s=0.0, tokens=1, tokens_reset_s=366 * 86_400.0),
    ),
    "nonsense": (
        {
            "x-ratelimit-remaining-requests": "-1",
            "x-ratelimit-remaining-tokens": "many",
            "anthropic-ratelimit-unified-remaining": "0.5",
            "x-ratelimit-remaining": "1e300",
        },
        None,
    ),
    "no reset": (
        {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "soon"},
        Room(requests=7),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_room_of_the_table(name: str) -> None:
    """The tightest window of each kind; what nobody told is None."""
    headers, room = TABLE[name]
    assert read_room([(k.encode(), v.encode()) for k, v in headers.items()], NOW) == room
    assert read_room([(k.encode(), v.encode()) for k, v in reversed(headers.items())], NOW) == room


names = st.sampled_from(
    [b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens", b"x-ratelimit-remaining"]
)
said = st.binary(max_size=12) | st.text("0123456789-+.emsZT:", max_size=12).map(str.encode)


@given(st.lists(st.tuples(names, said), max_size=6))
def test_any_headers_are_room_or_none(headers: list[tuple[bytes, bytes]]) -> None:
    """A provider's header raises nothing, and is no number that counting bears not."""
    room = read_room(headers, NOW)
    if room is not None:
        for left in (room.requests, room.tokens):
            assert left is None or 0 <= left <= 2**53
        for reset_s in (room.requests_reset_s, room.tokens_reset_s):
            assert reset_s is None or 0 <= reset_s <= 366 * 86_400
