"""Errors of Gemini: Google's shape, alone or in an array, with the time to wait in its details.

Source: ../shared/reference/providers.md, section 0; google-genai 3.4.0; 2026-11-21.
"""

import re
from typing import Any, Final

import msgspec

from slipstream.errors import UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE

_SECONDS: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")


class _Error(msgspec.Struct):
    details: list[dict[str, Any]] | None = None


class _Body(msgspec.Struct):
    error: _Error


_decoder: Final = msgspec.json.Decoder(_Body | list[_Body])


def read_failure(status: int, body: bytes, retry_after_s: float | None) -> UpstreamError:
    """Return the error that an upstream's answer means.

    Args:
        status: The HTTP status; 200 for an error inside a stream, whose own code then decides.
        body: The answer's body, of any shape.
        retry_after_s: From the headers; where they say nothing, `RetryInfo` in the body does.
    """
    if retry_after_s is None:
        retry_after_s = _retry_delay_s(body)
    return errors_in.read_error(status, body, retry_after_s=retry_after_s)


def _retry_delay_s(body: bytes) -> float | None:
    try:
        said = _decoder.decode(body)
    except UNREADABLE:
        return None
    first = said[0] if isinstance(said, list) and said else said
    if isinstance(first, list):
        return None
    for detail in first.error.details or ():
        delay = detail.get("retryDelay")
        found = _SECONDS.fullmatch(delay) if isinstance(delay, str) else None
        if found is not None:
            return min(float(found[1]), errors_in.MAX_RETRY_AFTER_S)
    return None
