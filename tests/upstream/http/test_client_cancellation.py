"""Whoever is cancelled leaves at once, wherever it waits, and the upstream sees it."""

import asyncio
import gc
import os
import statistics
import time
from collections.abc import Awaitable, Callable

import pytest

from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.connection import Connection
from slipstream.upstream.http.exchange import Exchange
from slipstream.upstream.http.messages import Origin
from slipstream.upstream.http.response import HttpResponse
from tests.upstream.http.servers import (
    CHUNKED_HEAD,
    OK,
    Authority,
    Peer,
    fetch,
    open_answer,
    request,
    serve,
    until,
)


class _Watch:
    """A server's script that reports when it is waiting and when its client has closed."""

    def __init__(self, *, before: bytes = b"", reads: str = "request") -> None:
        self.is_waiting = asyncio.Event()
        self.closed_at_s: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._before = before
        self._reads = reads

    async def script(self, peer: Peer) -> None:
        if self._reads == "request":
            await peer.read_request()
        elif self._reads == "byte":
            await peer.reader.read(1)
        elif self._reads == "head":
            await peer.read_head()
        if self._before:
            await peer.send(self._before)
        self.is_waiting.set()
        self.closed_at_s.set_result(await peer.wait_closed())


async def _read_stream(client: HttpClient, origin: Origin) -> None:
    response = await open_answer(client, request(origin))
    async for _ in response.chunks():
        pass


async def _read_plain(client: HttpClient, origin: Origin) -> None:
    await fetch(client, request(origin))


async def _send_large(client: HttpClient, origin: Origin) -> None:
    await fetch(client, request(origin, body=b"x" * 30_000_000))


async def _shake_hands(client: HttpClient, origin: Origin) -> None:
    await fetch(client, request(Origin("https", origin.host, origin.port)))


_STREAM = CHUNKED_HEAD + b"1\r\na\r\n"
_PLACES: dict[str, tuple[dict[str, object], Callable[..., Awaitable[None]]]] = {
    "before the head": ({}, _read_plain),
    "in the head": ({"before": b"HTTP/1.1 200 O"}, _read_plain),
    "after a 1xx": ({"before": b"HTTP/1.1 100 Continue\r\n\r\n"}, _read_plain),
    "in a plain body": ({"before": OK[:-1]}, _read_plain),
    "in a stream": ({"before": _STREAM}, _read_stream),
    "in a large request": ({"reads": "head"}, _send_large),
    "in the TLS handshake": ({"reads": "byte"}, _shake_hands),
}


async def _cancel(asking: "asyncio.Task[None]", watch: _Watch) -> float:
    """Cancel and return how many milliseconds later the upstream saw its connection close."""
    await watch.is_waiting.wait()
    for _ in range(20):  # let what was sent arrive, so that the wait is the one that is meant
        await asyncio.sleep(0.001)
    started_s = time.perf_counter()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    return (await watch.closed_at_s - started_s) * 1000


@pytest.mark.parametrize("place", _PLACES)
async def test_cancelled_request_closes_the_upstream_at_once(
    client: HttpClient, place: str
) -> None:
    """The design asks for 50 ms; what is asserted is that it happens, with its time printed."""
    options, ask = _PLACES[place]
    watch = _Watch(**options)  # type: ignore[arg-type]
    async with serve(watch.script) as server:
        asking = asyncio.ensure_future(ask(client, server.origin))
        closed_ms = await _cancel(asking, watch)
        await until(lambda: client.stats.open == 0)
        assert client.stats.in_flight == 0
    print(f"cancelled {place}: closed at the upstream after {closed_ms:.1f} ms")


async def test_cancelled_connect_to_a_proxy_closes_it_at_once(
    make_client: Callable[..., HttpClient],
) -> None:
    """Waiting for a proxy's answer to CONNECT is a wait like any other."""
    watch = _Watch(reads="head")
    async with serve(watch.script) as proxy:
        client = make_client(environ={"ALL_PROXY": proxy.origin.address})
        asking = asyncio.ensure_future(_read_plain(client, Origin("https", "up.invalid", 443)))
        await _cancel(asking, watch)
        assert client.stats.open == 0


async def test_cancelled_stream_over_tls_closes_the_upstream_at_once(
    make_client: Callable[..., HttpClient], authority: Authority, ca_file: str
) -> None:
    """TLS has a farewell of its own, which is not waited for."""
    client, watch = make_client(ca_file=ca_file), _Watch(before=_STREAM)
    context = authority.server_context("localhost")
    async with serve(watch.script, tls=context, host="localhost") as server:
        asking = asyncio.ensure_future(_read_stream(client, server.origin))
        closed_ms = await _cancel(asking, watch)
        await until(lambda: client.stats.open == 0)
    print(f"cancelled in a stream over TLS: closed after {closed_ms:.1f} ms")


async def test_cancelled_requests_leave_no_socket_no_task_and_no_object(
    client: HttpClient,
) -> None:
    """A thousand clients that go away at any moment leave the process as it was."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(_STREAM)
        await peer.wait_closed()

    async with serve(script) as server:
        await _cancel_many(client, server.origin, 40)  # caches and pools of the loop fill up
        await until(lambda: client.stats.open == 0 and len(asyncio.all_tasks()) == 1)
        sockets, objects = _count()
        delays = await _cancel_many(client, server.origin, 1000)
        # Sockets are closed a turn of the loop after their end was told.
        await until(lambda: _is_settled(sockets, objects))
        assert client.stats.in_flight == 0
    print(f"1000 cancellations, median {statistics.median(delays) * 1000:.2f} ms each")


async def _cancel_many(client: HttpClient, origin: Origin, count: int) -> list[float]:
    loop, delays = asyncio.get_running_loop(), []
    for number in range(count):
        asking = loop.create_task(_read_stream(client, origin))
        for _ in range(number % 23):  # at another moment each time
            await asyncio.sleep(0)
        started_s = time.perf_counter()
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        delays.append(time.perf_counter() - started_s)
    return delays


def _is_settled(sockets: int, objects: int) -> bool:
    num_sockets, num_objects = _count()
    num_tasks = len(asyncio.all_tasks())
    return num_sockets <= sockets and num_objects <= objects and num_tasks == 1


def _count() -> tuple[int, int]:
    """Return how many descriptors and how many objects of ours there are."""
    gc.collect()
    kinds = (Connection, Exchange, HttpResponse)
    num_objects = sum(type(each) in kinds for each in gc.get_objects())
    return len(os.listdir("/proc/self/fd")), num_objects
