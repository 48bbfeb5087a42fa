"""uvicorn's HTTP protocol with five things added, for what a request costs and how fast it ends.

1. An application hears at once that its client left. ASGI offers this only to whoever awaits
   `receive()`, which would take a second task for each request. Here the application puts a
   callable under `ON_GONE` into its scope, and a lost connection calls it. Reading goes on while
   an answer is made, however large the request was: without reading nobody hears a client leave.
2. Head and first piece of an answer go out in one write. uvicorn makes two, and so two packets: a
   system call more for each request, and up to 40 ms where Nagle meets a delayed acknowledgement.
3. The head of a request is bounded, and errors of HTTP itself have OpenAI's shape, too.
4. Instead of a timer for each request a connection notes since when it does what it does; see
   watch.py.
5. A silent stream tells its client that it goes on: an application puts what says so in its dialect
   under `PING` into its scope, and the watch has it written, between two pieces of the answer.
"""

import asyncio
import sys
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from slipstream.errors import BadRequest, GatewayError, RequestError
from slipstream.server.render import render_error

ON_GONE = "slipstream.on_gone"
PING = "slipstream.ping"

MAX_HEAD_BYTES = 64 * 1024  # after the first read of a head; nginx's bound is 32 KiB
MAX_PIPELINED = 8  # requests that wait behind another one while reading goes on

_UPGRADE_HEADERS = frozenset((b"connection", b"upgrade", b"http2-settings"))
_HEAD = b"HTTP/1.1 "
_CONTINUE = b"HTTP/1.1 100"  # the client waits for it before it sends a body


class HeadTooLarge(RequestError):
    """Request line and headers are over the bound."""

    status = 431
    code = "headers_too_large"


class JoiningTransport:
    """Holds an answer's head back until the next write, which every answer has at once.

    All else goes to the real transport. The body of an answer that is sent in one piece is the
    write after its head; chunks begin with their length: neither is taken for a head.
    """

    __slots__ = ("_head", "_transport", "is_closing", "num_writes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.num_writes = 0
        self.is_closing = transport.is_closing  # asked for each request: no detour

    def write(self, data: bytes) -> None:
        """Write, together with the head that waits."""
        self.num_writes += 1
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD) and not data.startswith(_CONTINUE):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Write a head that nothing follows: the whole answer to a HEAD request."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Close, after a head that nothing followed was written."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class NoticingProtocol(HttpToolsProtocol):
    """One connection of a client; see the five points above.

    `since_s` is when the present state began, on the loop's clock: being busy with an answer, or
    idle. `unsent_bytes` is for the watch, which notes there what a closing connection still holds,
    as `seen_writes` and `spoke_s` are.
    """

    transport: JoiningTransport  # type: ignore[assignment]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.since_s = self.loop.time()
        self.unsent_bytes = sys.maxsize
        self.seen_writes = 0
        self.spoke_s = self.since_s
        self._running: RequestResponseCycle | None = None  # `cycle` is the last one read
        self._begun_scope: object = None  # of a head that is not whole yet
        self._head_bytes = 0

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being made."""
        return self._running is not None

    @property
    def num_writes(self) -> int:
        """How often something was written."""
        return self.transport.num_writes

    def ping(self) -> None:
        """Write a sign of life, if the answer is a stream that has begun."""
        running = self._running
        if running is None or running.response_complete:
            return
        data = running.scope.get(PING)
        if not isinstance(data, bytes):
            return
        if running.chunked_encoding:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.transport.write(data)

    # ---- the transport's side -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the joining transport between uvicorn and the socket."""
        super().connection_made(JoiningTransport(transport))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """Let uvicorn clean up, then notify a request that has not been answered whole."""
        super().connection_lost(exc)
        running, self._running = self._running, None
        if running is None or running.response_complete:
            return
        running.disconnected = True  # uvicorn told the last request that was read, not this one
        running.message_event.set()
        on_gone = running.scope.get(ON_GONE)
        if callable(on_gone):
            on_gone()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(BadRequest("These bytes are no HTTP request.", code="bad_request"))
            return
        cycle = self.cycle
        if cycle is None or cycle.scope is not self.scope:
            self._note_partial_head(len(data))
        elif self.flow.read_paused and not cycle.more_body and len(self.pipeline) < MAX_PIPELINED:
            self.flow.resume_reading()

    # ---- the application's side -----------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Go on with the next request that was read already, or wait for one."""
        self.transport.flush()
        self._running = None
        self.since_s = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self.since_s = self.loop.time()
        if cycle.scope["http_version"] == "1.0":
            # It knows no chunks: a body without a length ends with the connection.
            cycle.chunked_encoding = False
            cycle.expected_content_length = _AnyLength()
        super()._start_asgi_task(cycle, app)

    # ---- what is wrong with a request -----------------------------------------------------------

    def _note_partial_head(self, num_bytes: int) -> None:
        if self._begun_scope is not self.scope:
            self._begun_scope = self.scope
            self._head_bytes = 0  # the read may have begun with another request's body
            if self._running is None:
                self.since_s = self.loop.time()
            return
        self._head_bytes += num_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HeadTooLarge(f"The headers have more than {MAX_HEAD_BYTES} bytes."))

    def _should_upgrade(self) -> bool:
        return True  # for uvicorn: no request begins here, `_decline_upgrade` says what happens

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read the request once more as if it had not asked for another protocol.

        RFC 9110, 7.8 allows that. The parser takes all after the head for the other protocol, and
        Java's client asks for h2c with every first request, those with a body included.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        if method == b"CONNECT":
            self._refuse(BadRequest("This is no proxy: it takes no CONNECT.", code="bad_request"))
            return
        lines = [method + b" " + self.url + b" HTTP/" + version.encode()]
        lines += [n + b": " + v for n, v in self.headers if n not in _UPGRADE_HEADERS]
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _refuse(self, error: GatewayError) -> None:
        """Answer what is no request of ours, and close; into another answer nothing is written."""
        if self._running is None:
            body = render_error(error)
            head = (
                f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
                "content-type: application/json\r\n"
                f"content-length: {len(body)}\r\n"
                "connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()


class _AnyLength(int):
    """A length for uvicorn's counting that every body has: it stays 0, and nothing exceeds it."""

    def __lt__(self, other: object) -> bool:
        return False

    def __sub__(self, other: object) -> "_AnyLength":
        return self
