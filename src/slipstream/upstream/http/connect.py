"""Makes one connection: name look-up, happy eyeballs, a proxy's CONNECT, TLS.

uvloop's `create_connection` has no happy eyeballs, so the sockets are raced here (RFC 8305) and
handed over connected; one way for both event loops, and the proxy is spoken to before TLS begins.
Deadlines are the caller's. Foreign exceptions are mapped once, in `connect`.
"""

import asyncio
import errno
import itertools
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httptools

from slipstream.errors import ConnectFailed
from slipstream.upstream.http.connection import Connection
from slipstream.upstream.http.messages import Origin
from slipstream.upstream.http.proxy import Proxy

ATTEMPT_DELAY_S: Final = 0.25  # RFC 8305, 5: before the next address is tried beside the last
_NO_ROUTE: Final = frozenset(
    (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH)
)
_MAX_PROXY_HEAD_BYTES: Final = 16 * 1024
_PROXY_READ_BYTES: Final = 4096

# family, type, protocol, canonical name, socket address: what getaddrinfo gives
_Address = tuple[int, int, int, str, tuple[Any, ...]]

# The first row that fits says what went wrong; the text of the exception follows.
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (socket.gaierror, "name look-up failed"),
    (ssl.SSLCertVerificationError, "its TLS certificate was refused"),
    (ssl.SSLError, "TLS failed"),
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionError, "the connection was closed while it was being made"),
    (OSError, "no connection"),
    (UnicodeError, "its name cannot be looked up"),
)
_FOREIGN: Final = tuple(kind for kind, _ in _WORDS)


@dataclass(frozen=True, slots=True)
class Route:
    """How an origin is reached."""

    origin: Origin
    proxy: Proxy | None
    tls: ssl.SSLContext | None  # set exactly for https


async def connect(
    loop: asyncio.AbstractEventLoop, route: Route, make: Callable[[], Connection]
) -> Connection:
    """Return a new connection that is ready for a request.

    On cancellation and on failure every socket is closed.

    Raises:
        ConnectFailed: With the address and what failed.
    """
    try:
        return await _connect(loop, route, make)
    except _FOREIGN as exc:
        words = next(words for kind, words in _WORDS if isinstance(exc, kind))
        raise ConnectFailed(f"{_named(route)}: {words} ({_reason(exc)})") from exc


async def _connect(
    loop: asyncio.AbstractEventLoop, route: Route, make: Callable[[], Connection]
) -> Connection:
    first_hop = route.origin if route.proxy is None else route.proxy.origin
    addresses = await _resolve(loop, first_hop)
    sock = await race(loop, addresses, ATTEMPT_DELAY_S)
    try:
        if route.proxy is not None and route.tls is not None:
            await _open_tunnel(loop, sock, route.origin, route.proxy)
    except BaseException:
        sock.close()
        raise
    connection = make()
    try:
        await loop.create_connection(
            lambda: connection,
            sock=sock,
            ssl=route.tls,
            server_hostname=None if route.tls is None else route.origin.host,
        )
    except BaseException:
        # The loop closes what it has not handed over; this is for a handshake that ended in the
        # moment of the cancellation.
        connection.abort()
        raise
    return connection


async def _resolve(loop: asyncio.AbstractEventLoop, origin: Origin) -> list[_Address]:
    for family in (socket.AF_INET, socket.AF_INET6):  # an address needs no look-up in a thread
        try:
            socket.inet_pton(family, origin.host)
        except OSError:
            continue
        return [(family, socket.SOCK_STREAM, 0, "", (origin.host, origin.port))]
    found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    return interleave([tuple(address) for address in found])


def interleave(addresses: list[Any]) -> list[Any]:
    """Alternate address families, beginning with the resolver's first choice (RFC 8305, 4)."""
    by_family: dict[int, list[Any]] = {}
    for address in addresses:
        by_family.setdefault(address[0], []).append(address)
    rows = itertools.zip_longest(*by_family.values())
    return [address for row in rows for address in row if address is not None]


async def race(
    loop: asyncio.AbstractEventLoop, addresses: list[_Address], delay_s: float
) -> socket.socket:
    """Connect to the first address that answers, starting the next one after a delay or a failure.

    Returns:
        A connected non-blocking socket; all others are closed, also on cancellation.

    Raises:
        OSError: No address could be reached: the error of the first that we have a route to.
    """
    attempts: list[asyncio.Task[socket.socket]] = []
    winner: socket.socket | None = None
    try:
        waiting = list(reversed(addresses))
        while winner is None:
            if waiting:
                attempts.append(loop.create_task(_connect_socket(loop, waiting.pop())))
            running = [task for task in attempts if not task.done()]
            if running:
                timeout = delay_s if waiting else None
                await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            winner = next((t.result() for t in attempts if _has_won(t)), None)
            if winner is None and not waiting and all(task.done() for task in attempts):
                raise _first_error(attempts)
        return winner
    finally:
        await _settle(attempts, winner)


def _has_won(task: "asyncio.Task[socket.socket]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _first_error(attempts: "list[asyncio.Task[socket.socket]]") -> BaseException:
    """Return the first error that is an upstream's, not that of a family we have no route for."""
    found = [error for task in attempts if (error := task.exception()) is not None]
    found.sort(key=lambda error: getattr(error, "errno", None) in _NO_ROUTE)
    return found[0] if found else OSError("no address")


async def _settle(
    attempts: "list[asyncio.Task[socket.socket]]", winner: socket.socket | None
) -> None:
    """Cancel the attempts that run and close every socket but the winner's."""
    running = [task for task in attempts if not task.done()]
    for task in attempts:
        if task in running:
            task.cancel()  # it closes its own socket
        elif _has_won(task) and task.result() is not winner:
            task.result().close()
    try:
        if running:
            await asyncio.wait(running)
    except asyncio.CancelledError:
        if winner is not None:
            winner.close()
        raise


async def _connect_socket(loop: asyncio.AbstractEventLoop, address: _Address) -> socket.socket:
    family, kind, protocol, _, target = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, target)
    except BaseException:
        sock.close()
        raise
    return sock


# ---- CONNECT ------------------------------------------------------------------------------------


class _TunnelAnswer:
    """Reads a proxy's answer to CONNECT up to the end of its head."""

    def __init__(self) -> None:
        self.status = 0
        self.has_more = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.status = status if status >= 200 else 0  # a 1xx comes before the answer

    def on_body(self, data: bytes) -> None:
        self.has_more = True


async def _open_tunnel(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, origin: Origin, proxy: Proxy
) -> None:
    address = origin.address.encode("ascii")
    request = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (address, address, proxy.header())
    await loop.sock_sendall(sock, request)
    answer, num_bytes = _TunnelAnswer(), 0
    where = f"the proxy {proxy.origin.address}"
    while answer.status == 0:
        data = await loop.sock_recv(sock, _PROXY_READ_BYTES)
        num_bytes += len(data)
        if not data or num_bytes > _MAX_PROXY_HEAD_BYTES:
            raise ConnectFailed(f"{where} ended or overdid its answer to CONNECT")
        try:
            answer.feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            raise ConnectFailed(f"{where} does not answer in HTTP/1.1: {exc}") from exc
    if not 200 <= answer.status < 300:
        raise ConnectFailed(f"{where} answered {answer.status} to CONNECT {origin.address}")
    if answer.has_more:
        raise ConnectFailed(f"{where} sent bytes before the tunnel was used")


# ---- words --------------------------------------------------------------------------------------


def _named(route: Route) -> str:
    if route.proxy is None:
        return f"cannot connect to {route.origin.address}"
    proxy = route.proxy.origin.address
    return f"cannot connect to {route.origin.address} through the proxy {proxy}"


def _reason(exc: BaseException) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc.verify_message
    if isinstance(exc, ssl.SSLError):
        return exc.reason or "no reason given"
    if isinstance(exc, OSError):
        return exc.strerror or str(exc) or type(exc).__name__
    return str(exc)
