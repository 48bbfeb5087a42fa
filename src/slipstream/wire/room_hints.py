"""What a provider's headers say is left of its rate limits, on answers and on refusals alike.

    OpenAI, Groq, xAI   x-ratelimit-remaining-requests, -tokens              resets as `6m0s`
    Anthropic           anthropic-ratelimit-tokens-remaining, input-, output-    as a time
    Cerebras, Mistral   x-ratelimit-remaining-requests-day, -tokens-minute, -req-minute   in seconds
    OpenRouter          x-ratelimit-remaining                                  in ms since 1970

Source: ../shared/reference/providers.md, section 0: "Rate-limit headers"; 2026-11-21.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from slipstream.choice import Room
from slipstream.wire.rate_hints import RATE_PREFIXES, REMAINING, RESET, number_in, wait_of_reset

_TOKENS: Final = b"token"
_MAX_LEFT: Final = 2**53  # a slip beyond; what counts with it must stay exact
_MAX_RESET_S: Final = 366 * 86_400.0

_Left = tuple[int, float | None]
"""How much is left of a limit, and the seconds until its reset."""


def read_room(headers: Iterable[tuple[bytes, bytes]], now: datetime) -> Room | None:
    """Return what is left; None where nothing is said of it.

    Args:
        headers: With names in lower case.
        now: For resets that are told as a time.
    """
    said = {name: value for name, value in headers if name.startswith(RATE_PREFIXES)}
    if not said:
        return None
    requests: _Left | None = None
    tokens: _Left | None = None
    for name, value in said.items():
        left = number_in(value) if REMAINING in name else None
        if left is None or not left.is_integer() or not 0 <= left <= _MAX_LEFT:
            continue  # a share of something, or nonsense
        reset = said.get(name.replace(REMAINING, RESET))
        found = (int(left), None if reset is None else _until(reset, now))
        if _TOKENS in name:
            tokens = _tighter(tokens, found)
        else:
            requests = _tighter(requests, found)
    if requests is None and tokens is None:
        return None
    return Room(
        requests=requests and requests[0],
        requests_reset_s=requests and requests[1],
        tokens=tokens and tokens[0],
        tokens_reset_s=tokens and tokens[1],
    )


def _tighter(known: _Left | None, found: _Left) -> _Left:
    """Return of two windows the one of which less is left; of equals, the later reset."""
    if known is None or found[0] < known[0]:
        return found
    if found[0] == known[0] and (found[1] or 0.0) > (known[1] or 0.0):
        return found
    return known


def _until(reset: bytes, now: datetime) -> float | None:
    wait_s = wait_of_reset(reset.decode("latin-1"), now)
    return None if wait_s is None else min(max(wait_s, 0.0), _MAX_RESET_S)
