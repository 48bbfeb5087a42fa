"""One connection: bytes to requests, one at a time, and each request's player.

Requests that arrive while one is being answered wait in order. The socket is read all the time,
answer or not: that is how a client that goes away is noticed at once.
"""

import asyncio
from collections import deque
from typing import Final, NamedTuple, cast

import httptools

from slipstream.errors import BadRequest, BodyTooLarge, GatewayError
from slipstream.upstream.scripted import book
from slipstream.upstream.scripted.behaviour import ORDINARY
from slipstream.upstream.scripted.book import SECRET_HEADERS, Book, Ending, Exchange, redact
from slipstream.upstream.scripted.openai_chat import OPENAI_CHAT
from slipstream.upstream.scripted.plan import plan_response
from slipstream.upstream.scripted.player import Player
from slipstream.upstream.scripted.reply import error_reply
from slipstream.upstream.scripted.site import CONTROL, Decision, Site

MAX_BODY_BYTES: Final = 64 * 2**20
MAX_HEAD_BYTES: Final = 256 * 1024
_MAX_WAITING: Final = 64  # pipelined requests; a client that sends more is refused

_LINGER_S: Final = 1.0

_NOTED_HEADERS: Final = SECRET_HEADERS | {b"x-mock", b"expect"}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Request(NamedTuple):
    exchange: Exchange
    mock_header: bytes | None
    can_reuse: bool
    can_chunk: bool


class Connection(asyncio.Protocol):
    """Answers the requests of one client until it closes, or a behaviour does."""

    def __init__(self, site: Site, peers: "set[Connection]") -> None:
        self._site = site
        self._book: Book = site.book
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[_Request] = deque()
        self._exchange: Exchange | None = None
        self._player: Player | None = None
        self._key = (b"", b"")  # as it came, and as the log may show it
        self._lingering: asyncio.TimerHandle | None = None  # set once a request was refused
        self._is_control = False
        self._is_stopping = False
        self._start_message()

    # ---- asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._id = self._book.connected()
        self._peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._player is not None:
            self._player.stop()
        if self._lingering is not None:
            self._lingering.cancel()
        if self._exchange is not None:
            self._end(self._reason_of_loss(self._exchange))
        self._waiting.clear()
        self._peers.discard(self)
        if not self._is_control:
            self._book.disconnected()

    def data_received(self, data: bytes) -> None:
        if self._lingering is not None:
            return
        was_in_body = self._is_in_body
        try:
            self._parser.feed_data(data)
            self._answer_next()
            if self._is_in_head and not was_in_body:
                self._bound_head(len(data))
        except BodyTooLarge as error:
            self._refuse(error)
        except httptools.HttpParserUpgrade:
            self._refuse(BadRequest("the scripted upstream upgrades to no other protocol"))
        except httptools.HttpParserError as exc:
            cause = exc.__context__
            self._refuse(
                cause if isinstance(cause, GatewayError) else BadRequest(f"not HTTP: {exc}")
            )

    def pause_writing(self) -> None:
        if self._player is not None:
            self._player.pause()

    def resume_writing(self) -> None:
        if self._player is not None:
            self._player.resume()

    def stop(self) -> None:
        """Abort the connection, because the server stops."""
        self._is_stopping = True
        self._transport.abort()

    # ---- httptools calls these

    def _start_message(self) -> None:
        self._is_in_head = self._is_in_body = False
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._mock_header: bytes | None = None
        self._head_bytes = 0
        self._body_bytes = 0

    def on_message_begin(self) -> None:
        self._start_message()
        self._is_in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _NOTED_HEADERS:
            value = self._note(name, value)
        self._headers.append((name, value))

    def _note(self, name: bytes, value: bytes) -> bytes:
        """Act on a header that says something to us; return its value for the log."""
        if name == b"x-mock":
            self._mock_header = value
        elif name == b"expect":
            if value.lower() == b"100-continue" and self._exchange is None:
                self._transport.write(_CONTINUE)
        else:
            if value != self._key[0]:  # the same key comes with each request of a connection
                self._key = (value, redact(value))
            return self._key[1]
        return value

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._is_in_body = True

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > MAX_BODY_BYTES:
            raise BodyTooLarge(f"the body is over {MAX_BODY_BYTES} bytes")
        self._parts.append(data)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        if len(self._waiting) == _MAX_WAITING:
            raise BadRequest(f"more than {_MAX_WAITING} pipelined requests")
        parser = self._parser
        exchange = Exchange(
            0,
            self._id,
            parser.get_method().decode("ascii"),
            self._url.decode("latin-1"),
            self._headers,
            self._parts[0] if len(self._parts) == 1 else b"".join(self._parts),
            book.now_ms(),
        )
        can_reuse, can_chunk = parser.should_keep_alive(), parser.get_http_version() != "1.0"
        self._waiting.append(_Request(exchange, self._mock_header, can_reuse, can_chunk))

    # ---- answering

    def _answer_next(self) -> None:
        """Answer the request that waits longest, unless one is being answered."""
        while self._waiting and self._exchange is None and not self._transport.is_closing():
            self._answer(self._waiting.popleft())

    def _answer(self, request: _Request) -> None:
        exchange = self._exchange = request.exchange
        reply, behaviour = self._decide(request)
        if exchange.method == "HEAD":
            reply = reply._replace(body=b"")
        exchange.status = reply.status
        steps = plan_response(
            reply,
            behaviour,
            request_id=b"req_%06d" % exchange.serial,
            can_reuse=request.can_reuse,
            can_chunk=request.can_chunk,
        )
        self._player = Player(steps, self._transport, self._loop, self._write, self._played)
        self._player.start()

    def _decide(self, request: _Request) -> Decision:
        exchange = request.exchange
        if exchange.path.startswith(CONTROL):
            if not self._is_control:
                self._is_control = True
                self._book.uncount()
            return self._site.control(exchange), ORDINARY
        exchange.serial = self._book.stats.requests + 1
        self._book.begin(exchange)
        return self._site.decide(exchange, request.mock_header)

    def _bound_head(self, num_bytes: int) -> None:
        """Bound headers that have not ended yet: the parser keeps an unfinished one in memory."""
        self._head_bytes += num_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise BodyTooLarge(f"the headers are over {MAX_HEAD_BYTES} bytes")

    def _reason_of_loss(self, exchange: Exchange) -> Ending:
        if self._is_stopping:
            return "server_closed"
        sent = exchange.bytes_sent
        return "client_closed_mid_stream" if sent else "client_closed_before_first_byte"

    def _write(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        if exchange.first_byte_ms is None:
            exchange.first_byte_ms = book.now_ms()
        exchange.bytes_sent += len(data)
        self._transport.write(data)

    def _played(self, ending: Ending) -> None:
        self._end(ending)
        if self._waiting:
            self._loop.call_soon(self._answer_next)

    def _end(self, ending: Ending) -> None:
        exchange, self._exchange, self._player = self._exchange, None, None
        if exchange is not None and exchange.serial:  # the control API's own are not logged
            self._book.end(exchange, ending)

    def _refuse(self, error: GatewayError) -> None:
        """Say what is wrong with the bytes themselves, and close.

        What the client still sends is read and dropped for a while: closing on unread bytes would
        reset the connection, and the client would lose the answer.
        """
        transport = self._transport
        self._waiting.clear()
        if self._exchange is not None or transport.is_closing():
            transport.close()
            return
        steps = plan_response(
            error_reply(error, OPENAI_CHAT),
            ORDINARY,
            request_id=b"req_none",
            can_reuse=False,
            can_chunk=True,
        )
        transport.writelines(step for step in steps if isinstance(step, bytes))
        if not transport.can_write_eof():  # TLS
            transport.close()
            return
        transport.write_eof()
        self._lingering = self._loop.call_later(_LINGER_S, transport.close)
