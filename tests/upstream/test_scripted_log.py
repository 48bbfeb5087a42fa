"""Tests of the log, the counters, the script, waiting and TLS."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.book import LOG_ROWS, SCRIPT_ROWS, Book, Exchange, redact
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.upstream.scripted_raw import (
    DEADLINE_S,
    chat,
    close,
    connect,
    control,
    request_bytes,
    talk,
)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream() as running:
        yield running


# ---- the log ------------------------------------------------------------------------------------


async def test_log_keeps_what_was_sent_with_keys_redacted(upstream: ScriptedUpstream) -> None:
    """The body byte for byte, headers by lower-case name, of a key only the hash."""
    headers = (
        ("Authorization", "Bearer sk-secret"),
        ("X-Api-Key", "sk-secret"),
        ("X-Twice", "a"),
        ("X-Twice", "b"),
        ("connection", "close"),
    )
    await talk(upstream, chat("hi"), headers=headers)
    row = upstream.log[0]
    digest = hashlib.sha256(b"sk-secret").hexdigest()[:12]
    assert row.headers["authorization"] == f"Bearer sha256:{digest}"
    assert row.headers["x-api-key"] == f"sha256:{digest}"
    assert row.headers["x-twice"] == "a, b"
    assert json.loads(row.body) == chat("hi")
    assert (row.method, row.path, row.model, row.status) == (
        "POST",
        "/v1/chat/completions",
        "m",
        200,
    )
    assert row.ending == "complete"
    assert row.started_ms <= (row.first_byte_ms or 0) <= (row.ended_ms or 0)
    shown = await control(upstream.origin, "GET", "/mock/log")
    assert "sk-secret" not in json.dumps(shown) + repr(upstream.log)
    assert shown["requests"][0]["headers"] == row.headers
    assert json.loads(shown["requests"][0]["body"]) == chat("hi")


async def test_log_of_one_connection_redacts_each_of_its_keys(upstream: ScriptedUpstream) -> None:
    """Two keys on one connection are told apart."""
    _, writer = await connect(upstream.origin)
    for key in ("one", "two"):
        writer.write(request_bytes(chat(), headers=(("authorization", f"Bearer {key}"),)))
    await upstream.wait_for(lambda u: len(u.log) == 2)
    seen = [row.headers["authorization"].encode() for row in upstream.log]
    assert seen == [redact(b"Bearer one"), redact(b"Bearer two")]
    await close(writer)


async def test_log_pages_by_serial_and_is_cleared(upstream: ScriptedUpstream) -> None:
    """Serials go on after the log was cleared."""
    for word in ("a", "b", "c"):
        await talk(upstream, chat(word))
    page = await control(upstream.origin, "GET", "/mock/log?since=1&limit=1")
    assert [row["serial"] for row in page["requests"]] == [2]
    refused = await control(upstream.origin, "GET", "/mock/log?since=x")
    assert "since takes a whole number" in refused["error"]["message"]
    assert await control(upstream.origin, "DELETE", "/mock/log") == {"requests": []}
    assert len(upstream.log) == 0
    await talk(upstream, chat())
    assert upstream.log[0].serial == 4


def test_log_is_bounded_in_rows_and_bytes() -> None:
    """The oldest rows go first; the counters still count all."""
    book = Book()
    for serial in range(1, LOG_ROWS + 11):
        book.begin(Exchange(serial, 1, "POST", "/", [], b"x", 0.0))
    assert (len(book.log), book.log[0].serial) == (LOG_ROWS, 11)
    for serial in (5001, 5002, 5003):
        book.begin(Exchange(serial, 1, "POST", "/", [], bytes(25 * 2**20), 0.0))
    assert [row.serial for row in book.log] == [5002, 5003]
    assert book.stats.requests == LOG_ROWS + 13


# ---- clients that go away -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "mock", "ending"),
    [
        (chat(), "delay=600", "client_closed_before_first_byte"),
        (chat(stream=True), "delay=600", "client_closed_before_first_byte"),
        (chat(stream=True), "delay=600,delay_headers_only", "client_closed_mid_stream"),
        (chat(stream=True), "tokens=1000,gap=0.01", "client_closed_mid_stream"),
        (chat(stream=True), "tokens=100000,rate=100", "client_closed_mid_stream"),
        (chat(stream=True), "stall_after=2", "client_closed_mid_stream"),
    ],
)
async def test_client_that_goes_away_is_noticed_at_once(
    upstream: ScriptedUpstream, document: dict[str, object], mock: str, ending: str
) -> None:
    """Before and between bytes: the row says when, and nothing plays on."""
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    reader, writer = await connect(upstream.origin)
    writer.write(request_bytes(document, mock=mock))
    await upstream.wait_for(lambda u: u.stats.active_requests == 1)
    if ending == "client_closed_mid_stream":
        await asyncio.wait_for(reader.read(1), DEADLINE_S)
    await close(writer)
    await upstream.wait_for(lambda u: u.stats.open_connections == 0)
    row = upstream.log[0]
    assert row.ending == ending
    assert row.ended_ms is not None
    assert upstream.stats.active_requests == 0
    sent = row.bytes_sent
    await asyncio.sleep(0.05)
    assert row.bytes_sent == sent
    assert failures == [], "a player that plays on writes for a request that is gone"


async def test_client_that_goes_away_with_requests_waiting_leaves_nothing(
    upstream: ScriptedUpstream,
) -> None:
    """Pipelined requests behind the one being answered are never begun."""
    _, writer = await connect(upstream.origin)
    writer.write(request_bytes(chat(), mock="delay=600", headers=()) * 3)
    await upstream.wait_for(lambda u: u.stats.active_requests == 1)
    await close(writer)
    await upstream.wait_for(lambda u: u.stats.open_connections == 0)
    assert upstream.stats.requests == 1


async def test_upstream_that_stops_ends_its_connections() -> None:
    """Nothing stays open, and the row says who ended it."""
    async with scripted_upstream() as upstream:
        reader, writer = await connect(upstream.origin)
        writer.write(request_bytes(chat(), mock="delay=600"))
        await upstream.wait_for(lambda u: u.stats.active_requests == 1)
    assert upstream.log[0].ending == "server_closed"
    assert upstream.stats.open_connections == 0
    with pytest.raises(ConnectionError):
        await connect(upstream.origin)
    await close(writer)
    assert reader.at_eof() or reader.exception() is not None


# ---- counters -----------------------------------------------------------------------------------


async def test_stats_count_connections_and_requests(upstream: ScriptedUpstream) -> None:
    """Warm connections count without a request; the control API's do not count."""
    pairs = [await connect(upstream.origin) for _ in range(3)]
    await upstream.wait_for(lambda u: u.stats.open_connections == 3)
    for _, writer in pairs[:2]:
        writer.write(request_bytes(chat(), mock="delay=600"))
    await upstream.wait_for(lambda u: u.stats.active_requests == 2)
    shown = await control(upstream.origin, "GET", "/mock/stats")
    assert (shown["open_connections"], shown["total_connections"]) == (3, 3)
    assert (shown["requests"], shown["active_requests"]) == (2, 2)
    for _, writer in pairs:
        await close(writer)
    await upstream.wait_for(lambda u: u.stats.open_connections == 0)
    assert upstream.stats.peak_active_requests == 2
    assert upstream.stats.peak_open_connections >= 3
    assert upstream.stats.active_requests == 0


async def test_wait_for_returns_what_the_predicate_gave_or_says_what_it_saw(
    upstream: ScriptedUpstream,
) -> None:
    """A test that waits in vain shows the state."""
    waiting = asyncio.create_task(upstream.wait_for(lambda u: [r.status for r in u.log]))
    await talk(upstream, chat(), mock="status=500")
    assert await waiting == [500]
    with pytest.raises(TimeoutError, match=r"requests=1.*last: POST /v1/chat/completions complete"):
        await upstream.wait_for(lambda u: False, timeout_s=0.01)


# ---- the script ---------------------------------------------------------------------------------


async def test_script_is_taken_by_requests_in_order(upstream: ScriptedUpstream) -> None:
    """Each row serves its number of requests; a list of models takes none."""
    script = {"requests": 2, "behaviour": {"status": 500}}
    assert await control(upstream.origin, "POST", "/mock/script", script) == {"queued": 2}
    upstream.script("status=429")
    await talk(upstream, None, method="GET", path="/v1/models")
    statuses = [(await talk(upstream, chat())).status for _ in range(4)]
    assert statuses == [500, 500, 429, 200]


async def test_script_is_taken_by_a_request_that_is_refused(upstream: ScriptedUpstream) -> None:
    """Rows and requests stay in step, whatever is in the requests."""
    upstream.script("status=500")
    assert (await talk(upstream, chat(max_tokens=0))).status == 400
    assert (await talk(upstream, chat())).status == 200


async def test_script_is_cleared(upstream: ScriptedUpstream) -> None:
    """By the control API, and by the in-process API with the log."""
    upstream.script("status=500", requests=5)
    assert await control(upstream.origin, "DELETE", "/mock/script") == {"queued": 0}
    upstream.script("status=500")
    upstream.clear()
    assert (await talk(upstream, chat())).status == 200


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ({"behaviour": {"stal": 1}}, "unknown behaviour 'stal'"),
        ({"behaviour": {"status": "x"}}, "status takes a whole number"),
        ({"behaviour": {"gap": 1, "rate": 1}}, "gap and rate"),
        ({"behaviour": {}, "requests": 0}, "$.requests"),
        ({"behaviour": {}, "times": 2}, "times"),
        ({}, "behaviour"),
    ],
)
async def test_script_that_is_wrong_is_refused_when_it_is_queued(
    upstream: ScriptedUpstream, script: dict[str, object], text: str
) -> None:
    """The mistake shows where it was made, not at a later request."""
    answer = await control(upstream.origin, "POST", "/mock/script", script)
    assert text in answer["error"]["message"]
    assert (await talk(upstream, chat())).status == 200


async def test_script_in_process_refuses_the_same(upstream: ScriptedUpstream) -> None:
    """As an exception, at the call."""
    with pytest.raises(BadRequest, match="unknown behaviour"):
        upstream.script("stal=1")
    with pytest.raises(BadRequest, match="gap and rate"):
        upstream.script({"gap": 1, "rate": 1})
    with pytest.raises(ValueError, match="from 1"):
        upstream.script("status=500", requests=0)


def test_script_is_bounded() -> None:
    """A full script refuses more; it never forgets."""
    book = Book()
    for _ in range(SCRIPT_ROWS):
        book.queue({}, 1)
    with pytest.raises(BadRequest, match="full"):
        book.queue({}, 1)


# ---- TLS ----------------------------------------------------------------------------------------


async def test_tls_carries_answers_cuts_and_resets() -> None:
    """With a certificate the origin is https; behaviours work below it as well as they can."""
    authority = trustme.CA()
    server_side, client_side = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(client_side)
    async with scripted_upstream(ssl_context=server_side) as upstream:
        assert upstream.base_url.startswith("https://127.0.0.1:")
        wire = await talk(upstream, chat("hi", stream=True), tls=client_side)
        assert wire.words == "hi"
        cut = await talk(upstream, chat(), mock="cut=20", tls=client_side)
        assert len(cut.data) == 20
        reset = await talk(upstream, chat(), mock="reset", tls=client_side)
        assert (reset.data, reset.end) == (b"", "reset")
