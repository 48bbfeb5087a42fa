"""One socket that speaks HTTP/1.1: a request goes out, the answer comes into an exchange.

It does not connect, pool, parse or wait; `connect`, `pool`, `answer` and `exchange` do.
"""

# Theory of operation
#
#     connection_made ─▶ idle ──begin──▶ busy ──answer whole──▶ idle (back to its owner)
#                         │               │
#                         │ any byte, EOF │ EOF, reset, bad bytes, deadline, cancel, close
#                         ▼               ▼
#                       gone ◀──────────gone (transport aborted, exchange failed)
#
#  1. A connection carries one exchange at a time. `_exchange` is set exactly while it is busy.
#  2. The reader (`answer.py`) only records; what follows from it is decided in `data_received`,
#     after it has returned. So nothing is released or aborted underneath the parser.
#  3. An exchange ends exactly once, in `_let_go`: its `carrier` becomes None, the sweeper forgets
#     it and its reader is woken.
#  4. A connection is reused only if the answer was whole by its own framing, the parser agrees
#     that it may be (no `Connection: close`, no HTTP/1.0), the whole request was handed to the
#     transport, and nothing followed the answer (a stray CRLF aside: RFC 9112, 2.2).
#  5. A byte or EOF while idle ends the connection: it answers a question that nobody asked.
#  6. Aborting is immediate. Everything worth reading was read or given up by then, so there is
#     nothing to linger for, TLS close_notify included.
#  7. EOF ends an answer well only if neither Content-Length nor chunks delimit it. Over TLS such
#     an answer cannot be told from a truncated one here; the dialect's terminal event tells.
#  8. Not more than `stream_buffer_bytes` and one read of the transport wait for a slow reader.

import asyncio
from typing import Any, Final, Protocol

from slipstream.choice import Deadlines
from slipstream.errors import GatewayError, StreamCut
from slipstream.upstream.http.answer import AnswerReader
from slipstream.upstream.http.exchange import Exchange
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.http.sweeper import Sweeper

SLICE_BYTES: Final = 64 * 1024  # of a large body: the transport's own high-water mark


class Owner(Protocol):
    """The pool, as a connection sees it."""

    def note_first_answer(self, connection: "Connection") -> None:
        """Learn what a connection knows once it has carried an answer: its TLS session."""

    def release(self, connection: "Connection") -> None:
        """Take the idle connection back."""

    def forget(self, connection: "Connection") -> None:
        """Note that the connection's socket is closed."""


class Connection(asyncio.Protocol):
    """One connection; see the rules above."""

    __slots__ = (
        "_exchange",
        "_high_water_bytes",
        "_is_read_paused",
        "_is_sending",
        "_is_write_paused",
        "_loop",
        "_owner",
        "_reader",
        "_settings",
        "_sweeper",
        "_transport",
        "idle_expires_s",
        "is_closed",
        "keep_alive_hint",
        "num_exchanges",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: HttpSettings, sweeper: Sweeper
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._sweeper = sweeper
        self._high_water_bytes = min(settings.stream_buffer_bytes, settings.max_body_bytes)
        self._owner: Owner | None = None
        self._transport: Any = None  # asyncio's and uvloop's have no common static type
        self._reader = AnswerReader(settings.max_header_bytes)
        self._exchange: Exchange | None = None
        self._is_read_paused = False
        self._is_write_paused = False
        self._is_sending = False  # a large body is not yet wholly with the transport
        self.is_closed = False
        self.num_exchanges = 0
        self.idle_expires_s = 0.0  # the pool's
        self.keep_alive_hint: bytes | None = None  # the last answer's Keep-Alive header

    # ---- the owner's side -----------------------------------------------------------------------

    @property
    def transport(self) -> Any:
        """The transport, None before it is made."""
        return self._transport

    @property
    def is_usable(self) -> bool:
        """Whether a request may be begun."""
        return self._exchange is None and not self._transport.is_closing()

    def attach(self, owner: Owner) -> None:
        """Tell who takes the connection back and hears of its end."""
        self._owner = owner

    def begin(
        self,
        head: bytes,
        body: bytes,
        deadlines: Deadlines,
        total_deadline_s: float,
        *,
        is_head_request: bool = False,
    ) -> Exchange:
        """Write a request; a body over `SLICE_BYTES` must be followed up with `send_rest`."""
        assert self._exchange is None, "a connection carries one exchange at a time"
        exchange = Exchange(self._loop, self, deadlines, total_deadline_s, is_head_request)
        self._exchange = exchange
        self._reader.begin(exchange)
        self.num_exchanges += 1
        self._sweeper.add(exchange)
        if len(body) <= SLICE_BYTES:
            self._transport.write(head + body)
        else:
            self._is_sending = True
            self._transport.write(head)
        return exchange

    async def send_rest(self, exchange: Exchange, body: bytes) -> None:
        """Write a large body no faster than the upstream reads it; stop when it answers.

        An answer that comes first (413, 429) is the answer; the connection is then not reused.
        """
        view = memoryview(body)
        for start in range(0, len(body), SLICE_BYTES):
            if self._exchange is not exchange or exchange.status != 0:
                return
            self._transport.write(view[start : start + SLICE_BYTES])
            while self._is_write_paused and self._exchange is exchange and exchange.status == 0:
                exchange.begin_phase("idle", exchange.deadlines.idle_s)
                await exchange.wait()
        if self._exchange is exchange:
            self._is_sending = False
            exchange.begin_phase("first_token", exchange.deadlines.first_token_s)

    def drop(self, error: GatewayError) -> None:
        """End the exchange with this error and abort the transport, at once."""
        exchange = self._exchange
        if exchange is not None:
            exchange.error = error
            self._let_go(exchange)
        self.abort()

    def abort(self) -> None:
        """Close the socket without ceremony; may be called more than once."""
        if self._transport is not None:
            self._transport.abort()

    def resume_reading(self) -> None:
        """Let more bytes come."""
        if self._is_read_paused:
            self._is_read_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # ---- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse what came and act on it."""
        exchange = self._exchange
        if exchange is None:
            self.abort()  # rule 5
            return
        exchange.has_bytes = True
        error = self._reader.feed(data)
        if exchange.is_complete:
            self._finish(exchange)
        elif error is not None:
            self.drop(error)
        elif exchange.status != 0:
            if exchange.buffered_bytes > self._high_water_bytes:
                self._hold_back(exchange)
            exchange.progress()

    def eof_received(self) -> None:
        """Take EOF as the end; the transport then closes itself."""
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is in flight and tell the owner."""
        self._end(exc)
        self.is_closed = True
        self._reader.close()
        if self._owner is not None:
            self._owner.forget(self)

    def pause_writing(self) -> None:
        """Note that the transport holds enough."""
        self._is_write_paused = True

    def resume_writing(self) -> None:
        """Let a large body go on."""
        self._is_write_paused = False
        if self._is_sending and self._exchange is not None:
            self._exchange.wake()

    # ---- decisions ------------------------------------------------------------------------------

    def _finish(self, exchange: Exchange) -> None:
        can_reuse = self._reader.can_reuse and not self._is_sending
        self._let_go(exchange)
        if self.num_exchanges == 1 and self._owner is not None:
            self._owner.note_first_answer(self)
        if not can_reuse or self._owner is None:
            self.abort()
            return
        self.resume_reading()
        self.keep_alive_hint = exchange.fields.get(b"keep-alive")
        self._owner.release(self)

    def _let_go(self, exchange: Exchange) -> None:
        self._exchange = None
        self._sweeper.discard(exchange)
        exchange.carrier = None
        exchange.wake()

    def _end(self, exc: Exception | None) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if exc is None and exchange.ends_with_connection():
            exchange.is_complete = True
            self._let_go(exchange)
            return
        exchange.note_end()
        where = "in the middle of" if exchange.has_bytes else "before"
        self.drop(StreamCut(f"the upstream closed the connection {where} its answer"))

    def _hold_back(self, exchange: Exchange) -> None:
        if exchange.is_whole:
            if exchange.buffered_bytes > self._settings.max_body_bytes:
                exchange.wake()  # the reader sees the size and refuses it
        elif not self._is_read_paused and not self._transport.is_closing():
            self._is_read_paused = True
            self._transport.pause_reading()
