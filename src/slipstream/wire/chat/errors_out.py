"""Our errors in the words of OpenAI Chat, and of text completions: as an answer, and in a stream.

Source: openai-python 3.52.0, which raises on an event with a key `error`; 2026-11-21.
"""

from typing import Final

import msgspec

from slipstream.errors import GatewayError
from slipstream.wire.sse import encode_event

_encode: Final = msgspec.json.Encoder().encode
_OVERLOADED: Final = 529  # Anthropic's own; OpenAI's SDKs and proxies know 503


def status_of(error: GatewayError) -> int:
    """Return the HTTP status of an error that comes before any answer."""
    return 503 if error.status == _OVERLOADED else error.status


def error_body(error: GatewayError) -> bytes:
    """Return the body of an answer that is an error."""
    said = {
        "message": error.message,
        "type": error.kind,
        "param": error.param,
        "code": error.code,
    }
    return _encode({"error": said})


def error_event(error: GatewayError) -> bytes:
    """Return the last event of a stream that had begun; no `[DONE]` follows it."""
    return encode_event(error_body(error))
