"""The client against uvicorn, as an upstream that Slipstream itself might be."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from slipstream.errors import StreamCut
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import Origin
from tests.upstream.http.servers import fetch, open_answer, request, until

_CUT_AFTER = 3


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Echo a body, stream numbers, or break off, by path."""
    if scope["type"] != "http":
        return
    body, message = b"", await receive()
    while True:
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
        message = await receive()
    start = {"type": "http.response.start", "status": 200, "headers": [(b"x-path", b"y")]}
    if scope["path"] == "/echo":
        start["headers"] = [(b"content-length", b"%d" % len(body))]
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return
    await send(start)
    for number in range(50):
        if scope["path"] == "/cut" and number == _CUT_AFTER:
            raise asyncio.CancelledError  # uvicorn then closes the connection
        piece = b"%d\n" % number
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    """A running uvicorn; stopped and joined after the module's tests."""
    sock = socket.socket()
    with closing(sock):
        sock.bind(("127.0.0.1", 0))
        config = uvicorn.Config(_app, lifespan="off", log_level="critical", timeout_keep_alive=30)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        give_up_s = time.monotonic() + 20
        while not server.started and time.monotonic() < give_up_s:
            time.sleep(0.01)
        yield Origin("http", "127.0.0.1", sock.getsockname()[1])
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


async def test_uvicorn_echoes_bodies_of_every_size(client: HttpClient, origin: Origin) -> None:
    """From nothing to many segments, each body comes back on one connection."""
    for num_bytes in (0, 1, 65_536, 65_537, 5_000_000):
        body = bytes(range(256)) * (num_bytes // 256) + b"x" * (num_bytes % 256)
        assert await fetch(client, request(origin, target=b"/echo", body=body)) == (200, body)
    assert client.stats.created == 1


async def test_uvicorn_streams_chunked(client: HttpClient, origin: Origin) -> None:
    """All pieces arrive in order and the connection is kept."""
    for _ in range(3):
        response = await open_answer(client, request(origin, target=b"/stream"))
        assert response.header(b"transfer-encoding") == b"chunked"
        body = b"".join([data async for data in response.chunks()])
        assert body == b"".join(b"%d\n" % number for number in range(50))
    assert client.stats.created == 1


async def test_uvicorn_answers_head_and_get(client: HttpClient, origin: Origin) -> None:
    """Requests without a body are understood, and a HEAD has no body."""
    assert await fetch(client, request(origin, method=b"GET", target=b"/echo", body=b"")) == (
        200,
        b"",
    )
    head = request(origin, method=b"HEAD", target=b"/echo", body=b"")
    assert await fetch(client, head) == (200, b"")


async def test_uvicorn_that_breaks_off_is_a_cut_stream(client: HttpClient, origin: Origin) -> None:
    """An application that dies in the middle of a stream never looks complete."""
    response = await open_answer(client, request(origin, target=b"/cut"))
    with pytest.raises(StreamCut):
        async for _ in response.chunks():
            pass
    await until(lambda: client.stats.open == 0)


async def test_uvicorn_serves_many_at_once(client: HttpClient, origin: Origin) -> None:
    """A hundred tasks over pooled connections get their own answers."""

    async def ask(number: int) -> None:
        for turn in range(5):
            body = b"%d/%d" % (number, turn)
            assert await fetch(client, request(origin, target=b"/echo", body=body)) == (200, body)

    await asyncio.gather(*(ask(number) for number in range(100)))
    assert client.stats.created <= 100
    assert client.stats.open == client.stats.idle
