"""One connection over real sockets: split, cut, stalled and early answers, back-pressure."""

import asyncio
from collections.abc import Callable

import pytest

from slipstream.choice import Deadlines
from slipstream.errors import Broken, GatewayError, StreamCut, TimedOut
from slipstream.upstream.http.client import HttpClient
from tests.upstream.http.cases import CASES, MALFORMED, Case
from tests.upstream.http.servers import (
    CHUNKED_HEAD,
    OK,
    PATIENT,
    Peer,
    answering,
    fetch,
    open_answer,
    request,
    serve,
    until,
)

_BY_NAME = [pytest.param(case, id=case.name) for case in CASES]


@pytest.mark.parametrize("case", _BY_NAME)
async def test_answer_in_two_segments_reads_the_same_at_every_offset(
    client: HttpClient, case: Case
) -> None:
    """Over a real socket too, no segment boundary changes an answer or spoils its connection."""
    offsets = range(1, len(case.data))

    async def script(peer: Peer) -> None:
        while True:
            offset = int((await peer.read_request()).line.split(b"/")[1].split()[0])
            await peer.send(case.data[:offset], case.data[offset:])
            if case.ends_at_eof:
                await peer.finish()
                return

    async with serve(script) as server:
        for offset in offsets:
            asked = request(server.origin, method=case.method, target=b"/%d" % offset)
            response = await open_answer(client, asked)
            assert response.status == case.status
            assert await response.read() == case.body
            assert response.trailers == case.trailers
        expected = 1 if case.is_reusable else len(offsets)
        assert server.num_accepted == expected
    assert client.stats.resent == 0


async def _outcome(client: HttpClient, asked: object, deadlines: Deadlines = PATIENT) -> object:
    """Return where it failed and how, or the body."""
    try:
        response = await open_answer(client, asked, deadlines)  # type: ignore[arg-type]
    except GatewayError as exc:
        return "head", type(exc), getattr(exc, "phase", None)
    body = b""
    try:
        async for data in response.chunks():
            body += data
    except GatewayError as exc:
        return "body", type(exc), getattr(exc, "phase", None), body
    return body


@pytest.mark.parametrize("has_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("case", _BY_NAME)
async def test_answer_cut_at_every_offset_is_a_cut_stream(
    client: HttpClient, case: Case, has_reset: bool
) -> None:
    """A premature end is StreamCut, in the head or the body, never a short answer that looks whole.

    Only an answer that the end of the connection delimits ends well with FIN, and with RST never.
    """
    needed = case.body_start if case.method == b"HEAD" else len(case.data)

    async def script(peer: Peer) -> None:
        offset = int((await peer.read_request()).line.split(b"/")[1].split()[0])
        await peer.send(case.data[:offset])
        if has_reset:
            peer.reset()
        else:
            await peer.finish()

    def expected(offset: int) -> tuple[object, ...]:
        if offset < case.body_start:
            return "head", StreamCut
        if case.ends_at_eof and not has_reset:
            return (case.data[case.body_start : offset],)
        return "body", StreamCut

    async with serve(script) as server:
        for offset in range(needed):
            asked = request(server.origin, method=case.method, target=b"/%d" % offset)
            outcome = await _outcome(client, asked)
            if has_reset:  # a reset may overtake bytes that were sent before it
                assert isinstance(outcome, tuple)
                assert outcome[1] is StreamCut
                continue
            seen = outcome[:2] if isinstance(outcome, tuple) else (outcome,)
            assert seen == expected(offset), offset
        assert client.stats.resent == 0  # each came on a new connection


@pytest.mark.parametrize("case", _BY_NAME)
async def test_answer_stalled_at_every_offset_times_out_in_its_phase(
    make_client: Callable[..., HttpClient], case: Case
) -> None:
    """A stall before the body's first byte is first_token, after it idle; the socket is closed."""
    client = make_client()
    needed = case.body_start if case.method == b"HEAD" else len(case.data)
    first_byte = needed
    if case.body:
        first_byte = case.data.index(case.body[:1], case.body_start) + 1
    closed = 0

    async def script(peer: Peer) -> None:
        nonlocal closed
        offset = int((await peer.read_request()).line.split(b"/")[1].split()[0])
        await peer.send(case.data[:offset])
        await peer.wait_closed()
        closed += 1

    async def stall(offset: int) -> None:
        phase = "first_token" if offset < first_byte else "idle"
        short = {f"{phase}_s": 0.1}
        deadlines = Deadlines(**{"connect_s": 30, "first_token_s": 30, "idle_s": 30} | short)
        asked = request(server.origin, method=case.method, target=b"/%d" % offset)
        outcome = await _outcome(client, asked, deadlines)
        assert isinstance(outcome, tuple), offset
        assert outcome[1:3] == (TimedOut, phase), offset

    async with serve(script) as server:
        await asyncio.gather(*(stall(offset) for offset in range(needed)))
        await until(lambda: closed == needed)
    assert client.stats.open == 0


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_answer_is_broken_and_its_connection_closed(
    client: HttpClient, name: str
) -> None:
    """A malformed answer names its fault; nothing is read from that connection again."""
    data, reason = MALFORMED[name]
    is_closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(data)
        await peer.wait_closed()
        is_closed.set()

    async with serve(script) as server:
        with pytest.raises(Broken) as caught:
            await fetch(client, request(server.origin))
        assert reason in caught.value.message
        await is_closed.wait()
    assert client.stats.open == 0


@pytest.mark.parametrize("extra", [b"garbage", OK])
async def test_bytes_after_the_answer_cost_the_connection_and_not_the_answer(
    client: HttpClient, extra: bytes
) -> None:
    """A pipelined or overlong answer must not be taken for the next request's."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.writer.write(OK + extra)
        await peer.wait_closed()

    async with serve(script) as server:
        for number in range(3):
            assert await fetch(client, request(server.origin)) == (200, b"ok")
            await until(lambda: client.stats.open == 0)
            assert server.num_accepted == number + 1


async def test_bytes_while_idle_cost_the_connection(client: HttpClient) -> None:
    """An upstream that speaks unasked is not asked again on that connection."""
    may_speak = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await may_speak.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.wait_closed()

    async with serve(script) as server:
        assert await fetch(client, request(server.origin)) == (200, b"ok")
        assert client.stats.idle == 1
        may_speak.set()
        await until(lambda: client.stats.open == 0)
        assert await fetch(client, request(server.origin)) == (200, b"ok")
        assert server.num_accepted == 2


async def test_ordinary_request_is_written_in_one_piece(client: HttpClient) -> None:
    """Head and body leave in one segment: one system call, and no wait for an acknowledgement."""
    reads: list[bytes] = []

    async def script(peer: Peer) -> None:
        reads.append(await peer.reader.read(2**20))
        await peer.send(OK)
        await peer.wait_closed()

    async with serve(script) as server:
        asked = request(server.origin, headers=((b"A", b"b"),), body=b"x" * 2000)
        await fetch(client, asked)
        head = b"POST /v1/x HTTP/1.1\r\nHost: %b\r\nA: b\r\nContent-Length: 2000\r\n\r\n"
        assert reads == [head % server.origin.authority.encode() + b"x" * 2000]


async def test_slow_reader_holds_the_upstream_back_and_loses_nothing(
    make_client: Callable[..., HttpClient],
) -> None:
    """What waits for a slow client is bounded; when it reads on, every byte is there."""
    client = make_client(stream_buffer_bytes=64 * 1024)
    piece, num_pieces = bytes(range(256)) * 256, 600  # 37 MiB, more than sockets hold
    num_sent = 0

    async def script(peer: Peer) -> None:
        nonlocal num_sent
        await peer.read_request()
        await peer.send(CHUNKED_HEAD)
        for _ in range(num_pieces):
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            num_sent += 1
        await peer.send(b"0\r\n\r\n")
        await peer.wait_closed()

    async with serve(script) as server:
        response = await open_answer(client, request(server.origin))
        seen = -1
        while seen != num_sent:  # until the upstream makes no progress any more
            seen = num_sent
            await asyncio.sleep(0.1)
        assert num_sent < num_pieces / 2
        largest = total = 0
        async for data in response.chunks():
            largest, total = max(largest, len(data)), total + len(data)
            assert data == (piece * 10)[(total - len(data)) % 256 :][: len(data)]
    assert total == num_pieces * len(piece)
    assert largest <= 64 * 1024 + 256 * 1024  # the bound and one read of the transport


async def test_large_body_is_sent_no_faster_than_it_is_read(client: HttpClient) -> None:
    """A slow upstream does not make us copy the body into a transport's buffer."""
    body = bytes(range(251)) * 100_000  # 24 MiB
    may_read = asyncio.Event()
    received: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await may_read.wait()
        received.append(await peer.reader.readexactly(len(body)))
        await peer.send(OK)
        received.append((await peer.read_request()).body)
        await peer.send(OK)
        await peer.wait_closed()

    async with serve(script) as server:
        opening = asyncio.ensure_future(fetch(client, request(server.origin, body=body)))
        await until(lambda: client.stats.in_flight == 1)
        await asyncio.sleep(0.1)
        way = client._ways[server.origin]
        (connection,) = way.pool._attached
        assert 0 < connection.transport.get_write_buffer_size() <= 3 * 64 * 1024
        may_read.set()
        assert await opening == (200, b"ok")
        assert await fetch(client, request(server.origin, body=b"next")) == (200, b"ok")
        assert received == [body, b"next"]
        assert server.num_accepted == 1


async def test_answer_before_the_body_was_sent_is_the_answer(client: HttpClient) -> None:
    """A 413 stops the sending and is handed on; the connection is not used again."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge"
        await peer.send(answer)
        await peer.wait_closed()

    async with serve(script) as server:
        asked = request(server.origin, body=b"x" * 20_000_000)
        assert await fetch(client, asked) == (413, b"large")
        await until(lambda: client.stats.open == 0)
        assert client.stats.idle == 0


async def test_upstream_that_stops_reading_a_large_body_times_out_as_idle(
    client: HttpClient,
) -> None:
    """Sending has a deadline too: no progress for idle_s."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with serve(script) as server:
        asked = request(server.origin, body=b"x" * 20_000_000)
        deadlines = Deadlines(connect_s=30, first_token_s=30, idle_s=0.2)
        with pytest.raises(TimedOut) as caught:
            await fetch(client, asked, deadlines)
        assert caught.value.phase == "idle"
    assert client.stats.open == 0


async def test_plain_body_over_the_bound_is_broken_and_its_connection_closed(
    make_client: Callable[..., HttpClient],
) -> None:
    """Declared or chunked, a body over max_body_bytes is given up; at the bound it is read."""
    client = make_client(max_body_bytes=100_000, stream_buffer_bytes=10_000)
    chunk = b"%x\r\n%b\r\n" % (50_000, b"x" * 50_000)
    answers = {
        b"/at": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
        b"/declared": b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n" + b"x" * 100_001,
        b"/chunked": CHUNKED_HEAD + chunk * 3 + b"0\r\n\r\n",
        b"/endless": CHUNKED_HEAD + chunk * 3,
    }

    async def script(peer: Peer) -> None:
        while True:
            await peer.send(answers[(await peer.read_request()).line.split()[1]])

    async with serve(script) as server:
        status, body = await fetch(client, request(server.origin, target=b"/at"))
        assert (status, len(body)) == (200, 100_000)
        for target in (b"/declared", b"/chunked", b"/endless"):
            with pytest.raises(Broken, match="more than 100000 bytes"):
                await fetch(client, request(server.origin, target=target))


async def test_streamed_body_has_no_bound_in_all(make_client: Callable[..., HttpClient]) -> None:
    """max_body_bytes bounds what is collected; a stream is relayed, however long."""
    client = make_client(max_body_bytes=10_000)
    chunk = b"%x\r\n%b\r\n" % (5000, b"x" * 5000)
    async with serve(answering(CHUNKED_HEAD + chunk * 100 + b"0\r\n\r\n")) as server:
        response = await open_answer(client, request(server.origin))
        assert sum([len(data) async for data in response.chunks()]) == 500_000
        assert client.stats.idle == 1
