"""Our errors in the words of Messages: as an answer, and as the last event of a stream.

Claude Code shortens a conversation when it reads `prompt is too long`, and its SDK waits and tries
again at 529, so these two are told in just that way, whoever the upstream is.

Source: anthropic-python 2.11.0's types, and Claude Code 2.1.329's protocol for gateways.
"""

from typing import Any, Final

import msgspec

from slipstream.errors import GatewayError

_encode: Final = msgspec.json.Encoder().encode

_TYPE_OF_STATUS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OTHER: Final = "api_error"
_TYPE_OF_CODE: Final = {
    "budget_exceeded": "billing_error",
    "insufficient_quota": "billing_error",
    "over_budget": "billing_error",
    "not_supported": "not_supported",
}
_OVERLOADED_CODES: Final = frozenset({"overloaded", "out_of_blocks"})
_CONTEXT_CODE: Final = "context_length_exceeded"
_CONTEXT_WORDS: Final = "prompt is too long"


def status_of(error: GatewayError) -> int:
    """Return the HTTP status of an error that comes before any answer."""
    if error.code == _CONTEXT_CODE:
        return 400
    if error.status == 503 and error.code in _OVERLOADED_CODES:
        return 529
    return error.status


def error_body(error: GatewayError, request_id: str | None = None) -> bytes:
    """Return the body of an answer that is an error.

    Args:
        error: What to tell.
        request_id: As in the answer's header `request-id`.
    """
    return _encode(_envelope(error, request_id))


def error_event(error: GatewayError, request_id: str | None = None) -> bytes:
    """Return the last event of a stream that had already begun."""
    return b"event: error\ndata: " + error_body(error, request_id) + b"\n\n"


def _envelope(error: GatewayError, request_id: str | None) -> dict[str, Any]:
    kind = _TYPE_OF_CODE.get(error.code or "") or _TYPE_OF_STATUS.get(status_of(error), _OTHER)
    message = error.message
    if error.code == _CONTEXT_CODE and _CONTEXT_WORDS not in message.lower():
        message = f"{_CONTEXT_WORDS}: {message}"
    return {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    }
