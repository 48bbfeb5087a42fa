"""What a program written for Cerebras meets on the wire: the whole app, the real model."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.flows.ledger_rows import read_rows
from tests.flows.local_house import LIMIT_S, local_house
from tests.prepared_model import MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

NAME = "gpt-oss-120b"
CONFIG = f"""
[routes."{NAME}"]
targets = ["{MODEL}"]
profile = "cerebras"

[routes.retired]
targets = ["{MODEL}"]
profile = "cerebras"
like = "qwen-3-32b"
"""
SDK = {"user-agent": "Cerebras/Python 1.91.0"}
SAID: dict[str, Any] = {
    "model": NAME,
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_completion_tokens": 6,
}


class House:
    """A running gateway, asked over HTTP by a client that adds nothing of its own."""

    def __init__(self, client: httpx.AsyncClient, home: Path) -> None:
        self.client, self.home = client, home

    async def ask(self, path: str = "/v1/chat/completions", **fields: Any) -> httpx.Response:
        """Post the usual request, with these fields in place of its own; None takes one away."""
        said = {key: value for key, value in (SAID | fields).items() if value is not None}
        return await self.client.post(path, json=said)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Run the gateway for all tests of this module."""
    async with local_house(tmp_path_factory.mktemp("house"), CONFIG) as (sdk, home):
        url = str(sdk.base_url).removesuffix("/v1/")
        headers = {"authorization": f"Bearer {sdk.api_key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=LIMIT_S) as client:
            yield House(client, home)


def events_of(answer: httpx.Response) -> list[Any]:
    """Return the events of a stream, which ends as it should."""
    events = answer.text.removesuffix("\n\n").split("\n\n")
    assert events.pop() == "data: [DONE]"
    assert all(event.startswith("data: ") for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


async def test_plain_answer_is_the_contracts_to_the_key(house: House) -> None:
    """Section 3.1: keys, their order, ids, and times that add up."""
    answer = await house.ask()
    body = answer.json()
    assert list(body) == (
        ["id", "choices", "created", "model", "system_fingerprint", "object", "usage", "time_info"]
    )
    assert answer.headers["inference-id"] == body["id"]
    assert body["model"] == NAME
    message = body["choices"][0]["message"]
    assert set(message) == {"role", "content"}
    times = body["time_info"]
    phases = times["queue_time"] + times["prompt_time"] + times["completion_time"]
    assert 0 < phases <= times["total_time"]
    assert body["usage"]["completion_tokens"] <= 6


async def test_stream_has_the_contracts_order(house: House) -> None:
    """Section 3.3: role, content, then the finish with usage and time_info beside its choice."""
    events = events_of(await house.ask(stream=True, temperature=0, seed=1))
    deltas = [event["choices"][0]["delta"] for event in events]
    assert deltas[0] == {"role": "assistant"}
    assert all(set(delta) == {"content"} for delta in deltas[1:-1])
    assert deltas[-1] == {}
    last = events[-1]
    assert last["choices"][0]["finish_reason"] in ("stop", "length")
    assert list(last)[-2:] == ["usage", "time_info"]
    assert all("usage" not in event for event in events[:-1])
    assert len({event["id"] for event in events}) == 1
    plain = (await house.ask(temperature=0, seed=1)).json()["choices"][0]["message"]["content"]
    assert "".join(delta.get("content", "") for delta in deltas) == plain


@pytest.mark.parametrize(
    ("content_type", "pack"),
    [
        ("application/json", lambda said: gzip.compress(json.dumps(said).encode())),
        ("application/vnd.msgpack", lambda said: gzip.compress(msgspec.msgpack.encode(said))),
        ("application/msgpack", msgspec.msgpack.encode),
        ("application/x-msgpack", msgspec.msgpack.encode),
    ],
)
async def test_body_may_come_packed(house: House, content_type: str, pack: Any) -> None:
    """Section 1.2: msgpack, gzip or both; the answer is JSON."""
    body = pack(SAID)
    headers = {"content-type": content_type}
    if body[:2] == b"\x1f\x8b":
        headers["content-encoding"] = "gzip"
    answer = await house.client.post("/v1/chat/completions", content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/tcp_warming", 200),
        ("GET", "/v1/v1/tcp_warming", 404),
        ("POST", "/v1/nowhere", 404),
        ("GET", "/nowhere", 404),
    ],
)
async def test_paths_without_a_key(house: House, method: str, path: str, status: int) -> None:
    """Warming needs no key; what is not routed has no body at all."""
    async with httpx.AsyncClient(base_url=house.client.base_url, headers=SDK) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    if status == 404:
        assert answer.content == b""
        assert answer.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 403, {"detail": "Not authenticated"}),
        (
            {"authorization": "Bearer csk-wrong"},
            401,
            {
                "message": "Wrong API Key",
                "type": "invalid_request_error",
                "param": "api_key",
                "code": "wrong_api_key",
            },
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
async def test_caller_without_a_right_key_is_told_so(
    house: House, headers: dict[str, str], status: int, body: dict[str, str], path: str
) -> None:
    """The live bodies, for callers whose SDK is Cerebras's."""
    method = "GET" if path == "/v1/models" else "POST"
    async with httpx.AsyncClient(base_url=house.client.base_url, headers=SDK | headers) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()) == (status, body)


async def test_model_of_another_profile_answers_its_callers_sdk(house: House) -> None:
    """The same model is lenient to OpenAI's SDK and strict to Cerebras's."""
    lenient = await house.ask(model=MODEL, whatever=1)
    assert lenient.status_code == 200
    assert "time_info" not in lenient.json()
    said = SAID | {"model": MODEL, "whatever": 1}
    strict = await house.client.post("/v1/chat/completions", json=said, headers=SDK)
    assert strict.status_code == 400
    assert strict.json()["message"] == "body.whatever: property 'body.whatever' is unsupported"


async def test_unknown_model_has_the_recorded_words(house: House) -> None:
    """Section 5.3, for whoever expects them."""
    said = SAID | {"model": "nope"}
    answer = await house.client.post("/v1/chat/completions", json=said, headers=SDK)
    assert answer.status_code == 404
    assert answer.json() == {
        "message": "Model nope does not exist or you do not have access to it.",
        "type": "not_found_error",
        "param": "model",
        "code": "model_not_found",
    }


async def test_route_is_like_the_model_that_it_names(house: House) -> None:
    """What a model of Cerebras's cannot do, a route that is like it refuses."""
    answer = await house.ask(model="retired", reasoning_effort="low")
    assert answer.status_code == 400
    assert "reasoning_effort" in answer.json()["message"]
    assert (await house.ask(reasoning_effort="low")).status_code == 200


async def test_prompt_that_is_too_long_says_what_to_do(house: House) -> None:
    """Section 5.3: the code and the sentence that clients look for."""
    long = [{"role": "user", "content": "word " * 9_000}]
    answer = await house.ask(messages=long)
    assert answer.status_code == 400
    told = answer.json()
    assert (told["code"], told["param"]) == ("context_length_exceeded", "messages")
    assert "Please reduce the length of the messages or completion." in told["message"]


async def test_cached_prompt_is_told_in_blocks(house: House) -> None:
    """Section 2.8: whole blocks of 128 tokens, and only what the same key sent before."""
    told = [{"role": "system", "content": "one two three four " * 60}, *SAID["messages"]]
    first = (await house.ask(messages=told)).json()["usage"]["prompt_tokens_details"]
    second = (await house.ask(messages=told)).json()["usage"]["prompt_tokens_details"]
    assert first["cached_tokens"] == 0
    assert second["cached_tokens"] >= 128
    assert second["cached_tokens"] % 128 == 0
    other = (await house.ask(messages=told, prompt_cache_key="other")).json()
    assert other["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


async def test_prediction_is_counted_as_the_engine_counted_it(house: House) -> None:
    """Section 2.7: a right prediction is accepted; it changes nothing of the answer."""
    fields: dict[str, Any] = {"max_completion_tokens": 24, "temperature": 0, "seed": 3}
    plain = (await house.ask(**fields)).json()
    text = plain["choices"][0]["message"]["content"]
    fields["prediction"] = {"type": "content", "content": text}
    guessed = (await house.ask(**fields)).json()
    assert guessed["choices"][0]["message"]["content"] == text
    details = guessed["usage"]["completion_tokens_details"]
    assert details["accepted_prediction_tokens"] > 12
    assert guessed["usage"]["completion_tokens"] == (
        plain["usage"]["completion_tokens"] + details["rejected_prediction_tokens"]
    )


async def test_image_is_refused_by_a_model_that_sees_none(house: House) -> None:
    """Also where the row takes images, since the model that answers here does not."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}]
    for model in (NAME, MODEL):
        said = SAID | {"messages": messages, "model": model}
        answer = await house.client.post("/v1/chat/completions", json=said, headers=SDK)
        assert answer.status_code == 400
        assert "'text'" in answer.json()["message"]


async def test_attempts_under_the_profile_are_on_the_ledger(house: House) -> None:
    """What was answered has its tokens there; what was refused at the door was no attempt."""
    refused, answered = await house.ask(n=0), await house.ask()
    call_id = answered.headers["x-request-id"]
    async with asyncio.timeout(LIMIT_S):
        while not (rows := {row["call_id"]: row for row in read_rows(house.home)}).get(call_id):
            await asyncio.sleep(0.05)
    assert rows[call_id]["output_tokens"] == answered.json()["usage"]["completion_tokens"]
    assert refused.headers["x-request-id"] not in rows


@pytest.mark.parametrize("stream", [False, True])
async def test_text_completion_has_the_contracts_shape(house: House, stream: bool) -> None:
    """Section 3.5: text or token ids, an id like a chat's, usage and times at the end."""
    said = {"model": NAME, "prompt": "Once upon a time", "max_tokens": 5, "stream": stream}
    answer = await house.client.post("/v1/completions", json=said)
    body = events_of(answer)[-1] if stream else answer.json()
    assert answer.headers["inference-id"] == body["id"]
    assert body["object"] == "text_completion"
    assert body["usage"]["completion_tokens"] <= 5
    assert body["time_info"]["total_time"] > 0
    raw = said | {"return_raw_tokens": True, "stream": False, "temperature": 0}
    tokens = (await house.client.post("/v1/completions", json=raw)).json()["choices"][0]["tokens"]
    assert len(tokens) == 5


async def test_batch_runs_on_the_models_that_are_served(house: House) -> None:
    """Files in, files out: a line is answered as over HTTP, and a wrong one says why."""
    lines = [
        {"custom_id": f"line-{at}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for at, body in enumerate([SAID, SAID | {"n": 0}, SAID | {"model": MODEL}])
    ]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    form = {"purpose": "batch"}
    made = await house.client.post("/v1/files", data=form, files={"file": ("a.jsonl", data)})
    asked = {
        "input_file_id": made.json()["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    batch = (await house.client.post("/v1/batches", json=asked)).json()
    async with asyncio.timeout(LIMIT_S):
        while batch["status"] not in ("completed", "failed"):
            await asyncio.sleep(0.05)
            batch = (await house.client.get(f"/v1/batches/{batch['id']}")).json()
    assert batch["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    found: dict[str, Any] = {}
    for file_id in (batch["output_file_id"], batch["error_file_id"]):
        content = (await house.client.get(f"/v1/files/{file_id}/content")).text
        found |= {
            said["custom_id"]: said["response"] for said in map(json.loads, content.splitlines())
        }
    assert found["line-0"]["body"]["time_info"]["total_time"] > 0
    assert found["line-1"]["body"]["message"] == "body.n: Expected `int` >= 1"
    assert found["line-2"]["body"]["object"] == "chat.completion"


async def test_everything_that_is_served_is_described(house: House) -> None:
    """The document is there for who has no key, and has what was just used."""
    async with httpx.AsyncClient(base_url=house.client.base_url) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/v1/chat/completions", "/v1/batches/{id}/cancel", "/v1/tcp_warming"} <= set(paths)
