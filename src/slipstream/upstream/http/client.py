"""The client: opens a request on a pooled connection and returns the answer once its head is there.

It sends what it is given, never follows a redirect and never retries, but for rule R below.
"""

# R. The stale-connection race. An upstream may close an idle connection in the moment in which we
#    write a request onto it. We then read EOF or a reset where the answer should begin. The request
#    is sent once more, on another connection that was not idle, if all of this holds:
#      - the connection was reused (a new one has no such race: its failure is the upstream's);
#      - not one byte of an answer came, a 1xx included;
#      - the end came within exchange.STALE_RACE_S: a server that worked on a request for longer and
#        then went away has read it, and a second try belongs to dispatch, with its own ledger row.
#    RFC 9110, 9.2.2 allows this for a method that is not idempotent when the client has means to
#    know that the request was not applied or that applying it twice does no harm. Both nearly hold
#    here: such a close almost always means that the request was never read, and in the rare other
#    case a completion is computed twice, whose first result nobody saw and which changes nothing
#    at the provider. Not to retry would turn every idle time-out of an upstream into a failure.

import asyncio
import os
from collections.abc import Mapping

import msgspec

from slipstream.choice import Deadlines
from slipstream.errors import StreamCut, TimedOut
from slipstream.upstream.http.connect import Route, connect
from slipstream.upstream.http.connection import SLICE_BYTES, Connection
from slipstream.upstream.http.exchange import Exchange
from slipstream.upstream.http.messages import HttpRequest, Origin, encode_head, finish_head
from slipstream.upstream.http.pool import Pool
from slipstream.upstream.http.proxy import Proxy, read_proxy_rules
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.http.sweeper import Sweeper
from slipstream.upstream.http.tls import TRUST_VARIABLES, ResumingContext, make_context


class HttpStats(msgspec.Struct, frozen=True):
    """What the client holds and has done, all origins together."""

    open: int  # connections that are being made, busy or idle
    idle: int
    waiting: int  # requests that wait for a connection
    in_flight: int  # exchanges and waits that the sweeper watches
    created: int  # connections since the start
    reused: int  # requests that found a connection since the start
    resent: int  # requests sent once more by rule R


class _Way(msgspec.Struct):
    """An origin's pool and what its proxy wants in front of every request."""

    loop: asyncio.AbstractEventLoop
    pool: Pool
    proxy: Proxy | None  # set only where requests go to it in absolute form: plain http


class HttpClient:
    """Connections to all upstreams of one process; belongs to one event loop.

    Origins come from the operator's configuration, which bounds the number of pools.

    Args:
        settings: Bounds.
        environ: Where the proxy and SSL_CERT_* variables are read, once; the process's own if None.

    Raises:
        ConfigError: `ca_file` cannot be used.
    """

    def __init__(self, settings: HttpSettings, *, environ: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        variables = os.environ if environ is None else environ
        self._proxies = read_proxy_rules(variables)
        # Read once, and only these: the rest of the environment holds keys.
        self._environ = {name: variables.get(name, "") for name in TRUST_VARIABLES}
        self._tls: ResumingContext | None = None  # made for the first https origin: it takes ms
        if settings.ca_file:
            self._tls = make_context(settings.ca_file, self._environ)
        self._ways: dict[Origin, _Way] = {}
        self._sweeper: Sweeper | None = None
        self._is_closed = False
        self._num_resent = 0

    @property
    def stats(self) -> HttpStats:
        """What the client holds now and has done so far."""
        pools = [way.pool for way in self._ways.values()]
        return HttpStats(
            open=sum(pool.num_open for pool in pools),
            idle=sum(pool.num_idle for pool in pools),
            waiting=sum(pool.num_waiting for pool in pools),
            in_flight=0 if self._sweeper is None else len(self._sweeper),
            created=sum(pool.num_created for pool in pools),
            reused=sum(pool.num_reused for pool in pools),
            resent=self._num_resent,
        )

    async def open(
        self, request: HttpRequest, deadlines: Deadlines, total_deadline_s: float
    ) -> HttpResponse:
        """Send a request and return its answer as soon as status and headers are there.

        Phases: connect, from the call to a connection, waiting for a free one included;
        first_token, from the request's last byte to the body's first (or to the end of an answer
        without one); idle, between two reads, and between two writes of a large body; total.
        Limits take effect up to 25 ms late. On cancellation the connection is aborted at once.

        Args:
            total_deadline_s: On the event loop's clock.

        Raises:
            ConnectFailed, PoolFull, TimedOut, StreamCut, Broken: As their names say; the
                connection is gone and nothing is left behind.
        """
        way = self._ways.get(request.origin) or self._make_way(request.origin)
        if way.loop.time() >= total_deadline_s:
            raise TimedOut("total", deadlines.total_s)
        head = _encode(request, way.proxy)
        connection, is_reused = way.pool.take(), True
        if connection is None:
            connection, is_reused = await way.pool.acquire(deadlines, total_deadline_s)
        exchange = await _send(connection, request, head, deadlines, total_deadline_s)
        if exchange.is_unanswered and is_reused:  # rule R
            self._num_resent += 1
            connection, _ = await way.pool.acquire(deadlines, total_deadline_s)
            exchange = await _send(connection, request, head, deadlines, total_deadline_s)
        if exchange.status == 0:
            assert exchange.error is not None, "an exchange without a head has failed"
            raise exchange.error
        return HttpResponse(exchange, self._settings.max_body_bytes)

    async def warm(
        self, origin: Origin, count: int = 1, *, deadlines: Deadlines | None = None
    ) -> None:
        """Make new connections and leave them idle, within the bounds of the pool.

        Raises:
            ConnectFailed, TimedOut: The first failure, after all were tried.
        """
        way = self._ways.get(origin) or self._make_way(origin)
        limits = Deadlines() if deadlines is None else deadlines
        count = min(count, self._settings.max_idle_connections)
        results = await asyncio.gather(
            *(way.pool.warm(limits) for _ in range(count)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def close(self) -> None:
        """Abort everything in flight and close every connection; the client is then of no use."""
        self._is_closed = True
        for way in self._ways.values():
            await way.pool.close()
        if self._sweeper is not None:
            self._sweeper.close()

    # ---- internals ------------------------------------------------------------------------------

    def _make_way(self, origin: Origin) -> _Way:
        if self._is_closed:
            raise StreamCut("the upstream client was closed")
        loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweeper = Sweeper(loop)
        sweeper = self._sweeper
        proxy = self._proxies.choose(origin)
        tls = None
        if origin.scheme == "https":
            tls = self._tls = self._tls or make_context("", self._environ)
        route = Route(origin, proxy, tls)

        def remember(connection: Connection) -> None:
            if tls is not None:
                tls.remember(origin.host, connection.transport.get_extra_info("ssl_object"))

        pool = Pool(
            loop,
            self._settings,
            sweeper,
            lambda: connect(loop, route, lambda: Connection(loop, self._settings, sweeper)),
            remember,
        )
        way = self._ways[origin] = _Way(loop, pool, proxy if tls is None else None)
        return way


def _encode(request: HttpRequest, proxy: Proxy | None) -> bytes:
    """Return everything in front of the body."""
    head = request.head
    if not head:
        head = encode_head(request.origin, request.method, request.target, request.headers)
    if proxy is not None:
        # RFC 9112, 3.2.2: to a proxy the target is the whole URL.
        rest = head[len(request.method) + 1 :]
        url = b"http://" + request.origin.authority.encode("ascii")
        head = request.method + b" " + url + rest + proxy.header()
    return finish_head(head, request.method, len(request.body))


async def _send(
    connection: Connection,
    request: HttpRequest,
    head: bytes,
    deadlines: Deadlines,
    total_deadline_s: float,
) -> Exchange:
    """Write the request and wait until the answer's head has come or cannot come."""
    exchange = connection.begin(
        head, request.body, deadlines, total_deadline_s, is_head_request=request.method == b"HEAD"
    )
    if len(request.body) > SLICE_BYTES:
        await connection.send_rest(exchange, request.body)
    await exchange.wait_head()
    return exchange
