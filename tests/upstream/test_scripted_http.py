"""Tests of the ways to ask for a behaviour over the wire, and of HTTP as a client sees it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.upstream.scripted_raw import (
    Wire,
    chat,
    close,
    connect,
    read_all,
    request_bytes,
    talk,
)

STREAM = chat("one two three", stream=True)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000) as running:
        yield running


async def plain(upstream: ScriptedUpstream, mock: str = "", until: bytes | None = None) -> Wire:
    return await talk(upstream, chat("one two three"), mock=mock, until=until)


# ---- the ways in, over the wire -----------------------------------------------------------------


async def test_header_model_and_script_do_the_same(upstream: ScriptedUpstream) -> None:
    """Three equal ways; the answer names the model without its suffix."""
    by_header = await plain(upstream, "text=hi,header_bytes=9")
    by_model = await talk(upstream, chat(model="m?text=hi&header_bytes=9"))
    upstream.script({"text": "hi", "header_bytes": 9})
    by_script = await plain(upstream)
    for number, wire in enumerate((by_model, by_script), start=2):
        assert wire.data.replace(b"%06d" % number, b"000001") == by_header.data


async def test_header_wins_over_model_over_script_over_usual() -> None:
    """The nearer to the request, the stronger."""
    async with scripted_upstream(behaviour="text=usual,finish=usual") as upstream:
        upstream.script("text=script,code=script", requests=2)
        document = (await talk(upstream, chat(model="m?text=model"))).document
        assert document["choices"][0]["message"]["content"] == "model"
        assert document["choices"][0]["finish_reason"] == "usual"
        headed = await talk(upstream, chat(model="m?text=model"), mock="text=header")
        assert headed.document["choices"][0]["message"]["content"] == "header"


async def test_header_on_a_get_works_too(upstream: ScriptedUpstream) -> None:
    """Health checks and lists of models fail on demand."""
    wire = await talk(upstream, None, method="GET", path="/v1/models", mock="status=503")
    assert (wire.status, wire.document["error"]["code"]) == (503, "overloaded")


async def test_unknown_behaviour_is_a_400_with_the_nearest(upstream: ScriptedUpstream) -> None:
    """It says what was meant."""
    wire = await plain(upstream, "delai=1")
    assert wire.status == 400
    assert "unknown behaviour 'delai' in x-mock" in wire.document["error"]["message"]
    assert "'delay'" in wire.document["error"]["message"]


# ---- HTTP ---------------------------------------------------------------------------------------


async def test_connection_is_kept_and_pipelined_requests_are_answered_in_order(
    upstream: ScriptedUpstream,
) -> None:
    """A slow first answer holds the second back; both come on one connection."""
    reader, writer = await connect(upstream.origin)
    slow = request_bytes(chat("slow"), mock="delay=0.05", headers=())
    writer.write(slow + request_bytes(chat("fast")))
    data = await reader.read(-1)
    assert data.index(b'"slow"') < data.index(b'"fast"')
    assert {row.connection_id for row in upstream.log} == {1}
    await close(writer)


async def test_request_in_single_bytes_is_answered(upstream: ScriptedUpstream) -> None:
    """Requests may come in any pieces, the path included."""
    reader, writer = await connect(upstream.origin)
    for byte in request_bytes(chat("x")):
        writer.write(bytes([byte]))
        await writer.drain()
    assert b'"content":"x"' in await reader.read(-1)
    await close(writer)


async def test_http_1_0_gets_no_chunks(upstream: ScriptedUpstream) -> None:
    """An old client reads until the end."""
    wire = await talk(upstream, STREAM, version="1.0", headers=())
    assert "transfer-encoding" not in wire.headers
    assert wire.words == "one two three"


async def test_expect_100_continue_is_answered_before_the_body(
    upstream: ScriptedUpstream,
) -> None:
    """Curl waits for it with large bodies."""
    request = request_bytes(chat(), headers=(("expect", "100-continue"), ("connection", "close")))
    head, mark, body = request.partition(b"\r\n\r\n")
    reader, writer = await connect(upstream.origin)
    writer.write(head + mark)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 200 OK")
    await close(writer)


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (b"\x16\x03\x01\x00\r\n\r\n", 400, "not HTTP"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 300_000, 413, "headers are over"),
        (b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", 400, "upgrades to no"),
        (b"GET /health HTTP/1.1\r\n\r\n" * 70, 400, "pipelined"),
    ],
)
async def test_bytes_that_cannot_be_answered_are_refused_and_the_connection_closed(
    upstream: ScriptedUpstream, data: bytes, status: int, text: str
) -> None:
    """The answer says why."""
    reader, writer = await connect(upstream.origin)
    writer.write(data)
    wire = Wire([await reader.read(-1)])
    assert (wire.status, text in wire.document["error"]["message"]) == (status, True)
    await close(writer)


async def test_client_that_does_not_read_holds_the_stream_until_it_does(
    upstream: ScriptedUpstream,
) -> None:
    """Back-pressure: what the sockets hold is sent, no more; then all of it arrives."""
    reader, writer = await connect(upstream.origin)
    writer.write(request_bytes(chat(stream=True), mock="tokens=100000"))
    row = await upstream.wait_for(lambda u: u.log and u.log[0])
    assert row
    sent = -1
    while sent != row.bytes_sent:
        sent = row.bytes_sent
        await asyncio.sleep(0.1)
    assert row.ending is None
    wire = await read_all(reader)
    assert len(wire.events) == 100_003
    assert len(wire.data) == row.bytes_sent > sent
    await close(writer)
