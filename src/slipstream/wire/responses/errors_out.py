"""Our errors in the words of the Responses dialect: as an answer, and inside a stream.

A stream that had begun ends with `response.failed`, which answers_out.py makes; the flat `error`
event here is for one of which nothing is known any more.

Source: openai-python 3.52.0's types, 2026-11-21.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.errors import GatewayError
from slipstream.wire.invalid import UNREADABLE

_encode: Final = msgspec.json.Encoder().encode

# By which word a failed answer says what our own errors are. The list of the dialect is closed.
_CODE_OF_STATUS: Final = {400: "invalid_prompt", 413: "invalid_prompt", 429: "rate_limit_exceeded"}


class _Told(Struct):
    message: str = "The answer could not be made."
    code: str | None = None
    type: str = "server_error"


class _ToldBody(Struct):
    error: _Told


_told_decoder: Final = msgspec.json.Decoder(_ToldBody)
_PARAMS: Final = {"messages": "input", "max_completion_tokens": "max_output_tokens"}


def status_of(error: GatewayError) -> int:
    """Return the HTTP status of an error that comes before any answer."""
    return error.status


def error_body(error: GatewayError) -> bytes:
    """Return the body of an answer that is an error."""
    return _encode({"error": {"message": error.message, "type": error.kind, **_rest(error)}})


def error_event(error: GatewayError, sequence_number: int = 0) -> bytes:
    """Return the `error` event; the SDK would take a key `error` in it for the end of all."""
    event = {
        "type": "error",
        **_rest(error),
        "message": error.message,
        "sequence_number": sequence_number,
    }
    return b"event: error\ndata: " + _encode(event) + b"\n\n"


def failure_object(error: GatewayError) -> dict[str, Any]:
    """Return what a failed answer tells in its `error`; our own word for it is its `type`."""
    return {
        "code": _CODE_OF_STATUS.get(error.status, "server_error"),
        "message": error.message,
        "type": error.code or error.kind,
    }


def failure_told(status: int, body: bytes) -> dict[str, Any]:
    """Return what a failed answer tells in its `error`, of an answer that was an error itself.

    Args:
        body: As `error_body` made it.
    """
    try:
        said = _told_decoder.decode(body).error
    except UNREADABLE:
        said = _Told()
    return {
        "code": _CODE_OF_STATUS.get(status, "server_error"),
        "message": said.message,
        "type": said.code or said.type,
    }


def _rest(error: GatewayError) -> dict[str, Any]:
    param = _PARAMS.get(error.param, error.param) if error.param else None
    return {"param": param, "code": error.code}
