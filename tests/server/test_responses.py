"""What is below `/responses/{id}`, through a gateway: whose it is, and in which words."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from slipstream.responses.archive import Archive
from slipstream.responses.background import Background, Made
from slipstream.responses.records import Ending, KeptItem, Waiting
from slipstream.server.gateway import Gateway
from slipstream.server.responses import ResponsesApi
from tests.responses.place import answer
from tests.server.asking import Asked, ask
from tests.server.kept_house import KEYS, archive_in, with_endpoints

BODY = {"id": "resp_1", "status": "queued", "output": []}


async def _make(waiting: Waiting) -> Made:
    return Ending("completed"), ()


@asynccontextmanager
async def house_in(folder: Path) -> AsyncIterator[tuple[Gateway, Archive]]:
    """Return a gateway with the endpoints, and what they read."""
    async with archive_in(folder) as archive:
        background = Background(archive, _make, lambda job: Ending("failed"), max_concurrent=1)
        yield with_endpoints(ResponsesApi(archive, background, KEYS.get).endpoints()), archive
        await background.stop()


async def keep(archive: Archive, status: str, **fields: Any) -> None:
    """Keep an answer of the first key."""
    body = json.dumps(BODY).encode()
    kept = answer(
        key_id="key-a", status=status, body=body, created_at_ns=archive.now_ns(), **fields
    )
    items = [
        KeptItem("msg_1", b'{"role":"user","content":"x"}', False),
        KeptItem("msg_2", b'{"type":"message","role":"assistant","content":"y"}', True),
    ]
    await archive.keep(kept, items)


async def asked(
    gateway: Gateway, method: str, path: str, key: str | None = "sk-a", query: bytes = b""
) -> Asked:
    """Send a request."""
    headers = [] if key is None else [(b"authorization", b"Bearer " + key.encode())]
    request = Asked(method=method, path=path, headers=headers)
    request.scope["query_string"] = query
    return await ask(gateway, request)


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
async def test_answer_that_is_none_yet_says_where_it_stands(tmp_path: Path, status: str) -> None:
    """Its object is of when it was asked for, but for that."""
    async with house_in(tmp_path) as (gateway, archive):
        await keep(archive, status, request=b"{}")
        told = await asked(gateway, "GET", "/v1/responses/resp_1")
    assert (told.status, json.loads(told.body)) == (200, BODY | {"status": status})
    assert told.headers["x-request-id"].startswith("req-")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("GET", "/responses/resp_1/input_items"),
    ],
)
async def test_answer_is_its_keys_own(tmp_path: Path, method: str, path: str) -> None:
    """Without a key nothing is told; with another, that there is nothing."""
    async with house_in(tmp_path) as (gateway, archive):
        await keep(archive, "completed", request=b"{}")
        assert (await asked(gateway, method, path, key=None)).status == 401
        other = await asked(gateway, method, path, key="sk-b")
        assert (other.status, other.error["code"]) == (404, "response_not_found")
        assert "resp_1" in other.error["message"]
        assert (await asked(gateway, method, path)).status == 200


async def test_forgotten_answer_is_gone_with_its_items(tmp_path: Path) -> None:
    """Told as OpenAI tells it."""
    async with house_in(tmp_path) as (gateway, archive):
        await keep(archive, "completed")
        told = await asked(gateway, "DELETE", "/v1/responses/resp_1")
        expected = {"id": "resp_1", "object": "response", "deleted": True}
        assert json.loads(told.body) == expected
        assert await archive.items_named("key-a", ["msg_1", "msg_2"]) == {}
        again = await asked(gateway, "DELETE", "/v1/responses/resp_1")
        assert again.status == 404


async def test_only_the_background_is_cancelled(tmp_path: Path) -> None:
    """What has ended is told as it ended; what nobody made there is refused."""
    async with house_in(tmp_path) as (gateway, archive):
        path = "/v1/responses/resp_1/cancel"
        await keep(archive, "queued", request=b"{}")
        assert json.loads((await asked(gateway, "POST", path)).body)["status"] == "cancelled"
        await keep(archive, "failed", request=b"{}")
        assert json.loads((await asked(gateway, "POST", path)).body) == BODY
        await keep(archive, "completed")
        refused = await asked(gateway, "POST", path)
        assert (refused.status, refused.error["param"]) == (400, "response_id")


async def test_input_items_are_listed_without_the_output(tmp_path: Path) -> None:
    """Each with all that clients' schemas demand."""
    async with house_in(tmp_path) as (gateway, archive):
        await keep(archive, "completed")
        told = await asked(gateway, "GET", "/v1/responses/resp_1/input_items")
    assert json.loads(told.body) == {
        "object": "list",
        "data": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "x"}],
                "type": "message",
                "id": "msg_1",
                "status": "completed",
            }
        ],
        "has_more": False,
        "first_id": "msg_1",
        "last_id": "msg_1",
    }


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("", b"stream=true", "stream"),
        ("", b"starting_after=4", "starting_after"),
        ("", b"include[]=x", "include[]"),
        ("/input_items", b"limit=0", "limit"),
        ("/input_items", b"order=up", "order"),
        ("/input_items", b"after=msg_2", "after"),
    ],
)
async def test_what_is_not_offered_is_refused_by_name(
    tmp_path: Path, path: str, query: bytes, param: str
) -> None:
    """A stream of what is kept among it."""
    async with house_in(tmp_path) as (gateway, archive):
        await keep(archive, "completed")
        told = await asked(gateway, "GET", f"/v1/responses/resp_1{path}", query=query)
    assert (told.status, told.error["param"]) == (400, param)
