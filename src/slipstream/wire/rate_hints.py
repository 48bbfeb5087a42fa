"""When a provider that is out of quota wants to be asked again, wherever it says so.

    retry-after-ms ▶ retry-after ▶ the reset of a limit of which nothing is left ▶ the error's body

Source: ../shared/reference/providers.md, section 0: "Rate-limit headers"; 2026-11-21.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

import msgspec

from slipstream.wire.invalid import UNREADABLE

MAX_RETRY_AFTER_S: Final = 3600.0  # longer waits are no use to a request; the SDKs give up at 120 s

# `6m0s`, `2m59.56s`, `250ms`: OpenAI, Groq and xAI; `34.5s` is Google's, too.
_DURATION: Final = re.compile(
    r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?"
    r"(?:(?P<ms>\d+(?:\.\d+)?)ms)?"
)
_UNITS_S: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# A plain number that is larger than any wait is a time: OpenRouter's are milliseconds since 1970.
_LEAST_TIME_S: Final = 1e9
_LEAST_TIME_MS: Final = 1e12
RATE_PREFIXES: Final = (b"x-ratelimit-", b"anthropic-ratelimit-")
"""How the names of headers begin that tell of limits; the rest holds one of the two below."""

REMAINING: Final = b"remaining"
RESET: Final = b"reset"


def wait_in_headers(headers: Mapping[bytes, bytes], now: datetime) -> float | None:
    """Return how many seconds headers ask to wait, or None; `MAX_RETRY_AFTER_S` at most.

    Args:
        headers: By lower-case name.
    """
    exact_ms = number_in(headers.get(b"retry-after-ms", b""))
    if exact_ms is not None:
        return _bounded(exact_ms / 1000)
    asked = headers.get(b"retry-after")
    if asked is not None:
        return _wait_of_date_or_seconds(asked.decode("latin-1"), now)
    waits = [wait for wait in _resets(headers, now) if wait is not None]
    return _bounded(max(waits)) if waits else None


def wait_in_body(body: bytes, now: datetime | None = None) -> float | None:
    """Return how many seconds an error's body asks to wait, or None; bounded likewise.

    Google says it in the error's details, OpenRouter repeats the headers of whoever refused.

    Args:
        now: Without it, what is told as a time is passed over.
    """
    try:
        said: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    if isinstance(said, list):
        said = said[0] if said else None
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return None
    wait = _wait_in_details(error.get("details"))
    return _wait_in_metadata(error.get("metadata"), now) if wait is None else wait


def _wait_in_details(details: Any) -> float | None:
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        wait = _duration_s(delay) if isinstance(delay, str) else None
        if wait is not None:
            return _bounded(wait)
    return None


def _wait_in_metadata(metadata: Any, now: datetime | None) -> float | None:
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    if now is None or not isinstance(headers, dict):
        return None
    repeated = {
        name.lower().encode(): value.encode()
        for name, value in headers.items()
        if isinstance(value, str)
    }
    return wait_in_headers(repeated, now)


def _resets(headers: Mapping[bytes, bytes], now: datetime) -> Iterator[float | None]:
    """Yield the waits until those limits are reset of which nothing is left."""
    for name, value in headers.items():
        if name.startswith(RATE_PREFIXES) and REMAINING in name and _is_nothing(value):
            reset = headers.get(name.replace(REMAINING, RESET))
            yield None if reset is None else wait_of_reset(reset.decode("latin-1"), now)


def _is_nothing(value: bytes) -> bool:
    left = number_in(value)
    return left is not None and left <= 0


def wait_of_reset(text: str, now: datetime) -> float | None:
    """Return the seconds until a reset: told as such, as a time since 1970, a duration or a date.

    Unbounded; None where it is none of these.
    """
    number = _number(text)
    if number is None:
        duration_s = _duration_s(text)
        return _until(text, now) if duration_s is None else duration_s
    if number >= _LEAST_TIME_MS:
        number /= 1000
    return number - now.timestamp() if number >= _LEAST_TIME_S else number


def _wait_of_date_or_seconds(text: str, now: datetime) -> float | None:
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return _bounded((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def _until(text: str, now: datetime) -> float | None:
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()


def _duration_s(text: str) -> float | None:
    found = _DURATION.fullmatch(text)
    parts = found.groupdict() if found else {}
    told = [_UNITS_S[unit] * float(count) for unit, count in parts.items() if count is not None]
    return sum(told) if told else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def number_in(value: bytes) -> float | None:
    """Return the finite number that a header says; None where it says none."""
    return _number(value.decode("latin-1"))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
