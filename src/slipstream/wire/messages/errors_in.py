"""Errors of an upstream that speaks Messages, as an answer or as an event of a stream.

`wire.errors_in` knows the shape; here is what the dialect's own words mean beyond it.

Source: anthropic-python 2.11.0's types of errors, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.errors import Busy, Fault, UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE

_STATUS_OF_TYPE: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_OVERLOADED: Final = 529
_BILLING: Final = 402
# An account without money is told as a bad request, and some limits of it as too many requests.
_BILLING_WORDS: Final = ("credit balance is too low", "spend limit")


def read_failure(status: int, body: bytes, retry_after_s: float | None) -> UpstreamError:
    """Return the error that an upstream's answer means.

    Args:
        status: The HTTP status; 200 for an error inside an answer or a stream.
        body: The answer's body, of any shape, or the data of the event.
        retry_after_s: From the headers.
    """
    kind, message = _words(body)
    if status < 400:
        status = _STATUS_OF_TYPE.get(kind, status)
    if status == _OVERLOADED or kind == "overloaded_error":
        return _overloaded(message, retry_after_s)
    if status in (400, 429) and any(words in message.lower() for words in _BILLING_WORDS):
        status = _BILLING
    return errors_in.read_error(status, body, retry_after_s=retry_after_s)


def _overloaded(message: str, retry_after_s: float | None) -> Busy:
    """Return the error of a provider that has too much to do; no quota of ours is at its end."""
    error = Busy(message or "the provider is overloaded", retry_after_s=retry_after_s)
    error.status, error.code, error.kind = 503, "overloaded", "server_error"
    error.fault = Fault.TARGET
    return error


def _words(body: bytes) -> tuple[str, str]:
    """Return the `type` and the `message` of an error; empty where there is none."""
    try:
        said: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return "", ""
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return "", ""
    kind, message = error.get("type"), error.get("message")
    return (
        kind if isinstance(kind, str) else "",
        message if isinstance(message, str) else "",
    )
