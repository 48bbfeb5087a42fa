"""Providers' own lists of models: asked for together, kept for a while, left out on failure."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from slipstream.call import Secret
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.model_lists import FRESH_S, RETRY_S, ModelLists
from slipstream.upstream.relay import Endpoint, Relay
from slipstream.wire.models_in import ModelEntry

KEY = "sk-live-1234"
TWO = b'{"object":"list","data":[{"id":"m1","created":5,"owned_by":"o"},{"id":"a/m2","x":[]}]}'


class Provider:
    """A server that answers every request with the same body, and counts them."""

    def __init__(self, body: bytes = TWO, status: int = 200) -> None:
        self.body, self.status = body, status
        self.heads: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its client leaves."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                size = len(self.body)
                start = b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (self.status, size)
                writer.write(start + self.body)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()


class Clock:
    """The loop's clock, which a test may move forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_s


@asynccontextmanager
async def _lists(clock: Clock, **providers: Provider) -> AsyncIterator[ModelLists]:
    client = HttpClient(HttpSettings(), environ={})
    servers = []
    relays = {}
    for name, provider in providers.items():
        server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        endpoint = Endpoint(name=name, base_url=f"http://127.0.0.1:{port}/v1", key=Secret(KEY))
        relays[name] = Relay(endpoint, client, now=lambda: datetime.now(UTC))
    try:
        async with asyncio.timeout(20.0):
            yield ModelLists(relays, clock)
    finally:
        await client.close()
        for server in servers:
            server.close()
            await server.wait_closed()


async def test_entries_are_every_providers_models_in_the_order_of_the_configuration() -> None:
    """Each is asked with its own key and path; what it says beside ids may be absent."""
    b, a = Provider(b'{"data":[{"id":"only"}]}'), Provider()
    async with _lists(Clock(), b=b, a=a) as lists:
        assert await lists.entries() == [
            ("b", ModelEntry("only")),
            ("a", ModelEntry("m1", 5, "o")),
            ("a", ModelEntry("a/m2")),
        ]
    [head] = a.heads
    assert head.startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert f"Bearer {KEY}".encode() in head


async def test_entries_are_kept_until_they_are_stale() -> None:
    """A list is asked for again only after a while."""
    clock, provider = Clock(), Provider()
    async with _lists(clock, a=provider) as lists:
        for _ in range(3):
            await lists.entries()
        assert len(provider.heads) == 1
        clock.ahead_s = FRESH_S + 1
        await lists.entries()
        assert len(provider.heads) == 2


async def test_callers_at_once_make_one_request() -> None:
    """A hundred clients that ask at start do not ask the provider a hundred times."""
    provider = Provider()
    async with _lists(Clock(), a=provider) as lists:
        answers = await asyncio.gather(*(lists.entries() for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert len(provider.heads) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error":{"message":"m"}}', 500),
        (b'{"error":{"message":"key sk-live-1234"}}', 401),
        (b"<html>", 200),
        (b'{"data":{}}', 200),
        (b'{"data":[{"id":5}]}', 200),
        (b"{}", 200),
        (b"", 204),
    ],
)
async def test_provider_that_does_not_answer_is_left_out_for_a_while(
    body: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are listed all the same; the log says why, and no key."""
    clock, bad, good = Clock(), Provider(body, status), Provider()
    with caplog.at_level(logging.WARNING):
        async with _lists(clock, bad=bad, good=good) as lists:
            assert {name for name, _ in await lists.entries()} == {"good"}
            await lists.entries()
            assert len(bad.heads) == 1
            bad.body, bad.status = TWO, 200
            clock.ahead_s = RETRY_S + 1
            assert {name for name, _ in await lists.entries()} == {"bad", "good"}
    assert "no list of models from bad" in caplog.text
    assert "1234" not in caplog.text


async def test_list_of_before_is_kept_when_the_provider_fails_later() -> None:
    """An outage does not make known models disappear."""
    clock, provider = Clock(), Provider()
    async with _lists(clock, a=provider) as lists:
        before = await lists.entries()
        provider.status = 503
        clock.ahead_s = FRESH_S + 1
        assert await lists.entries() == before
        assert len(provider.heads) == 2


async def test_without_providers_there_is_nothing_to_ask() -> None:
    """A gateway of embedded models only lists none of others."""
    async with _lists(Clock()) as lists:
        assert await lists.entries() == []
