"""Lists of models over real sockets: the scripted upstream's, and pages that a server plays."""

import asyncio
from datetime import UTC, datetime

import pytest

from slipstream.call import Secret
from slipstream.choice import Deadlines
from slipstream.errors import Broken, Rejected, UpstreamError
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.relay import Endpoint, Relay
from slipstream.upstream.relay_models import MAX_PAGES
from slipstream.upstream.scripted.server import scripted_upstream
from slipstream.wire.models_in import ModelEntry
from tests.upstream.dialect_scene import PROVIDERS

LIMITS = Deadlines(connect_s=5.0, first_token_s=5.0, idle_s=5.0, total_s=10.0)


async def listed(base_url: str, name: str) -> list[ModelEntry]:
    """Ask a provider of this name, at this address, for its models."""
    client = HttpClient(HttpSettings(), environ={})
    endpoint = Endpoint(name=name, base_url=base_url, key=Secret("sk-1"))
    relay = Relay(endpoint, client, now=lambda: datetime(2026, 11, 21, tzinfo=UTC))
    try:
        until_s = asyncio.get_running_loop().time() + LIMITS.total_s
        return await relay.list_models(LIMITS, until_s)
    finally:
        await client.close()


@pytest.mark.parametrize("name", PROVIDERS)
async def test_every_providers_list_is_read(name: str) -> None:
    """Each where it is, in its own shape, asked for with its own headers."""
    path, _ = PROVIDERS[name]
    async with scripted_upstream(models=("first", "a/second")) as upstream:
        entries = await listed(f"{upstream.origin}{path}", name)
        [row] = upstream.log
    assert [entry.id for entry in entries] == ["first", "a/second"]
    targets = {
        "anthropic": "/anthropic/v1/models?limit=1000",
        "gemini": "/gemini/v1beta/models?pageSize=1000",
    }
    assert row.path == targets.get(name, f"{path}/models")
    key_header = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}.get(name, "authorization")
    assert key_header in row.headers
    assert ("anthropic-version" in row.headers) is (name == "anthropic")


async def played(*bodies: bytes, name: str, status: int = 200) -> tuple[list[str], list[str]]:
    """Ask a server that plays these pages; return the models and the targets that were asked."""
    targets: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = bodies[min(len(targets), len(bodies) - 1)]
                targets.append(head.split(b" ")[1].decode())
                start = b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
                writer.write(start + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        entries = await listed(f"http://127.0.0.1:{port}/v1", name)
    return [entry.id for entry in entries], targets


async def test_pages_are_followed_to_the_last() -> None:
    """Anthropic's by the last id."""
    found = await played(
        b'{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}',
        b'{"data":[{"id":"b"}],"has_more":false,"last_id":"b"}',
        name="anthropic",
    )
    assert found == (["a", "b"], ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=a"])


async def test_pages_without_end_are_given_up() -> None:
    """A provider that always has more is asked so often and no more."""
    with pytest.raises(Broken, match=f"more than {MAX_PAGES} pages"):
        await played(b'{"data":[],"has_more":true,"last_id":"a"}', name="anthropic")


async def test_refused_list_is_the_providers_error() -> None:
    """Read as any other answer of the provider."""
    with pytest.raises(UpstreamError) as caught:
        await played(b'{"error":{"message":"no"}}', name="openai", status=401)
    assert isinstance(caught.value, Rejected)
