"""Answers that are kept, through the whole gateway: by the official SDK, strictly validated."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError

from slipstream.ledger.store import open_store
from slipstream.limits.keys import create_key
from tests.flows.local_house import local_house
from tests.flows.raw import ask, encode
from tests.flows.responses_house import (
    CLAUDE,
    GEMINI,
    LAB,
    ResponsesHouse,
    responses_house,
    strict_client,
    texts,
)
from tests.prepared_model import MODEL


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ResponsesHouse]:
    """Open a house."""
    async with responses_house(tmp_path) as opened:
        yield opened


def stored(response: Any) -> bool:
    """Tell whether an answer says that it is kept."""
    said: bool = response.store
    return said


async def until_ended(client: AsyncOpenAI, response: Any) -> Any:
    """Ask for an answer until it has ended."""
    async with asyncio.timeout(20):
        while response.status in ("queued", "in_progress"):
            await asyncio.sleep(0.01)
            response = await client.responses.retrieve(response.id)
    return response


async def test_answer_is_the_same_when_it_is_asked_for_again(house: ResponsesHouse) -> None:
    """Plain and streamed, as soon as the last event is read."""
    client = house.client
    made = await client.responses.create(model=LAB, input="one two", metadata={"for": "x"})
    assert (stored(made), made.status, made.output_text) == (True, "completed", "one two")
    assert (await client.responses.retrieve(made.id)).to_dict() == made.to_dict()
    for _ in range(5):
        last: Any = None
        async for event in await client.responses.create(model=LAB, input="a b", stream=True):
            last = event
        kept = await client.responses.retrieve(last.response.id)
        assert kept.to_dict() == last.response.to_dict()


async def test_conversation_goes_on_for_three_turns(house: ResponsesHouse) -> None:
    """Each turn says only what is new; instructions are those of the last one only."""
    client = house.client
    first = await client.responses.create(model=LAB, input="one", instructions="Be brief.")
    second = await client.responses.create(
        model=LAB, input=[{"role": "user", "content": "two"}], previous_response_id=first.id
    )
    stream = await client.responses.create(
        model=LAB,
        input="three",
        previous_response_id=second.id,
        instructions="Be kind.",
        stream=True,
    )
    events = [event async for event in stream]
    last: Any = events[-1]
    assert last.response.previous_response_id == second.id
    assert texts(house.sent["messages"]) == ["Be kind.", "one", "one", "two", "two", "three"]
    items = await client.responses.input_items.list(last.response.id, order="asc")
    data: list[Any] = items.data
    shown = [(item.role, item.content[0].text) for item in data]
    assert shown == [
        ("user", "one"),
        ("assistant", "one"),
        ("user", "two"),
        ("assistant", "two"),
        ("user", "three"),
    ]


async def test_call_and_its_result_are_gone_on_with(house: ResponsesHouse) -> None:
    """The result alone is sent; the call that it answers is kept here."""
    client = house.client
    tool: Any = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
    called = await client.responses.create(
        model=LAB, input="x", tools=[tool], tool_choice="required"
    )
    [call] = called.output
    assert call.type == "function_call"
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    after = await client.responses.create(
        model=LAB, input=[result], tools=[tool], previous_response_id=called.id
    )
    _, said, told = house.sent["messages"]
    assert said["tool_calls"][0]["id"] == told["tool_call_id"] == call.call_id
    items = [item async for item in client.responses.input_items.list(after.id, limit=1)]
    assert [item.type for item in items] == ["function_call_output", "function_call", "message"]


async def test_what_a_vendor_wants_back_is_kept_for_it(house: ResponsesHouse) -> None:
    """Signatures go back with the call that they belong to, though the client never saw them."""
    tool: Any = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
    sent: dict[str, Any] = {}
    for model in (CLAUDE, GEMINI):
        called = await house.client.responses.create(
            model=f"{model}?reasoning=3&calls=1",
            input="call f",
            tools=[tool],
            reasoning={"effort": "low"},
        )
        [call] = [item for item in called.output if item.type == "function_call"]
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "1"}
        after: dict[str, Any] = {"input": [result], "tools": [tool], "reasoning": {"effort": "low"}}
        await house.client.responses.create(model=model, previous_response_id=called.id, **after)
        sent[model] = house.sent
        await house.client.responses.create(model=LAB, previous_response_id=called.id, **after)
        assert "signature" not in json.dumps(house.sent).lower()
    thinking, use = sent[CLAUDE]["messages"][1]["content"]
    assert (thinking["type"], use["type"]) == ("thinking", "tool_use")
    assert thinking["signature"]
    assert sent[GEMINI]["contents"][1]["parts"][-1]["thoughtSignature"]


async def test_page_of_input_items_begins_where_the_one_before_ended(house: ResponsesHouse) -> None:
    """By id, in either order; an id that is in no list is refused by name."""
    said: Any = [{"role": "user", "content": f"w{number}"} for number in range(5)]
    made = await house.client.responses.create(model=LAB, input=said)
    listed = house.client.responses.input_items.list
    newest = await listed(made.id, limit=2)
    assert (newest.has_more, len(newest.data)) == (True, 2)
    rest = await listed(made.id, after=newest.data[-1].id or "", limit=50)
    assert not rest.has_more
    oldest = [item.id async for item in listed(made.id, limit=2, order="asc")]
    assert [item.id for item in [*newest.data, *rest.data]] == oldest[::-1]
    with pytest.raises(BadRequestError) as caught:
        await listed(made.id, after="msg_none")
    assert caught.value.param == "after"


async def test_item_is_named_instead_of_sent(house: ResponsesHouse) -> None:
    """With its type and without; also after the answer that it came with is gone."""
    client = house.client
    made = await client.responses.create(model=LAB, input="one")
    item_id = made.output[0].id or ""
    named: Any = [{"type": "item_reference", "id": item_id}, {"role": "user", "content": "two"}]
    after = await client.responses.create(model=LAB, input=named)
    assert texts(house.sent["messages"]) == ["one", "two"]
    await client.responses.create(model=LAB, input=named, store=False)
    assert texts(house.sent["messages"]) == ["one", "two"]
    await client.responses.delete(made.id)
    await client.responses.create(model=LAB, input="three", previous_response_id=after.id)
    assert texts(house.sent["messages"]) == ["one", "two", "two", "three"]
    unknown: Any = [{"type": "item_reference", "id": "msg_unknown"}]
    with pytest.raises(BadRequestError, match="msg_unknown"):
        await client.responses.create(model=LAB, input=unknown)


async def test_answer_that_is_not_to_be_kept_is_not(house: ResponsesHouse) -> None:
    """It says so, and nothing of it is in the database."""
    client = house.client
    made = await client.responses.create(model=LAB, input="secretword", store=False)
    assert stored(made) is False
    with pytest.raises(NotFoundError):
        await client.responses.retrieve(made.id)
    with pytest.raises(BadRequestError) as caught:
        await client.responses.create(model=LAB, input="x", previous_response_id=made.id)
    assert (caught.value.code, caught.value.param) == (
        "previous_response_not_found",
        "previous_response_id",
    )
    for file in house.config.home.glob("slipstream.db*"):
        assert b"secretword" not in file.read_bytes()


async def test_other_key_sees_nothing(house: ResponsesHouse) -> None:
    """Another's answer and another's item are as good as none, whatever is asked of them."""
    made = await house.client.responses.create(model=LAB, input="one")
    job = await house.client.responses.create(model=LAB, input="one", background=True)
    with closing(open_store(f"sqlite:///{house.config.home / 'slipstream.db'}")) as store:
        _, token = create_key(store, "other", 1)
    async with strict_client(house.url, token) as other:
        async with asyncio.timeout(10):
            while not await _is_known(other):
                await asyncio.sleep(0.05)
        for asked in (
            other.responses.retrieve(made.id),
            other.responses.delete(made.id),
            other.responses.cancel(job.id),
        ):
            with pytest.raises(NotFoundError, match="not found"):
                await asked
        with pytest.raises(NotFoundError):
            await other.responses.input_items.list(made.id)
        with pytest.raises(BadRequestError, match="not found"):
            await other.responses.create(model=LAB, input="x", previous_response_id=made.id)
        named: Any = [{"type": "item_reference", "id": made.output[0].id}]
        with pytest.raises(BadRequestError, match="not found"):
            await other.responses.create(model=LAB, input=named)
    assert (await house.client.responses.retrieve(made.id)).id == made.id


async def _is_known(client: AsyncOpenAI) -> bool:
    try:
        await client.models.list()
    except AuthenticationError:
        return False
    return True


async def test_forgotten_answer_cannot_be_gone_on_with(house: ResponsesHouse) -> None:
    """Nor one that follows it: the error names what is missing."""
    client = house.client
    first = await client.responses.create(model=LAB, input="one")
    second = await client.responses.create(model=LAB, input="x", previous_response_id=first.id)
    await client.responses.delete(first.id)
    for asked in (client.responses.retrieve(first.id), client.responses.delete(first.id)):
        with pytest.raises(NotFoundError):
            await asked
    with pytest.raises(BadRequestError, match=first.id):
        await client.responses.create(model=LAB, input="y", previous_response_id=second.id)
    assert (await client.responses.retrieve(second.id)).output_text == "x"


async def test_failed_stream_is_kept_as_far_as_it_came(house: ResponsesHouse) -> None:
    """What the client read last is what it finds, and nobody goes on with it."""
    client = house.client
    stream = await client.responses.create(
        model=f"{LAB}?text=one two three four&error_after=3", input="x", stream=True
    )
    events: list[Any] = [event async for event in stream]
    failed = events[-1].response
    kept = await client.responses.retrieve(failed.id)
    assert (kept.status, kept.to_dict()) == ("failed", failed.to_dict())
    with pytest.raises(BadRequestError, match="failed"):
        await client.responses.create(model=LAB, input="x", previous_response_id=failed.id)


async def test_answer_in_the_background_is_fetched_when_it_is_done(house: ResponsesHouse) -> None:
    """From queued to completed, under one id; then it is gone on with like any other."""
    client = house.client
    first = await client.responses.create(model=LAB, input="one")
    job = await client.responses.create(
        model=f"{LAB}?delay=0.1", input="two", previous_response_id=first.id, background=True
    )
    assert (job.status, job.background, job.output) == ("queued", True, [])
    with pytest.raises(BadRequestError, match=r"queued|in_progress"):
        await client.responses.create(model=LAB, input="x", previous_response_id=job.id)
    done = await until_ended(client, job)
    assert (done.status, done.id, done.background, stored(done)) == (
        "completed",
        job.id,
        True,
        True,
    )
    assert (done.output_text, done.created_at) == ("two", job.created_at)
    assert done.previous_response_id == first.id
    assert done.usage is not None
    assert (await client.responses.cancel(job.id)).status == "completed"
    after = await client.responses.create(model=LAB, input="three", previous_response_id=job.id)
    assert texts(house.sent["messages"]) == ["one", "one", "two", "two", "three"]
    assert after.previous_response_id == job.id


async def test_answer_in_the_background_that_fails_says_why(house: ResponsesHouse) -> None:
    """What is wrong with the request is told at once, and what goes wrong later in the answer."""
    client = house.client
    job = await client.responses.create(model=f"{LAB}?status=400", input="x", background=True)
    failed = await until_ended(client, job)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.code == "invalid_prompt"
    with pytest.raises(NotFoundError):
        await client.responses.create(model="nowhere", input="x", background=True)
    wrong: Any = [{"role": "king", "content": "x"}]
    with pytest.raises(BadRequestError) as caught:
        await client.responses.create(model=LAB, input=wrong, background=True)
    assert caught.value.param == "input[0].role"


async def test_answer_in_the_background_is_cancelled(house: ResponsesHouse) -> None:
    """Its request ends, it stays cancelled, and doing it twice is harmless; others cannot be."""
    client = house.client
    job = await client.responses.create(model=f"{LAB}?delay=60", input="x", background=True)
    async with asyncio.timeout(10):
        while not house.upstream.log:
            await asyncio.sleep(0.01)
    for _ in range(2):
        cancelled = await client.responses.cancel(job.id)
        assert (cancelled.status, cancelled.error) == ("cancelled", None)
    await house.upstream.wait_for(lambda u: u.stats.active_requests == 0, timeout_s=5)
    assert (await client.responses.retrieve(job.id)).status == "cancelled"
    made = await client.responses.create(model=LAB, input="x")
    with pytest.raises(BadRequestError, match="background"):
        await client.responses.cancel(made.id)


async def test_deleted_answer_in_the_background_is_not_made(house: ResponsesHouse) -> None:
    """Nobody could ever read it."""
    job = await house.client.responses.create(model=f"{LAB}?delay=60", input="x", background=True)
    await house.client.responses.delete(job.id)
    await house.upstream.wait_for(lambda u: u.stats.active_requests == 0, timeout_s=5)
    with pytest.raises(NotFoundError):
        await house.client.responses.retrieve(job.id)


async def test_many_at_once_are_kept_each_for_itself(house: ResponsesHouse) -> None:
    """Forty answers, streamed and plain, at the same moment."""

    async def one(number: int) -> None:
        client, said = house.client, f"word{number}"
        if number % 2:
            made: Any = await client.responses.create(model=LAB, input=said)
        else:
            stream = await client.responses.create(model=LAB, input=said, stream=True)
            made = [event async for event in stream][-1].response  # type: ignore[union-attr]
        kept = await client.responses.retrieve(made.id)
        assert kept.output_text == said
        await client.responses.create(model=LAB, input="on", previous_response_id=made.id)

    await asyncio.gather(*map(one, range(40)))
    bodies = [json.loads(row.body)["messages"] for row in house.upstream.log]
    followed = [texts(messages) for messages in bodies if len(messages) == 3]
    assert sorted(followed) == sorted([f"word{n}", f"word{n}", "on"] for n in range(40))


async def test_answer_is_given_also_where_it_cannot_be_kept(house: ResponsesHouse) -> None:
    """It says so itself, plain and streamed; who wants to go on with one is told to come back."""
    client = house.client
    first = await client.responses.create(model=LAB, input="one")
    path = house.config.home / "slipstream.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE response_items RENAME TO elsewhere")
        plain = await client.responses.create(model=LAB, input="two")
        stream = await client.responses.create(model=LAB, input="three", stream=True)
        last: Any = [event async for event in stream][-1]
        raw = await ask(
            house.url,
            encode(
                "POST",
                "/v1/responses",
                house.key,
                json.dumps({"model": LAB, "input": "x", "previous_response_id": first.id}).encode(),
            ),
        )
        connection.execute("ALTER TABLE elsewhere RENAME TO response_items")
    assert (plain.output_text, stored(plain)) == ("two", False)
    assert (last.response.output_text, stored(last.response)) == ("three", False)
    assert (raw.status, raw.json()["error"]["code"]) == (503, "ledger_unavailable")
    for lost in (plain.id, last.response.id):
        with pytest.raises(NotFoundError):
            await client.responses.retrieve(lost)


WAYS = (
    ("GET", "/responses/{id}", 200),
    ("GET", "/responses/{id}?stream=false", 200),
    ("GET", "/v1/responses/{id}?stream=true", 400),
    ("GET", "/v1/responses/{id}?starting_after=3", 400),
    ("GET", "/responses/{id}/input_items", 200),
    ("POST", "/responses/{id}/cancel", 400),
    ("PUT", "/responses/{id}", 405),
    ("DELETE", "/responses/{id}", 200),
)


async def test_every_path_is_there_with_and_without_v1(house: ResponsesHouse) -> None:
    """Both kinds of SDK find it; what is not offered is refused by name."""
    made = await house.client.responses.create(model=LAB, input="x")
    for method, pattern, status in WAYS:
        path = pattern.format(id=made.id)
        answer = await ask(house.url, encode(method, path, house.key, b""))
        assert answer.status == status, path
        if "?" in path and status == 400:
            param = path.partition("?")[2].partition("=")[0]
            assert answer.json()["error"]["param"] == param


async def test_tokens_are_counted_with_what_is_gone_on_with(house: ResponsesHouse) -> None:
    """No model is asked, and none need be named."""
    count = house.client.responses.input_tokens.count
    short = await count(model=LAB, input="word " * 100)
    assert (short.object, short.input_tokens) == ("response.input_tokens", 4 + 125)
    made = await house.client.responses.create(model=LAB, input="word " * 100)
    num_asked = len(house.upstream.log)
    longer = await count(input="more", previous_response_id=made.id)
    assert longer.input_tokens > 2 * 125
    assert len(house.upstream.log) == num_asked
    answer = await ask(house.url, encode("POST", "/responses/input_tokens", house.key, b"["))
    assert answer.status == 400


async def test_conversation_is_made_shorter_and_gone_on_with(house: ResponsesHouse) -> None:
    """By the model that is named; the output is the beginning of the next input."""
    client = house.client
    first = await client.responses.create(model=LAB, input="The city is Paris.")
    short = await client.responses.compact(
        model=f"{LAB}?text=all is said", input="And the day?", previous_response_id=first.id
    )
    transcript = texts(house.sent["messages"])[-1]
    assert "assistant: The city is Paris." in transcript
    assert "user: And the day?" in transcript
    assert short.object == "response.compaction"
    assert short.usage.output_tokens == 3
    [item] = short.output
    assert item.type == "compaction"
    after = await client.responses.create(
        model=LAB,
        input=[item.to_dict(), {"role": "user", "content": "on"}],  # type: ignore[list-item]
    )
    told, last = texts(house.sent["messages"])
    assert "all is said" in told
    assert "The city is Paris.\n\nAnd the day?" in told
    assert last == "on"
    again = await client.responses.create(model=LAB, input="yet", previous_response_id=after.id)
    assert "all is said" in texts(house.sent["messages"])[0]
    assert again.status == "completed"
    with pytest.raises(NotFoundError):
        await client.responses.compact(model="nowhere", input="x")


async def test_own_models_answers_are_kept_and_gone_on_with(tmp_path: Path) -> None:
    """The embedded model: three turns, one of them streamed, one in the background."""
    async with local_house(tmp_path) as (client, _):
        asked: Any = {"model": MODEL, "temperature": 0, "max_output_tokens": 8}
        first = await client.responses.create(input="Say hello.", **asked)
        stream = await client.responses.create(
            input="Again.", previous_response_id=first.id, stream=True, **asked
        )
        second: Any = [event async for event in stream][-1].response
        job = await client.responses.create(
            input="Again.", previous_response_id=first.id, background=True, **asked
        )
        done = await until_ended(client, job)
        assert done.output_text == second.output_text
        assert (await client.responses.retrieve(second.id)).to_dict() == second.to_dict()
        assert second.usage.input_tokens > first.usage.input_tokens
        counted = await client.responses.input_tokens.count(model=MODEL, input="Say hello.")
        assert counted.input_tokens > 0
        short = await client.responses.compact(
            model=MODEL,
            previous_response_id=done.id,
            extra_body={"max_output_tokens": 16, "temperature": 0},
        )
        assert 0 < short.usage.output_tokens <= 16
        assert short.usage.input_tokens > second.usage.input_tokens
