"""What answers show of rate limits is told of attempts that are weighed, whatever the answer is."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Secret
from slipstream.choice import Attempt, Deadlines, Room, Target
from slipstream.errors import Busy
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.keyed import leaf_of, relays_of
from slipstream.upstream.relay import Endpoint
from slipstream.upstream.scripted.server import scripted_upstream

HI = [{"role": "user", "content": "hi"}]
BODIES: dict[Dialect, dict[str, Any]] = {
    Dialect.OPENAI_CHAT: {"model": "m", "messages": HI},
    Dialect.ANTHROPIC_MESSAGES: {"model": "m", "messages": HI, "max_tokens": 50},
    Dialect.OPENAI_EMBEDDINGS: {"model": "m", "input": "hi"},
}
Told = list[tuple[Target, Room]]


async def told_by(
    dialect: Dialect, behaviour: str, *, is_weighed: bool = True, key: str = "#2"
) -> Told:
    """Return what one attempt tells of the room at a provider with two keys."""
    told: Told = []
    client = HttpClient(HttpSettings(), environ={})
    limits = Deadlines(connect_s=5.0, first_token_s=10.0, idle_s=10.0, total_s=20.0)
    async with scripted_upstream() as upstream:
        endpoint = Endpoint(
            name="lab",
            base_url=f"{upstream.origin}/openai/v1",
            key=Secret("one"),
            more_keys=(Secret("two"),),
            like="openai",
        )
        relays = relays_of(
            endpoint,
            client,
            now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
            tell_room=lambda target, room: told.append((target, room)),
        )
        attempt = Attempt(
            attempt_id="a-1",
            number=1,
            route="r",
            target=Target("lab", "m", key),
            deadlines=limits,
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + limits.total_s,
            is_weighed=is_weighed,
        )
        body = json.dumps(BODIES[dialect]).encode()
        call = Call(call_id="a", dialect=dialect, body=body, model="m", key_id="k", attempt=attempt)
        upstream.script(behaviour)
        try:
            with suppress(Busy):
                async for _ in leaf_of(relays)(call):
                    pass
        finally:
            await client.close()
    return told


@pytest.mark.parametrize("dialect", list(BODIES))
async def test_room_is_told_with_its_key(dialect: Dialect) -> None:
    """Relayed and translated; the credential says which key has so much left."""
    [(target, room)] = await told_by(dialect, "remaining=7")
    assert target == Target("lab", "m", "#2")
    assert room == Room(requests=7, requests_reset_s=360.0, tokens=7000, tokens_reset_s=360.0)


@pytest.mark.parametrize("dialect", list(BODIES))
async def test_room_of_a_refusal_is_told(dialect: Dialect) -> None:
    """It says most: that nothing is left."""
    [(_, room)] = await told_by(dialect, "status=429,remaining=0")
    assert room.requests == 0


@pytest.mark.parametrize("dialect", list(BODIES))
async def test_room_is_not_read_where_nobody_weighs(dialect: Dialect) -> None:
    """The hot path of a pinned model looks at no header for it."""
    assert await told_by(dialect, "remaining=7", is_weighed=False) == []


async def test_answer_without_such_headers_tells_nothing() -> None:
    """Gemini has none."""
    assert await told_by(Dialect.OPENAI_CHAT, "text=x") == []
