"""The Batches API over a socket: through the official SDK, and with what no SDK would send."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Batch

from tests.batches.world import (
    START_S,
    Answers,
    Clock,
    add_batch,
    add_file,
    good,
    input_of,
    line_of,
    refused,
    until,
)
from tests.server.batch_house import House, house_in

CHAT: Any = "/v1/chat/completions"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Open a house."""
    answers = Answers(lambda name, _: refused(400) if name == "bad" else good(name))
    async with house_in(tmp_path, answers) as opened:
        yield opened


async def upload(client: openai.AsyncOpenAI, content: bytes) -> str:
    """Upload an input; return its id."""
    return (await client.files.create(file=("in.jsonl", content), purpose="batch")).id


async def begin(client: openai.AsyncOpenAI, content: bytes, **options: Any) -> Batch:
    """Upload an input and make a batch of it."""
    return await client.batches.create(
        input_file_id=await upload(client, content),
        endpoint=CHAT,
        completion_window="24h",
        **options,
    )


async def wait_for(client: openai.AsyncOpenAI, batch: Batch, status: str) -> Batch:
    """Ask until a batch has a status."""
    async with asyncio.timeout(20):
        while batch.status != status:
            await asyncio.sleep(0.005)
            batch = await client.batches.retrieve(batch.id)
    return batch


async def test_sdk_makes_a_batch_and_reads_its_answers(house: House) -> None:
    """From the upload to the output, with the SDK's own types at every step."""
    async with house.client() as client:
        made = await begin(client, input_of(5) + line_of("bad"), metadata={"for": "a test"})
        done = await wait_for(client, made, "completed")
        assert done.output_file_id
        assert done.error_file_id
        output = (await client.files.content(done.output_file_id)).text
        errors = (await client.files.content(done.error_file_id)).text
        file = await client.files.retrieve(done.output_file_id)
    assert (made.status, made.object, made.errors) == ("validating", "batch", None)
    assert (made.output_file_id, made.error_file_id) == (None, None)
    assert (made.created_at, made.expires_at) == (START_S, START_S + 24 * 3600)
    assert made.metadata == done.metadata == {"for": "a test"}
    assert done.request_counts
    assert done.request_counts.to_dict() == {"total": 6, "completed": 5, "failed": 1}
    assert done.in_progress_at == done.finalizing_at == done.completed_at == START_S
    assert (done.failed_at, done.cancelled_at, done.expired_at) == (None, None, None)
    found = {line["custom_id"]: line for line in map(json.loads, output.splitlines())}
    assert sorted(found) == [f"r{i}" for i in range(5)]
    assert found["r2"]["response"]["body"]["said"] == "r2"
    assert json.loads(errors)["response"]["status_code"] == 400
    assert (file.purpose, file.filename) == ("batch_output", f"{made.id}_output.jsonl")


async def test_batch_has_the_documented_fields_in_their_order(house: House) -> None:
    """What has not happened is null, and nothing else is there."""
    file = await add_file(house.store, input_of(1))
    batch = await add_batch(house.store, file)
    shown = (await house.ask("GET", f"/v1/batches/{batch.id}")).json()
    assert list(shown.items()) == [
        ("id", batch.id),
        ("object", "batch"),
        ("endpoint", "/v1/chat/completions"),
        ("errors", None),
        ("input_file_id", file.id),
        ("completion_window", "24h"),
        ("status", "validating"),
        ("output_file_id", None),
        ("error_file_id", None),
        ("created_at", START_S),
        ("in_progress_at", None),
        ("expires_at", START_S + 24 * 3600),
        ("finalizing_at", None),
        ("completed_at", None),
        ("failed_at", None),
        ("expired_at", None),
        ("cancelling_at", None),
        ("cancelled_at", None),
        ("request_counts", {"total": 0, "completed": 0, "failed": 0}),
        ("metadata", None),
    ]


async def test_sdk_sees_what_is_wrong_with_an_input(house: House) -> None:
    """Code, line and words of every problem."""
    async with house.client() as client:
        made = await begin(client, line_of("a") + b"nonsense\n" + line_of("b", url="/v1/other"))
        failed = await wait_for(client, made, "failed")
    assert failed.errors
    assert failed.errors.object == "list"
    assert failed.errors.data
    assert [(e.line, e.code, e.param) for e in failed.errors.data] == [
        (2, "invalid_json_line", None),
        (3, "invalid_url", "url"),
    ]
    assert failed.failed_at == START_S


@pytest.mark.parametrize("way", ["sdk", "delete"])
async def test_batch_is_cancelled(tmp_path: Path, way: str) -> None:
    """By the SDK's POST and by Cerebras's DELETE; twice is once; what was answered is there."""
    async with house_in(tmp_path, Answers(num_free=5)) as house, house.client() as client:
        made = await begin(client, input_of(40))
        await until(lambda: house.store.known(made.id).counts.completed == 5)
        if way == "sdk":
            asked = await client.batches.cancel(made.id)
        else:
            answer = await house.ask("DELETE", f"/v1/batches/{made.id}")
            asked = Batch.model_validate(answer.json())
        done = await wait_for(client, made, "cancelled")
        assert await client.batches.cancel(made.id) == done
    assert asked.status in ("cancelling", "cancelled")
    assert asked.cancelling_at == done.cancelled_at == START_S
    assert done.request_counts
    assert done.request_counts.to_dict() == {"total": 40, "completed": 5, "failed": 0}
    assert (done.output_file_id is None, done.error_file_id) == (False, None)


async def test_batch_that_has_ended_cannot_be_cancelled(house: House) -> None:
    """409, with how it ended."""
    async with house.client() as client:
        made = await begin(client, input_of(1))
        await wait_for(client, made, "completed")
        with pytest.raises(openai.ConflictError, match="completed"):
            await client.batches.cancel(made.id)


async def test_batches_are_listed_newest_first_page_by_page(house: House) -> None:
    """The SDK goes through all pages by itself."""
    async with house.client() as client:
        made = []
        for _ in range(25):
            batch = await begin(client, input_of(1))
            made.append((await wait_for(client, batch, "completed")).id)
        assert [b.id async for b in client.batches.list()] == made[::-1]
        assert [b.id async for b in client.batches.list(limit=4)] == made[::-1]
        page = await client.batches.list(limit=2, after=made[10])
        assert [b.id for b in page.data] == [made[9], made[8]]
        with pytest.raises(openai.BadRequestError) as caught:
            await client.batches.list(after="batch_x")
    assert caught.value.param == "after"


async def test_batch_of_another_key_is_not_there(house: House) -> None:
    """Neither to be seen nor to be cancelled, nor may another's file be its input."""
    house.answers.may_answer.clear()
    async with house.client() as owner, house.client("sk-b") as other:
        made = await begin(owner, input_of(2))
        assert [b async for b in other.batches.list()] == []
        for use in (other.batches.retrieve, other.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                await use(made.id)
        with pytest.raises(openai.NotFoundError) as caught:
            await other.batches.create(
                input_file_id=made.input_file_id, endpoint=CHAT, completion_window="24h"
            )
        assert caught.value.param == "input_file_id"
        assert (await owner.batches.retrieve(made.id)).status in ("validating", "in_progress")


async def test_caller_without_a_key_gets_nowhere(house: House) -> None:
    """Every endpoint asks first who is there."""
    file = await add_file(house.store, input_of(1))
    batch = await add_batch(house.store, file)
    ways = [("GET", ""), ("POST", ""), ("GET", f"/{batch.id}"), ("DELETE", f"/{batch.id}")]
    for method, path in (*ways, ("POST", f"/{batch.id}/cancel")):
        for key in (None, "sk-wrong"):
            assert (await house.ask(method, f"/v1/batches{path}", key=key)).status == 401


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"input_file_id": None}, 400, "input_file_id"),
        ({"endpoint": None}, 400, "endpoint"),
        ({"completion_window": None}, 400, "completion_window"),
        ({"input_file_id": "file_x"}, 404, "input_file_id"),
        ({"input_file_id": 7}, 400, "input_file_id"),
        ({"endpoint": "/v1/embeddings"}, 400, "endpoint"),
        ({"completion_window": "1h"}, 400, "completion_window"),
        ({"priority": "high"}, 400, "priority"),
        ({"metadata": []}, 400, "metadata"),
        ({"metadata": {"a": 1}}, 400, "metadata[...]"),
        ({"metadata": {"a": "x" * 513}}, 400, "metadata"),
        ({"metadata": {"x" * 65: "a"}}, 400, "metadata"),
        ({"metadata": {str(i): "a" for i in range(17)}}, 400, "metadata"),
        ({"output_expires_after": {"anchor": "created_at"}}, 400, "output_expires_after.seconds"),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
            400,
            "output_expires_after.seconds",
        ),
    ],
)
async def test_request_that_is_wrong_names_the_parameter(
    house: House, changes: dict[str, Any], status: int, param: str
) -> None:
    """Missing, of another type, out of range or unknown; and no batch is made."""
    file = await add_file(house.store, input_of(1))
    right = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
    body = {name: value for name, value in {**right, **changes}.items() if value is not None}
    answer = await house.ask("POST", "/v1/batches", json.dumps(body).encode())
    assert (answer.status, answer.json()["error"]["param"]) == (status, param)
    assert house.store.of_key("key-a") == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b'{"a":' * 5000 + b"1" + b"}" * 5000, b" " * 100_000]
)
async def test_body_that_is_no_request_is_refused(house: House, body: bytes) -> None:
    """Whatever it is, the answer is an error that a client can read."""
    answer = await house.ask("POST", "/v1/batches", body)
    assert answer.status in (400, 413)
    assert answer.json()["error"]["message"]


async def test_output_of_a_batch_is_no_input(house: House) -> None:
    """It has another purpose, which the error names."""
    async with house.client() as client:
        done = await wait_for(client, await begin(client, input_of(1)), "completed")
        assert done.output_file_id
        with pytest.raises(openai.BadRequestError, match="batch_output"):
            await client.batches.create(
                input_file_id=done.output_file_id, endpoint=CHAT, completion_window="24h"
            )


async def test_metadata_may_have_lists_as_in_cerebras_own_example(house: House) -> None:
    """What its reference shows is accepted, and comes back."""
    file = await add_file(house.store, input_of(1))
    metadata = {"custom_tags": ["legal-review", "q3"]}
    body = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
    answer = await house.ask(
        "POST", "/v1/batches", json.dumps({**body, "metadata": metadata}).encode()
    )
    assert answer.json()["metadata"] == metadata


async def test_output_is_kept_as_long_as_was_asked(house: House) -> None:
    """OpenAI's `output_expires_after`; a week without it."""
    life: Any = {"anchor": "created_at", "seconds": 7200}
    async with house.client() as client:
        for options, life_s in (({"output_expires_after": life}, 7200), ({}, 7 * 24 * 3600)):
            made = await begin(client, input_of(1), **options)
            done = await wait_for(client, made, "completed")
            assert done.output_file_id
            file = await client.files.retrieve(done.output_file_id)
            assert file.expires_at == START_S + life_s


async def test_batches_in_progress_are_bounded(tmp_path: Path) -> None:
    """The one too many is a 429 that says what to do."""
    answers = Answers()
    answers.may_answer.clear()
    async with house_in(tmp_path, answers, max_active=1) as house, house.client() as client:
        first = await begin(client, input_of(1))
        with pytest.raises(openai.RateLimitError) as caught:
            await begin(client, input_of(1))
        assert caught.value.code == "too_many_batches"
        answers.may_answer.set()
        await wait_for(client, first, "completed")
        await begin(client, input_of(1))


async def test_disk_that_refuses_is_a_503_and_makes_no_batch(house: House) -> None:
    """Nor does it cancel one halfway."""
    house.answers.may_answer.clear()
    async with house.client() as client:
        made = await begin(client, input_of(1))
        await wait_for(client, made, "in_progress")
        folder = house.folder / "batches"
        folder.rename(house.folder / "away")
        for use in (client.batches.cancel(made.id), begin(client, input_of(1))):
            with pytest.raises(openai.InternalServerError) as caught:
                await use
            assert caught.value.status_code == 503
            assert caught.value.code == "storage_unavailable"
        (house.folder / "away").rename(folder)
        assert [(b.id, b.status) async for b in client.batches.list()] == [(made.id, "in_progress")]
        await client.batches.cancel(made.id)
        await wait_for(client, made, "cancelled")


async def test_batch_that_expires_tells_so(tmp_path: Path) -> None:
    """Its status, its time, and an error for each request that has no answer."""
    clock, answers = Clock(), Answers()
    answers.may_answer.clear()
    async with house_in(tmp_path, answers, clock) as house, house.client() as client:
        made = await begin(client, input_of(3))
        await wait_for(client, made, "in_progress")
        clock.now_s += 24 * 3600
        done = await wait_for(client, made, "expired")
        assert done.error_file_id
        errors = (await client.files.content(done.error_file_id)).text
    assert (done.expired_at, done.output_file_id) == (START_S + 24 * 3600, None)
    codes = [json.loads(line)["error"]["code"] for line in errors.splitlines()]
    assert codes == ["batch_expired"] * 3


async def test_batch_goes_on_after_a_restart_of_the_gateway(tmp_path: Path) -> None:
    """The same ids at another gateway over the same folder, and no line is lost."""
    async with house_in(tmp_path, Answers(num_free=5)) as house, house.client() as client:
        made = await begin(client, input_of(30))
        await until(lambda: house.store.known(made.id).counts.completed == 5)
    async with house_in(tmp_path) as house, house.client() as client:
        done = await wait_for(client, await client.batches.retrieve(made.id), "completed")
        assert done.output_file_id
        output = (await client.files.content(done.output_file_id)).text
    ids = sorted(json.loads(line)["custom_id"] for line in output.splitlines())
    assert ids == sorted(f"r{i}" for i in range(30))
