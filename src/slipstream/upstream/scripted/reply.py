"""Turns a request and its behaviour into a Reply: an ordinary answer, or the error asked for.

What is said is decided here; how it goes over the wire, whole or broken, is plan.py's.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from slipstream.errors import GatewayError
from slipstream.upstream.scripted.answer import compose
from slipstream.upstream.scripted.behaviour import Behaviour
from slipstream.upstream.scripted.nouns import (
    EVENTS,
    HTML,
    JSON,
    Ask,
    Dialect,
    Event,
    Left,
    Reply,
    Stamp,
)

# status -> (type, code) of OpenAI's error object
_ERROR_KINDS: Final = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    408: ("invalid_request_error", "request_timeout"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("server_error", "overloaded"),
}
_REDIRECT: Final = (b"location", b"/v1/redirected")  # nothing is there: a client that follows errs


class ScriptedError(GatewayError):
    """An error that a behaviour asked for."""

    def __init__(self, status: int, code: str | None, retry_after_s: float | None = None) -> None:
        super().__init__(f"this error was scripted, with status {status}")
        self.status = status
        self.retry_after_s = retry_after_s
        default = ("server_error", "server_error") if status >= 500 else _ERROR_KINDS[400]
        self.kind, ordinary_code = _ERROR_KINDS.get(status, default)
        self.code = code or ordinary_code
        self.scripted_code = code


def answer_reply(
    ask: Ask, behaviour: Behaviour, dialect: Dialect, stamp: Stamp, left: Left | None = None
) -> Reply:
    """Answer one request of a dialect as its behaviour says, and that so much may still be asked.

    Raises:
        BadRequest: The request asks for an instance of a schema that has none.
    """
    reply = _dressed(_answer(ask, behaviour, dialect, stamp), dialect)
    if left is None:
        return reply
    return reply._replace(headers=reply.headers + dialect.rate_headers(left))


def _answer(ask: Ask, behaviour: Behaviour, dialect: Dialect, stamp: Stamp) -> Reply:
    fixed = fixed_reply(behaviour, dialect)
    if fixed is not None:
        return fixed
    status = behaviour.status or 200
    if not ask.is_stream:
        if behaviour.error_in_200:
            return Reply(status, _error(behaviour, dialect))
        body = dialect.encode(ask, compose(ask, behaviour), stamp)
        return Reply(status, body if behaviour.malformed_chunk is None else _broken(body))
    if behaviour.error_in_200:
        events = iter([_error_event(behaviour, dialect, 0)])
    else:
        answer = compose(ask, behaviour)  # now, not when the first event is sent: it may refuse
        events = _bent(dialect.stream(ask, answer, stamp), behaviour, dialect)
    return Reply(status, b"", EVENTS, events)


def fixed_reply(behaviour: Behaviour, dialect: Dialect) -> Reply | None:
    """Return the reply of a behaviour that fixes it whatever was asked, if it does."""
    status = behaviour.status or 200
    if status == 204:
        return Reply(status)
    if behaviour.body is not None:
        body = behaviour.body.encode()
        return Reply(status, body, JSON if body.lstrip()[:1] in (b"{", b"[") else HTML)
    if status >= 400:
        error = ScriptedError(status, behaviour.code, behaviour.retry_after)
        return _dressed(Reply(status, dialect.encode_error(error)), dialect)
    if status >= 300:
        return Reply(status, headers=(_REDIRECT,))
    return None


def error_reply(error: GatewayError, dialect: Dialect) -> Reply:
    """Say an error of the request itself in its dialect."""
    return _dressed(Reply(error.status, dialect.encode_error(error)), dialect)


def _dressed(reply: Reply, dialect: Dialect) -> Reply:
    return reply._replace(
        request_id_header=dialect.request_id_header, hides_retry_after=dialect.retries_in_body
    )


def _error(behaviour: Behaviour, dialect: Dialect) -> bytes:
    return dialect.encode_error(ScriptedError(500, behaviour.code))


def _error_event(behaviour: Behaviour, dialect: Dialect, num_events: int) -> Event:
    """Return the event that says an error after so many others."""
    if dialect.error_event is None:
        return Event(_error(behaviour, dialect), b"error")
    return dialect.error_event(ScriptedError(500, behaviour.code), num_events)


def _broken(data: bytes) -> bytes:
    """Return the first half of a JSON object, which is never JSON itself."""
    return data[: max(1, len(data) // 2)]


def _bent(events: Iterator[Event], behaviour: Behaviour, dialect: Dialect) -> Iterator[Event]:
    """Break the Nth event, end with an error, leave the terminal event out."""
    if behaviour.error_after is not None:
        told = 0
        for event in islice(events, behaviour.error_after):
            told += 1
            yield event
        yield _error_event(behaviour, dialect, told)
        return
    for number, event in enumerate(events, start=1):
        if number == behaviour.malformed_chunk:
            yield event._replace(data=_broken(event.data))
        elif not (event.is_terminal and behaviour.no_done):
            yield event
