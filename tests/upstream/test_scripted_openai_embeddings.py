"""Tests of the scripted upstream's embeddings, as the official SDK reads them."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from slipstream.upstream.scripted.openai_embeddings import DIMENSIONS
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    """A scripted upstream."""
    async with scripted_upstream() as running:
        yield running


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[AsyncOpenAI]:
    """The SDK's client of it."""
    async with AsyncOpenAI(
        base_url=upstream.base_url, api_key="sk-test", max_retries=0, timeout=10
    ) as sdk:
        yield sdk


async def test_vectors_belong_to_their_text(client: AsyncOpenAI) -> None:
    """The same text is the same vector, alone, in company and in either format."""
    many = await client.embeddings.create(model="m", input=["a b", "c", "a b"])
    one = await client.embeddings.create(model="m", input="a b", encoding_format="float")
    first, second, third = (item.embedding for item in many.data)
    assert first == third != second
    assert first == pytest.approx(one.data[0].embedding, rel=1e-6)
    assert sum(number**2 for number in first) == pytest.approx(1.0)
    assert len(first) == DIMENSIONS
    assert [item.index for item in many.data] == [0, 1, 2]
    assert many.usage.prompt_tokens == many.usage.total_tokens == 5


@pytest.mark.parametrize(
    ("given", "num_vectors", "num_tokens"),
    [([1, 2, 3], 1, 3), ([[1, 2], [3]], 2, 3), (["x"], 1, 1)],
)
async def test_every_form_of_input_is_read(
    client: AsyncOpenAI, given: Any, num_vectors: int, num_tokens: int
) -> None:
    """Token ids are one input, lists of them are many."""
    made = await client.embeddings.create(model="m", input=given, dimensions=3)
    assert [len(item.embedding) for item in made.data] == [3] * num_vectors
    assert made.usage.prompt_tokens == num_tokens


@pytest.mark.parametrize(
    "fields",
    [
        {"input": ""},
        {"input": []},
        {"input": ["a", 1]},
        {"input": ["a"] * 2049},
        {"encoding_format": "hex"},
        {"dimensions": 0},
    ],
)
async def test_what_a_provider_refuses_is_refused(
    client: AsyncOpenAI, fields: dict[str, Any]
) -> None:
    """A wrong request is a 400."""
    with pytest.raises(openai.BadRequestError):
        await client.embeddings.create(**{"model": "m", "input": "a", **fields})


async def test_behaviours_hold_for_embeddings_too(
    upstream: ScriptedUpstream, client: AsyncOpenAI
) -> None:
    """What fails on command in a chat fails here."""
    upstream.script("status=429")
    with pytest.raises(openai.RateLimitError):
        await client.embeddings.create(model="m", input="a")
    made = await client.embeddings.create(model="m?usage=none", input="a", encoding_format="float")
    assert made.model == "m"
    assert made.usage is None


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/openai/v1", {"input_type": "query"}, 400),
        ("/gemini/v1beta/openai", {"encoding_format": "base64"}, 400),
        ("/deepinfra/v1/openai", {"encoding_format": "base64"}, 422),
        ("/mistral/v1", {"dimensions": 4}, 422),
        ("/mistral/v1", {"user": "u"}, 422),
    ],
)
async def test_each_provider_refuses_what_it_does(
    upstream: ScriptedUpstream, path: str, fields: dict[str, Any], status: int
) -> None:
    """With its own status and in its own shape."""
    async with AsyncOpenAI(
        base_url=f"{upstream.origin}{path}", api_key="k", max_retries=0, timeout=10
    ) as sdk:
        asked = {"model": "m", "input": "a", "encoding_format": "float", **fields}
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.post("/embeddings", cast_to=object, body=asked)
    assert caught.value.status_code == status


async def test_mistral_has_its_own_name_for_dimensions(upstream: ScriptedUpstream) -> None:
    """The vectors are as long as it says."""
    async with AsyncOpenAI(
        base_url=f"{upstream.origin}/mistral/v1", api_key="k", max_retries=0, timeout=10
    ) as sdk:
        made = await sdk.embeddings.create(model="m", input="a", extra_body={"output_dimension": 3})
    assert len(made.data[0].embedding) == 3
