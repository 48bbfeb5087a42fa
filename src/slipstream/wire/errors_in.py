"""Errors that a provider sends, read into our own tree.

One table of shapes, since the nine providers wrap the same few fields differently. What a
provider says of a refused key is never repeated to the client: it may quote the key.

Source: the providers' SDKs and error pages, collected 2026-11-21.
"""

from typing import Any

import msgspec

from slipstream.errors import Busy, Fault, Rejected, UpstreamError
from slipstream.wire.invalid import UNREADABLE

_MAX_MESSAGE_CHARS = 2000

# Words by which providers without a code of their own say that the prompt is too long.
_CONTEXT_WORDS = (
    "context length",
    "context_length",
    "context limit",
    "context window",
    "input token count",
    "maximum context",
    "maximum prompt length",
    "prompt is too long",
    "reduce the length of the messages",
    "too many input tokens",
)
_CONTEXT_CODES = frozenset({"context_length_exceeded", "3051"})  # the number is Mistral's
# Some answer 400 to a key that they do not know.
_KEY_WORDS = ("api key not valid", "incorrect api key", "invalid api key", "api_key_invalid")
_KEY_STATUSES = frozenset({401, 402, 403})
_FORBIDDEN = 403
_UNAVAILABLE = 503
# By which OpenRouter says that it is the prompt that is refused, and not the key.
_MODERATED_TYPES = frozenset({"content_policy_violation", "moderation", "input_moderated"})
_BUSY_STATUSES = frozenset({429, 529})
# Codes that say of what there is no more, Cerebras's but for the last; a full queue is no quota of
# the caller's.
_BUSY_CODES = {
    "request_quota_exceeded": Fault.QUOTA,
    "token_quota_exceeded": Fault.QUOTA,
    "queue_exceeded": Fault.TARGET,
    "insufficient_quota": Fault.QUOTA,  # OpenAI's: the account's money is spent
}

# The status that an error would have had, by what it calls itself in `code`, `type` or `status`.
_STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "wrong_api_format": 400,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "wrong_api_key": 401,
    "UNAUTHENTICATED": 401,
    "billing_error": 402,
    "payment_required": 402,
    "permission_error": 403,
    "PERMISSION_DENIED": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "NOT_FOUND": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "too_many_requests_error": 429,
    "too_many_tokens_error": 429,
    **dict.fromkeys(_BUSY_CODES, 429),
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "timeout_error": 504,
    "DEADLINE_EXCEEDED": 504,
    "overloaded_error": 529,
    "provider_overloaded": 529,
}


def read_error(status: int, body: bytes, *, retry_after_s: float | None) -> UpstreamError:
    """Return the error that an upstream's answer means.

    Args:
        status: The HTTP status; 200 for an error inside an answer or a stream, whose own code then
            decides.
        body: The answer's body, of any shape.
        retry_after_s: From the headers and the body; see rate_hints.py.
    """
    said = _find_error(body)
    code, kind = _text(said.get("code")), _text(said.get("type"))
    if status < 400:
        status = _status_inside(said)
    message = _text(said.get("message")) or f"the provider answered with an error (status {status})"
    if status == _FORBIDDEN and _is_moderated(said):
        status, code = 400, "content_policy_violation"
    if status in _KEY_STATUSES or (status == 400 and _has_word(_KEY_WORDS, code, message)):
        return Rejected(
            f"the provider refused the gateway's key or account (status {status})",
            upstream_status=status if status in _KEY_STATUSES else 401,
            code="upstream_key_refused",
        )
    if status in _BUSY_STATUSES or _named_status(said) in _BUSY_STATUSES:
        return _busy(message[:_MAX_MESSAGE_CHARS], code, said, retry_after_s)
    error = Rejected(
        message[:_MAX_MESSAGE_CHARS],
        upstream_status=status,
        param=_text(said.get("param")),
        code=code,
        kind=kind,
    )
    if status == _UNAVAILABLE:
        error.retry_after_s = retry_after_s
    if status in (400, 413, 422) and (
        code in _CONTEXT_CODES or _has_word(_CONTEXT_WORDS, code, message)
    ):
        error.fault = Fault.CONTEXT
        error.code = "context_length_exceeded"
    return error


def _is_moderated(said: dict[str, Any]) -> bool:
    metadata = said.get("metadata")
    if not isinstance(metadata, dict):
        return False
    return metadata.get("error_type") in _MODERATED_TYPES or "flagged_input" in metadata


def _busy(message: str, code: str | None, said: dict[str, Any], wait_s: float | None) -> Busy:
    error = Busy(message, retry_after_s=wait_s)
    if code in _BUSY_CODES:
        error.code, error.fault = code, _BUSY_CODES[code]
        error.kind = _text(said.get("type")) or error.kind
        error.param = _text(said.get("param"))
    return error


def is_error(body: bytes) -> bool:
    """Return whether an answer with status 200, or an event of a stream, is an error instead."""
    said = _unwrap(body)
    return (
        bool(said.get("error") or said.get("detail"))
        or said.get("object") == "error"
        or ("message" in said and ("code" in said or "type" in said))
    )


def _unwrap(body: bytes) -> dict[str, Any]:
    """Return the object that a body is, alone or as the first of an array; else an empty one."""
    try:
        said: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return {}
    if isinstance(said, list):
        said = said[0] if said else {}
    return said if isinstance(said, dict) else {}


def _find_error(body: bytes) -> dict[str, Any]:
    """Unwrap `{"error": {…}}`, `{"error": "…"}`, `[{…}]`, `{"detail": …}` and the flat shape."""
    said = _unwrap(body)
    inner = said.get("error") or said.get("detail") or said
    if isinstance(inner, dict):
        return {"status_code": said.get("status_code"), **inner, **_validation(inner)}
    if isinstance(inner, list):
        return _first_fault(inner)
    return {"message": inner, "code": said.get("code")}


def _validation(said: dict[str, Any]) -> dict[str, Any]:
    """Read what Mistral says of a field, which is FastAPI's list in the place of a message."""
    message = said.get("message")
    faults = message.get("detail") if isinstance(message, dict) else None
    return _first_fault(faults) if isinstance(faults, list) and faults else {}


def _first_fault(faults: list[Any]) -> dict[str, Any]:
    """Read the list in which FastAPI tells what is wrong with a request."""
    fault = faults[0]
    if not isinstance(fault, dict) or not isinstance(fault.get("msg"), str):
        return {"message": faults}
    place = fault.get("loc")
    steps = [str(step) for step in place if step != "body"] if isinstance(place, list) else []
    where = ".".join(steps)
    return {"message": f"{where}: {fault['msg']}" if where else fault["msg"], "param": where}


def _status_inside(said: dict[str, Any]) -> int:
    """Read the status that an error inside a 200 names; 502 if it names none."""
    for key in ("status_code", "status", "code"):
        value = said.get(key)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return _named_status(said) or 502


def _named_status(said: dict[str, Any]) -> int | None:
    """Return the status of the first word by which an error calls itself that has one."""
    metadata = said.get("metadata")  # OpenRouter's
    deeper = metadata.get("error_type") if isinstance(metadata, dict) else None
    for word in (deeper, said.get("code"), said.get("type"), said.get("status")):
        if isinstance(word, str) and word in _STATUS_OF_WORD:
            return _STATUS_OF_WORD[word]
    return None


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _has_word(words: tuple[str, ...], code: str | None, message: str) -> bool:
    said = f"{code or ''} {message}".lower()
    return any(word in said for word in words)
