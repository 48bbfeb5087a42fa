"""Reuse, bounds, the queue and the expiry of connections, over real sockets."""

import asyncio
import os
import time
from collections.abc import Callable

import pytest

from slipstream.choice import Deadlines
from slipstream.errors import ConnectFailed, Fault, PoolFull, StreamCut, TimedOut
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.connection import Connection
from slipstream.upstream.http.messages import Origin
from slipstream.upstream.http.pool import Pool
from tests.upstream.http.servers import (
    CHUNKED_HEAD,
    OK,
    PATIENT,
    Peer,
    Script,
    answering,
    fetch,
    open_answer,
    request,
    serve,
    until,
)

_NUMBERED = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d"


async def _numbered(peer: Peer) -> None:
    """Answer with the number of the connection."""
    while True:
        await peer.read_request()
        await peer.send(_NUMBERED % peer.number)


def _holding(may_answer: asyncio.Event) -> Script:
    """Answer with the number of the connection, once it is allowed."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            await may_answer.wait()
            await peer.send(_NUMBERED % peer.number)

    return script


async def test_pool_takes_the_connection_that_was_used_last(client: HttpClient) -> None:
    """Last in, first out: the rest grow old and can be closed."""
    async with serve(_numbered) as server:
        held = [await open_answer(client, request(server.origin)) for _ in range(1)]
        assert [await r.read() for r in held] == [b"0"]
        await client.warm(server.origin, 2)
        await until(lambda: server.num_accepted == 3)
        before = client.stats
        bodies = [(await fetch(client, request(server.origin)))[1] for _ in range(5)]
        assert len(set(bodies)) == 1
        assert bodies[0] != b"0"  # the one that had been idle longest
        assert client.stats.reused == before.reused + 5
        assert (client.stats.created, client.stats.idle, client.stats.open) == (3, 3, 3)


async def test_pool_at_its_bound_makes_requests_wait_in_order(
    make_client: Callable[..., HttpClient],
) -> None:
    """No more than max_connections are open; who came first is served first."""
    client = make_client(max_connections=2)
    may_answer = asyncio.Event()
    order: list[int] = []

    async def ask(number: int) -> None:
        assert (await fetch(client, request(server.origin)))[0] == 200
        order.append(number)

    async with serve(_holding(may_answer)) as server:
        asking = [asyncio.ensure_future(ask(0)), asyncio.ensure_future(ask(1))]
        await until(lambda: server.num_accepted == 2)
        for number in range(2, 10):
            asking.append(asyncio.ensure_future(ask(number)))
            await until(lambda: client.stats.waiting == len(asking) - 2)
        assert client.stats.open == 2
        may_answer.set()
        await asyncio.gather(*asking)
        assert sorted(order[:2]) == [0, 1]
        assert [number // 2 for number in order] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        assert server.num_accepted == 2


async def test_pool_with_a_full_queue_refuses_with_a_fault_that_cools_nothing(
    make_client: Callable[..., HttpClient],
) -> None:
    """Beyond max_waiting a request is refused at once; another target may be tried."""
    client = make_client(max_connections=1, max_waiting=1)
    may_answer = asyncio.Event()
    async with serve(_holding(may_answer)) as server:
        asking = [asyncio.ensure_future(fetch(client, request(server.origin)))]
        await until(lambda: server.num_accepted == 1)
        asking.append(asyncio.ensure_future(fetch(client, request(server.origin))))
        await until(lambda: client.stats.waiting == 1)
        with pytest.raises(PoolFull, match=r"1 connections .* 1 requests wait") as caught:
            await fetch(client, request(server.origin))
        assert caught.value.retryable
        assert caught.value.fault is not Fault.TARGET
        may_answer.set()
        assert [await each for each in asking] == [(200, b"0"), (200, b"0")]


@pytest.mark.parametrize(("phase", "limits"), [("connect", (0.1, 60)), ("total", (60, 0.1))])
async def test_wait_for_a_connection_has_the_deadlines_of_connect_and_total(
    make_client: Callable[..., HttpClient], phase: str, limits: tuple[float, float]
) -> None:
    """Waiting in our own queue is part of getting a connection."""
    client = make_client(max_connections=1)
    may_answer = asyncio.Event()
    async with serve(_holding(may_answer)) as server:
        first = asyncio.ensure_future(fetch(client, request(server.origin)))
        await until(lambda: server.num_accepted == 1)
        deadlines = Deadlines(connect_s=limits[0], total_s=limits[1])
        with pytest.raises(TimedOut) as caught:
            await fetch(client, request(server.origin), deadlines)
        assert caught.value.phase == phase
        assert client.stats.waiting == 0
        may_answer.set()
        assert await first == (200, b"0")


async def _pool_of_one(client: HttpClient, origin: Origin) -> tuple[Pool, Connection]:
    """Return the pool of an origin and its only connection, taken out."""
    await fetch(client, request(origin))
    pool = client._ways[origin].pool
    connection = pool.take()
    assert connection is not None
    return pool, connection


@pytest.mark.parametrize("is_lost", [False, True], ids=["released", "lost"])
async def test_turn_granted_in_the_moment_of_the_cancellation_goes_to_the_next(
    make_client: Callable[..., HttpClient], is_lost: bool
) -> None:
    """Neither a connection nor the leave to dial is lost with the one who goes away."""
    client = make_client(max_connections=1)
    async with serve(_numbered) as server:
        pool, connection = await _pool_of_one(client, server.origin)
        leaving = asyncio.ensure_future(pool.acquire(PATIENT, float("inf")))
        staying = asyncio.ensure_future(pool.acquire(PATIENT, float("inf")))
        await until(lambda: pool.num_waiting == 2)
        if is_lost:
            connection.abort()
            while pool.num_waiting == 2:
                await asyncio.sleep(0)
        else:
            pool.release(connection)
        assert pool.num_waiting == 1
        leaving.cancel()
        got, is_reused = await staying
        assert (got is connection, is_reused) == (not is_lost, not is_lost)
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert (pool.num_open, pool.num_waiting) == (1, 0)
        pool.release(got)


async def test_connection_that_ended_on_its_way_to_the_one_who_waits_is_not_used(
    make_client: Callable[..., HttpClient],
) -> None:
    """A connection may end between its release and the moment in which its next user wakes."""
    client = make_client(max_connections=1)
    async with serve(_numbered) as server:
        pool, connection = await _pool_of_one(client, server.origin)
        waiting = asyncio.ensure_future(fetch(client, request(server.origin)))
        await until(lambda: pool.num_waiting == 1)
        pool.release(connection)
        connection.abort()
        assert await waiting == (200, b"1")
        assert (pool.num_open, pool.num_idle, pool.num_waiting) == (1, 1, 0)


async def test_wait_that_is_cancelled_leaves_the_queue(
    make_client: Callable[..., HttpClient],
) -> None:
    """A place in the queue is free as soon as its holder goes away."""
    client = make_client(max_connections=1, max_waiting=1)
    async with serve(_numbered) as server:
        pool, connection = await _pool_of_one(client, server.origin)
        for _ in range(3):
            leaving = asyncio.ensure_future(pool.acquire(PATIENT, float("inf")))
            await until(lambda: pool.num_waiting == 1)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            assert (pool.num_waiting, client.stats.in_flight) == (0, 0)
        pool.release(connection)
        assert await fetch(client, request(server.origin)) == (200, b"0")


async def test_connection_that_fails_passes_its_slot_to_the_first_who_waits(
    make_client: Callable[..., HttpClient],
) -> None:
    """A lost connection makes room for a new one; who waited dials it."""
    client = make_client(max_connections=1)
    may_break = asyncio.Event()

    async def script(peer: Peer) -> None:
        if peer.number == 0:
            await peer.read_request()
            await may_break.wait()
            peer.reset()
            return
        await _numbered(peer)

    async with serve(script) as server:
        first = asyncio.ensure_future(fetch(client, request(server.origin)))
        await until(lambda: server.num_accepted == 1)
        second = asyncio.ensure_future(fetch(client, request(server.origin)))
        await until(lambda: client.stats.waiting == 1)
        may_break.set()
        with pytest.raises(StreamCut):
            await first
        assert await second == (200, b"1")
        assert (client.stats.open, client.stats.idle) == (1, 1)


async def test_failed_dials_leave_every_slot_free(make_client: Callable[..., HttpClient]) -> None:
    """An upstream that is down does not use the bound up."""
    client = make_client(max_connections=1)
    async with serve(answering(OK)) as server:
        origin = server.origin
    for _ in range(3):
        with pytest.raises(ConnectFailed):
            await fetch(client, request(origin))
    assert client.stats.open == 0


async def test_pool_keeps_no_more_idle_connections_than_its_bound(
    make_client: Callable[..., HttpClient],
) -> None:
    """After a burst the surplus is closed."""
    client = make_client(max_idle_connections=2)
    may_answer = asyncio.Event()
    async with serve(_holding(may_answer)) as server:
        asking = [asyncio.ensure_future(fetch(client, request(server.origin))) for _ in range(6)]
        await until(lambda: server.num_accepted == 6)
        may_answer.set()
        await asyncio.gather(*asking)
        await until(lambda: client.stats.open == 2)
        assert client.stats.idle == 2


async def test_idle_connection_is_closed_when_it_expires(
    make_client: Callable[..., HttpClient],
) -> None:
    """Nobody has to ask for it: an idle pool empties by itself."""
    client = make_client(idle_expiry_s=0.1)
    closed_at_s: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        closed_at_s.append(await peer.wait_closed())

    async with serve(script) as server:
        assert await fetch(client, request(server.origin)) == (200, b"ok")
        released_s = time.perf_counter()
        await until(lambda: client.stats.open == 0)
        await until(lambda: bool(closed_at_s))
        assert closed_at_s[0] - released_s >= 0.09


@pytest.mark.parametrize(
    ("hint", "is_kept"),
    [(b"timeout=0", False), (b"max=5, timeout=0", False), (b"timeout=60", True), (b"x", True)],
)
async def test_upstreams_hint_of_its_own_expiry_is_obeyed(
    client: HttpClient, hint: bytes, is_kept: bool
) -> None:
    """`Keep-Alive: timeout=N` says when the upstream will close; we close before it."""
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: %b\r\nContent-Length: 0\r\n\r\n" % hint
    async with serve(answering(answer)) as server:
        assert await fetch(client, request(server.origin)) == (200, b"")
        assert (client.stats.idle == 1) is is_kept


async def test_hint_of_one_second_expires_within_it(client: HttpClient) -> None:
    """A short hint leaves a margin of half of it, against the race with the upstream's close."""
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n"
    async with serve(answering(answer)) as server:
        await fetch(client, request(server.origin))
        (connection,) = client._ways[server.origin].pool._idle
        left_s = connection.idle_expires_s - asyncio.get_running_loop().time()
        assert left_s <= 0.5
        await until(lambda: client.stats.open == 0)


async def test_connection_closed_by_the_upstream_while_idle_is_not_used(
    client: HttpClient,
) -> None:
    """An end that was noticed in time costs nothing: the next request dials."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(_NUMBERED % peer.number)
        await peer.finish()

    async with serve(script) as server:
        for number in range(3):
            assert await fetch(client, request(server.origin)) == (200, b"%d" % number)
            await until(lambda: client.stats.open == 0)
        assert client.stats.resent == 0


async def test_closing_the_pool_ends_everything(make_client: Callable[..., HttpClient]) -> None:
    """Idle, busy, streaming and waiting: all end at once, and no socket is left."""
    client = make_client(max_connections=3)
    fds_before = set(os.listdir("/proc/self/fd"))
    num_closed = 0

    async def script(peer: Peer) -> None:
        nonlocal num_closed
        if b"/stream" in (await peer.read_request()).line:
            await peer.send(CHUNKED_HEAD + b"1\r\na\r\n")
        await peer.wait_closed()
        num_closed += 1

    async with serve(script) as server:
        stream = await open_answer(client, request(server.origin, target=b"/stream"))
        assert await anext(stream.chunks()) == b"a"
        asking = [asyncio.ensure_future(fetch(client, request(server.origin))) for _ in range(4)]
        await until(lambda: server.num_accepted == 3 and client.stats.waiting == 2)
        await client.close()
        for each in asking:
            with pytest.raises(StreamCut, match="client was closed"):
                await each
        with pytest.raises(StreamCut, match="client was closed"):
            await anext(stream.chunks())
        await until(lambda: num_closed == 3)
        with pytest.raises(StreamCut, match="client was closed"):
            await open_answer(client, request(server.origin), PATIENT)
    await until(lambda: len(set(os.listdir("/proc/self/fd")) - fds_before) <= 1)
