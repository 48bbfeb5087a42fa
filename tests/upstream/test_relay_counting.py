"""Counting at a provider of Messages: what it is asked, and what becomes of each answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from slipstream.call import Call, Dialect, Secret
from slipstream.choice import Deadlines
from slipstream.errors import UpstreamError
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.relay import Endpoint, Relay
from slipstream.upstream.scripted.server import scripted_upstream

LIMITS = Deadlines(connect_s=5.0, first_token_s=10.0, idle_s=10.0, total_s=20.0)
HI = [{"role": "user", "content": "hi"}]


def call_of(body: bytes, *headers: tuple[bytes, bytes]) -> Call:
    """Return a request whose tokens are to be counted."""
    return Call(
        call_id="req-1",
        dialect=Dialect.ANTHROPIC_MESSAGES,
        body=body,
        model="public",
        key_id="k",
        headers=headers,
    )


@asynccontextmanager
async def provider(base_url: str, dialect: Dialect) -> AsyncIterator[Relay]:
    """Reach a provider."""
    client = HttpClient(HttpSettings(), environ={})
    endpoint = Endpoint(name="lab", base_url=base_url, dialect=dialect, key=Secret("sk-1"))
    try:
        yield Relay(endpoint, client, now=lambda: datetime.now(UTC))
    finally:
        await client.close()


@asynccontextmanager
async def answering(body: bytes, status: int) -> AsyncIterator[tuple[Relay, list[bytes]]]:
    """Reach a provider that gives one answer to everything; note what it is asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        asked.append(head + await reader.readexactly(size))
        start = b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        writer.write(start % (status, len(body)) + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with provider(f"http://127.0.0.1:{port}/v1", Dialect.ANTHROPIC_MESSAGES) as relay:
        yield relay, asked
    server.close()


async def count(relay: Relay, body: bytes, *headers: tuple[bytes, bytes]) -> int | None:
    """Ask a provider that may be asked."""
    assert relay.count_messages is not None
    return await relay.count_messages(call_of(body, *headers), "own-model", LIMITS)


async def test_provider_is_asked_for_its_own_model_with_the_clients_headers() -> None:
    """Only the model changes in the body; the client's version stands in place of ours."""
    body = json.dumps({"model": "public", "messages": HI, "x": 1}).encode()
    async with answering(b'{"input_tokens":12}', 200) as (relay, asked):
        assert await count(relay, body, (b"anthropic-version", b"2026-10-21")) == 12
    head, _, sent = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/messages/count_tokens HTTP/1.1")
    assert head.count(b"anthropic-version: ") == 1
    assert b"anthropic-version: 2026-10-21" in head
    assert b"sk-1" in head
    assert json.loads(sent) == {"model": "own-model", "messages": HI, "x": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error":"no such page"}', 404),
        (b"", 501),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', 529),
        (b'{"type":"error","error":{"type":"authentication_error","message":"x"}}', 401),
        (b'{"tokens":3}', 200),
        (b"oops", 200),
    ],
)
async def test_count_that_fails_is_none(body: bytes, status: int) -> None:
    """Then it is estimated here."""
    async with answering(body, status) as (relay, _):
        assert await count(relay, json.dumps({"model": "public", "messages": HI}).encode()) is None


async def test_provider_that_finds_fault_with_the_request_is_heard() -> None:
    """Its words are the client's to read."""
    said = b'{"type":"error","error":{"type":"invalid_request_error","message":"messages: no"}}'
    async with answering(said, 400) as (relay, _):
        with pytest.raises(UpstreamError, match="messages: no"):
            await count(relay, json.dumps({"model": "public", "messages": HI}).encode())


async def test_mock_counts_as_anthropic_does() -> None:
    """The shipped double answers at that path."""
    async with scripted_upstream() as upstream:
        base_url = upstream.base_url.removesuffix("/v1") + "/anthropic/v1"
        async with provider(base_url, Dialect.ANTHROPIC_MESSAGES) as relay:
            found = await count(relay, json.dumps({"model": "public", "messages": HI}).encode())
    assert found is not None
    assert found > 0


async def test_provider_that_speaks_otherwise_is_not_asked() -> None:
    """There is nobody to ask."""
    async with provider("http://127.0.0.1:1/v1", Dialect.OPENAI_CHAT) as relay:
        assert relay.count_messages is None
