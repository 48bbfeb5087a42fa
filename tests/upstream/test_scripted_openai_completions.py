"""The scripted upstream's text completions, asked by the official SDK."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI, BadRequestError, RateLimitError

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    """A scripted upstream."""
    async with scripted_upstream(clock=lambda: 1_700_000_000.0) as opened:
        yield opened


@pytest.fixture
async def sdk(upstream: ScriptedUpstream) -> AsyncIterator[AsyncOpenAI]:
    """A client that validates strictly and does not retry."""
    async with AsyncOpenAI(
        base_url=upstream.base_url,
        api_key="any",
        max_retries=0,
        timeout=10,
        _strict_response_validation=True,
    ) as client:
        yield client


async def test_prompt_is_said_again(sdk: AsyncOpenAI) -> None:
    """Stops and limits hold; what it costs can be foretold."""
    made = await sdk.completions.create(model="m", prompt="one two three four", max_tokens=3, n=2)
    assert [(c.text, c.finish_reason) for c in made.choices] == [("one two three", "length")] * 2
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (4, 6)
    stopped = await sdk.completions.create(model="m", prompt="one two three", stop=" three")
    assert (stopped.choices[0].text, stopped.choices[0].finish_reason) == ("one two", "stop")
    many = await sdk.completions.create(model="m", prompt=[[1, 2], [3]])
    assert [c.text for c in many.choices] == ["3", "3"]


async def test_stream_ends_with_usage_where_it_is_asked_for(upstream: ScriptedUpstream) -> None:
    """One word an event; the SDK's own types do not know the null of a chunk's finish."""
    async with AsyncOpenAI(base_url=upstream.base_url, api_key="any", max_retries=0) as sdk:
        for wants in (True, False):
            options: Any = {"stream_options": {"include_usage": True}} if wants else {}
            stream = await sdk.completions.create(model="m", prompt="a b", stream=True, **options)
            chunks = [chunk async for chunk in stream]
            assert "".join(c.text for chunk in chunks for c in chunk.choices) == "a b"
            told = [chunk.usage.total_tokens for chunk in chunks if chunk.usage is not None]
            assert told == ([4] if wants else [])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"extra_body": {"tools": []}}, "tools"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": [{"type": "text"}]}, "prompt"),
        ({"temperature": 3}, "temperature"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
async def test_request_that_openai_refuses_is_refused(
    sdk: AsyncOpenAI, fields: dict[str, Any], param: str
) -> None:
    """The error names the field."""
    with pytest.raises(BadRequestError) as caught:
        await sdk.completions.create(**{"model": "m", "prompt": "x", **fields})
    assert caught.value.param == param


async def test_errors_are_openais(sdk: AsyncOpenAI, upstream: ScriptedUpstream) -> None:
    """Before an answer as a status, after its first words as an event."""
    upstream.script("status=429")
    with pytest.raises(RateLimitError):
        await sdk.completions.create(model="m", prompt="x")
    upstream.script("error_after=0")
    stream = await sdk.completions.create(model="m", prompt="x", stream=True)
    with pytest.raises(APIError, match="scripted"):
        async for _ in stream:
            pass
