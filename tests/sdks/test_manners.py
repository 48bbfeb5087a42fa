"""What surrounds an answer: headers, the raw stream, leaving, warming, extra fields and options."""

import asyncio
import json
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from cerebras.cloud.sdk import AsyncCerebras, Cerebras

from tests.sdks.asking import LIMIT_S, Sdk, Sdks, check_order
from tests.sdks.gateway import Gateway
from tests.sdks.node_host import NodeHost
from tests.sdks.test_errors import ENDLESS, made

ASKED: dict[str, Any] = {
    "model": "gpt-oss-120b",
    "messages": [{"role": "user", "content": "Where is Paris?"}],
    "max_completion_tokens": 60,
    "temperature": 0,
}
_FAMILY = [
    f"x-ratelimit-{what}-{unit}"
    for what in ("limit", "remaining", "reset")
    for unit in ("requests-day", "tokens-minute")
]


def test_request_without_an_sdk(gateway: Gateway) -> None:
    """The documents' request of a command line: three headers, and the standard shape."""
    headers = {"Authorization": f"Bearer {gateway.key}", "Content-Type": "application/json"}
    with httpx.Client(base_url=gateway.openai_url, headers=headers, timeout=LIMIT_S) as client:
        answer = client.post("/chat/completions", content=json.dumps(ASKED))
    body = answer.json()

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert list(body) == [
        "id",
        "choices",
        "created",
        "model",
        "system_fingerprint",
        "object",
        "usage",
        "time_info",
    ]
    assert body["choices"][0]["finish_reason"] == "stop"


def test_stream_is_lines_of_data_and_one_done(gateway: Gateway) -> None:
    """No event names, no comments: `data: …`, a blank line, and `[DONE]` once, last."""
    headers = {"Authorization": f"Bearer {gateway.key}"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=LIMIT_S) as client:
        answer = client.post("/v1/chat/completions", json={**ASKED, "stream": True})
    events = answer.text.split("\n\n")

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    check_order(chunks)
    assert answer.headers["inference-id"] == chunks[0]["id"]
    for chunk in chunks[:-1]:
        head = ["id", "choices", "created", "model", "system_fingerprint", "object"]
        assert list(chunk) == head


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_raw_response_has_the_headers(sdks: Sdks, sdk: Sdk) -> None:
    """`inference-id` is the answer's id; the limits are told in every answer."""
    client: Any = getattr(sdks, sdk)
    raw = client.chat.completions.with_raw_response.create(**ASKED)
    answer = raw.parse()
    models = sdks.cerebras.models.with_raw_response.list()

    assert raw.headers["inference-id"] == answer.id
    assert raw.status_code == 200
    assert raw.retries_taken == 0
    for headers in (raw.headers, models.headers):
        assert [name for name in _FAMILY if name not in headers] == []
        assert float(headers["x-ratelimit-reset-tokens-minute"]) >= 0


def test_streaming_response_gives_headers_first(sdks: Sdks) -> None:
    """`with_streaming_response` reads headers, then lines as they come."""
    create = sdks.cerebras.chat.completions.with_streaming_response.create
    with create(**ASKED, stream=True) as response:
        identity = response.headers["inference-id"]
        lines = [line for line in response.iter_lines() if line]

    assert json.loads(lines[0].removeprefix("data: "))["id"] == identity
    assert lines[-1] == "data: [DONE]"


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_headers_are_read_in_javascript(node: NodeHost, sdk: str) -> None:
    """`withResponse` gives both."""
    said = node.run("withHeaders", sdk=sdk, body=ASKED)

    assert said["status"] == 200
    assert said["headers"]["inference-id"] == said["data"]["id"]
    assert [name for name in _FAMILY if name not in said["headers"]] == []


def test_extra_body_is_the_same_as_an_argument(sdks: Sdks) -> None:
    """Non-standard fields may be given either way."""
    fields: Any = {"clear_thinking": False, "reasoning_format": "raw"}
    asked = {**ASKED, "model": "zai-glm-4.7"}
    argued: Any = sdks.cerebras.chat.completions.create(**asked, **fields)
    extra: Any = sdks.cerebras.chat.completions.create(**asked, extra_body=fields)

    assert argued.choices[0].to_dict() == extra.choices[0].to_dict()
    assert argued.choices[0].message.content.startswith("<think>")


def test_extra_headers_of_the_api_are_taken(sdks: Sdks) -> None:
    """The optional headers that the API declares change nothing here."""
    headers = {
        "queue_threshold": "1000",
        "X-Cerebras-Version-Patch": "2",
        "X-Cerebras-3rd-Party-Integration": "tests",
    }
    answer: Any = sdks.cerebras.chat.completions.create(
        **ASKED,
        service_tier="auto",
        extra_headers=headers,
        extra_query={"any": "thing"},
        cf_ray="1",
        x_amz_cf_id="2",
        x_delay_time=0.5,
    )

    assert answer.choices[0].message.content


@pytest.mark.parametrize("tier", ["auto", "default", "flex", "priority"])
def test_service_tiers_are_taken(sdks: Sdks, tier: Any) -> None:
    """Each of the four names is accepted."""
    answer: Any = sdks.cerebras.chat.completions.create(**ASKED, service_tier=tier)

    assert answer.choices[0].message.content


def test_options_of_a_copy_are_its_own(gateway: Gateway) -> None:
    """`with_options` and `copy` share the connection and change what they are told to."""
    with Cerebras(api_key="wrong", base_url=gateway.url, max_retries=0) as wrong:
        right = wrong.with_options(api_key=gateway.key, timeout=LIMIT_S)
        answer: Any = right.chat.completions.create(**ASKED)

    assert answer.choices[0].message.content


def _ended(home: Path, started_after_ns: int, num: int) -> list[dict[str, Any]]:
    """Wait until the ledger has so many attempts that began later; return them."""
    query = "SELECT * FROM attempts WHERE started_at_ns > ? ORDER BY started_at_ns"
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s:
        with closing(sqlite3.connect(home / "slipstream.db")) as connection:
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute(query, (started_after_ns,))]
        if len(rows) >= num and all(row["state"] != "open" for row in rows):
            return rows
        time.sleep(0.02)
    raise TimeoutError(f"the ledger has {rows}")


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_stream_that_is_left_ends_the_answer(gateway: Gateway, node: NodeHost, sdk: Sdk) -> None:
    """Who closes or aborts a stream is not written for any longer, and what was written is told
    while it is written: an endless answer would otherwise never have shown its first chunks."""
    began_ns = time.time_ns()
    with (
        made(sdk, gateway) as client,
        client.chat.completions.create(**ENDLESS, stream=True) as stream,
    ):
        seen = [chunk for _, chunk in zip(range(5), stream, strict=False)]
    said = node.run("cancelled", sdk=sdk, body=ENDLESS, after=5)
    rows = _ended(gateway.home, began_ns, 2)

    assert len(seen) == len(said["chunks"]) == 5
    assert said["isAborted"]
    limit = ENDLESS["max_completion_tokens"]
    assert [row["state"] for row in rows] == ["cancelled"] * 2, rows
    assert all((row["output_tokens"] or 0) < limit for row in rows)


def test_async_stream_that_is_left_ends_the_answer(gateway: Gateway) -> None:
    """A cancelled task leaves as well."""
    began_ns = time.time_ns()

    async def leave() -> None:
        async with AsyncCerebras(api_key=gateway.key, base_url=gateway.url) as client:
            stream: Any = await client.chat.completions.create(**ENDLESS, stream=True)
            async with stream:
                async for _ in stream:
                    break

    asyncio.run(leave())
    [row] = _ended(gateway.home, began_ns, 1)

    assert row["state"] == "cancelled"


def test_many_async_requests_share_a_client(gateway: Gateway) -> None:
    """Sixteen at once, streamed and plain, each with its own answer."""

    async def one(client: Any, number: int) -> str:
        asked = {**ASKED, "model": "llama-3.3-70b", "seed": number, "max_completion_tokens": 8}
        if number % 2:
            return str((await client.chat.completions.create(**asked)).id)
        stream = await client.chat.completions.create(**asked, stream=True)
        chunks = [chunk.to_dict() async for chunk in stream]
        check_order(chunks)
        return str(chunks[0]["id"])

    async def all_of_them() -> list[str]:
        async with AsyncCerebras(api_key=gateway.key, base_url=gateway.url) as client:
            return await asyncio.gather(*(one(client, number) for number in range(16)))

    assert len(set(asyncio.run(all_of_them()))) == 16


@pytest.mark.parametrize("wants", [True, False])
def test_warming_is_answered(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, wants: bool
) -> None:
    """A new client's first request is answered with 200, or not sent where that is switched off."""
    seen: list[tuple[str, int]] = []

    def note(response: httpx.Response) -> None:
        seen.append((response.request.url.path, response.status_code))

    caplog.set_level(logging.DEBUG)
    with httpx.Client(event_hooks={"response": [note]}) as transport:
        Cerebras(
            api_key=gateway.key,
            base_url=gateway.url,
            http_client=transport,
            warm_tcp_connection=wants,
        )
    assert seen == ([("/v1/tcp_warming", 200)] if wants else [])

    async def made_and_closed() -> None:
        await AsyncCerebras(api_key="unknown", base_url=gateway.url).close()

    asyncio.run(made_and_closed())
    assert "Warming had exception" not in caplog.text


@pytest.mark.parametrize("wants", [True, False])
def test_warming_in_javascript(node: NodeHost, wants: bool) -> None:
    """The same by the TypeScript client."""
    said = node.run("warming", wants=wants)

    assert said["seen"] == ([{"path": "/v1/tcp_warming", "status": 200}] if wants else [])
    assert said["problems"] == []


def test_environment_is_all_that_changes(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that names neither URL nor key runs here by its environment alone."""
    monkeypatch.setenv("CEREBRAS_BASE_URL", gateway.url)
    monkeypatch.setenv("CEREBRAS_API_KEY", gateway.key)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", gateway.key)
    clients: list[Any] = [Cerebras(), openai.OpenAI()]
    for client in clients:
        with client:
            assert client.chat.completions.create(**ASKED).choices[0].message.content
