"""How Cerebras tells an error: four shapes, of which the error's class and status decide one; pure.

Source: ../shared/reference/cerebras-api.md section 5, 2026-11-21.
"""

from typing import Any, Final, NamedTuple

import msgspec

from slipstream.errors import (
    BadRequest,
    Busy,
    ContextTooLong,
    Exhausted,
    GatewayError,
    NoKey,
    OverLimit,
    Overloaded,
    Unauthorized,
    UnknownModel,
    UnknownPath,
    WrongMethod,
)

REDUCE: Final = "Please reduce the length of the messages or completion."
SERVER_ERROR: Final = "Encountered a server error, please try again."
_WRAPPED_FROM: Final = 500
_encode = msgspec.json.Encoder().encode


class _Words(NamedTuple):
    """How Cerebras names an error of ours; a message of None keeps our own."""

    kind: str
    param: str
    code: str
    message: str | None = None


# 408, 402, 413 and 503 have no recorded body: theirs follow the pattern of the recorded ones.
_CLASSES: Final[dict[type[GatewayError], _Words]] = {
    Unauthorized: _Words("invalid_request_error", "api_key", "wrong_api_key", "Wrong API Key"),
    UnknownModel: _Words("not_found_error", "model", "model_not_found"),
    ContextTooLong: _Words("invalid_request_error", "messages", "context_length_exceeded"),
    Overloaded: _Words(
        "too_many_requests_error",
        "queue",
        "queue_exceeded",
        "We're experiencing high traffic right now! Please try again soon.",
    ),
}
_LIMITS: Final = {
    "requests": _Words(
        "too_many_requests_error",
        "quota",
        "request_quota_exceeded",
        "Requests per {unit} limit exceeded - too many requests sent.",
    ),
    "tokens": _Words(
        "too_many_tokens_error",
        "quota",
        "token_quota_exceeded",
        "Tokens per {unit} limit exceeded - too many tokens processed.",
    ),
}
_TOLD_CODES: Final = frozenset(
    {words.code for words in _LIMITS.values()} | {_CLASSES[Overloaded].code}
)
_STATUSES: Final[dict[int, _Words]] = {
    402: _Words("payment_required_error", "quota", "payment_required"),
    408: _Words("timeout_error", "", "request_timeout"),
    413: _Words("invalid_request_error", "validation_error", "content_too_large"),
    429: _Words("too_many_requests_error", "quota", "request_quota_exceeded"),
}
# Statuses that differ from ours: a full queue is a quota there.
_OTHER_STATUSES: Final[dict[type[GatewayError], int]] = {NoKey: 403, Overloaded: 429}
# Errors of FastAPI, in front of which nothing of Cerebras's own stands.
_DETAILS: Final[dict[type[GatewayError], str]] = {
    NoKey: "Not authenticated",
    WrongMethod: "Method Not Allowed",
}


def status_of(error: GatewayError) -> int:
    """Return the status with which Cerebras would tell an error."""
    error = _verdict(error)
    return _OTHER_STATUSES.get(type(error), error.status)


def error_body(error: GatewayError) -> bytes:
    """Return the body with which Cerebras would tell an error; of an unknown path, nothing."""
    error = _verdict(error)
    if isinstance(error, UnknownPath):
        return b""
    if detail := _DETAILS.get(type(error)):
        return detail_body(detail)
    is_wrapped = status_of(error) >= _WRAPPED_FROM
    return _encode(_wrapped(error) if is_wrapped else _flat(error))


def event_of(error: GatewayError) -> bytes:
    """Return the event of an error inside a stream, which ends without `[DONE]`."""
    return b"data: " + _encode(_wrapped(_verdict(error))) + b"\n\n"


def detail_body(detail: str) -> bytes:
    """Return the shape of a 403 without a key, and of an unknown public model."""
    return _encode({"detail": detail})


def _verdict(error: GatewayError) -> GatewayError:
    """Return the one attempt's error where it speaks for a whole call."""
    verdict = error.verdict if isinstance(error, Exhausted) else None
    return error if verdict is None else verdict


def _flat(error: GatewayError) -> dict[str, str]:
    words = _words(error)
    message = words.message or error.message
    if isinstance(error, ContextTooLong) and REDUCE not in message:
        message = f"{message.rstrip('.')}. {REDUCE}"
    return {"message": message, "type": words.kind, "param": words.param, "code": words.code}


def _words(error: GatewayError) -> _Words:
    if isinstance(error, OverLimit):
        limit = _LIMITS[error.what]
        return limit._replace(message=(limit.message or "").format(unit=error.unit))
    if isinstance(error, Busy) and error.code in _TOLD_CODES:  # as the real one told it
        return _Words(error.kind, error.param or "", error.code)
    words = _CLASSES.get(type(error)) or _STATUSES.get(error.status)
    if words is None and isinstance(error, BadRequest):
        param, code = error.param or "validation_error", error.code or "wrong_api_format"
        return _Words(error.kind, param, code)
    return words or _Words(error.kind, error.param or "", error.code or "")


def _wrapped(error: GatewayError) -> dict[str, Any]:
    status = status_of(error)
    if status < _WRAPPED_FROM:
        inside = _flat(error)
    else:  # of a failure that nobody foresaw, the recorded words; of others, what to do about it
        message = SERVER_ERROR if status == _WRAPPED_FROM else error.message
        inside = {"message": message, "type": "server_error", "param": "", "code": ""}
    return {"status_code": status, "error": {**inside, "id": ""}}
