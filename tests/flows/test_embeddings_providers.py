"""Embeddings at every provider that has them, asked by the official SDK through the whole app."""

from collections.abc import AsyncIterator

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from slipstream.app import running
from slipstream.catalog.providers import BY_NAME as ROWS
from slipstream.config import load
from slipstream.upstream.scripted.openai_embeddings import vector_of
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.engine.test_embedder import expected, unit
from tests.tiny_encoder import NAME, pull_encoder

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

# Where each provider's own rules hold, and a model of its.
PROVIDERS = {
    "openai": ("/openai/v1", "text-embedding-3-small"),
    "gemini": ("/gemini/v1beta/openai", "gemini-embedding-001"),
    "deepinfra": ("/deepinfra/v1/openai", "BAAI/bge-m3"),
    "mistral": ("/mistral/v1", "mistral-embed"),
    "openrouter": ("/openrouter/api/v1", "openai/text-embedding-3-small"),
    "vllm": ("/v1", "BAAI/bge-m3"),
    "ollama": ("/v1", "nomic-embed-text"),
    "llama-server": ("/v1", "any"),
    "lm-studio": ("/v1", "any"),
}
WITHOUT = {
    "cerebras": "gpt-oss-120b",
    "anthropic": "claude-opus-5-5",
    "groq": "openai/gpt-oss-120b",
    "xai": "grok-4.7",
}
CONFIG = """
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 167772160
start = "first_use"

[models.{encoder}]

[providers.second]
like = "vllm"
base_url = "{origin}/v1"
"""
TEXTS = ["one two", "three"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[AsyncOpenAI, ScriptedUpstream]]:
    """A gateway with every provider, and an encoder of our own."""
    home = tmp_path_factory.mktemp("house")
    pull_encoder(home)
    async with scripted_upstream() as upstream:
        path = home / "slipstream.toml"
        tables = [CONFIG.format(encoder=NAME, origin=upstream.origin)]
        for name in (*PROVIDERS, *WITHOUT):
            place = PROVIDERS.get(name, ("/v1", ""))[0]
            key = 'api_key = "k"\n' if PROVIDERS.get(name, ("",))[0] != "/v1" else ""
            tables.append(f'[providers.{name}]\nbase_url = "{upstream.origin}{place}"\n{key}')
        path.write_text("\n".join(tables))
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
            assert gateway.first_key is not None
            async with AsyncOpenAI(
                base_url=f"{gateway.url}/v1", api_key=gateway.first_key, max_retries=0, timeout=60
            ) as sdk:
                yield sdk, upstream


@pytest.fixture
def sdk(house: tuple[AsyncOpenAI, ScriptedUpstream]) -> AsyncOpenAI:
    """The client."""
    return house[0]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_sdk_gets_its_vectors_in_every_format(sdk: AsyncOpenAI, provider: str) -> None:
    """By default it asks for base64, which some providers cannot write; numbers are the same."""
    model = f"{provider}/{PROVIDERS[provider][1]}"
    coded = await sdk.embeddings.create(model=model, input=TEXTS)
    plain = await sdk.embeddings.create(model=model, input=TEXTS, encoding_format="float")
    for made in (coded, plain):
        assert [item.index for item in made.data] == [0, 1]
        for item, text in zip(made.data, TEXTS, strict=True):
            assert item.embedding == pytest.approx(vector_of(text, 8), rel=1e-6)
        assert (made.usage.prompt_tokens, made.usage.total_tokens) == (3, 3)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_dimensions_and_user_are_taken_everywhere(
    house: tuple[AsyncOpenAI, ScriptedUpstream], provider: str
) -> None:
    """Under whatever name; what a provider refuses is left out, and named."""
    sdk, upstream = house
    raw = await sdk.embeddings.with_raw_response.create(
        model=f"{provider}/{PROVIDERS[provider][1]}", input="a", dimensions=4, user="u"
    )
    assert len(raw.parse().data[0].embedding) == 4
    changed = raw.headers.get("x-slipstream-changed", "")
    assert changed == ("dimensions -> output_dimension, user" if provider == "mistral" else "")
    assert upstream.log[-1].path == f"{PROVIDERS[provider][0]}/embeddings"


@pytest.mark.parametrize("provider", WITHOUT)
async def test_provider_without_embeddings_refuses_clearly(
    house: tuple[AsyncOpenAI, ScriptedUpstream], provider: str
) -> None:
    """It names the provider and what to mend; nothing is sent."""
    sdk, upstream = house
    num_before = len(upstream.log)
    with pytest.raises(openai.BadRequestError, match=f"'{provider}' has no embeddings") as caught:
        await sdk.embeddings.create(model=f"{provider}/{WITHOUT[provider]}", input="a")
    assert caught.value.param == "model"
    assert len(upstream.log) == num_before


async def test_server_that_is_like_another_serves_under_its_own_name(
    house: tuple[AsyncOpenAI, ScriptedUpstream],
) -> None:
    """And needs no key."""
    sdk, upstream = house
    made = await sdk.embeddings.create(model="second/any", input="one two")
    assert made.data[0].embedding == pytest.approx(vector_of("one two", 8), rel=1e-6)
    assert "authorization" not in upstream.log[-1].headers


async def test_own_encoder_stands_beside_the_providers(sdk: AsyncOpenAI) -> None:
    """The same call, to a model that runs here."""
    made = await sdk.embeddings.create(model=NAME, input=[[11, 12, 13]])
    [item] = made.data
    assert item.embedding == pytest.approx(unit(expected([11, 12, 13])).tolist(), abs=1e-5)


async def test_error_of_a_provider_arrives_with_its_wait(
    house: tuple[AsyncOpenAI, ScriptedUpstream],
) -> None:
    """Gemini says in the body when to come back: the client's SDK reads it in a header."""
    sdk, upstream = house
    upstream.script("status=429,retry_after=34.5")
    with pytest.raises(openai.RateLimitError) as caught:
        await sdk.embeddings.create(model="gemini/gemini-embedding-001", input="a")
    assert caught.value.response.headers["retry-after"] == "35"
    assert caught.value.response.headers["x-should-retry"] == "true"


async def test_every_row_is_in_one_of_the_tables() -> None:
    """A new provider must say whether it has embeddings."""
    from_rows = {name for name, row in ROWS.items() if row.embeddings is not None}
    assert (from_rows, set(ROWS) - from_rows) == (set(PROVIDERS), set(WITHOUT))
