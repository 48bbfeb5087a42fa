"""Reads the bytes of one answer after another into exchanges; pure, no I/O and no clock.

llhttp (through httptools) does the framing; here are the bounds, the 1xx answers, and the decision
whether another answer may follow on the same connection.
"""

from typing import Any, Final

import httptools

from slipstream.errors import Broken, GatewayError
from slipstream.upstream.http.exchange import Exchange

MAX_INFORMATIONAL: Final = 16  # 1xx answers before the final one; more is no server, but a loop
_SWITCHING_PROTOCOLS: Final = 101
_FIRST_STATUS: Final = 100
_FIRST_FINAL_STATUS: Final = 200
_HEADER_OVERHEAD_BYTES: Final = 4  # ": " and CRLF


class AnswerReader:
    """The reading half of a connection: one per connection, one exchange at a time.

    Bytes that yield neither body nor an end (headers, trailers, chunk extensions, 1xx) are bounded:
    headers exactly, the rest at twice that, so that no framing grows without end.
    """

    __slots__ = (
        "_exchange",
        "_failure",
        "_head_bytes",
        "_headers",
        "_is_informational",
        "_max_header_bytes",
        "_num_informational",
        "_parser",
        "_silent_bytes",
        "can_reuse",
    )

    def __init__(self, max_header_bytes: int) -> None:
        self._max_header_bytes = max_header_bytes
        self._parser: Any = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._silent_bytes = 0  # since the last byte of a body
        self._num_informational = 0
        self._is_informational = False
        self._failure: GatewayError | None = None  # raised inside a callback
        self.can_reuse = False  # after a whole answer: whether another may follow it

    def begin(self, exchange: Exchange) -> None:
        """Expect an answer."""
        self._exchange = exchange
        self._head_bytes = self._silent_bytes = self._num_informational = 0
        self.can_reuse = False

    def feed(self, data: bytes) -> GatewayError | None:
        """Read bytes into the exchange; return why the connection cannot go on, if so.

        When the exchange is complete, what is returned concerns the connection alone.
        """
        self._silent_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self.can_reuse = False
            if self._failure is not None:
                return self._failure
            error = Broken(f"the upstream's answer is not HTTP/1.1: {exc}")
            error.__cause__ = exc
            return error
        if self._silent_bytes > 2 * self._max_header_bytes:
            return self._too_much_framing()
        return None

    def close(self) -> None:
        """Let go of the parser: it and this reader refer to each other."""
        self._parser = self._exchange = None

    # ---- llhttp's callbacks: they only record, or raise what `feed` returns ---------------------

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request."""
        if self._exchange is None or self._exchange.is_complete:
            raise self._fail(Broken("the upstream sent bytes after the end of its answer"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header or trailer, within the bound."""
        self._head_bytes += len(name) + len(value) + _HEADER_OVERHEAD_BYTES
        if self._head_bytes > self._max_header_bytes:
            raise self._fail(self._too_much_framing())
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Skip a 1xx; hand a final head to the exchange."""
        status: int = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < _FIRST_FINAL_STATUS:
            self._skip_informational(status)
            return
        assert self._exchange is not None
        error = self._exchange.accept_head(status, headers)
        if error is not None:
            raise self._fail(error)

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        exchange = self._exchange
        if exchange is not None and not exchange.is_complete:
            exchange.chunks.append(data)
            exchange.buffered_bytes += len(data)
            self._silent_bytes = 0

    def on_message_complete(self) -> None:
        """Mark the answer whole, unless it was a 1xx."""
        if self._is_informational:
            self._is_informational = False
            return
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not exchange.is_complete:
            exchange.is_complete = True
            # llhttp does not know of HEAD and may wait for a body that never comes, so the
            # connection of a HEAD, complete since its head, is not reused.
            self.can_reuse = self._parser.should_keep_alive()
            if self._headers:
                exchange.trailers = tuple(self._headers)
                self._headers = []

    # ---- internals ------------------------------------------------------------------------------

    def _skip_informational(self, status: int) -> None:
        self._num_informational += 1
        self._is_informational = True
        if status < _FIRST_STATUS:
            raise self._fail(Broken(f"the upstream sent the status {status:03}, which none is"))
        if status == _SWITCHING_PROTOCOLS:
            raise self._fail(Broken("the upstream switched protocols (101) without being asked"))
        if self._num_informational > MAX_INFORMATIONAL:
            raise self._fail(Broken(f"the upstream sent over {MAX_INFORMATIONAL} 1xx answers"))

    def _too_much_framing(self) -> Broken:
        limit = self._max_header_bytes
        return Broken(f"the upstream's headers or framing have more than {limit} bytes")

    def _fail(self, error: GatewayError) -> GatewayError:
        self._failure = error
        return error
