"""Raw scripted servers, a CONNECT proxy and certificates for the tests of the HTTP client."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import trustme

from slipstream.choice import Deadlines
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, Origin
from slipstream.upstream.http.response import HttpResponse

PATIENT: Final = Deadlines(connect_s=30, first_token_s=30, idle_s=30, total_s=60)
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED_HEAD: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as the server saw it."""

    head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        """The request line."""
        return self.head.partition(b"\r\n")[0]


class Peer:
    """One accepted connection."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number  # 0 for the server's first connection
        self.reader = reader
        self.writer = writer
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def read_head(self) -> bytes:
        """Read up to the empty line."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def read_request(self) -> Received:
        """Read a request with its body."""
        head = await self.read_head()
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return Received(head, await self.reader.readexactly(length))

    async def send(self, *parts: bytes) -> None:
        """Write the parts, in separate segments as far as that can be had."""
        for index, part in enumerate(parts):
            if index:
                await asyncio.sleep(0.001)
            self.writer.write(part)
            await self.writer.drain()

    async def finish(self) -> None:
        """Close in order: FIN after everything was sent."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """Close with RST."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def wait_closed(self) -> float:
        """Wait until the client has closed; return `time.perf_counter()` of it."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self.reader.read(65536):
                pass
        return time.perf_counter()


Script = Callable[[Peer], Awaitable[None]]


@dataclass(slots=True)
class Scripted:
    """A running scripted server."""

    origin: Origin
    num_accepted: int = 0
    errors: list[BaseException] = field(default_factory=list)


@asynccontextmanager
async def serve(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Scripted]:
    """Run a script for every connection; at the end its failures become the test's."""
    tasks: set[asyncio.Task[None]] = set()
    server_state = Scripted(Origin("http" if tls is None else "https", host, 1))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        peer = Peer(server_state.num_accepted, reader, writer)
        server_state.num_accepted += 1
        try:
            await script(peer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away, or the test is over
        except AssertionError as exc:
            server_state.errors.append(exc)
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls, limit=2**22, backlog=512)
    scheme = "http" if tls is None else "https"
    server_state.origin = Origin(scheme, host, server.sockets[0].getsockname()[1])
    try:
        yield server_state
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tuple(tasks), timeout=10)
        await server.wait_closed()
    if server_state.errors:
        raise server_state.errors[0]


def answering(*parts: bytes) -> Script:
    """Answer every request with these parts, keeping the connection."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            await peer.send(*parts)

    return script


def request(
    origin: Origin,
    *,
    method: bytes = b"POST",
    target: bytes = b"/v1/x",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: bytes = b"{}",
) -> HttpRequest:
    """Make a request, a POST unless said otherwise."""
    return HttpRequest(origin=origin, method=method, target=target, headers=headers, body=body)


async def open_answer(
    client: HttpClient, asked: HttpRequest, deadlines: Deadlines = PATIENT
) -> HttpResponse:
    """Open with the total deadline that the deadlines state."""
    now_s = asyncio.get_running_loop().time()
    return await client.open(asked, deadlines, now_s + deadlines.total_s)


async def fetch(
    client: HttpClient, asked: HttpRequest, deadlines: Deadlines = PATIENT
) -> tuple[int, bytes]:
    """Open, read the whole body and close."""
    response = await open_answer(client, asked, deadlines)
    try:
        return response.status, await response.read()
    finally:
        response.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, up to the test's own limit."""
    while not condition():
        await asyncio.sleep(0.002)


class Authority:
    """A certificate authority of the test, and what it signed."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self._ca.cert_pem.bytes()

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Make a server's context with a certificate for these names or addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def issue(self, *names: str) -> tuple[bytes, bytes]:
        """Return a certificate chain and its key, as PEM."""
        cert = self._ca.issue_cert(*names)
        chain = b"".join(blob.bytes() for blob in cert.cert_chain_pems)
        return chain, cert.private_key_pem.bytes()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the end."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
