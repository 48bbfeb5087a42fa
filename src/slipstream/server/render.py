"""Errors as the caller's SDK expects them: a row of functions for each API that we speak."""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from slipstream.errors import Exhausted, GatewayError, OverLimit, UnknownPath
from slipstream.server.asgi import Header, Send
from slipstream.server.explain import routing_headers
from slipstream.server.reply import JSON, header_text, send_whole
from slipstream.wire.cerebras import errors as cerebras
from slipstream.wire.messages import errors_out as messages
from slipstream.wire.responses import errors_out as responses
from slipstream.wire.sse import encode_event

_encoder = msgspec.json.Encoder()

# The official SDKs retry 408, 409, 429 and every 5xx by themselves unless told otherwise. Our own
# attempts are over when an error is rendered, so a second round makes sense only where waiting
# may help: where somebody said when to come back, or where one target alone was tried, once. Money
# that is spent does not come back by waiting a little.
_WORTH_RETRYING = frozenset({429, 503, 504})
_SPENT_CODES = frozenset({"budget_exceeded", "insufficient_quota", "over_budget"})
_EMPTY: Final[Header] = (b"content-type", b"text/plain")


Tell = Callable[[GatewayError, str], bytes]
"""Says an error of a request, whose id is the second argument."""


class ErrorShape(NamedTuple):
    """How one API tells an error.

    Args:
        event: The last event of a stream that had already begun.
        id_headers: Under which names an answer tells the request's id.
    """

    status: Callable[[GatewayError], int]
    body: Tell
    event: Tell
    id_headers: tuple[bytes, ...] = (b"x-request-id",)


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


def _own_status(error: GatewayError) -> int:
    return error.status


def _without_id(tell: Callable[[GatewayError], bytes]) -> Tell:
    return lambda error, call_id: tell(error)


OPENAI: Final = ErrorShape(_own_status, _without_id(render_error), _without_id(render_error_event))
CEREBRAS: Final = ErrorShape(
    cerebras.status_of, _without_id(cerebras.error_body), _without_id(cerebras.event_of)
)
MESSAGES: Final = ErrorShape(
    messages.status_of,
    messages.error_body,
    messages.error_event,
    (b"x-request-id", b"request-id"),
)
RESPONSES: Final = ErrorShape(
    responses.status_of, _without_id(responses.error_body), _without_id(responses.error_event)
)


async def send_error(
    send: Send, call_id: str, error: GatewayError, shape: ErrorShape, *more: Header
) -> int:
    """Send an answer that is an error; return its status."""
    body = shape.body(error, call_id)
    status = shape.status(error)
    content_type = JSON if body or not isinstance(error, UnknownPath) else _EMPTY
    ids = [(name, call_id.encode()) for name in shape.id_headers]
    headers = [content_type, *ids, *error_headers(error), *more]
    await send_whole(send, status, body, headers)
    return status


def error_headers(error: GatewayError) -> list[Header]:
    """Return the headers that tell an SDK whether and when to try again, and what was tried."""
    headers = [(b"x-should-retry", b"true" if _is_worth_retrying(error) else b"false")]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % -(-error.retry_after_s // 1)))
    if isinstance(error, Exhausted):
        headers.append((b"x-slipstream-target", header_text(error.attempts[-1][0])))
        headers.append((b"x-slipstream-attempts", b"%d" % len(error.attempts)))
    if error.plan is not None:
        headers += routing_headers(error.plan, error.tried)
    return headers


def _is_worth_retrying(error: GatewayError) -> bool:
    if error.code in _SPENT_CODES:
        return False
    if error.retry_after_s is not None:
        return True
    has_retried = isinstance(error, Exhausted) and len(error.attempts) > 1
    return error.status in _WORTH_RETRYING and not has_retried and not isinstance(error, OverLimit)
