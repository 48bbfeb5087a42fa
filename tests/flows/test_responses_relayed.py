"""Kept answers of which OpenAI made some: it is told ids that it knows, and items otherwise."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError

from tests.flows.responses_house import LAB, OPENAI, ResponsesHouse, responses_house, texts


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ResponsesHouse]:
    """Open a house."""
    async with responses_house(tmp_path) as opened:
        yield opened


async def test_relayed_answer_is_kept_under_its_providers_id(house: ResponsesHouse) -> None:
    """As it came, plain and streamed; the request is sent as the client wrote it."""
    client = house.client
    plain = await client.responses.create(model=OPENAI, input="one two")
    assert "store" not in house.sent
    stream = await client.responses.create(model=OPENAI, input="three", stream=True)
    last: Any = [event async for event in stream][-1]
    for made in (plain, last.response):
        assert not made.id.startswith("resp_req-")
        assert (await client.responses.retrieve(made.id)).to_dict() == made.to_dict()
        items = await client.responses.input_items.list(made.id)
        assert len(items.data) == 1


async def test_provider_that_keeps_an_answer_is_told_its_id(house: ResponsesHouse) -> None:
    """And only what is new, so that its reasoning is not lost."""
    client = house.client
    first = await client.responses.create(
        model=f"{OPENAI}?reasoning=4", input="one", reasoning={"summary": "auto"}
    )
    second = await client.responses.create(model=OPENAI, input="two", previous_response_id=first.id)
    assert house.sent_to.endswith("/responses")
    assert (house.sent["previous_response_id"], house.sent["input"]) == (first.id, "two")
    assert second.previous_response_id == first.id
    named: Any = [{"type": "item_reference", "id": first.output[0].id}]
    with pytest.raises(BadRequestError):  # the mock remembers nothing
        await client.responses.create(model=OPENAI, input=named)
    assert house.sent["input"] == named


async def test_other_provider_gets_what_the_first_one_keeps(house: ResponsesHouse) -> None:
    """A conversation goes from OpenAI to another and back: each gets all that it does not have."""
    client = house.client
    first = await client.responses.create(model=OPENAI, input="one")
    second = await client.responses.create(model=LAB, input="two", previous_response_id=first.id)
    assert texts(house.sent["messages"]) == ["one", "one", "two"]
    third = await client.responses.create(
        model=OPENAI, input="three", previous_response_id=second.id
    )
    sent = house.sent
    assert "previous_response_id" not in sent
    said = [part["text"] for item in sent["input"] for part in item["content"]]
    assert said == ["one", "one", "two", "two", "three"]
    assert third.previous_response_id == second.id
    assert third.id.startswith("resp_req-")
    fourth = await client.responses.create(
        model=OPENAI, input="four", previous_response_id=third.id
    )
    assert fourth.output_text == "four"
    assert "previous_response_id" not in house.sent


async def test_answer_in_the_background_has_two_ids(house: ResponsesHouse) -> None:
    """The client knows ours, and its provider is told its own."""
    client = house.client
    job = await client.responses.create(model=OPENAI, input="one", background=True)
    async with asyncio.timeout(20):
        while job.status in ("queued", "in_progress"):
            await asyncio.sleep(0.01)
            job = await client.responses.retrieve(job.id)
    assert (job.status, job.output_text) == ("completed", "one")
    assert "background" not in house.sent
    after = await client.responses.create(model=OPENAI, input="two", previous_response_id=job.id)
    assert house.sent["previous_response_id"] != job.id
    assert house.sent["input"] == "two"
    assert after.status == "completed"


async def test_openai_makes_conversations_shorter_itself(house: ResponsesHouse) -> None:
    """Relayed whole where it can read the conversation; what it made goes back as it is."""
    client = house.client
    first = await client.responses.create(model=OPENAI, input="one")
    raw = await client.responses.with_raw_response.compact(
        model=OPENAI, previous_response_id=first.id, input="two"
    )
    assert house.sent_to == "/openai/v1/responses/compact"
    assert house.sent == {
        "model": "gpt-5.4",
        "previous_response_id": first.id,
        "input": "two",
    }
    short = raw.parse()
    assert raw.headers["x-slipstream-target"] == "openai/gpt-5.4"
    assert short.usage.total_tokens > 0
    [item] = short.output
    with pytest.raises(BadRequestError):  # the mock opens none
        await client.responses.create(model=OPENAI, input=[item.to_dict()])  # type: ignore[list-item]
    assert house.sent["input"] == [item.to_dict()]


async def test_openai_is_asked_for_a_summary_of_what_it_cannot_read(house: ResponsesHouse) -> None:
    """Of a conversation that only we keep, and of one that we made shorter before."""
    client = house.client
    first = await client.responses.create(model=LAB, input="one")
    short = await client.responses.compact(model=OPENAI, previous_response_id=first.id)
    assert house.sent_to == "/openai/v1/responses"
    assert house.sent["store"] is False
    [item] = short.output
    assert item.type == "compaction"
    assert item.encrypted_content.startswith("slipstream.1.")
    again: Any = [item.to_dict(), {"role": "user", "content": "on"}]
    await client.responses.create(model=OPENAI, input=again)
    assert "Summary" in json.dumps(house.sent["input"][0])
    await client.responses.compact(model=OPENAI, input=again)
    assert house.sent_to == "/openai/v1/responses"


async def test_other_target_takes_over_with_all_that_was_said(tmp_path: Path) -> None:
    """The first one was told an id, and failed; the second one gets the items."""
    route = '[routes.both]\ntargets = ["openai/gpt-5.4", "lab/any"]'
    async with responses_house(tmp_path, route) as house:
        first = await house.client.responses.create(model="both", input="one")
        house.upstream.script("status=500")
        second = await house.client.responses.create(
            model="both", input="two", previous_response_id=first.id
        )
        failed, served = house.upstream.log[-2:]
        assert json.loads(failed.body)["previous_response_id"] == first.id
        assert texts(json.loads(served.body)["messages"]) == ["one", "one", "two"]
        third = await house.client.responses.create(
            model="both", input="three", previous_response_id=second.id
        )
        assert house.sent_to == "/openai/v1/responses"
        assert "previous_response_id" not in house.sent
        assert third.output_text == "three"
