"""What providers say in headers of how much may still be asked, each in its own names.

Source: ../shared/reference/providers.md, section 0, 2026-11-21.
"""

from typing import Final

from slipstream.upstream.scripted.nouns import Headers

_LIMIT_REQUESTS: Final = 1000
_LIMIT_TOKENS: Final = 1_000_000
_RESET: Final = b"2026-11-21T00:00:20Z"
_RESET_MS: Final = 1_795_219_220_000  # the same moment


def _counts(remaining: int) -> tuple[tuple[bytes, int, int], ...]:
    """Return what is counted, its limit and what is left; of tokens as much as of requests."""
    tokens = min(remaining * (_LIMIT_TOKENS // _LIMIT_REQUESTS), _LIMIT_TOKENS)
    return (
        (b"requests", max(_LIMIT_REQUESTS, remaining), remaining),
        (b"tokens", _LIMIT_TOKENS, tokens),
    )


def _named(remaining: int, names: dict[bytes, bytes], reset: bytes) -> Headers:
    headers: list[tuple[bytes, bytes]] = []
    for what, limit, left in _counts(remaining):
        for kind, value in ((b"limit", b"%d" % limit), (b"remaining", b"%d" % left)):
            headers.append((b"x-ratelimit-%b-%b" % (kind, names[what]), value))
        headers.append((b"x-ratelimit-reset-%b" % names[what], reset))
    return tuple(headers)


def openai_headers(remaining: int) -> Headers:
    """Return OpenAI's, which Groq and xAI have too; resets are durations."""
    return _named(remaining, {b"requests": b"requests", b"tokens": b"tokens"}, b"6m0s")


def cerebras_headers(remaining: int) -> Headers:
    """Return Cerebras's; resets are seconds."""
    return _named(remaining, {b"requests": b"requests-day", b"tokens": b"tokens-minute"}, b"33.0")


def mistral_headers(remaining: int) -> Headers:
    """Return Mistral's."""
    return _named(remaining, {b"requests": b"req-minute", b"tokens": b"tokens-minute"}, b"60")


def openrouter_headers(remaining: int) -> Headers:
    """Return OpenRouter's, which counts requests only; the reset is a time in milliseconds."""
    limit = max(_LIMIT_REQUESTS, remaining)
    return (
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % _RESET_MS),
    )


def anthropic_headers(remaining: int) -> Headers:
    """Return Anthropic's; resets are times."""
    headers: list[tuple[bytes, bytes]] = []
    for what, limit, left in _counts(remaining):
        for kind, value in (
            (b"limit", b"%d" % limit),
            (b"remaining", b"%d" % left),
            (b"reset", _RESET),
        ):
            headers.append((b"anthropic-ratelimit-%b-%b" % (what, kind), value))
    return tuple(headers)
