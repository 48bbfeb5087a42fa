"""Embeddings through the relay: what a provider is sent, what is made of its answer."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Frame, Meaning, Secret, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.errors import Broken, Busy, GatewayError, Rejected, TimedOut, Unsupported
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.relay import Endpoint, Relay
from slipstream.upstream.scripted.openai_embeddings import vector_of
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream

LIMITS = Deadlines(connect_s=5.0, first_token_s=10.0, idle_s=10.0, total_s=20.0)


@asynccontextmanager
async def relayed(provider: str) -> AsyncIterator[tuple[Relay, ScriptedUpstream]]:
    """Open a relay to a scripted upstream that goes by a provider's name."""
    client = HttpClient(HttpSettings(), environ={})
    async with asyncio.timeout(20), scripted_upstream() as upstream:
        endpoint = Endpoint(name=provider, base_url=upstream.base_url, key=Secret("sk-1"))
        try:
            yield Relay(endpoint, client, now=lambda: datetime.now(UTC)), upstream
        finally:
            await client.close()


async def embed(relay: Relay, limits: Deadlines = LIMITS, **fields: Any) -> Frame:
    """Ask for embeddings; return the one frame of the answer."""
    attempt = Attempt(
        attempt_id="a-1",
        number=1,
        route="r",
        target=Target("lab", "their/id"),
        deadlines=limits,
        started_at_ns=0,
        total_deadline_s=asyncio.get_running_loop().time() + limits.total_s,
    )
    call = Call(
        call_id="a",
        dialect=Dialect.OPENAI_EMBEDDINGS,
        body=json.dumps({"model": "public", "input": ["a b", "c"], **fields}).encode(),
        model="public",
        key_id="k",
        attempt=attempt,
    )
    [frame] = [frame async for frame in relay(call)]
    return frame


def sent(upstream: ScriptedUpstream) -> dict[str, Any]:
    """Return the fields of the last request."""
    fields: dict[str, Any] = json.loads(upstream.log[-1].body)
    return fields


async def test_request_goes_to_the_embeddings_of_the_configured_place() -> None:
    """Path, key and model are the target's; all else is the client's."""
    async with relayed("lab") as (relay, upstream):
        frame = await embed(relay, dimensions=4, user="u")
    assert upstream.log[0].path == "/v1/embeddings"
    assert upstream.log[0].headers["content-type"] == "application/json"
    assert sent(upstream) == {
        "model": "their/id",
        "input": ["a b", "c"],
        "dimensions": 4,
        "user": "u",
    }
    assert frame.meaning is Meaning.END
    assert frame.usage == Usage(input_tokens=3)
    vectors = [item["embedding"] for item in json.loads(frame.data)["data"]]
    assert vectors == [vector_of("a b", 4), vector_of("c", 4)]


@pytest.mark.parametrize("provider", ["openai", "mistral", "openrouter", "lab"])
async def test_provider_with_base64_is_asked_for_it(provider: str) -> None:
    """Its answer is relayed as it is."""
    async with relayed(provider) as (relay, upstream):
        frame = await embed(relay, encoding_format="base64")
    assert sent(upstream)["encoding_format"] == "base64"
    assert all(isinstance(item["embedding"], str) for item in json.loads(frame.data)["data"])


@pytest.mark.parametrize("provider", ["gemini", "deepinfra"])
async def test_provider_without_base64_is_not_asked_and_the_client_gets_it(provider: str) -> None:
    """What a provider cannot write we write; who wants numbers gets its own bytes."""
    async with relayed(provider) as (relay, upstream):
        coded = json.loads((await embed(relay, encoding_format="base64")).data)
        assert "encoding_format" not in sent(upstream)
        plain = json.loads((await embed(relay, encoding_format="float")).data)
        assert "encoding_format" not in sent(upstream)
    for item, numbers in zip(coded["data"], plain["data"], strict=True):
        raw = base64.b64decode(item["embedding"])
        assert raw == struct.pack(f"<{len(numbers['embedding'])}f", *numbers["embedding"])
        assert item["index"] == numbers["index"]
    assert coded["usage"] == plain["usage"]


async def test_provider_with_other_names_gets_them() -> None:
    """Mistral calls dimensions otherwise and refuses `user`: the frame says what was changed."""
    async with relayed("mistral") as (relay, upstream):
        frame = await embed(relay, dimensions=4, user="u")
        plain = await embed(relay)
    first = json.loads(upstream.log[0].body)
    assert first == {"model": "their/id", "input": ["a b", "c"], "output_dimension": 4}
    assert frame.changes == ("dimensions -> output_dimension", "user")
    assert plain.changes == ()


@pytest.mark.parametrize("provider", ["cerebras", "anthropic", "groq", "xai"])
async def test_provider_without_embeddings_refuses_and_is_sent_nothing(provider: str) -> None:
    """The error is the caller's to mend, names the provider, and another target may be tried."""
    async with relayed(provider) as (relay, upstream):
        with pytest.raises(Unsupported, match=f"'{provider}' has no embeddings") as caught:
            await embed(relay)
    assert not upstream.log
    assert (caught.value.status, caught.value.param) == (400, "model")
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("status=429,retry_after=3", Busy),
        ("status=400", Rejected),
        ("status=503", Rejected),
        ("status=302", Broken),
        ("status=204", Broken),
        ("error_in_200", Rejected),
        ("malformed_chunk=1", Broken),
        ({"body": '{"object":"list","data":[]}'}, Broken),
        ("cut_body=40", GatewayError),
    ],
)
async def test_failure_of_a_provider_is_the_error_that_it_is(
    behaviour: Any, error: type[GatewayError]
) -> None:
    """As in a chat, each kind of failure has its own error."""
    async with relayed("lab") as (relay, upstream):
        upstream.script(behaviour)
        with pytest.raises(error) as caught:
            await embed(relay)
    assert caught.value.retryable == (behaviour != "status=400")


async def test_slow_provider_is_given_up_and_its_connection_closed() -> None:
    """The deadline of the first token holds for the whole of what has no tokens."""
    async with relayed("lab") as (relay, upstream):
        upstream.script("delay=30")
        with pytest.raises(TimedOut):
            await embed(relay, Deadlines(first_token_s=0.2, total_s=5.0))
        await upstream.wait_for(lambda u: u.stats.open_connections == 0)


async def test_answer_without_usage_is_estimated_from_the_request() -> None:
    """However many numbers came, no output is on record."""
    async with relayed("lab") as (relay, upstream):
        upstream.script("usage=none")
        frame = await embed(relay)
    assert frame.usage is not None
    assert frame.usage.is_estimate
    assert frame.usage.total_output_tokens == 0
    assert frame.usage.input_tokens > 0
