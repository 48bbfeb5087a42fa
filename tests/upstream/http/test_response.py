"""An answer as its reader sees it, over real sockets."""

import asyncio
from contextlib import aclosing

import pytest

from slipstream.errors import StreamCut
from slipstream.upstream.http.client import HttpClient
from tests.upstream.http.servers import (
    CHUNKED_HEAD,
    OK,
    Peer,
    answering,
    open_answer,
    request,
    serve,
    until,
)


async def test_chunks_give_each_piece_when_it_arrives_however_small(client: HttpClient) -> None:
    """Nothing is buffered: a byte is handed on before the upstream sends the next."""
    may_send = asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(CHUNKED_HEAD)
        for letter in (b"a", b"b", b"c"):
            await may_send.acquire()
            await peer.send(b"1\r\n" + letter + b"\r\n")
        await may_send.acquire()
        await peer.send(b"0\r\n\r\n")
        await peer.wait_closed()

    async with serve(script) as server:
        response = await open_answer(client, request(server.origin))
        seen = []
        may_send.release()
        async for data in response.chunks():
            seen.append(data)
            may_send.release()
        assert seen == [b"a", b"b", b"c"]
        assert client.stats.idle == 1


async def test_answer_gives_status_headers_and_body(client: HttpClient) -> None:
    """Names are in lower case, an absent header is None, the repr says little."""
    raw = b"HTTP/1.1 418 Teapot\r\nX-Kind: Green\r\nContent-Length: 3\r\n\r\ntea"
    async with serve(answering(raw)) as server:
        response = await open_answer(client, request(server.origin))
        assert response.status == 418
        assert response.headers == ((b"x-kind", b"Green"), (b"content-length", b"3"))
        assert response.header(b"x-kind") == b"Green"
        assert response.header(b"x-other") is None
        assert await response.read() == b"tea"
        assert repr(response) == "HttpResponse(418)"


async def test_close_before_the_end_aborts_and_after_it_keeps_the_connection(
    client: HttpClient,
) -> None:
    """Only a body that has arrived whole leaves a usable connection; closing twice is fine."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.read_request()
        await peer.send(CHUNKED_HEAD + b"1\r\na\r\n")
        await peer.wait_closed()

    async with serve(script) as server:
        whole = await open_answer(client, request(server.origin))
        await whole.read()
        whole.close()
        assert client.stats.idle == 1
        partial = await open_answer(client, request(server.origin))
        partial.close()
        partial.close()
        await until(lambda: client.stats.open == 0)
        with pytest.raises(StreamCut, match="closed before its end"):
            await partial.read()
        assert server.num_accepted == 1


async def test_chunks_left_early_close_the_answer(client: HttpClient) -> None:
    """Whoever iterates closes, and `aclosing` is how it is done everywhere."""
    is_closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(CHUNKED_HEAD + b"1\r\na\r\n")
        await peer.wait_closed()
        is_closed.set()

    async with serve(script) as server:
        response = await open_answer(client, request(server.origin))
        async with aclosing(response.chunks()) as chunks:
            async for data in chunks:
                assert data == b"a"
                break
        await is_closed.wait()


async def test_answer_can_be_read_after_its_connection_serves_another(client: HttpClient) -> None:
    """A whole answer no longer depends on its connection."""
    bodies = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + letter for letter in (b"a", b"b")]

    async def script(peer: Peer) -> None:
        for body in bodies:
            await peer.read_request()
            await peer.send(body)
        await peer.wait_closed()

    async with serve(script) as server:
        first = await open_answer(client, request(server.origin))
        second = await open_answer(client, request(server.origin))
        assert [await second.read(), await first.read()] == [b"b", b"a"]
        assert server.num_accepted == 1
