"""Text completions from end to end: the official SDK, the whole app, our own model, a provider."""

import asyncio
import json
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
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.flows.ledger_rows import read_rows
from tests.prepared_model import MODEL, prepared_directory
from tests.tiny_encoder import NAME, pull_encoder

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

LIMIT_S = 20.0
PROMPT = "The capital of France is"
CONFIG = """
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 167772160
start = "first_use"

[models.{chat}]

[models.{encoder}]

[providers.lab]
dialect = "openai_chat"
base_url = "{lab}"

[routes.mixed]
targets = ["lab/any", "local/{chat}"]
"""


@dataclass(frozen=True)
class House:
    """A running gateway and what stands behind it."""

    url: str
    key: str
    home: Path
    lab: ScriptedUpstream
    sdk: AsyncOpenAI


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A gateway with a language model, an encoder and a provider."""
    folder = tmp_path_factory.mktemp("house")
    home = folder / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / MODEL).symlink_to(prepared_directory())
    pull_encoder(home)
    async with scripted_upstream() as lab:
        path = folder / "slipstream.toml"
        path.write_text(CONFIG.format(chat=MODEL, encoder=NAME, lab=lab.base_url))
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
            assert gateway.first_key is not None
            async with AsyncOpenAI(
                base_url=f"{gateway.url}/v1",
                api_key=gateway.first_key,
                max_retries=0,
                timeout=60,
            ) as sdk:
                yield House(gateway.url, gateway.first_key, home, lab, sdk)


async def complete(house: House, **fields: Any) -> Any:
    """Ask for a greedy completion of eight tokens."""
    asked: dict[str, Any] = {"model": MODEL, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
    return await house.sdk.completions.create(**(asked | fields))


async def row_of_call(house: House, call_id: str) -> dict[str, Any]:
    """Wait for the ledger's one row of an answered call."""
    async with asyncio.timeout(LIMIT_S):
        while not (rows := [row for row in read_rows(house.home) if row["call_id"] == call_id]):
            await asyncio.sleep(0.02)
    [row] = rows
    return row


async def test_stream_says_the_plain_answer(house: House) -> None:
    """The same greedy text comes in pieces, with its end and its cost."""
    plain = await complete(house)
    assert plain.object == "text_completion"
    assert plain.id.startswith("cmpl-")
    [choice] = plain.choices
    assert choice.text
    assert choice.finish_reason == "length"
    assert plain.usage.completion_tokens == 8

    stream = await complete(house, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == choice.text
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 8
    assert chunks[-1].usage.prompt_tokens == plain.usage.prompt_tokens


async def test_sync_sdk_plain_and_stream_agree(house: House) -> None:
    """The other client of the SDK, and the path without /v1; OpenAI's default is 16 tokens."""

    def create() -> tuple[int, str, str]:
        with OpenAI(base_url=house.url, api_key=house.key, max_retries=0, timeout=60) as sdk:
            plain = sdk.completions.create(model=MODEL, prompt=PROMPT, temperature=0, user="u")
            stream = sdk.completions.create(model=MODEL, prompt=PROMPT, temperature=0, stream=True)
            text = "".join(chunk.choices[0].text for chunk in stream)
            assert plain.usage is not None
            return plain.usage.completion_tokens, plain.choices[0].text, text

    num_tokens, plain, streamed = await asyncio.to_thread(create)
    assert num_tokens <= 16
    assert plain == streamed


@pytest.mark.parametrize("stream", [False, True])
async def test_many_prompts_have_their_choices_in_order(house: House, stream: bool) -> None:
    """Choice k of prompt i has the index i * n + k; more prompts than the engine has at once."""
    prompts = [f"{PROMPT} {number}" for number in range(10)]
    answer = await complete(house, prompt=prompts, n=2, echo=True, max_tokens=2, stream=stream)
    texts = [""] * 20
    if stream:
        async for chunk in answer:
            texts[chunk.choices[0].index] += chunk.choices[0].text
    else:
        assert [choice.index for choice in answer.choices] == list(range(20))
        assert answer.usage.completion_tokens == 40
        texts = [choice.text for choice in answer.choices]
    for at, text in enumerate(texts):
        assert text.startswith(prompts[at // 2])
        assert len(text) > len(prompts[at // 2])


async def test_strict_validation_of_a_plain_answer_passes(house: House) -> None:
    """What we answer has the SDK's types; they know no null `finish_reason`, as chunks have."""
    strict = AsyncOpenAI(
        base_url=f"{house.url}/v1",
        api_key=house.key,
        max_retries=0,
        timeout=60,
        _strict_response_validation=True,
    )
    async with strict:
        made = await strict.completions.create(model=MODEL, prompt=PROMPT, logprobs=1, n=2)
        assert [choice.index for choice in made.choices] == [0, 1]


async def test_token_ids_are_read_as_they_are(house: House) -> None:
    """A prompt of five ids costs five tokens, alone or among others."""
    one = await complete(house, prompt=[11, 12, 13, 14, 15])
    two = await complete(house, prompt=[[11, 12, 13, 14, 15], [16, 17]])
    assert one.usage.prompt_tokens == 5
    assert two.usage.prompt_tokens == 7
    assert len(two.choices) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_logprobs_have_the_legacy_form(house: House, stream: bool) -> None:
    """Four arrays of one length; the tokens stand where their offsets say."""
    answer = await complete(house, logprobs=2, stream=stream)
    pieces = [c.choices[0] async for c in answer] if stream else [answer.choices[0]]
    text = "".join(piece.text for piece in pieces)
    said = [piece.logprobs for piece in pieces if piece.logprobs is not None]
    tokens = [token for part in said for token in part.tokens]
    offsets = [offset for part in said for offset in part.text_offset]
    logprobs = [number for part in said for number in part.token_logprobs]
    top = [likeliest for part in said for likeliest in part.top_logprobs]
    assert len(tokens) == len(offsets) == len(logprobs) == len(top) == 8
    for token, offset, logprob, likeliest in zip(tokens, offsets, logprobs, top, strict=True):
        assert text.startswith(token, offset)
        assert 2 <= len(likeliest) <= 3
        assert likeliest[token] == logprob == max(likeliest.values())  # greedy


async def test_best_of_gives_the_likeliest_and_bills_all(house: House) -> None:
    """Of four drawn answers the two likeliest come, the better first; all were generated."""
    answer = await complete(house, best_of=4, n=2, temperature=1.5, seed=7, logprobs=0)
    every = await complete(house, n=4, temperature=1.5, seed=7, logprobs=0)

    def means(said: Any) -> list[float]:
        numbers = [choice.logprobs.token_logprobs for choice in said.choices]
        return [sum(each) / len(each) for each in numbers]

    assert means(answer) == pytest.approx(sorted(means(every), reverse=True)[:2], abs=1e-4)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.usage.completion_tokens == every.usage.completion_tokens > 16


@pytest.mark.parametrize("stream", [False, True])
async def test_answer_has_a_row_that_says_what_it_cost(house: House, stream: bool) -> None:
    """All prompts of a call are one attempt: one row, with the sum of their tokens."""
    raw = await house.sdk.completions.with_raw_response.create(
        model=MODEL, prompt=[[1, 2], [3, 4, 5]], max_tokens=3, temperature=0, stream=stream
    )
    said: Any = raw.parse()
    if stream:
        _ = [chunk async for chunk in said]
    row = await row_of_call(house, raw.headers["x-request-id"])
    assert (row["state"], row["provider"], row["model"]) == ("complete", "local", MODEL)
    assert row["input_tokens"] + row["cache_read_tokens"] == 5
    assert row["output_tokens"] == 6
    assert row["cost_usd_pico"] == 0
    assert bool(row["is_stream"]) is stream


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"prompt": ""}, "prompt", "a text that is not empty"),
        ({"prompt": []}, "prompt", "1 to 128 items, got none"),
        ({"prompt": [[1], [10**8]]}, "prompt[1]", "100000000 is no token"),
        ({"prompt": [1] * 200_000}, "prompt", "context"),
        ({"max_tokens": 0}, "max_tokens", ">= 1"),
        ({"logprobs": 6}, "logprobs", "<= 5"),
        ({"n": 3, "best_of": 2}, "best_of", "at least n, 3, got 2"),
        ({"best_of": 2, "stream": True}, "best_of", "'stream'"),
        ({"suffix": "x"}, "suffix", "leave it out"),
        ({"echo": True, "logprobs": 1}, "echo", "'logprobs'"),
        ({"echo": True, "prompt": [1]}, "echo", "as text"),
        ({"extra_body": {"messages": []}}, "messages", "'prompt'"),
        ({"model": NAME}, "model", "not for completions.*/v1/embeddings"),
        ({"model": "lab/any", "echo": True}, "echo", "leave it out"),
        ({"model": "lab/any", "prompt": [1]}, "prompt", "send one text"),
    ],
)
async def test_wrong_request_is_a_400_that_says_what_is_wrong(
    house: House, fields: dict[str, Any], param: str, said: str
) -> None:
    """Field, value and what is accepted, in OpenAI's shape; no provider is asked."""
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        await complete(house, **fields)
    assert caught.value.param == param
    assert not house.lab.log


async def test_provider_of_chats_answers_a_prompt(house: House) -> None:
    """It is the user's one turn; the answer is a text completion."""
    made = await complete(house, model="lab/any", prompt="one two", max_tokens=5)
    assert [(c.text, c.finish_reason) for c in made.choices] == [("one two", "stop")]
    sent = json.loads(house.lab.log[-1].body)
    assert sent["messages"] == [{"role": "user", "content": "one two"}]
    house.lab.clear()


async def test_route_passes_over_a_provider_of_chats(house: House) -> None:
    """For what only a text model does, the model of ours that stands behind it answers."""
    raw = await house.sdk.completions.with_raw_response.create(
        model="mixed", prompt=PROMPT, max_tokens=2, logprobs=1
    )
    assert raw.headers["x-slipstream-target"] == f"local/{MODEL}"
    assert raw.headers["x-slipstream-attempts"] == "2"
    assert not house.lab.log


async def test_client_that_leaves_a_stream_frees_the_engine(house: House) -> None:
    """Its row says so, and the model answers the next one."""
    raw = await house.sdk.completions.with_raw_response.create(
        model=MODEL, prompt=[PROMPT] * 3, max_tokens=1000, stream=True
    )
    stream: Any = raw.parse()
    async for _ in stream:
        break
    await raw.http_response.aclose()
    row = await row_of_call(house, raw.headers["x-request-id"])
    assert row["state"] == "cancelled"
    assert (await complete(house)).choices[0].text
