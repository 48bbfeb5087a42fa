"""Embeddings from end to end: the official SDK, the whole app, our own model and providers."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, OpenAI

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.openai_embeddings import vector_of
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.engine.test_embedder import expected, unit
from tests.flows.ledger_rows import read_rows
from tests.flows.raw import ask, encode
from tests.prepared_model import MODEL, prepared_directory
from tests.tiny_encoder import CONTEXT_TOKENS, DIMENSIONS, NAME, pull_encoder

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

LIMIT_S = 20.0
PATH = "/v1/embeddings"
CONFIG = """
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 167772160
start = "first_use"

[models.{encoder}]
aliases = ["text-embedding-3-small"]

[models.{chat}]

[providers.lab]
dialect = "openai_chat"
base_url = "{lab}"

[providers.spare]
dialect = "openai_chat"
base_url = "{spare}"

[providers.openai]
base_url = "{lab}"
api_key = "k"

[providers.gemini]
base_url = "{lab}"
api_key = "k"

[providers.mistral]
base_url = "{lab}"
api_key = "k"

[providers.cerebras]
base_url = "{lab}"
api_key = "k"

[routes.chain]
targets = ["lab/first", "spare/second"]

[routes.mixed]
targets = ["cerebras/gpt-oss-120b", "local/{chat}", "local/{encoder}"]

[routes.nowhere]
targets = ["cerebras/gpt-oss-120b", "local/{chat}"]
"""


@dataclass(frozen=True)
class House:
    """A running gateway and what stands behind it."""

    url: str
    key: str
    home: Path
    lab: ScriptedUpstream
    spare: ScriptedUpstream
    sdk: AsyncOpenAI


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A gateway with an encoder, a language model and providers."""
    folder = tmp_path_factory.mktemp("house")
    home = folder / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / MODEL).symlink_to(prepared_directory())
    pull_encoder(home)
    async with scripted_upstream() as lab, scripted_upstream() as spare:
        path = folder / "slipstream.toml"
        path.write_text(
            CONFIG.format(encoder=NAME, chat=MODEL, lab=lab.base_url, spare=spare.base_url)
        )
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
            assert gateway.first_key is not None
            async with AsyncOpenAI(
                base_url=f"{gateway.url}/v1", api_key=gateway.first_key, max_retries=0, timeout=60
            ) as sdk:
                yield House(gateway.url, gateway.first_key, home, lab, spare, sdk)


@pytest.fixture
def house(opened: House) -> House:
    """The gateway, with nothing scripted and nothing logged."""
    opened.lab.clear()
    opened.spare.clear()
    return opened


async def rows_of_call(house: House, raw: Any, *, num: int) -> list[dict[str, Any]]:
    """Wait for the ledger's rows of one answered call; return them, first attempt first."""
    call_id = raw.headers["x-request-id"]
    async with asyncio.timeout(LIMIT_S):
        while True:
            rows = [row for row in read_rows(house.home) if row["call_id"] == call_id]
            if len(rows) >= num:
                assert len(rows) == num
                return rows
            await asyncio.sleep(0.02)


def sent(upstream: ScriptedUpstream) -> dict[str, Any]:
    """Return the fields of the last request to an upstream."""
    fields: dict[str, Any] = json.loads(upstream.log[-1].body)
    return fields


# ---- our own model ------------------------------------------------------------------------------


async def test_own_model_gives_the_sdk_its_vectors(house: House) -> None:
    """The SDK asks base64 by itself, and reads the vectors that the model makes."""
    ids = [[11, 12, 13], [14]]
    made = await house.sdk.embeddings.create(model=NAME, input=ids)

    assert made.model == NAME
    assert made.object == "list"
    assert (made.usage.prompt_tokens, made.usage.total_tokens) == (4, 4)
    for item, token_ids in zip(made.data, ids, strict=True):
        assert item.embedding == pytest.approx(unit(expected(token_ids)).tolist(), abs=1e-5)
    assert [item.index for item in made.data] == [0, 1]


async def test_every_form_of_input_and_format_agrees(house: House) -> None:
    """A text alone, in a list, as numbers or as base64 is one vector, under name and alias."""
    texts = ["The sea is calm tonight.", "Hello"]
    many = await house.sdk.embeddings.create(model=f"local/{NAME}", input=texts)
    one = await house.sdk.embeddings.create(
        model="text-embedding-3-small", input=texts[0], encoding_format="float"
    )
    coded = await house.sdk.embeddings.create(model=NAME, input=texts, encoding_format="base64")

    assert one.model == "text-embedding-3-small"
    assert one.data[0].embedding == pytest.approx(many.data[0].embedding, abs=1e-6)
    for item, same in zip(coded.data, many.data, strict=True):
        raw = base64.b64decode(str(item.embedding))
        assert list(struct.unpack(f"<{DIMENSIONS}f", raw)) == same.embedding


async def test_sync_sdk_and_shorter_vectors(house: House) -> None:
    """The other client of the SDK, and the other path that some programs use."""

    def create() -> list[float]:
        with OpenAI(base_url=house.url, api_key=house.key, max_retries=0, timeout=60) as sdk:
            made = sdk.embeddings.create(model=NAME, input="Hello", dimensions=3, user="u")
            return made.data[0].embedding

    vector = await asyncio.to_thread(create)
    assert len(vector) == 3
    assert sum(number**2 for number in vector) == pytest.approx(1.0, abs=1e-5)


async def test_two_thousand_inputs_are_one_answer(house: House) -> None:
    """As many as OpenAI takes, in order, over several portions."""
    ids = [[number % 1000 + 1] * 20 for number in range(2048)]
    made = await house.sdk.embeddings.create(model=NAME, input=ids)
    assert [item.index for item in made.data] == list(range(2048))
    assert made.usage.prompt_tokens == 2048 * 20
    for number in (0, 999, 2047):
        vector = unit(expected(ids[number])).tolist()
        assert made.data[number].embedding == pytest.approx(vector, abs=1e-4)


async def test_own_model_has_a_row_and_costs_nothing(house: House) -> None:
    """The tokens that were read are on record, no token was written."""
    raw = await house.sdk.embeddings.with_raw_response.create(model=NAME, input=[[1, 2], [3]])
    assert raw.headers["x-slipstream-target"] == f"local/{NAME}"
    assert raw.headers["x-slipstream-cost-usd"] == "0"
    assert raw.headers["x-request-id"]

    [row] = await rows_of_call(house, raw, num=1)
    assert row["state"] == "complete"
    assert (row["provider"], row["model"], row["route"]) == ("local", NAME, f"local/{NAME}")
    assert (row["input_tokens"], row["output_tokens"]) == (3, 0)
    assert row["cost_usd_pico"] == 0
    assert not row["is_estimate"]
    assert not row["is_stream"]


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"input": ""}, "input", "a text that is not empty"),
        ({"input": []}, "input", "1 to 2048 items, got none"),
        ({"input": ["a", ""]}, "input[1]", "length >= 1"),
        ({"input": ["a"] * 2049}, "input", "1 to 2048 items, got 2049"),
        ({"input": [1] * (CONTEXT_TOKENS + 1)}, "input", "context is 64 tokens"),
        ({"dimensions": DIMENSIONS + 1}, "dimensions", "vectors have 8, got 9"),
        ({"encoding_format": "hex"}, "encoding_format", "'float' or 'base64', got 'hex'"),
        ({"extra_body": {"input_type": "query"}}, "input_type", "'input_type'"),
        ({"extra_body": {"stream": True}}, "stream", "leave it out"),
        ({"model": MODEL}, "model", f"'{MODEL}' is for chat, not for embeddings"),
        ({"model": "cerebras/gpt-oss-120b"}, "model", "'cerebras' has no embeddings models"),
        ({"model": "nowhere"}, "model", "cerebras/.*: it does not offer embeddings; local/"),
    ],
)
async def test_wrong_request_is_a_400_that_says_what_is_wrong(
    house: House, fields: dict[str, Any], param: str | None, said: str
) -> None:
    """Field, value and what is accepted, in OpenAI's shape; no provider is asked."""
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        await house.sdk.embeddings.create(**{"model": NAME, "input": "a", **fields})
    assert caught.value.param == param
    assert not house.lab.log


async def test_embeddings_model_asked_to_chat_says_where_it_is_asked(house: House) -> None:
    """The reverse mistake is a clear 400, too."""
    with pytest.raises(openai.BadRequestError, match=r"not for chat.*/v1/embeddings") as caught:
        await house.sdk.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": "a"}]
        )
    assert caught.value.code == "model_not_supported"


async def test_unknown_model_and_unknown_key(house: House) -> None:
    """What holds for chat holds here."""
    with pytest.raises(openai.NotFoundError, match="'tiny-encode' does not exist"):
        await house.sdk.embeddings.create(model="tiny-encode", input="a")
    with pytest.raises(openai.AuthenticationError):
        await house.sdk.with_options(api_key="sk-wrong").embeddings.create(model=NAME, input="a")
    answer = await ask(house.url, encode("GET", PATH, house.key, b""))
    assert answer.status == 405


# ---- providers ----------------------------------------------------------------------------------


async def test_provider_answer_is_relayed_byte_for_byte(house: House) -> None:
    """What the provider wrote is what the client gets; what the client wrote goes on."""
    body = b'{"model":"lab/any","input":["\\u0061 b", "c"],"x":{"y" :1}}'
    house.lab.script({"body": '{"data": [ {"embedding":[0.10, 1e0]} ], "usage":{}, "z":1}'})
    answer = await ask(house.url, encode("POST", PATH, house.key, body))
    assert answer.status == 200
    assert answer.body == b'{"data": [ {"embedding":[0.10, 1e0]} ], "usage":{}, "z":1}'
    assert house.lab.log[0].body == b'{"model":"any","input":["\\u0061 b", "c"],"x":{"y" :1}}'
    assert house.lab.log[0].path == "/v1/embeddings"


async def test_provider_row_has_the_stated_tokens_and_their_price(house: House) -> None:
    """Tokens read are priced by the model's rate, exactly; the header says the same."""
    raw = await house.sdk.embeddings.with_raw_response.create(
        model="openai/text-embedding-3-small", input=["one two", "three"]
    )
    made = raw.parse()
    assert made.data[0].embedding == pytest.approx(vector_of("one two", 8), rel=1e-6)

    [row] = await rows_of_call(house, raw, num=1)
    assert (row["input_tokens"], row["output_tokens"]) == (3, 0)
    assert row["cost_usd_pico"] == 3 * 20_000  # 0.02 USD per million
    assert raw.headers["x-slipstream-cost-usd"] == "0.00000006"


async def test_provider_that_states_no_usage_is_estimated(house: House) -> None:
    """Long vectors are no output."""
    house.lab.script("usage=none")
    raw = await house.sdk.embeddings.with_raw_response.create(
        model="lab/any", input="x" * 400, dimensions=2000
    )
    [row] = await rows_of_call(house, raw, num=1)
    assert row["is_estimate"]
    assert row["output_tokens"] == 0
    assert 100 <= row["input_tokens"] < 150


async def test_provider_with_numbers_only_serves_a_client_of_base64(house: House) -> None:
    """The SDK's default meets a provider that refuses it, and both get what they want."""
    made = await house.sdk.embeddings.create(model="gemini/gemini-embedding-001", input=["a", "b"])
    assert "encoding_format" not in sent(house.lab)
    assert made.data[1].embedding == pytest.approx(vector_of("b", 8), rel=1e-6)


async def test_field_that_a_provider_refuses_is_left_out_and_named(house: House) -> None:
    """Nothing is dropped silently."""
    raw = await house.sdk.embeddings.with_raw_response.create(
        model="mistral/mistral-embed", input="a", user="u", dimensions=4
    )
    assert raw.headers["x-slipstream-changed"] == "dimensions -> output_dimension, user"
    assert sent(house.lab)["output_dimension"] == 4
    assert not {"user", "dimensions"} & set(sent(house.lab))


# ---- routes -------------------------------------------------------------------------------------


async def test_fallback_has_a_row_for_each_attempt(house: House) -> None:
    """A target that fails is followed by the next; the client sees one whole answer."""
    house.lab.script("status=503")
    raw = await house.sdk.embeddings.with_raw_response.create(model="chain", input="a b")
    assert raw.headers["x-slipstream-target"] == "spare/second"
    assert raw.headers["x-slipstream-attempts"] == "2"
    assert raw.parse().data[0].embedding == pytest.approx(vector_of("a b", 8), rel=1e-6)

    failed, served = await rows_of_call(house, raw, num=2)
    assert failed["call_id"] == served["call_id"]
    assert (failed["state"], served["state"]) == ("failed", "complete")
    assert failed["http_status"] == 503
    assert (failed["input_tokens"], served["input_tokens"]) == (0, 2)
    assert served["route"] == "chain"


async def test_targets_that_do_not_embed_are_passed_over(house: House) -> None:
    """A route of chat models that ends with an encoder serves embeddings with that one."""
    raw = await house.sdk.embeddings.with_raw_response.create(model="mixed", input="Hello")
    assert raw.headers["x-slipstream-target"] == f"local/{NAME}"
    assert raw.headers["x-slipstream-attempts"] == "1"
    assert not house.lab.log


async def test_fault_of_the_client_is_not_tried_elsewhere(house: House) -> None:
    """A provider that says what is wrong with the request is believed."""
    house.lab.script("status=400")
    with pytest.raises(openai.BadRequestError):
        await house.sdk.embeddings.create(model="chain", input="a")
    assert not house.spare.log


async def test_client_that_gives_up_closes_the_upstream(house: House) -> None:
    """A client that has left is noticed while nothing has come yet, and its row says so."""
    house.lab.script("delay=60")
    with pytest.raises(openai.APITimeoutError):
        await house.sdk.with_options(timeout=0.3).embeddings.create(model="lab/left", input="a")
    await house.lab.wait_for(lambda lab: lab.log[-1].ending is not None)
    assert house.lab.log[-1].ending == "client_closed_before_first_byte"

    async with asyncio.timeout(LIMIT_S):
        while not (rows := [r for r in read_rows(house.home) if r["model"] == "left"]):
            await asyncio.sleep(0.02)
    assert [row["state"] for row in rows] == ["cancelled"]
    assert rows[0]["output_tokens"] == 0


async def test_strict_validation_of_every_answer_passes(house: House) -> None:
    """What we answer and relay has the SDK's types (which know numbers only, not base64)."""
    strict = AsyncOpenAI(
        base_url=f"{house.url}/v1",
        api_key=house.key,
        max_retries=0,
        timeout=60,
        _strict_response_validation=True,
    )
    async with strict:
        for model in (NAME, "lab/any", "gemini/gemini-embedding-001"):
            made = await strict.embeddings.create(
                model=model, input=["a", "b"], encoding_format="float"
            )
            assert [len(item.embedding) for item in made.data] == [8, 8]


async def test_metrics_count_embeddings(house: House) -> None:
    """An operator sees them beside the chats."""
    await house.sdk.embeddings.create(model="spare/counted", input="a")
    answer = await ask(house.url, encode("GET", "/metrics", house.key, b""))
    assert b'target="spare/counted"' in answer.body
