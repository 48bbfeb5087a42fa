"""The scripted upstream as OpenAI's Responses: the official SDK, order of events, checks."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response

from slipstream.upstream.scripted.seals import close_seal, make_id, open_seal
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from slipstream.wire.responses.answers_in import AnswerReader
from slipstream.wire.talk.events import CallSaid, Counted, Ended, Said, Sealed, Thought
from tests.upstream.scripted_named import (
    CITY,
    WEATHER_SCHEMA,
    bytes_of_events,
    named,
    names,
    post,
)

PATH = "/openai/v1/responses"
SEALED: Any = "reasoning.encrypted_content"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": WEATHER_SCHEMA,
    "strict": False,
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000.5) as running:
        yield running


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[AsyncOpenAI]:
    base_url = f"{upstream.origin}/openai/v1"
    async with AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0, timeout=10) as sdk:
        yield sdk


def body(**fields: Any) -> dict[str, Any]:
    """Make the smallest request."""
    return {"model": "m", "input": "one two three", **fields}


async def test_stream_of_text_has_the_order_of_the_real_one(upstream: ScriptedUpstream) -> None:
    """Each event has its number, and the last one the whole answer."""
    wire = await post(upstream, PATH, body(stream=True), "cached=1")
    assert names(wire) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    events = [data for _, data in named(wire)]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    usage = events[-1]["response"]["usage"]
    assert usage["input_tokens_details"]["cached_tokens"] == 1
    assert (usage["input_tokens"], usage["output_tokens"]) == (3, 3)


async def test_sdk_gets_reasoning_and_calls(client: AsyncOpenAI) -> None:
    """The SDK's own stream puts a summary, a seal and two calls together."""
    async with client.responses.stream(
        model="m?reasoning=2&calls=2&call_pieces=interleaved",
        input="what weather",
        tools=[WEATHER],
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "low", "summary": "auto"},
    ) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert "response.reasoning_summary_text.delta" in kinds
    assert "response.function_call_arguments.delta" in kinds
    reasoning, *calls = final.output
    assert reasoning.type == "reasoning"
    assert reasoning.summary[0].text == "hmm hmm"
    assert open_seal("openai", reasoning.encrypted_content or "") == "hmm hmm"
    assert [call.arguments for call in calls if call.type == "function_call"] == [CITY] * 2
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens == 2


async def test_sdk_takes_answers_strictly(upstream: ScriptedUpstream) -> None:
    """A plain answer is valid by the SDK's own types."""
    tools = [WEATHER, {"type": "custom", "name": "exec"}]
    asked = body(tools=tools, tool_choice={"type": "custom", "name": "exec"})
    said = (await post(upstream, PATH, asked, "reasoning=1")).document
    answer = Response.model_validate(said)
    assert [item.type for item in answer.output] == ["reasoning", "custom_tool_call"]
    assert "encrypted_content" not in said["output"][0]
    assert said["output"][0]["summary"] == []


async def test_sdk_parses_a_structured_answer(client: AsyncOpenAI) -> None:
    """`text.format` is obeyed."""
    form: Any = {"type": "json_schema", "name": "w", "schema": WEATHER_SCHEMA, "strict": False}
    answer = await client.responses.create(model="m", input="x", text={"format": form})
    assert answer.output_text == CITY


async def test_conversation_goes_on_with_items(client: AsyncOpenAI) -> None:
    """What was given out comes back and passes: reasoning with its seal, call and output."""
    first = await client.responses.create(
        model="m?reasoning=1", input="weather", tools=[WEATHER], include=[SEALED], store=False
    )
    items: list[Any] = [item.model_dump(exclude_none=True) for item in first.output]
    output: Any = {
        "type": "function_call_output",
        "call_id": items[1]["call_id"],
        "output": "warm today",
    }
    user: Any = {"role": "user", "content": "weather"}
    second = await client.responses.create(
        model="m", input=[user, *items, output], tools=[WEATHER], store=False
    )
    assert second.output_text == "weather"


async def test_previous_answer_is_known_by_its_id(client: AsyncOpenAI) -> None:
    """Ids that were given out are taken, others are not found."""
    first = await client.responses.create(model="m", input="x")
    second = await client.responses.create(model="m", input="y", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    with pytest.raises(openai.BadRequestError, match="not found"):
        await client.responses.create(model="m", input="y", previous_response_id="resp_1")


@pytest.mark.parametrize("is_stream", [True, False])
async def test_own_reader_finds_everything(upstream: ScriptedUpstream, is_stream: bool) -> None:
    """The gateway's reader makes of an answer what was put into it."""
    reasoning = {"effort": "low", "summary": "auto"}
    asked = body(stream=is_stream, tools=[WEATHER], include=[SEALED], reasoning=reasoning)
    wire = await post(upstream, PATH, asked, "reasoning=2,cached=1")
    reader = AnswerReader()
    if is_stream:
        events = [e for raw in bytes_of_events(wire) for e in reader.read(raw)] + reader.end()
    else:
        events = reader.read_whole(wire.body)
    assert "".join(e.text for e in events if isinstance(e, Thought)) == "hmm hmm"
    assert "".join(e.text for e in events if isinstance(e, CallSaid)) == CITY
    [sealed] = [e for e in events if isinstance(e, Sealed)]
    assert open_seal("openai", sealed.seal.data) == "hmm hmm"
    usage = [e.usage for e in events if isinstance(e, Counted)][-1]
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (2, 1, 3)
    assert [e.reason for e in events if isinstance(e, Ended)] == ["tool_calls"]


async def test_answer_ends_incomplete_or_failed(upstream: ScriptedUpstream) -> None:
    """The last event says how; a failed one has the error and what was said so far."""
    wire = await post(upstream, PATH, body(stream=True, max_output_tokens=2))
    name, data = named(wire)[-1]
    assert name == "response.incomplete"
    assert data["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    name, data = named(await post(upstream, PATH, body(stream=True), "finish=failed"))[-1]
    assert name == "response.failed"
    assert data["response"]["error"]["code"] == "server_error"
    plain = (await post(upstream, PATH, body(), "finish=failed")).document
    assert (plain["status"], plain["error"]["code"]) == ("failed", "server_error")


async def test_refusal_is_a_part(upstream: ScriptedUpstream) -> None:
    """A refusal has events and a part of its own."""
    wire = await post(upstream, PATH, body(stream=True), "refuse")
    assert "response.refusal.delta" in names(wire)


async def test_errors_are_openais_before_and_after_the_first_event(
    upstream: ScriptedUpstream, client: AsyncOpenAI
) -> None:
    """A status with its envelope and headers; a flat event with the next number."""
    with pytest.raises(openai.RateLimitError) as refused:
        await client.responses.create(model="m?status=429&remaining=0&retry_after=2", input="x")
    headers = refused.value.response.headers
    assert (headers["x-ratelimit-remaining-tokens"], headers["retry-after"]) == ("0", "2")
    events = named(await post(upstream, PATH, body(stream=True), "error_after=3"))
    assert events[-1][0] == "error"
    assert events[-1][1]["sequence_number"] == 3
    stream = await client.responses.create(model="m?error_after=3", input="x", stream=True)
    *_, last = [event async for event in stream]
    assert last.type == "error"
    assert "scripted" in last.message


async def test_terminal_event_and_usage_can_be_left_out(upstream: ScriptedUpstream) -> None:
    """As in every dialect."""
    assert names(await post(upstream, PATH, body(stream=True), "no_done"))[-1] == (
        "response.output_item.done"
    )
    events = named(await post(upstream, PATH, body(stream=True), "usage=none"))
    assert events[-1][1]["response"]["usage"] is None


CALL: Any = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: Any = {"type": "function_call_output", "call_id": "c1", "output": "x"}
GOOD_SEAL = close_seal("openai", "a")
REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"messages": []}, "Unknown parameter: 'messages'", "unknown_parameter"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].function", None),
    ({"tools": [{"type": "function", "parameters": {}}]}, "tools[0].name", None),
    ({"input": [CALL]}, "No tool output found for function call c1", None),
    ({"input": [OUTPUT]}, "No tool call found", None),
    ({"input": [{**CALL, "call_id": "c" * 65}, OUTPUT]}, "string too long", None),
    ({"input": [{**CALL, "id": "call_1"}, OUTPUT]}, "begins with 'fc'", "invalid_value"),
    ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].arguments", None),
    ({"input": [{"role": "tool", "content": "x"}]}, "Supported values are", "invalid_value"),
    (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
        "'output_text' and 'refusal'",
        "invalid_value",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        "'input_text'",
        "invalid_value",
    ),
    (
        {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}]},
        "could not be verified",
        "invalid_encrypted_content",
    ),
    (
        {
            "input": [
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": GOOD_SEAL},
                {"role": "user", "content": "x"},
            ]
        },
        "required following item",
        None,
    ),
    ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}, CALL]}, "not found", None),
    ({"previous_response_id": "chatcmpl-1"}, "begins with 'resp'", "invalid_value"),
    (
        {"previous_response_id": make_id("resp_", 1)[:-1] + "x"},
        "not found",
        "previous_response_not_found",
    ),
]


@pytest.mark.parametrize(("fields", "said", "code"), REFUSED)
async def test_request_that_openai_refuses_is_refused(
    upstream: ScriptedUpstream, fields: dict[str, Any], said: str, code: str | None
) -> None:
    """A wrongly translated request gets a 400 that names what is wrong with it."""
    wire = await post(upstream, PATH, body(**fields))
    error = wire.document["error"]
    assert wire.status == 400
    assert said in error["message"]
    assert code is None or error["code"] == code


async def test_xai_says_errors_its_own_way(upstream: ScriptedUpstream) -> None:
    """Its error is a text beside a code."""
    said = (await post(upstream, "/xai/v1/responses", body(input=[OUTPUT]))).document
    assert set(said) == {"code", "error"}
    assert isinstance(said["error"], str)


async def test_tokens_are_counted(client: AsyncOpenAI) -> None:
    """Words are tokens there, too."""
    counted = await client.responses.input_tokens.count(model="m", input="one two")
    assert counted.input_tokens == 2


async def test_said_is_read_as_text(upstream: ScriptedUpstream) -> None:
    """Words come as words."""
    wire = await post(upstream, PATH, body(stream=True), "call_pieces=whole")
    reader = AnswerReader()
    events = [e for raw in bytes_of_events(wire) for e in reader.read(raw)]
    assert "".join(e.text for e in events if isinstance(e, Said)) == "one two three"


async def test_conversation_is_made_shorter(client: AsyncOpenAI) -> None:
    """What would have been said, sealed."""
    made = await client.responses.compact(model="m", input="one two")
    [item] = made.output
    assert item.type == "compaction"
    assert open_seal("openai", item.encrypted_content) == "one two"
    assert (made.usage.input_tokens, made.usage.output_tokens) == (2, 2)
