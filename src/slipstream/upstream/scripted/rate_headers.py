"""What providers say in headers of how much may still be asked, each in its own names.

Source: ../shared/reference/providers.md, section 0, 2026-11-21.
"""

import math
from datetime import UTC, datetime
from typing import Final

from slipstream.upstream.scripted.nouns import Headers, Left

_LIMIT_REQUESTS: Final = 1000
_LIMIT_TOKENS: Final = 1_000_000
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_RESET: Final = b"2026-11-21T00:00:20Z"
_RESET_MS: Final = 1_795_219_220_000  # the same moment


def _counts(left: Left) -> tuple[tuple[bytes, int, int], ...]:
    """Return what is counted, its limit and what is left; of tokens as much as of requests."""
    limit = max(_LIMIT_REQUESTS if left.limit is None else left.limit, left.remaining)
    tokens = min(left.remaining * (_LIMIT_TOKENS // _LIMIT_REQUESTS), _LIMIT_TOKENS)
    return ((b"requests", limit, left.remaining), (b"tokens", _LIMIT_TOKENS, tokens))


def _named(left: Left, names: dict[bytes, bytes], reset: bytes) -> Headers:
    headers: list[tuple[bytes, bytes]] = []
    for what, limit, remaining in _counts(left):
        for kind, value in ((b"limit", b"%d" % limit), (b"remaining", b"%d" % remaining)):
            headers.append((b"x-ratelimit-%b-%b" % (kind, names[what]), value))
        headers.append((b"x-ratelimit-reset-%b" % names[what], reset))
    return tuple(headers)


def openai_headers(left: Left) -> Headers:
    """Return OpenAI's, which Groq and xAI have too; resets are durations."""
    reset = b"6m0s" if left.reset_s is None else b"%.3fs" % left.reset_s
    return _named(left, {b"requests": b"requests", b"tokens": b"tokens"}, reset)


def cerebras_headers(left: Left) -> Headers:
    """Return Cerebras's; resets are seconds."""
    reset = b"33.0" if left.reset_s is None else b"%.3f" % left.reset_s
    return _named(left, {b"requests": b"requests-day", b"tokens": b"tokens-minute"}, reset)


def mistral_headers(left: Left) -> Headers:
    """Return Mistral's; resets are whole seconds."""
    reset = b"60" if left.reset_s is None else b"%d" % math.ceil(left.reset_s)
    return _named(left, {b"requests": b"req-minute", b"tokens": b"tokens-minute"}, reset)


def openrouter_headers(left: Left) -> Headers:
    """Return OpenRouter's, which counts requests only; the reset is a time in milliseconds."""
    [(_, limit, remaining), _] = _counts(left)
    reset_ms = _RESET_MS if left.reset_s is None else round((left.now_s + left.reset_s) * 1000)
    return (
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % reset_ms),
    )


def anthropic_headers(left: Left) -> Headers:
    """Return Anthropic's; resets are times, to the second."""
    headers: list[tuple[bytes, bytes]] = []
    for what, limit, remaining in _counts(left):
        for kind, value in (
            (b"limit", b"%d" % limit),
            (b"remaining", b"%d" % remaining),
            (b"reset", _RESET if left.reset_s is None else _time(left.now_s + left.reset_s)),
        ):
            headers.append((b"anthropic-ratelimit-%b-%b" % (what, kind), value))
    return tuple(headers)


def _time(since_1970_s: float) -> bytes:
    return datetime.fromtimestamp(math.ceil(since_1970_s), UTC).strftime(_TIME).encode()
