"""Wishes of single requests, said by the official SDKs: who gets them, and what providers see."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from anthropic import AsyncAnthropic
from cerebras.cloud.sdk import AsyncCerebras

from tests.flows.routing_house import RoutingHouse, routing_house

HI: Any = [{"role": "user", "content": "three small words"}]
WISHES = {"slipstream": {"strategy": "fastest", "quality": None, "explain": True}}
KINDS = {"first": "chat", "second": "chat", "gpt": "responses", "claude": "messages"}
ROUTES = """
[routes.chain]
targets = [{first}, {second}]
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[RoutingHouse]:
    """A gateway with a route and a provider of each dialect."""
    async with routing_house(tmp_path, KINDS, ROUTES) as opened:
        yield opened


def last_body(house: RoutingHouse, name: str) -> bytes:
    """Return what a provider got last."""
    return house.upstreams[name].log[-1].body


Asks = Callable[[RoutingHouse, dict[str, Any]], Awaitable[object]]


async def _chat(house: RoutingHouse, more: dict[str, Any]) -> object:
    async with house.client() as client:
        return await client.chat.completions.create(
            model=house.targets["gpt"], messages=HI, extra_body=more
        )


async def _stream(house: RoutingHouse, more: dict[str, Any]) -> object:
    async with house.client() as client:
        events = await client.chat.completions.create(
            model=house.targets["gpt"], messages=HI, extra_body=more, stream=True
        )
        return [event async for event in events]


async def _responses(house: RoutingHouse, more: dict[str, Any]) -> object:
    async with house.client() as client:
        return await client.responses.create(
            model=house.targets["gpt"], input="three small words", extra_body=more, store=False
        )


async def _embeddings(house: RoutingHouse, more: dict[str, Any]) -> object:
    async with house.client() as client:
        return await client.embeddings.create(
            model="gpt/text-embedding-3-small", input="three small words", extra_body=more
        )


async def _messages(house: RoutingHouse, more: dict[str, Any]) -> object:
    async with AsyncAnthropic(base_url=house.url, api_key=house.key, max_retries=0) as client:
        return await client.messages.create(
            model=house.targets["claude"], messages=HI, max_tokens=50, extra_body=more
        )


async def _counting(house: RoutingHouse, more: dict[str, Any]) -> object:
    async with AsyncAnthropic(base_url=house.url, api_key=house.key, max_retries=0) as client:
        return await client.messages.count_tokens(
            model=house.targets["claude"], messages=HI, extra_body=more
        )


async def _cerebras(house: RoutingHouse, more: dict[str, Any]) -> object:
    async with AsyncCerebras(
        base_url=house.url, api_key=house.key, max_retries=0, warm_tcp_connection=False
    ) as client:
        return await client.chat.completions.create(
            model=house.targets["gpt"], messages=HI, extra_body=more
        )


ASKS: dict[str, tuple[Asks, str]] = {
    "chat": (_chat, "gpt"),
    "stream": (_stream, "gpt"),
    "responses": (_responses, "gpt"),
    "embeddings": (_embeddings, "gpt"),
    "messages": (_messages, "claude"),
    "counting": (_counting, "claude"),
    "cerebras": (_cerebras, "gpt"),
}


@pytest.mark.parametrize("name", ASKS)
async def test_provider_sees_the_request_without_the_wishes(house: RoutingHouse, name: str) -> None:
    """Byte for byte what it gets of a request that says none."""
    ask, provider = ASKS[name]
    await ask(house, {})
    plain = last_body(house, provider)
    await ask(house, WISHES)
    assert last_body(house, provider) == plain
    assert b"slipstream" not in plain
    assert house.num_asked(provider) == 2


@pytest.mark.parametrize("name", [n for n in ASKS if n not in ("counting", "embeddings")])
async def test_wrong_wish_is_refused_in_the_words_of_its_dialect(
    house: RoutingHouse, name: str
) -> None:
    """It names the field and the nearest word, and nobody is asked."""
    ask, provider = ASKS[name]
    errors = (openai.BadRequestError, anthropic.BadRequestError, Exception)
    with pytest.raises(errors, match=r"slipstream\.strategy.*Did you mean .*fastest"):
        await ask(house, {"slipstream": {"strategy": "fastst"}})
    assert house.num_asked(provider) == 0


async def test_models_are_tried_in_their_order(house: RoutingHouse) -> None:
    """The request's own model first, then OpenRouter's list; no provider sees it."""
    house.upstreams["first"].script("status=503", requests=4)
    async with house.client() as client:
        told = await client.chat.completions.with_raw_response.create(
            model=house.targets["first"],
            messages=HI,
            extra_body={"models": [house.targets["second"]]},
        )
    assert told.headers["x-slipstream-target"] == house.targets["second"]
    assert house.num_asked("first") == 1
    assert b"models" not in last_body(house, "second")


async def test_header_says_the_same_and_wins(house: RoutingHouse) -> None:
    """Key by key above the body, in either form."""
    body = {"slipstream": {"targets": [house.targets["first"]]}}
    for said in (
        f"targets={house.targets['second']}; max_attempts=1",
        json.dumps({"targets": [house.targets["second"]], "max_attempts": 1}),
    ):
        async with house.client() as client:
            told = await client.chat.completions.with_raw_response.create(
                model="chain", messages=HI, extra_body=body, extra_headers={"x-slipstream": said}
            )
        assert told.headers["x-slipstream-target"] == house.targets["second"]
    assert house.num_asked("first") == 0


async def test_cerebras_profile_refuses_what_cerebras_does(house: RoutingHouse) -> None:
    """A list of models is no key of its; in our own object it is."""
    with pytest.raises(Exception, match="models"):
        await _cerebras(house, {"models": [house.targets["second"]]})
    house.upstreams["gpt"].script("status=503", requests=4)
    wish = {"slipstream": {"models": [house.targets["gpt"], house.targets["second"]]}}
    await _cerebras(house, wish)
    assert house.num_asked("second") == 1


async def test_answer_in_the_background_keeps_its_wishes(house: RoutingHouse) -> None:
    """They go with the request that is made later; the SDK's own patience does not."""
    async with house.client(timeout=3.0) as client:
        asked = await client.responses.create(
            model="chain",
            input="three small words",
            background=True,
            extra_body={"slipstream": {"targets": [house.targets["second"]]}},
        )
        async with asyncio.timeout(20):
            while asked.status in ("queued", "in_progress"):
                await asyncio.sleep(0.02)
                asked = await client.responses.retrieve(asked.id)
    assert asked.status == "completed"
    assert house.num_asked("first") == 0
    assert house.num_asked("second") == 1
    assert b"slipstream" not in last_body(house, "second")


async def test_plain_answer_takes_no_longer_than_its_sdk_waits(house: RoutingHouse) -> None:
    """A stream may: what the SDK says is the time between two reads of one."""
    headers = {"authorization": f"Bearer {house.key}", "x-stainless-read-timeout": "0.2"}
    house.upstreams["first"].script("stall_after=0")
    house.upstreams["second"].script("delay=1.5")
    body = {"model": house.targets["first"], "messages": HI}
    stream = {"model": house.targets["second"], "messages": HI, "stream": True}
    async with httpx.AsyncClient(timeout=20) as client:
        plain, told = [
            await client.post(f"{house.url}/v1/chat/completions", json=each, headers=headers)
            for each in (body, stream)
        ]
    assert plain.status_code == 504
    assert plain.json()["error"]["code"] == "upstream_timeout"
    assert told.status_code == 200
    assert told.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("way", ["chat", "completions", "messages", "responses"])
@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_empty_answer_goes_to_the_next_target(
    house: RoutingHouse, way: str, *, is_stream: bool
) -> None:
    """Plain and streamed; where nobody else can, the client gets the empty answer itself."""
    house.upstreams["first"].script("empty")
    told = await house.ask("chain", way=way, is_stream=is_stream)
    assert not told.failure
    assert "small" in told.text
    assert (house.num_asked("first"), house.num_asked("second")) == (1, 1)
    house.upstreams["second"].script("empty")
    alone = await house.ask(house.targets["second"], way=way, is_stream=is_stream)
    assert alone.failure == "another answer: ''"  # which no error is
