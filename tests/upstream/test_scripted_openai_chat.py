"""Tests of ordinary answers in OpenAI's dialect, as the official SDK reads them."""

import json
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import quote

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

from slipstream.upstream.scripted.answer import count_words, split_words
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.upstream.scripted_raw import chat, talk

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["C", "F"]},
                "days": {"type": "integer", "minimum": 1},
            },
            "required": ["city", "unit", "days"],
        },
    },
}
TIME: Any = {"type": "function", "function": {"name": "get_time"}}
ARGUMENTS = '{"city": "string", "unit": "C", "days": 1}'


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000.5) as running:
        yield running


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=upstream.base_url, api_key="sk-test", max_retries=0, timeout=10
    ) as sdk:
        yield sdk


def says(text: str) -> Any:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


async def ask(client: AsyncOpenAI, text: str = "one two three four", **fields: Any) -> Any:
    fields = {"model": "any/model", "messages": says(text), **fields}
    return await client.chat.completions.create(**fields)


async def stream(client: AsyncOpenAI, text: str, **fields: Any) -> list[ChatCompletionChunk]:
    chunks = await ask(client, text, stream=True, **fields)
    async with chunks:
        return [chunk async for chunk in chunks]


def said(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    choices = [c for chunk in chunks for c in chunk.choices if c.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


# ---- plain --------------------------------------------------------------------------------------


async def test_answer_echoes_the_last_user_message_and_counts_words(client: AsyncOpenAI) -> None:
    """One word is one token; the fields of a whole answer are all there."""
    answer = await ask(client)
    assert answer.choices[0].message.content == "one two three four"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (6, 4)
    assert answer.usage.total_tokens == 10
    assert answer.usage.prompt_tokens_details.cached_tokens == 0
    assert (answer.id, answer.created, answer.model) == (
        "chatcmpl-000001",
        1_700_000_000,
        "any/model",
    )
    assert answer.system_fingerprint == "fp_scripted"
    assert answer.object == "chat.completion"


async def test_answer_to_content_parts_joins_their_text(client: AsyncOpenAI) -> None:
    """A message may be a list of parts; parts without text are passed over."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [{"type": "text", "text": "look"}, image, {"type": "text", "text": "here"}]
    answer = await ask(client, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == "look\nhere"


async def test_answer_to_no_words_still_says_something(client: AsyncOpenAI) -> None:
    """Without anything to echo there is a fixed sentence."""
    answer = await ask(client, messages=[{"role": "user", "content": ""}])
    assert answer.choices[0].message.content == "Nothing was said."


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_answer_over_the_token_limit_ends_with_length(
    client: AsyncOpenAI, field: str
) -> None:
    """Both names of the limit are obeyed; an answer of exactly the limit ends with stop."""
    cut = await ask(client, "one two three four", **{field: 3})
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == (
        "one two three",
        "length",
    )
    assert cut.usage.completion_tokens == 3
    whole = await ask(client, "one two three four", **{field: 4})
    assert whole.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("stop", "text"),
    [("three", "one two "), (["four", " two"], "one"), ("nowhere", "one two three four")],
)
async def test_answer_ends_before_the_first_stop_string(
    client: AsyncOpenAI, stop: Any, text: str
) -> None:
    """The stop string itself is not in the answer, and the reason is stop."""
    answer = await ask(client, stop=stop)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (text, "stop")


async def test_answer_with_stop_after_the_limit_ends_with_length(client: AsyncOpenAI) -> None:
    """What comes first decides: the limit, then the stop string."""
    answer = await ask(client, stop="four", max_tokens=2)
    assert answer.choices[0].finish_reason == "length"


async def test_choices_are_as_many_as_asked(client: AsyncOpenAI) -> None:
    """Each choice is counted."""
    answer = await ask(client, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens == 12


async def test_answer_under_another_prefix_is_the_same(upstream: ScriptedUpstream) -> None:
    """Providers have their own prefixes; the end of the path decides."""
    for path in ("/chat/completions", "/openai/v1/chat/completions?api-version=1"):
        assert (await talk(upstream, chat(), path=path)).status == 200


# ---- streams ------------------------------------------------------------------------------------


async def test_stream_is_role_words_finish_and_no_usage(client: AsyncOpenAI) -> None:
    """One word per chunk, a role first, a finish last, usage only when asked for."""
    chunks = await stream(client, "one two three")
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert [delta.content for delta in deltas] == ["", "one", " two", " three", None]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert {chunk.id for chunk in chunks} == {"chatcmpl-000001"}


async def test_stream_with_usage_ends_with_an_empty_chunk(
    client: AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    """The usage chunk has no choices; the others say usage: null."""
    chunks = await stream(client, "a b", stream_options={"include_usage": True})
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (4, 2)
    raw = await talk(upstream, chat(stream=True, stream_options={"include_usage": True}))
    assert raw.events[-1] == "[DONE]"
    assert [json.loads(event)["usage"] for event in raw.events[:-2]] == [None] * 5


async def test_stream_without_usage_has_no_such_key(upstream: ScriptedUpstream) -> None:
    """A client that did not ask never sees the key."""
    raw = await talk(upstream, chat(stream=True))
    assert "usage" not in raw.body.decode()
    assert raw.events[-1] == "[DONE]"


async def test_stream_of_choices_interleaves_them(client: AsyncOpenAI) -> None:
    """Each choice has its role, its words and its finish."""
    chunks = await stream(client, "a b", n=2)
    assert [chunk.choices[0].index for chunk in chunks] == [0, 1] * 4
    assert said(chunks, 0) == said(chunks, 1) == "a b"


@pytest.mark.parametrize("text", ["a  b\n c ", " x", "\n", "", "é ü\u00a0ö"])
async def test_stream_puts_together_to_the_text(client: AsyncOpenAI, text: str) -> None:
    """White space of every kind survives the split into words."""
    chunks = await stream(client, "ignored", model=f"m?text={quote(text)}")
    assert said(chunks) == text


@given(st.text())
def test_words_joined_are_the_text(text: str) -> None:
    """Nothing is lost, and counting agrees with splitting."""
    words = split_words(text)
    assert "".join(words) == text
    assert len(words) == count_words(text)


# ---- tools --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", ["get_time"]),
        ("required", ["get_time"]),
        ("none", []),
        ({"type": "function", "function": {"name": "get_weather"}}, ["get_weather"]),
    ],
)
async def test_tool_choice_decides_whether_and_which(
    client: AsyncOpenAI, choice: Any, names: list[str]
) -> None:
    """Auto and required call the first tool that is not named otherwise."""
    answer = await ask(client, "hello", tools=[TIME, WEATHER], tool_choice=choice)
    message = answer.choices[0].message
    assert [call.function.name for call in message.tool_calls or []] == names
    assert answer.choices[0].finish_reason == ("tool_calls" if names else "stop")
    assert message.content == (None if names else "hello")


async def test_tool_arguments_are_a_minimal_instance(client: AsyncOpenAI) -> None:
    """They parse, and hold what the schema requires; a tool without a schema gets {}."""
    answer = await ask(client, "get_time and get_weather", tools=[TIME, WEATHER])
    calls = answer.choices[0].message.tool_calls
    assert [call.function.arguments for call in calls] == ["{}", ARGUMENTS]
    assert len({call.id for call in calls}) == 2
    assert answer.usage.completion_tokens == 2 + 7


async def test_tools_named_by_the_user_are_called_in_parallel_unless_forbidden(
    client: AsyncOpenAI,
) -> None:
    """parallel_tool_calls: false leaves one call, whatever a behaviour says."""
    fields: Any = {"tools": [TIME, WEATHER], "text": "get_time and get_weather"}
    assert len((await ask(client, **fields)).choices[0].message.tool_calls) == 2
    many = await ask(client, **fields, model="m?calls=5")
    assert len(many.choices[0].message.tool_calls) == 5
    one = await ask(client, **fields, model="m?calls=5", parallel_tool_calls=False)
    assert len(one.choices[0].message.tool_calls) == 1


async def test_tool_result_is_answered_in_words(client: AsyncOpenAI) -> None:
    """An agent's loop ends: after a result, auto says something; required still calls."""
    call = {"id": "c", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "get_time please"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "12:00"},
    ]
    fields: Any = {"tools": [TIME], "messages": messages}
    assert (await ask(client, **fields)).choices[0].message.content == "get_time please"
    forced = await ask(client, **fields, tool_choice="required")
    assert forced.choices[0].finish_reason == "tool_calls"


async def test_stream_of_tool_calls_puts_together_to_the_same(client: AsyncOpenAI) -> None:
    """Id and name come first with empty arguments, then the arguments in pieces."""
    chunks = await stream(client, "get_time and get_weather", tools=[TIME, WEATHER])
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    firsts = [delta for delta in deltas if delta.id]
    assert [(f.index, f.function and f.function.name) for f in firsts] == [
        (0, "get_time"),
        (1, "get_weather"),
    ]
    texts = ["", ""]
    for delta in deltas:
        assert delta.function is not None
        texts[delta.index] += delta.function.arguments or ""
    assert texts == ["{}", ARGUMENTS]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(("limit", "arguments"), [(1, ""), (3, '{"city": "string",')])
async def test_tool_arguments_over_the_token_limit_are_cut(
    client: AsyncOpenAI, limit: int, arguments: str
) -> None:
    """The name is one token, then the arguments; what is cut does not parse, as in reality."""
    answer = await ask(client, tools=[WEATHER], max_tokens=limit)
    assert answer.choices[0].message.tool_calls[0].function.arguments == arguments
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == limit


# ---- structured outputs -------------------------------------------------------------------------


class Step(BaseModel):
    explanation: str
    kind: Literal["sum", "product"]


class Solution(BaseModel):
    steps: list[Step]
    first: Step
    answer: float
    note: str | None


async def test_structured_output_parses_into_the_model(client: AsyncOpenAI) -> None:
    """The SDK's own parser accepts what is made of its own schema."""
    answer = await client.chat.completions.parse(
        model="m", messages=says("solve"), response_format=Solution
    )
    parsed = answer.choices[0].message.parsed
    assert parsed is not None
    assert parsed.first == Step(explanation="string", kind="sum")


async def test_structured_output_streams_to_the_same(client: AsyncOpenAI) -> None:
    """The SDK's stream helper puts the pieces together and parses them."""
    async with client.chat.completions.stream(
        model="m", messages=says("solve"), response_format=Solution
    ) as events:
        final = await events.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Solution)


async def test_json_object_holds_the_words(client: AsyncOpenAI) -> None:
    """json_object gives an object; a scripted text is used as it is."""
    form = {"type": "json_object"}
    answer = await ask(client, 'say "hi"', response_format=form)
    assert json.loads(answer.choices[0].message.content) == {"answer": 'say "hi"'}
    own = await ask(client, response_format=form, model='m?text={"a":1}')
    assert own.choices[0].message.content == '{"a":1}'


# ---- refusals -----------------------------------------------------------------------------------

SCHEMA_FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": []}}}

REFUSALS: list[tuple[dict[str, Any], str, str | None]] = [
    ({"messages": []}, "length >= 1", "messages"),
    ({"messages": "hello"}, "expected `array`, got `str`", "messages"),
    ({"messages": [{"content": "x"}]}, "missing required field `role`", "messages[0].role"),
    ({"messages": [{"role": "boss", "content": "x"}]}, "'boss'", "messages[0].role"),
    ({"messages": None}, "expected `array`, got `null`", "messages"),
    ({"model": 5}, "expected `str`, got `int`", "model"),
    ({"max_tokens": 0}, ">= 1", "max_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, "exclude each other", "max_tokens"),
    ({"temperature": 3}, "<= 2", "temperature"),
    ({"stop": ["a"] * 5}, "length <= 4", "stop"),
    ({"stream": False, "stream_options": {}}, "needs stream", "stream_options"),
    ({"tool_choice": "required"}, "needs tools", "tool_choice"),
    ({"tools": [TIME], "tool_choice": "always"}, "'always'", "tool_choice"),
    (
        {"tools": [TIME], "tool_choice": {"type": "function", "function": {"name": "no"}}},
        "unknown tool 'no'; tools has get_time",
        "tool_choice",
    ),
    ({"tools": [{"type": "retrieval"}]}, "'retrieval'", "tools[0].type"),
    ({"response_format": {"type": "json_schema"}}, "json_schema goes with", "response_format"),
    (
        {"response_format": SCHEMA_FORM},
        "no value of enum",
        "response_format.json_schema.schema",
    ),
    ({"model": "m?dleay=1"}, "unknown behaviour 'dleay' in model; the nearest", "model"),
]


@pytest.mark.parametrize("stream", [{}, {"stream": True}])
@pytest.mark.parametrize(("fields", "text", "param"), REFUSALS)
async def test_invalid_request_is_refused_as_openai_does(
    upstream: ScriptedUpstream,
    fields: dict[str, Any],
    text: str,
    param: str | None,
    stream: dict[str, Any],
) -> None:
    """A 400 with message, type and the field; never a stream that then fails."""
    wire = await talk(upstream, chat(**{**stream, **fields}))
    error = wire.document["error"]
    assert wire.status == 400
    assert text in error["message"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


async def test_invalid_json_is_refused(upstream: ScriptedUpstream) -> None:
    """A body that is no JSON object says so."""
    wire = await talk(upstream, "just a string")
    assert (wire.status, wire.document["error"]["code"]) == (400, "invalid_value")
    wire = await talk(upstream, None)
    assert (wire.status, wire.document["error"]["code"]) == (400, "invalid_json")


# ---- other paths --------------------------------------------------------------------------------


async def test_models_are_listed_and_found_by_id(client: AsyncOpenAI) -> None:
    """Ids contain slashes; an unknown one is a 404 of the SDK's own kind."""
    listed = [model.id async for model in client.models.list()]
    assert listed == ["scripted", "lab/scripted-mini"]
    for name in listed:
        assert (await client.models.retrieve(name)).id == name
    with pytest.raises(openai.NotFoundError, match="unknown model 'no'"):
        await client.models.retrieve("no")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("HEAD", "/health", 405),
        ("GET", "/nowhere", 404),
        ("PUT", "/mock/log", 404),
    ],
)
async def test_path_and_method_are_answered_or_refused(
    upstream: ScriptedUpstream, method: str, path: str, status: int
) -> None:
    """Every path has its methods; HEAD gets no body."""
    wire = await talk(upstream, None, method=method, path=path)
    assert wire.status == status
    assert (wire.raw_body == b"") == (method == "HEAD")
