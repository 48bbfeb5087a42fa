"""Decides every byte and every pause of a response, as a lazy sequence of steps; no I/O, no clock.

    103? ── head ── body or events ── ▶ cut after byte N ── ▶ split into pieces ── ▶ player.py

Each stage is a generator over the steps of the one before it, and is there only when asked for.
Bytes are counted as they go over the wire: from the status line on, chunk sizes included.
"""

import http
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

from slipstream.upstream.scripted.behaviour import ORDINARY, Behaviour
from slipstream.upstream.scripted.nouns import Event, Reply


class Wait(NamedTuple):
    """Do nothing for a while."""

    wait_s: float


class Pace(NamedTuple):
    """Do nothing until this long after the first Pace of the response."""

    offset_s: float


class Mark(Enum):
    """What happens besides bytes and pauses."""

    TURN = "turn"  # let the event loop turn, so that the next bytes are a write of their own
    HANG = "hang"  # nothing more until the client goes
    FINISH = "finish"  # close: the answer is complete
    CUT = "cut"  # close: the answer is not
    RESET = "reset"  # the same with RST


Step = bytes | Wait | Pace | Mark

_GARBAGE: Final = b"\x16\x03\x01 this is not HTTP\r\n\r\n"
_HINTS: Final = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
_COMMENT: Final = b": keep-alive\n\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in http.HTTPStatus
}


class Framing(NamedTuple):
    """How the end of the body is marked, and what else the connection decides of the head."""

    is_chunked: bool
    closes: bool  # the connection ends with the response
    request_id: bytes


def plan_response(
    reply: Reply, behaviour: Behaviour, *, request_id: bytes, can_reuse: bool, can_chunk: bool
) -> Iterator[Step]:
    """Return the steps of one response.

    Args:
        reply: What to say; its events are taken as the steps are.
        behaviour: How to say it.
        request_id: For the header `x-request-id`.
        can_reuse: The client keeps the connection open.
        can_chunk: The client understands chunked bodies (HTTP/1.1).
    """
    has_length = reply.events is None and not behaviour.chunked_tiny
    is_chunked = not has_length and can_chunk and not behaviour.close_delimited
    closes = not can_reuse or behaviour.close_delimited or not (has_length or is_chunked)
    framing = Framing(is_chunked, closes, request_id)
    head = _head(reply, behaviour, framing)
    if behaviour is ORDINARY and reply.events is None:
        whole = head + reply.body
        return iter((whole, Mark.FINISH) if closes else (whole,))
    return _broken(_steps(reply, behaviour, framing, head), behaviour, len(head))


def _head(reply: Reply, behaviour: Behaviour, framing: Framing) -> bytes:
    lines = [
        _STATUS_LINES.get(reply.status) or b"HTTP/1.1 %d Scripted\r\n" % reply.status,
        b"content-type: %b\r\n" % reply.content_type,
        b"%b: %b\r\n" % (reply.request_id_header, framing.request_id),
    ]
    lines += [b"%b: %b\r\n" % header for header in reply.headers]
    if behaviour.retry_after is not None and not reply.hides_retry_after:
        lines.append(b"retry-after: %b\r\n" % f"{behaviour.retry_after:.15g}".encode())
    if behaviour.header_bytes is not None:
        lines.append(b"x-padding: %b\r\n" % (b"x" * behaviour.header_bytes))
    if framing.is_chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    elif not behaviour.close_delimited and reply.events is None and reply.status != 204:
        lines.append(b"content-length: %d\r\n" % len(reply.body))
    lines.append(b"connection: close\r\n\r\n" if framing.closes else b"\r\n")
    return b"".join(lines)


def _steps(reply: Reply, behaviour: Behaviour, framing: Framing, head: bytes) -> Iterator[Step]:
    """Yield the response as if nothing were to break it."""
    if behaviour.delay and not behaviour.delay_headers_only:
        yield Wait(behaviour.delay)
    if behaviour.http_garbage:
        yield _GARBAGE
        yield Mark.CUT
    if behaviour.early_hints:
        yield _HINTS
        yield Mark.TURN
    if behaviour.delay and behaviour.delay_headers_only:
        yield head
        yield Wait(behaviour.delay)
        head = b""
    if reply.events is None:
        yield from _plain(reply.body, behaviour, framing, head)
    else:
        yield from _streamed(reply.events, behaviour, framing, head)
    if framing.closes:
        yield Mark.FINISH


def _plain(body: bytes, behaviour: Behaviour, framing: Framing, head: bytes) -> Iterator[Step]:
    if behaviour.stall_after == 0:
        yield head
        yield Mark.HANG
    yield head + (_chunked(body, behaviour) + _LAST_CHUNK if framing.is_chunked else body)


def _streamed(
    events: Iterator[Event], behaviour: Behaviour, framing: Framing, head: bytes
) -> Iterator[Step]:
    if head:
        yield head
        yield Mark.TURN
    yield from _event_writes(events, behaviour, framing)
    if behaviour.stall_after is not None:
        yield Mark.HANG
    if framing.is_chunked:
        yield _LAST_CHUNK


def _event_writes(
    events: Iterator[Event], behaviour: Behaviour, framing: Framing
) -> Iterator[Step]:
    """Yield the events with the pauses between them, each batch of events as one write."""
    events = islice(events, behaviour.stall_after)
    size = behaviour.events_per_write
    number = 0
    while batch := list(islice(events, size)):
        if behaviour.rate is not None:
            yield Pace(number / behaviour.rate)
        elif number and behaviour.gap:
            yield Wait(behaviour.gap)
        if behaviour.comments:
            yield _framed(_lined(_COMMENT, behaviour), behaviour, framing)
            yield Mark.TURN
        data = b"".join([_lined(_text(event), behaviour) for event in batch])
        yield _framed(data, behaviour, framing)
        yield Mark.TURN
        number += len(batch)


def _text(event: Event) -> bytes:
    if event.name:
        return b"event: %b\ndata: %b\n\n" % (event.name, event.data)
    return b"data: %b\n\n" % event.data


def _lined(text: bytes, behaviour: Behaviour) -> bytes:
    return text.replace(b"\n", b"\r\n") if behaviour.crlf else text


def _framed(data: bytes, behaviour: Behaviour, framing: Framing) -> bytes:
    return _chunked(data, behaviour) if framing.is_chunked else data


def _chunked(data: bytes, behaviour: Behaviour) -> bytes:
    if not behaviour.chunked_tiny:
        return b"%x\r\n%b\r\n" % (len(data), data)
    return b"".join([b"1\r\n%c\r\n" % byte for byte in data])


def _broken(steps: Iterator[Step], behaviour: Behaviour, head_bytes: int) -> Iterator[Step]:
    """Apply what breaks or splits the bytes of a response."""
    limits = [behaviour.cut] if behaviour.cut is not None else []
    if behaviour.cut_body is not None:
        hints = len(_HINTS) if behaviour.early_hints else 0
        limits.append(hints + head_bytes + behaviour.cut_body)
    if behaviour.reset and not limits:
        limits.append(0)
    if limits:
        steps = _cut(steps, min(limits), Mark.RESET if behaviour.reset else Mark.CUT)
    return _split(steps, behaviour.split) if behaviour.split else steps


def _cut(steps: Iterable[Step], limit: int, end: Mark) -> Iterator[Step]:
    """End after `limit` bytes, at once when the last of them is sent; at the end if there are less.

    With a limit of 0 the pauses before the first byte are kept.
    """
    left = limit
    for step in steps:
        if not isinstance(step, bytes):
            if step in (Mark.FINISH, Mark.CUT):
                break
            yield step
            continue
        if left:
            yield step[:left]
        left -= min(left, len(step))
        if not left:
            break
    yield end


def _split(steps: Iterable[Step], size: int) -> Iterator[Step]:
    for step in steps:
        if not isinstance(step, bytes):
            yield step
            continue
        for start in range(0, len(step), size):
            yield step[start : start + size]
            yield Mark.TURN
