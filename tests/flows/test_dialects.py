"""Responses through the whole gateway, asked by the official SDK; both dialects, cut off.

What clients of Messages meet is in test_anthropic_clients.py.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from slipstream.wire.sse import EventSplitter
from tests.flows.conftest import OpenHouse
from tests.flows.local_house import local_house
from tests.flows.raw import ask, encode
from tests.prepared_model import MODEL

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
AGE: Any = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    """Return an SDK client of a gateway with the embedded model."""
    async with local_house(tmp_path) as (opened, _):
        yield opened


async def test_responses_of_our_own_model_are_plain_and_streamed_alike(
    client: AsyncOpenAI,
) -> None:
    """The same text, the same usage; a stream ends with the whole answer."""
    asked: Any = {"model": MODEL, "input": "Tell me a story.", "temperature": 0}
    plain = await client.responses.create(**asked, max_output_tokens=16)
    stream = await client.responses.create(**asked, max_output_tokens=16, stream=True)
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    last = events[-1]
    assert last.type == "response.incomplete"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == last.response.output_text == plain.output_text
    assert plain.usage is not None
    assert last.response.usage is not None
    assert plain.usage.output_tokens == last.response.usage.output_tokens == 16
    assert plain.status == "incomplete"


async def test_tool_is_called_and_its_result_is_read_by_responses(client: AsyncOpenAI) -> None:
    """The items of one answer are the input of the next request."""
    asked: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    async with client.responses.stream(
        model=MODEL, input=asked, tools=[TOOL], tool_choice={"type": "function", "name": "weather"}
    ) as stream:
        called = await stream.get_final_response()
    [call] = called.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "It is sunny."}
    turns: Any = [*asked, call.to_dict(), result]
    after = await client.responses.create(
        model=MODEL,
        input=turns,
        tools=[TOOL],
        max_output_tokens=16,
        temperature=0,
    )
    assert after.status in ("completed", "incomplete")


async def test_form_is_kept_by_responses(client: AsyncOpenAI) -> None:
    """`text.format` binds our own model."""
    answer = await client.responses.create(
        model=MODEL,
        input="Anna is three years old.",
        max_output_tokens=60,
        text={"format": {"type": "json_schema", "name": "age", "strict": True, "schema": AGE}},
    )
    assert list(json.loads(answer.output_text)) == ["age"]


async def test_responses_that_go_on_with_nothing_are_refused(client: AsyncOpenAI) -> None:
    """The error names the field."""
    with pytest.raises(BadRequestError) as caught:
        await client.responses.create(model=MODEL, input="x", previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
    with pytest.raises(NotFoundError):
        await client.responses.create(model="nowhere", input="x")


async def test_stream_that_breaks_off_ends_in_each_dialects_own_words(
    open_house: OpenHouse,
) -> None:
    """A Messages client reads `error`, a Responses client `response.failed` with what was said."""
    async with open_house() as house:
        said = {"stream": True, "model": "lab/m?text=one two three four five&error_after=3"}
        turns = [{"role": "user", "content": "x"}]
        ways: dict[str, dict[str, Any]] = {
            "/v1/messages": {"max_tokens": 9, "messages": turns},
            "/v1/responses": {"input": turns},
        }
        lasts = []
        for path, body in ways.items():
            data = json.dumps({**said, **body}).encode()
            answer = await ask(house.url, encode("POST", path, house.key, data))
            lasts.append(EventSplitter().feed(answer.body)[-1])
    assert lasts[0].startswith(b'event: error\ndata: {"type":"error"')
    assert lasts[1].startswith(b"event: response.failed\n")
    assert b'"text":"one' in lasts[1]
