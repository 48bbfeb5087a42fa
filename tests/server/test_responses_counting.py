"""`/v1/responses/input_tokens`: for who may ask, within limits, also without a model."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from slipstream.limits.rates import RateLimits
from slipstream.limits.settings import LimitSettings
from slipstream.responses.records import KeptItem
from slipstream.server.gateway import Gateway
from slipstream.server.responses_counting import ResponsesCountEndpoints
from slipstream.server.responses_keeping import Keeping
from slipstream.wire.talk.asking import Asked as Conversation
from tests.responses.place import answer
from tests.server.asking import Asked, ask
from tests.server.kept_house import archive_in, terms_of, with_endpoints

PATH = "/v1/responses/input_tokens"


async def exactly(asked: Conversation) -> int:
    """Count as a model would: a thousand for each turn."""
    return 1000 * len(asked.turns)


@asynccontextmanager
async def counting(folder: Path, **limits: Any) -> AsyncIterator[Gateway]:
    """Return a gateway that counts, with limits for every key."""
    tables = {"default": LimitSettings(**limits)} if limits else {}
    async with archive_in(folder) as archive:
        said = b'{"role":"user","content":"x"}'
        kept = answer("resp_1", key_id="key-a", created_at_ns=archive.now_ns())
        await archive.keep(kept, [KeptItem("a", said, False), KeptItem("b", said, True)])
        endpoints = ResponsesCountEndpoints(
            terms_of(),
            Keeping(archive, lambda name: False),
            exactly,
            RateLimits(tables, lambda key_id: key_id, lambda: 0.0),
        )
        yield with_endpoints(endpoints.endpoints())


async def count(gateway: Gateway, **fields: Any) -> Asked:
    """Ask for a count."""
    headers = [(b"authorization", b"Bearer sk-a")]
    return await ask(gateway, Asked(json.dumps(fields).encode(), path=PATH, headers=headers))


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"model": "m", "input": "x"}, 1000),
        ({"model": "m", "input": "x", "instructions": "y"}, 2000),
        ({"model": "m", "input": "x", "previous_response_id": "resp_1"}, 3000),
        ({"model": "m", "previous_response_id": "resp_1"}, 2000),
        ({"input": "word " * 100}, 129),
        ({"model": None, "input": "word " * 100}, 129),
    ],
)
async def test_request_is_counted_with_what_it_goes_on_with(
    tmp_path: Path, fields: dict[str, Any], tokens: int
) -> None:
    """By its model; nearly, where it names none."""
    async with counting(tmp_path) as gateway:
        told = await count(gateway, **fields)
    assert (told.status, json.loads(told.body)) == (
        200,
        {"object": "response.input_tokens", "input_tokens": tokens},
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "m"}, "input"),
        ({"model": "m", "input": 3}, "input"),
        ({"model": 3, "input": "x"}, "model"),
        ({"input": "x", "previous_response_id": "none"}, "previous_response_id"),
        ({"input": [{"role": "king", "content": "x"}]}, "input[0].role"),
        ({"input": "x", "conversation": "c"}, "conversation"),
    ],
)
async def test_wrong_request_is_refused_by_name(
    tmp_path: Path, fields: dict[str, Any], param: str
) -> None:
    """As a request for an answer is."""
    async with counting(tmp_path) as gateway:
        told = await count(gateway, **fields)
    assert (told.status, told.error["param"]) == (400, param)


async def test_counting_has_limits_of_its_own(tmp_path: Path) -> None:
    """As many as answers, of which none is used up."""
    async with counting(tmp_path, requests_per_minute=2) as gateway:
        told = [(await count(gateway, model="m", input="x")).status for _ in range(3)]
    assert told == [200, 200, 429]


async def test_counting_asks_for_a_key(tmp_path: Path) -> None:
    """Exact counting costs a model's time."""
    async with counting(tmp_path) as gateway:
        told = await ask(gateway, Asked(b"{}", path=PATH))
    assert told.status == 401
