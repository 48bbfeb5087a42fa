"""CPU time of the upstream HTTP client per request and per streamed chunk, over loopback.

A minimal raw server in another process answers at once; what is measured is this process's CPU
time (user and system, so the kernel's share of the sockets is in it), not the server's. `floor` is
a protocol that writes and reads the same bytes and parses nothing: the client's own share is the
difference.
Ends with one JSON line.
"""

import argparse
import asyncio
import json
import multiprocessing
import multiprocessing.connection
import platform
import sys
import time
from typing import Any, Final

import uvloop

from slipstream.choice import Deadlines
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, Origin, encode_head, finish_head
from slipstream.upstream.http.settings import HttpSettings

ANSWER_BYTES: Final = 800
REQUEST_BYTES: Final = 250
EVENT: Final = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
EVENTS_PER_STREAM: Final = 2000
_PLAIN: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: bench\r\n"
    b"Date: Sat, 31 Jan 2026 00:00:00 GMT\r\nX-Request-Id: 0123456789abcdef\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (ANSWER_BYTES, b"x" * ANSWER_BYTES)
)
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_CHUNK: Final = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)


class _RawServer(asyncio.Protocol):
    """Answers every read with one plain answer, or with a stream if the path says so."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._left = 0

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"POST /plain"):
            self._transport.write(_PLAIN)
            return
        self._transport.write(_STREAM_HEAD)
        self._left = EVENTS_PER_STREAM
        self._write_next()

    def _write_next(self) -> None:
        # One event per turn of the loop, so that the client reads them one by one.
        if self._left == 0:
            self._transport.write(b"0\r\n\r\n")
            return
        self._left -= 1
        self._transport.write(_CHUNK)
        asyncio.get_running_loop().call_later(0.0001, self._write_next)


def _serve(port_pipe: "multiprocessing.connection.Connection") -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_RawServer, "127.0.0.1", 0)
        port_pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


def _request(port: int, path: bytes) -> HttpRequest:
    origin = Origin("http", "127.0.0.1", port)
    headers = (
        (b"Authorization", b"Bearer sk-0123456789abcdef0123456789abcdef"),
        (b"Content-Type", b"application/json"),
        (b"User-Agent", b"slipstream-bench"),
    )
    head = encode_head(origin, b"POST", path, headers)
    body = b"x" * REQUEST_BYTES
    return HttpRequest(origin=origin, method=b"POST", target=path, head=head, body=body)


class _Floor(asyncio.Protocol):
    """The least a client can do: write the same bytes, wake a waiter on any read, parse nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.waiter: asyncio.Future[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        if self.waiter is not None:
            self.waiter.set_result(data)
            self.waiter = None

    async def ask(self, request: bytes) -> bytes:
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.waiter


async def _measure_floor(port: int, num_connections: int, num_requests: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    request = _request(port, b"/plain")
    data = finish_head(request.head, b"POST", REQUEST_BYTES) + request.body
    share = num_requests // num_connections

    async def ask() -> None:
        transport, protocol = await loop.create_connection(_Floor, "127.0.0.1", port)
        for _ in range(share):
            await protocol.ask(data)
        transport.abort()

    cpu = time.process_time()
    await asyncio.gather(*(ask() for _ in range(num_connections)))
    cpu = time.process_time() - cpu
    return {"cpu_us": round(cpu / (share * num_connections) * 1e6, 2)}


async def _plain(client: HttpClient, request: HttpRequest, count: int) -> None:
    loop, deadlines = asyncio.get_running_loop(), Deadlines()
    for _ in range(count):
        response = await client.open(request, deadlines, loop.time() + deadlines.total_s)
        if len(await response.read()) != ANSWER_BYTES:
            raise RuntimeError("a wrong answer")


async def _measure_plain(port: int, num_connections: int, num_requests: int) -> dict[str, float]:
    client = HttpClient(HttpSettings(), environ={})
    request = _request(port, b"/plain")
    try:
        await asyncio.gather(*(_plain(client, request, 50) for _ in range(num_connections)))
        share = num_requests // num_connections
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_plain(client, request, share) for _ in range(num_connections)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    finally:
        await client.close()
    done = share * num_connections
    return {"cpu_us": round(cpu / done * 1e6, 2), "requests_per_s": round(done / wall)}


async def _stream(client: HttpClient, request: HttpRequest) -> int:
    loop, deadlines = asyncio.get_running_loop(), Deadlines()
    response = await client.open(request, deadlines, loop.time() + deadlines.total_s)
    num_reads = 0
    async for _ in response.chunks():
        num_reads += 1
    return num_reads


async def _measure_stream(port: int, num_streams: int) -> dict[str, float]:
    client = HttpClient(HttpSettings(), environ={})
    request = _request(port, b"/stream")
    try:
        await client.warm(request.origin, num_streams)
        cpu = time.process_time()
        reads = await asyncio.gather(*(_stream(client, request) for _ in range(num_streams)))
        cpu = time.process_time() - cpu
    finally:
        await client.close()
    events = num_streams * EVENTS_PER_STREAM
    return {
        "cpu_us_per_read": round(cpu / sum(reads) * 1e6, 2),
        "cpu_us_per_event": round(cpu / events * 1e6, 2),
        "events_per_read": round(events / sum(reads), 2),
    }


async def _measure(port: int, num_requests: int) -> dict[str, object]:
    return {
        "floor_1": await _measure_floor(port, 1, num_requests),
        "plain_1": await _measure_plain(port, 1, num_requests),
        "floor_32": await _measure_floor(port, 32, num_requests),
        "plain_32": await _measure_plain(port, 32, num_requests),
        "stream_1": await _measure_stream(port, 1),
        "stream_32": await _measure_stream(port, 32),
    }


def main() -> None:
    """Run all figures on both event loops."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        if not ours.poll(20):
            raise RuntimeError("the server did not start within 20 s")
        port = ours.recv()
        results: dict[str, object] = {
            "uvloop": uvloop.run(_measure(port, arguments.requests)),
            "asyncio": asyncio.run(_measure(port, arguments.requests)),
        }
    finally:
        server.terminate()
        server.join(10)
    results["conditions"] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "request_body_bytes": REQUEST_BYTES,
        "answer_body_bytes": ANSWER_BYTES,
        "event_bytes": len(EVENT),
        "requests": arguments.requests,
    }
    sys.stdout.write(json.dumps({"bench": "http_client", **results}) + "\n")


if __name__ == "__main__":
    main()
