"""The client as its users see it: the stale-connection race, warming, statistics, deadlines."""

import asyncio
from collections.abc import Callable

import pytest

from slipstream.choice import Deadlines
from slipstream.errors import Broken, ConnectFailed, StreamCut, TimedOut
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, Origin, encode_head
from tests.upstream.http.servers import (
    CHUNKED_HEAD,
    OK,
    Peer,
    answering,
    fetch,
    open_answer,
    request,
    serve,
    until,
)


async def test_request_with_an_encoded_head_sends_the_same_bytes(client: HttpClient) -> None:
    """A leaf may encode its constant headers once."""
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            received = await peer.read_request()
            heads.append(received.head + received.body)
            await peer.send(OK)

    async with serve(script) as server:
        headers = ((b"Authorization", b"Bearer k"),)
        plain = request(server.origin, headers=headers, body=b"[1]")
        head = encode_head(server.origin, b"POST", b"/v1/x", headers)
        encoded = HttpRequest(
            origin=server.origin, method=b"POST", target=b"/v1/x", head=head, body=b"[1]"
        )
        assert await fetch(client, plain) == await fetch(client, encoded) == (200, b"ok")
    assert heads[0] == heads[1]
    assert b"accept-encoding" not in heads[0].lower()


async def test_redirect_is_an_answer_and_is_not_followed(client: HttpClient) -> None:
    """A base URL comes from the operator; an upstream cannot send our key somewhere else."""

    async def elsewhere(peer: Peer) -> None:
        raise AssertionError("a redirect was followed")

    async with serve(elsewhere) as other:
        raw = (
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://%b/\r\nContent-Length: 0\r\n\r\n"
        )
        async with serve(answering(raw % other.origin.address.encode())) as server:
            assert await fetch(client, request(server.origin)) == (307, b"")
        assert other.num_accepted == 0


# ---- rule R: the stale-connection race ----------------------------------------------------------


@pytest.mark.parametrize("has_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("body", [b"{}", b"x" * 2_000_000], ids=["small", "large"])
async def test_request_on_a_connection_that_ends_unanswered_is_sent_once_more(
    client: HttpClient, has_reset: bool, body: bytes
) -> None:
    """The upstream closed an idle connection while we wrote onto it: nobody notices."""
    lines: list[bytes] = []

    async def script(peer: Peer) -> None:
        received = await peer.read_request()
        lines.append(received.line)
        await peer.send(OK)
        if peer.number == 0:
            await peer.reader.read(1)  # the next request has begun to arrive
            if has_reset:
                peer.reset()
            else:
                await peer.finish()
            return
        await peer.wait_closed()

    async with serve(script) as server:
        assert await fetch(client, request(server.origin, target=b"/1")) == (200, b"ok")
        second = request(server.origin, target=b"/2", body=body)
        assert await fetch(client, second) == (200, b"ok")
        assert lines == [b"POST /1 HTTP/1.1", b"POST /2 HTTP/1.1"]
        assert client.stats.resent == 1


async def test_request_is_sent_again_only_once(client: HttpClient) -> None:
    """A second failure is the upstream's: the race is lost once, not in a loop."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        if peer.number == 0:
            await peer.send(OK)
            await peer.reader.read(1)
        await peer.finish()

    async with serve(script) as server:
        assert await fetch(client, request(server.origin)) == (200, b"ok")
        with pytest.raises(StreamCut, match="before its answer"):
            await fetch(client, request(server.origin))
        assert server.num_accepted == 2
        assert client.stats.resent == 1


async def test_request_on_a_new_connection_is_never_sent_again(client: HttpClient) -> None:
    """There is no race on a new connection: the upstream read the request and went away."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.finish()

    async with serve(script) as server:
        with pytest.raises(StreamCut):
            await fetch(client, request(server.origin))
        assert server.num_accepted == 1


@pytest.mark.parametrize("first", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", CHUNKED_HEAD])
async def test_request_is_never_sent_again_once_a_byte_was_seen(
    client: HttpClient, first: bytes
) -> None:
    """A byte of an answer proves that the request was read."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.read_request()
        await peer.send(first)
        await peer.finish()

    async with serve(script) as server:
        assert await fetch(client, request(server.origin)) == (200, b"ok")
        with pytest.raises(StreamCut):
            await fetch(client, request(server.origin))
        assert server.num_accepted == 1
        assert client.stats.resent == 0


# ---- deadlines ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", CHUNKED_HEAD, CHUNKED_HEAD + b"1\r\na\r\n"])
async def test_total_deadline_ends_an_answer_in_every_phase(
    client: HttpClient, sent: bytes
) -> None:
    """The call's own end does not wait for any phase; the upstream's connection is closed."""
    is_closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(sent)
        await peer.wait_closed()
        is_closed.set()

    async with serve(script) as server:
        deadlines = Deadlines(connect_s=30, first_token_s=30, idle_s=30, total_s=0.1)
        started_s = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut) as caught:
            await fetch(client, request(server.origin), deadlines)
        took_s = asyncio.get_running_loop().time() - started_s
        assert caught.value.phase == "total"
        assert took_s >= 0.099
        await is_closed.wait()
    print(f"a total deadline of 100 ms took effect after {took_s * 1000:.0f} ms")


async def test_total_deadline_that_has_passed_starts_nothing(client: HttpClient) -> None:
    """A call without time left is not sent."""
    async with serve(answering(OK)) as server:
        with pytest.raises(TimedOut) as caught:
            await client.open(request(server.origin), Deadlines(), 0.0)
        assert caught.value.phase == "total"
        assert server.num_accepted == 0


async def test_slow_steady_answer_outlives_its_idle_limit(client: HttpClient) -> None:
    """Idle is counted from the last byte, not from the first."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(CHUNKED_HEAD)
        for _ in range(12):
            await asyncio.sleep(0.05)
            await peer.send(b"1\r\na\r\n")
        await peer.send(b"0\r\n\r\n")
        await peer.wait_closed()

    async with serve(script) as server:
        deadlines = Deadlines(connect_s=30, first_token_s=30, idle_s=5.0)
        started_s = asyncio.get_running_loop().time()
        asked = request(server.origin)
        response = await open_answer(client, asked, deadlines)
        # Twelve pieces in 0.6 s; a clock that was not set back at each would show below.
        exchange, previous_s = response._exchange, 0.0
        async for _ in response.chunks():
            assert exchange.phase_deadline_s >= previous_s
            previous_s = exchange.phase_deadline_s
        assert previous_s >= started_s + 12 * 0.05 + 5.0 - 0.1


async def test_reader_that_pauses_longer_than_idle_is_not_cut_off(client: HttpClient) -> None:
    """A slow client is no fault of the upstream's."""
    may_send = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(CHUNKED_HEAD + b"1\r\na\r\n")
        await may_send.wait()
        await peer.send(b"1\r\nb\r\n0\r\n\r\n")
        await peer.wait_closed()

    async with serve(script) as server:
        deadlines = Deadlines(connect_s=30, first_token_s=30, idle_s=0.1)
        response = await open_answer(client, request(server.origin), deadlines)
        chunks = response.chunks()
        assert await anext(chunks) == b"a"
        await asyncio.sleep(0.3)
        may_send.set()
        assert await anext(chunks) == b"b"


# ---- warming and statistics ---------------------------------------------------------------------


async def test_warm_leaves_connections_that_the_first_requests_use(client: HttpClient) -> None:
    """Connecting and TLS are paid before the first request."""
    async with serve(answering(OK)) as server:
        await client.warm(server.origin, 3)
        assert (client.stats.open, client.stats.idle, client.stats.created) == (3, 3, 3)
        assert await fetch(client, request(server.origin)) == (200, b"ok")
        assert (client.stats.created, client.stats.reused) == (3, 1)
        assert server.num_accepted == 3


async def test_warm_stays_within_the_pools_bounds(make_client: Callable[..., HttpClient]) -> None:
    """Warming more than may be kept makes no more than may be kept."""
    client = make_client(max_connections=2, max_idle_connections=5)
    async with serve(answering(OK)) as server:
        await client.warm(server.origin, 10)
        assert (client.stats.open, client.stats.waiting) == (2, 0)


async def test_warm_of_an_upstream_that_is_down_says_so(client: HttpClient) -> None:
    """Whoever warms decides whether a failure matters."""
    async with serve(answering(OK)) as server:
        origin = server.origin
    with pytest.raises(ConnectFailed, match="refused"):
        await client.warm(origin, 2)
    assert client.stats.open == 0


async def test_unused_proxy_setting_does_not_disturb_and_a_used_one_fails(
    make_client: Callable[..., HttpClient],
) -> None:
    """A SOCKS proxy in the environment fails the origins that would need it, no others."""
    client = make_client(environ={"ALL_PROXY": "socks5://x:1", "NO_PROXY": "127.0.0.1"})
    async with serve(answering(OK)) as server:
        assert await fetch(client, request(server.origin)) == (200, b"ok")
        with pytest.raises(ConnectFailed, match="ALL_PROXY names a proxy with the scheme 'socks5'"):
            await fetch(client, request(Origin("http", "localhost", server.origin.port)))


async def test_many_requests_at_once_leave_nothing_in_flight(client: HttpClient) -> None:
    """After a burst of good, cut and broken answers all that remains is idle."""

    async def script(peer: Peer) -> None:
        while True:
            number = int((await peer.read_request()).line.split(b"/")[1].split()[0])
            answers = (OK, CHUNKED_HEAD + b"1\r\na\r\n0\r\n\r\n", CHUNKED_HEAD, b"junk\r\n\r\n")
            await peer.send(answers[number % 4])
            if number % 4 >= 2:
                await peer.finish()
                return

    async with serve(script) as server:
        outcomes = await asyncio.gather(
            *(fetch(client, request(server.origin, target=b"/%d" % n)) for n in range(200)),
            return_exceptions=True,
        )
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [tuple, tuple, StreamCut, Broken] * 50
        assert client.stats.in_flight == 0
        await until(lambda: client.stats.open == client.stats.idle)
