"""Making a connection: several addresses, failures in words, proxies."""

import asyncio
import base64
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from slipstream.choice import Deadlines
from slipstream.errors import ConnectFailed, TimedOut
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.connect import interleave, race
from slipstream.upstream.http.messages import Origin
from tests.upstream.http.servers import (
    CHUNKED_HEAD,
    OK,
    Authority,
    Peer,
    Script,
    answering,
    fetch,
    open_answer,
    pump,
    request,
    serve,
    until,
)

_AddressInfo = tuple[int, int, int, str, tuple[str, int]]


def _address(port: int, host: str = "127.0.0.1") -> _AddressInfo:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, socket.SOCK_STREAM, 0, "", (host, port)


def _unused_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def _unanswering_port() -> Iterator[int]:
    """A port whose queue is full, so that a further connection neither succeeds nor fails."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    waiting = [socket.socket() for _ in range(6)]
    try:
        for sock in waiting:  # the first one or two fit into the queue, and nobody accepts them
            sock.setblocking(False)
            sock.connect_ex(address)
        yield address[1]
    finally:
        for sock in (*waiting, listener):
            sock.close()


def test_addresses_alternate_between_families() -> None:
    """One broken family must not delay the other (RFC 8305, 4)."""
    six = [_address(port, "::1") for port in (1, 2, 3)]
    four = [_address(port) for port in (4, 5)]
    assert [a[4][1] for a in interleave(six + four)] == [1, 4, 2, 5, 3]
    assert [a[4][1] for a in interleave(four)] == [4, 5]
    assert interleave([]) == []


async def test_race_goes_on_at_once_when_an_address_refuses() -> None:
    """A refusal does not wait for the delay: here an hour."""
    async with serve(answering(OK)) as server:
        addresses = [_address(_unused_port()), _address(1, "::1"), _address(server.origin.port)]
        sock = await race(asyncio.get_running_loop(), addresses, 3600)
        with closing(sock):
            assert sock.getpeername()[1] == server.origin.port
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_race_tries_the_next_address_beside_one_that_does_not_answer() -> None:
    """An address that swallows packets costs the delay, not its time-out; its socket is closed."""
    with _unanswering_port() as dead:
        async with serve(answering(OK)) as server:
            addresses = [_address(dead), _address(server.origin.port)]
            sock = await race(asyncio.get_running_loop(), addresses, 0.05)
            with closing(sock):
                assert sock.getpeername()[1] == server.origin.port
            assert len(asyncio.all_tasks()) <= 2  # this test and the server's handler


async def test_race_of_two_that_answer_closes_the_one_that_is_not_used() -> None:
    """With no delay both connect; the server sees one of them closed."""
    num_closed = 0

    async def script(peer: Peer) -> None:
        nonlocal num_closed
        await peer.wait_closed()
        num_closed += 1

    async with serve(script) as server:
        addresses = [_address(server.origin.port)] * 2
        with closing(await race(asyncio.get_running_loop(), addresses, 0)):
            await until(lambda: 0 <= num_closed == server.num_accepted - 1)
        await until(lambda: num_closed == server.num_accepted)


async def test_race_that_nobody_wins_raises_the_first_addresss_error() -> None:
    """The resolver's first choice is the one worth reporting."""
    addresses = [_address(_unused_port()), _address(_unused_port())]
    with pytest.raises(ConnectionRefusedError):
        await race(asyncio.get_running_loop(), addresses, 0.01)
    with pytest.raises(OSError, match="no address"):
        await race(asyncio.get_running_loop(), [], 0.01)


async def test_race_reports_a_refusal_rather_than_a_missing_route() -> None:
    """Where there is no IPv6, its error says nothing of the upstream."""
    family_without_route = 9999, *_address(1)[1:]
    addresses = [family_without_route, _address(_unused_port()), family_without_route]
    with pytest.raises(ConnectionRefusedError):
        await race(asyncio.get_running_loop(), addresses, 0.01)
    with pytest.raises(OSError, match="not supported"):
        await race(asyncio.get_running_loop(), [family_without_route], 0.01)


async def test_race_that_is_cancelled_leaves_no_task_and_no_socket() -> None:
    """A client that goes away during the look for an address costs nothing more."""
    with _unanswering_port() as dead:
        loop = asyncio.get_running_loop()
        racing = asyncio.ensure_future(race(loop, [_address(dead)] * 3, 0.01))
        await asyncio.sleep(0.05)
        racing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await racing
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_name_is_looked_up_and_its_addresses_tried(client: HttpClient) -> None:
    """localhost may be ::1 first; the server listens on 127.0.0.1 alone."""
    async with serve(answering(OK), host="localhost") as server:
        assert await fetch(client, request(server.origin)) == (200, b"ok")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "the connection was refused"),
        ("no-such-host.invalid", "name look-up failed"),
        ("a" * 64 + ".invalid", "its name cannot be looked up"),
    ],
)
async def test_connection_that_cannot_be_made_says_where_and_why(
    client: HttpClient, host: str, words: str
) -> None:
    """The message names host, port and step; nothing stays open."""
    origin = Origin("http", host, _unused_port())
    with pytest.raises(ConnectFailed) as caught:
        await fetch(client, request(origin, headers=((b"Authorization", b"hunter2"),)))
    assert f"cannot connect to {origin.address}: {words}" in caught.value.message
    assert "hunter2" not in caught.value.message
    assert client.stats.open == 0


async def test_connection_that_is_not_answered_times_out_in_the_phase_connect(
    client: HttpClient,
) -> None:
    """Packets that vanish are told apart from an upstream that thinks for long."""
    with _unanswering_port() as dead, pytest.raises(TimedOut) as caught:
        await fetch(client, request(Origin("http", "127.0.0.1", dead)), Deadlines(connect_s=0.1))
    assert (caught.value.phase, "0.1 s" in caught.value.message) == ("connect", True)
    assert client.stats.open == 0


async def test_handshake_that_hangs_times_out_in_the_phase_connect(client: HttpClient) -> None:
    """TLS is part of connecting; the upstream sees its socket close."""
    is_closed = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.wait_closed()
        is_closed.set()

    async with serve(silent) as server:
        origin = Origin("https", "127.0.0.1", server.origin.port)
        with pytest.raises(TimedOut) as caught:
            await fetch(client, request(origin), Deadlines(connect_s=0.1))
        assert caught.value.phase == "connect"
        await is_closed.wait()
    assert client.stats.open == 0


# ---- proxies ------------------------------------------------------------------------------------


def _proxying(seen: list[bytes]) -> Script:
    """A CONNECT proxy that lets everything through and keeps the heads it got."""

    async def script(peer: Peer) -> None:
        head = await peer.read_head()
        seen.append(head)
        host, _, port = head.split()[1].rpartition(b":")
        reader, writer = await asyncio.open_connection(host.decode(), int(port))
        # In pieces, as a real one may: the end of the head is what counts.
        await peer.send(b"HTTP/1.1 200 Connection est", b"ablished\r\nX: y\r\n\r", b"\n")
        await asyncio.gather(pump(peer.reader, writer), pump(reader, peer.writer))

    return script


async def test_https_goes_through_a_connect_proxy_with_its_password(
    make_client: Callable[..., HttpClient], authority: Authority, ca_file: str
) -> None:
    """The proxy sees host, port and its own password; TLS is with the upstream, end to end."""
    seen: list[bytes] = []
    context = authority.server_context("localhost")
    answer = CHUNKED_HEAD + b"2\r\nok\r\n0\r\n\r\n"
    async with (
        serve(_proxying(seen)) as proxy,
        serve(answering(answer), tls=context, host="localhost") as server,
    ):
        client = make_client(
            environ={"HTTPS_PROXY": f"http://me:hunter2@{proxy.origin.address}"}, ca_file=ca_file
        )
        for _ in range(2):
            assert await fetch(client, request(server.origin)) == (200, b"ok")
        assert server.num_accepted == 1
        (head,) = seen
        assert head.startswith(b"CONNECT %b HTTP/1.1\r\n" % server.origin.address.encode())
        token = base64.b64encode(b"me:hunter2")
        assert b"\r\nProxy-Authorization: Basic %b\r\n" % token in head
        await client.close()


async def test_http_goes_to_a_proxy_in_absolute_form(
    make_client: Callable[..., HttpClient],
) -> None:
    """Plain http is not tunnelled: the proxy gets the whole URL and its password with each."""
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append((await peer.read_request()).head)
            await peer.send(OK)

    async with serve(script) as proxy:
        client = make_client(environ={"http_proxy": f"http://a:b@{proxy.origin.address}"})
        origin = Origin("http", "upstream.invalid", 8000)
        assert await fetch(client, request(origin, target=b"/v1?x=1")) == (200, b"ok")
    assert seen[0] == (
        b"POST http://upstream.invalid:8000/v1?x=1 HTTP/1.1\r\nHost: upstream.invalid:8000\r\n"
        b"Proxy-Authorization: Basic YTpi\r\nContent-Length: 2\r\n\r\n"
    )


async def test_no_proxy_reaches_the_upstream_directly(
    make_client: Callable[..., HttpClient],
) -> None:
    """What NO_PROXY names never sees the proxy, which here would refuse."""
    async with serve(answering(OK)) as server:
        environ = {"ALL_PROXY": f"http://127.0.0.1:{_unused_port()}", "NO_PROXY": "127.0.0.1"}
        assert await fetch(make_client(environ=environ), request(server.origin)) == (200, b"ok")
        del environ["NO_PROXY"]
        with pytest.raises(ConnectFailed, match=r"through the proxy .* was refused"):
            await fetch(make_client(environ=environ), request(server.origin))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answered 407 to CONNECT"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad", "answered 502 to CONNECT"),
        (b"HTTP/1.1 200 OK\r\n\r\nearly", "sent bytes before the tunnel"),
        (b"HTTP/1.1 200 O", "ended or overdid its answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "ended or overdid its answer"),
        (b"nonsense\r\n\r\n", "does not answer in HTTP/1.1"),
    ],
)
async def test_proxy_that_refuses_or_misbehaves_is_named_without_its_password(
    make_client: Callable[..., HttpClient], answer: bytes, words: str
) -> None:
    """A proxy's fault is told apart from the upstream's."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(answer)
        await peer.finish()

    async with serve(script) as proxy:
        client = make_client(environ={"ALL_PROXY": f"http://me:hunter2@{proxy.origin.address}"})
        with pytest.raises(ConnectFailed, match=words) as caught:
            await fetch(client, request(Origin("https", "upstream.invalid", 443)))
        assert proxy.origin.address in caught.value.message
        assert "hunter2" not in caught.value.message
        assert client.stats.open == 0


async def test_proxy_that_says_continue_first_is_waited_for(
    make_client: Callable[..., HttpClient],
) -> None:
    """A 1xx is no answer to CONNECT."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 403 Forbidden\r\n\r\n")
        await peer.wait_closed()

    async with serve(script) as proxy:
        client = make_client(environ={"ALL_PROXY": proxy.origin.address})
        with pytest.raises(ConnectFailed, match="answered 403"):
            await open_answer(client, request(Origin("https", "upstream.invalid", 443)))
