"""OpenAI programs at Cerebras, through the whole gateway: the official SDK's own requests."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream

CONFIG = """
[server]
port = 0
log = "off"

[providers.cerebras]
base_url = "{origin}/cerebras/v1"
api_key = "csk-secret"

[providers.lab]
dialect = "openai_chat"
base_url = "{origin}/v1"

[routes.both]
targets = ["cerebras/gpt-oss-120b", "lab/other"]

[models]
"""
MODEL = "cerebras/gpt-oss-120b"
HI: Any = [{"role": "user", "content": "one two three"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": None,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "pattern": "^[A-Z]"}},
            "required": ["city"],
        },
    },
}


@asynccontextmanager
async def gateway(home: Path) -> AsyncIterator[tuple[AsyncOpenAI, ScriptedUpstream]]:
    """Open a gateway whose Cerebras is scripted, and the SDK that asks it."""
    async with scripted_upstream() as upstream:
        path = home / "slipstream.toml"
        path.write_text(CONFIG.format(origin=upstream.origin))
        async with (
            running(load(path, {"SLIPSTREAM_HOME": str(home)})) as house,
            AsyncOpenAI(
                base_url=f"{house.url}/v1", api_key=house.first_key, max_retries=0, timeout=20
            ) as client,
        ):
            yield client, upstream


async def test_conversation_with_tools_goes_on_at_cerebras(tmp_path: Path) -> None:
    """The SDK's own message objects go back as they came; a hint of a schema may say anything."""
    async with gateway(tmp_path) as (client, upstream):
        ask: Any = client.chat.completions.with_raw_response.create
        first = await ask(
            model=MODEL, messages=HI, tools=[TOOL], store=True, parallel_tool_calls=True
        )
        message = first.parse().choices[0].message
        echoed = {**message.model_dump(), "reasoning_content": "because"}
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
        second = await ask(model=MODEL, messages=[*HI, echoed, result], tools=[TOOL])
        sent = json.loads(upstream.log[-1].body)
    assert first.headers["x-slipstream-changed"] == "store, parallel_tool_calls"
    assert message.tool_calls[0].function.name == "get_weather"
    changed = second.headers["x-slipstream-changed"]
    assert changed == "messages.1.reasoning_content -> reasoning"
    assert sent["messages"][1]["reasoning"] == "because"
    assert sent["tools"][0]["function"]["parameters"] == TOOL["function"]["parameters"]
    assert second.parse().choices[0].message.content


async def test_stream_is_read_by_the_sdk_with_usage_and_without_changes(tmp_path: Path) -> None:
    """The last chunk has a choice and the usage; an ordinary request says nothing of changes."""
    async with gateway(tmp_path) as (client, _):
        response = await client.chat.completions.with_raw_response.create(
            model=MODEL, messages=HI, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in response.parse()]
    assert "x-slipstream-changed" not in response.headers
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one two three"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_what_cerebras_cannot_do_is_refused_by_name_or_goes_to_the_next_target(
    tmp_path: Path,
) -> None:
    """A pinned target says why not; a route has another one, which gets the request unchanged."""
    form: Any = {"type": "json_object"}
    async with gateway(tmp_path) as (client, upstream):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(
                model=MODEL, messages=HI, tools=[TOOL], response_format=form
            )
        assert not upstream.log
        answer = await client.chat.completions.with_raw_response.create(
            model="both", messages=HI, tools=[TOOL], response_format=form, tool_choice="none"
        )
        sent = json.loads(upstream.log[-1].body)
    assert (caught.value.param, caught.value.code) == ("response_format", "unsupported_parameter")
    assert answer.headers["x-slipstream-target"] == "lab/other"
    assert "x-slipstream-changed" not in answer.headers
    assert sent["response_format"] == form


async def test_errors_of_cerebras_are_the_sdks_own(tmp_path: Path) -> None:
    """Flat or wrapped, they come out in OpenAI's shape with status and Retry-After."""
    async with gateway(tmp_path) as (client, upstream):
        upstream.script("status=429,code=token_quota_exceeded,retry_after=5")
        with pytest.raises(openai.RateLimitError) as busy:
            await client.chat.completions.create(model=MODEL, messages=HI)
        upstream.script("status=500")
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model=MODEL, messages=HI)
    assert busy.value.code == "token_quota_exceeded"
    assert busy.value.response.headers["retry-after"] == "5"
