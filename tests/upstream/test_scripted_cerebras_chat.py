"""The scripted upstream as Cerebras: strict, with its chunks and errors, as the SDKs read them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from cerebras.cloud.sdk import APIStatusError, AsyncCerebras, BadRequestError, RateLimitError
from openai import AsyncOpenAI

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream

HELLO: Any = [{"role": "user", "content": "one two three"}]
MODEL = "gpt-oss-120b"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000.5) as running:
        yield running


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[AsyncCerebras]:
    # Warming blocks the loop in which the server runs.
    async with AsyncCerebras(
        base_url=f"{upstream.origin}/cerebras",
        api_key="csk-test",
        max_retries=0,
        timeout=10,
        warm_tcp_connection=False,
    ) as sdk:
        yield sdk


async def ask(client: AsyncCerebras, **fields: Any) -> Any:
    """Ask for an answer or a stream."""
    return await client.chat.completions.create(**{"model": MODEL, "messages": HELLO, **fields})


async def test_answer_is_cerebras_own(client: AsyncCerebras) -> None:
    """The SDK finds what only Cerebras tells: reasoning under its name, and times."""
    answer = await ask(client, model=f"{MODEL}?reasoning=2&cached=128")
    [choice] = answer.choices
    assert (choice.message.content, choice.message.reasoning) == ("one two three", "hmm hmm ")
    assert answer.model == MODEL
    assert answer.id.startswith("chatcmpl-")
    assert answer.time_info.total_time == 0.008
    assert answer.usage.prompt_tokens_details.cached_tokens == 128
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2
    assert answer.usage.completion_tokens == 5


async def test_stream_ends_with_usage_beside_the_choice(client: AsyncCerebras) -> None:
    """Every chunk has a choice; the last one finishes and tells what it cost, unasked."""
    chunks = [chunk async for chunk in await ask(client, model=f"{MODEL}?reasoning=1", stream=True)]
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert [d.reasoning for d in deltas if d.reasoning] == ["hmm "]
    assert "".join(d.content or "" for d in deltas) == "one two three"
    last = chunks[-1]
    assert (last.choices[0].finish_reason, last.usage.completion_tokens) == ("stop", 4)
    assert last.time_info.queue_time == 0.001
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_usage_can_be_left_out(client: AsyncCerebras) -> None:
    """As every upstream may."""
    answer = await ask(client, model=f"{MODEL}?usage=none")
    assert answer.usage is None
    chunks = [chunk async for chunk in await ask(client, model=f"{MODEL}?usage=none", stream=True)]
    assert (chunks[-1].usage, chunks[-1].choices[0].finish_reason) == (None, "stop")


async def test_tool_call_comes_whole_in_one_chunk(client: AsyncCerebras) -> None:
    """Arguments are not split."""
    stream = await ask(client, tools=[WEATHER], stream=True)
    calls = [
        d.tool_calls for c in [c async for c in stream] if (d := c.choices[0].delta).tool_calls
    ]
    [[call]] = calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "string"},
    )
    named = {"type": "function", "function": {"name": "get_weather"}}
    answer = await ask(client, tools=[WEATHER], tool_choice=named, n=2)
    assert [choice.finish_reason for choice in answer.choices] == ["tool_calls"] * 2


async def test_schema_gets_an_instance(client: AsyncCerebras) -> None:
    """A strict schema, one that is only a hint, and any object."""
    schema = {**WEATHER["function"]["parameters"], "additionalProperties": False}
    for is_strict in (True, False):
        form = {"name": "s", "strict": is_strict, "schema": schema}
        answer = await ask(client, response_format={"type": "json_schema", "json_schema": form})
        assert json.loads(answer.choices[0].message.content) == {"city": "string"}
    answer = await ask(client, response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"answer": "one two three"}


async def test_limit_and_stop_end_the_answer(client: AsyncCerebras) -> None:
    """The rest of the script is the same for every dialect."""
    short = await ask(client, max_completion_tokens=2)
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == (
        "one two",
        "length",
    )
    stopped = await ask(client, stop=["three"], max_completion_tokens=-1)
    assert stopped.choices[0].message.content == "one two "


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"store": True}, "body.store: property 'body.store' is unsupported"),
        (
            {"tools": [WEATHER], "response_format": {"type": "text"}},
            '"tools" is incompatible with "response_format"',
        ),
    ],
)
async def test_request_is_read_as_strictly_as_there(
    client: AsyncCerebras, extra: dict[str, Any], message: str
) -> None:
    """In the documented words, in the flat shape."""
    with pytest.raises(BadRequestError) as caught:
        await ask(client, extra_body=extra)
    body: Any = caught.value.body
    assert (body["message"], body["code"]) == (message, "wrong_api_format")
    assert set(body) == {"message", "type", "param", "code"}


async def test_scripted_errors_have_its_shapes(client: AsyncCerebras) -> None:
    """Flat below 500, wrapped from there on; a code that is asked for is told."""
    with pytest.raises(RateLimitError) as busy:
        await ask(client, model=f"{MODEL}?status=429&code=token_quota_exceeded&retry_after=56")
    assert busy.value.body["code"] == "token_quota_exceeded"  # type: ignore[index]
    assert busy.value.response.headers["retry-after"] == "56"
    with pytest.raises(APIStatusError) as failed:
        await ask(client, model=f"{MODEL}?status=500")
    assert failed.value.response.json()["status_code"] == 500
    stream = await ask(client, model=f"{MODEL}?error_after=2", stream=True)
    with pytest.raises(APIStatusError):
        [chunk async for chunk in stream]


async def test_openai_sdk_reads_it_too(upstream: ScriptedUpstream) -> None:
    """The path alone decides the dialect."""
    async with AsyncOpenAI(
        base_url=f"{upstream.origin}/cerebras/v1", api_key="k", max_retries=0, timeout=10
    ) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
        assert answer.choices[0].message.content == "one two three"
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model=MODEL, messages=HELLO, store=True)


async def test_warming_is_answered(upstream: ScriptedUpstream) -> None:
    """Its SDKs ask for it before anything else."""
    async with AsyncOpenAI(base_url=f"{upstream.origin}/cerebras/v1", api_key="k") as client:
        response = await client.get("/tcp_warming", cast_to=object)
    assert response == {}
