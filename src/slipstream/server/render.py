"""Errors as the caller's SDK expects them. One function for each dialect; here OpenAI's."""

import msgspec

from slipstream.errors import Exhausted, GatewayError
from slipstream.server.reply import header_text
from slipstream.wire.sse import encode_event

_encoder = msgspec.json.Encoder()

# The official SDKs retry 408, 409, 429 and every 5xx by themselves unless told otherwise. Our own
# attempts are over when an error is rendered, so a second round makes sense only where waiting
# may help.
_WORTH_RETRYING = frozenset({429, 503, 504})


def render_error(error: GatewayError) -> bytes:
    """Return the error as an OpenAI error body."""
    return _encoder.encode(
        {
            "error": {
                "message": error.message,
                "type": error.kind,
                "param": error.param,
                "code": error.code,
            }
        }
    )


def render_error_event(error: GatewayError) -> bytes:
    """Return the error as the last event of a stream that had already begun."""
    return encode_event(render_error(error))


def error_headers(error: GatewayError) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell an SDK whether and when to try again."""
    headers = [(b"x-should-retry", b"true" if error.status in _WORTH_RETRYING else b"false")]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % -(-error.retry_after_s // 1)))
    if isinstance(error, Exhausted):
        headers.append((b"x-slipstream-target", header_text(error.attempts[-1][0])))
        headers.append((b"x-slipstream-attempts", b"%d" % len(error.attempts)))
    return headers
