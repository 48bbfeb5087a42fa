"""What a client of Anthropic's API meets: its official SDK, strict, and raw requests."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from anthropic import APIStatusError, AsyncAnthropic, BadRequestError, NotFoundError
from anthropic.types import Usage

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import scripted_upstream
from slipstream.wire.sse import EventSplitter
from tests.flows.conftest import OpenHouse
from tests.flows.local_house import LIMIT_S, local_house
from tests.flows.raw import ask, encode
from tests.prepared_model import MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all that change nothing

# The SDK has no argument for it: Anthropic's newer models choose for themselves.
GREEDY: Any = {"extra_body": {"temperature": 0}}
STORY: Any = [{"role": "user", "content": "Tell me a story."}]
TOOL: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
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
PNG: Any = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PING: Final = b'event: ping\ndata: {"type":"ping"}'
LIMITS: Final = "\n[limits.default]\nrequests_per_minute = 10000\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncAnthropic]:
    """Return the SDK's client of a gateway with the embedded model."""
    async with (
        local_house(tmp_path_factory.mktemp("anthropic"), LIMITS) as (opened, _),
        AsyncAnthropic(
            base_url=str(opened.base_url).removesuffix("/v1/"),
            api_key=opened.api_key,
            max_retries=0,
            timeout=LIMIT_S,
            _strict_response_validation=True,
        ) as made,
    ):
        yield made


def read_tokens(usage: Usage) -> int:
    """Return how long the prompt was, whatever of it was cached."""
    return usage.input_tokens + (usage.cache_read_input_tokens or 0)


async def test_answer_is_the_same_plain_streamed_and_in_the_beta(client: AsyncAnthropic) -> None:
    """The same reason and counts; the message has the request's id."""
    asked: Any = {"model": MODEL, "max_tokens": 16, "messages": STORY} | GREEDY
    plain = await client.messages.create(**asked)
    beta = await client.beta.messages.create(**asked, betas=["nobody-knows-2030-01-01"])
    async with client.messages.stream(**asked) as stream:
        pieces = [piece async for piece in stream.text_stream]
        streamed = await stream.get_final_message()
    for message in (plain, beta, streamed):
        assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 16)
        assert message.content[0].type == "text"
    assert len(pieces) > 1
    assert (plain._request_id or "").startswith("req-")
    assert read_tokens(streamed.usage) == read_tokens(plain.usage) > 0


async def test_tool_is_called_and_its_result_is_read(client: AsyncAnthropic) -> None:
    """The blocks of one answer are part of the next request."""
    asked: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    options: Any = {"model": MODEL, "max_tokens": 100, "tools": [TOOL]} | GREEDY
    choice: Any = {"type": "tool", "name": "weather"}
    async with client.messages.stream(messages=asked, tool_choice=choice, **options) as stream:
        called = await stream.get_final_message()
    [call] = called.content
    assert call.type == "tool_use"
    assert (call.name, call.input, called.stop_reason) == (
        "weather",
        {"city": "Paris"},
        "tool_use",
    )
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "It is sunny."}
    turns: Any = [
        *asked,
        {"role": "assistant", "content": [block.to_dict() for block in called.content]},
        {"role": "user", "content": [result]},
    ]
    after = await client.messages.create(messages=turns, **options)
    assert after.content


async def test_form_is_kept(client: AsyncAnthropic) -> None:
    """`output_config.format` binds our own model."""
    answer = await client.messages.create(
        model=MODEL,
        max_tokens=60,
        messages=[{"role": "user", "content": "Anna is three years old."}],
        output_config={"format": {"type": "json_schema", "schema": AGE}},
    )
    [block] = answer.content
    assert block.type == "text"
    assert list(json.loads(block.text)) == ["age"]


@pytest.mark.parametrize("stream", [False, True])
async def test_stop_sequence_that_was_found_is_told(
    client: AsyncAnthropic, *, stream: bool
) -> None:
    """Its text, and none of it in the answer; there may be more of them than chat takes."""
    asked: Any = {
        "model": MODEL,
        "max_tokens": 200,
        "messages": [{"role": "user", "content": "Write the word 'one'."}],
        "stop_sequences": ["e", "E", "a", "o", "n", "O", "i"],
        **GREEDY,
    }
    if stream:
        async with client.messages.stream(**asked) as opened:
            message = await opened.get_final_message()
    else:
        message = await client.messages.create(**asked)
    assert message.stop_reason == "stop_sequence"
    assert message.stop_sequence in asked["stop_sequences"]
    text = "".join(block.text for block in message.content if block.type == "text")
    assert not [stop for stop in asked["stop_sequences"] if stop in text]


async def test_count_is_what_an_answer_says(client: AsyncAnthropic) -> None:
    """Exactly, for a model that runs here: with a system prompt, tools and a conversation."""
    for more in (
        {},
        {"system": "You are terse."},
        {"tools": [TOOL]},
        {"messages": [*STORY, {"role": "assistant", "content": "No."}, *STORY]},
    ):
        asked: Any = {"model": MODEL, "messages": STORY} | more
        counted = await client.messages.count_tokens(**asked)
        answer = await client.messages.create(**asked, max_tokens=1)
        assert counted.input_tokens == read_tokens(answer.usage)
    beta = await client.beta.messages.count_tokens(model=MODEL, messages=STORY)
    assert beta.input_tokens > 0
    long = await client.messages.count_tokens(
        model=MODEL, messages=[{"role": "user", "content": "word " * 9_000}]
    )
    assert long.input_tokens > 9_000


async def test_models_are_listed_in_pages_and_told_one_by_one(client: AsyncAnthropic) -> None:
    """As the SDK walks through them."""
    listed = [model async for model in client.models.list(limit=1)]
    assert MODEL in [model.id for model in listed]
    one = await client.models.retrieve(MODEL)
    assert (one.id, one.type, one.lifecycle) == (MODEL, "model", "active")
    with pytest.raises(NotFoundError) as caught:
        await client.models.retrieve("nowhere")
    assert caught.value.type == "not_found_error"


async def test_limits_are_told_in_anthropics_headers(client: AsyncAnthropic) -> None:
    """And none in other words; the id is where the SDK looks for it."""
    raw = await client.messages.with_raw_response.create(model=MODEL, max_tokens=1, messages=STORY)
    assert int(raw.headers["anthropic-ratelimit-requests-limit"]) == 10_000
    assert raw.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert raw.headers["request-id"] == raw.headers["x-request-id"]
    assert not [name for name in raw.headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"model": "nowhere"}, "not_found_error", "nowhere"),
        ({"max_tokens": 0}, "invalid_request_error", "'max_tokens'"),
        ({"stop_sequences": [""]}, "invalid_request_error", "stop_sequences[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": PNG}]}]},
            "invalid_request_error",
            "images in 'messages'",
        ),
        (
            {"messages": [{"role": "user", "content": "word " * 9_000}]},
            "invalid_request_error",
            "prompt is too long: ",
        ),
        ({"extra_body": {"safeguards": {"x": 1}}}, "invalid_request_error", "'safeguards'"),
        ({"tools": [TOOL, TOOL]}, "invalid_request_error", "tools[1].name"),
        ({"extra_headers": {"anthropic-version": "latest"}}, "invalid_request_error", "latest"),
    ],
)
async def test_error_names_the_clients_field(
    client: AsyncAnthropic, fields: dict[str, Any], kind: str, words: str
) -> None:
    """In Anthropic's shape, with the request's id; the SDK's own type reads it."""
    asked: Any = {"model": MODEL, "max_tokens": 5, "messages": STORY} | fields
    with pytest.raises(APIStatusError) as caught:
        await client.messages.create(**asked)
    error = caught.value
    body: Any = error.body
    assert (error.type, body["type"]) == (kind, "error")
    assert words in body["error"]["message"]
    assert error.request_id == body["request_id"] == error.response.headers["request-id"]
    assert error.response.headers["x-should-retry"] == "false"


async def test_call_without_a_result_is_told_in_anthropics_words(client: AsyncAnthropic) -> None:
    """Claude Code knows them."""
    use: Any = {"type": "tool_use", "id": "toolu_9", "name": "weather", "input": {}}
    turns: Any = [*STORY, {"role": "assistant", "content": [use]}, *STORY]
    with pytest.raises(BadRequestError, match="without `tool_result` blocks") as caught:
        await client.messages.create(model=MODEL, max_tokens=5, messages=turns)
    assert "toolu_9" in str(caught.value)


# ---- a client and a provider that speaks otherwise ----------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "ping"),
    [
        ("/v1/messages?beta=true", {"max_tokens": 9}, PING),
        ("/v1/responses", {"store": False}, b": ping"),
        ("/v1/chat/completions", {}, b": ping"),
    ],
)
async def test_silent_stream_pings_and_ends_as_it_must(
    open_house: OpenHouse, path: str, body: dict[str, Any], ping: bytes
) -> None:
    """Translated and relayed alike: whole events in silence, and nothing after the last."""
    server, deadlines = "ping_s = 0.2", "idle_s = 1.5"
    async with open_house(server=server, deadlines=deadlines) as house:
        said = {"model": "lab/m?text=one two three four five&stall_after=3", "stream": True}
        name = "input" if "responses" in path else "messages"
        data = json.dumps({**said, **body, name: STORY}).encode()
        answer = await ask(house.url, encode("POST", path, house.key, data))
    events = [event.rstrip() for event in EventSplitter().feed(answer.body)]
    first = events.index(ping)
    assert first > 0
    assert events[first:-1] == [ping] * len(events[first:-1])
    assert b"error" in events[-1]
    assert (b'"request_id":"req-' in events[-1]) == ("/messages" in path)
    assert b"one" in b"".join(events[:first])


async def test_sdk_reads_past_pings(open_house: OpenHouse) -> None:
    """A silent stream that goes on is one answer for it."""
    seen: list[str] = []
    async with (
        open_house(server="ping_s = 0.1") as house,
        AsyncAnthropic(
            base_url=house.url, api_key=house.key, max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        model = "lab/m?text=one two three&gap=0.5"
        async with client.messages.stream(model=model, max_tokens=9, messages=STORY) as stream:
            async for event in stream:
                seen.append(event.type)
            message = await stream.get_final_message()
    assert [block.text for block in message.content if block.type == "text"] == ["one two three"]
    assert "ping" not in seen


async def test_root_answers_a_head_request(open_house: OpenHouse) -> None:
    """Without a key: who looks has not sent one."""
    async with open_house() as house:
        answer = await asyncio.wait_for(ask(house.url, encode("HEAD", "/", None, b"")), 10)
    assert (answer.status, answer.body) == (200, b"")


# ---- a provider of the same dialect --------------------------------------------------------------

CLAUDE: Final = """
[server]
port = 0
log = "off"
ping_s = 0.2
[deadlines]
idle_s = 1.5
[models]
[providers.claude]
dialect = "anthropic_messages"
base_url = "{}/anthropic/v1"
api_key = "sk-1"
"""
TOO_LONG: Final = "prompt is too long: 210000 tokens > 200000 maximum"


@asynccontextmanager
async def claude(folder: Path) -> AsyncIterator[AsyncAnthropic]:
    """Return the SDK's client of a gateway before a provider that speaks Messages."""
    async with scripted_upstream() as upstream:
        path = folder / "slipstream.toml"
        path.write_text(CLAUDE.format(upstream.base_url.removesuffix("/v1")))
        config = load(path, {"SLIPSTREAM_HOME": str(folder / "home")})
        async with (
            running(config) as gateway,
            AsyncAnthropic(
                base_url=gateway.url,
                api_key=gateway.first_key,
                max_retries=0,
                _strict_response_validation=True,
            ) as client,
        ):
            yield client


def failing(status: int, kind: str, message: str) -> str:
    """Return the name of a model whose provider answers so."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return f"claude/m?status={status}&body={json.dumps(body)}"


@pytest.mark.parametrize(
    ("status", "kind", "message", "told", "retries"),
    [
        (400, "invalid_request_error", TOO_LONG, (400, "invalid_request_error"), "false"),
        (413, "request_too_large", "too many bytes", (413, "request_too_large"), "false"),
        (529, "overloaded_error", "busy", (529, "overloaded_error"), "true"),
        (429, "rate_limit_error", "slower", (429, "rate_limit_error"), "true"),
        (401, "authentication_error", "sk-secret", (502, "api_error"), "false"),
    ],
)
async def test_error_of_the_provider_is_told_with_its_words(
    tmp_path: Path, status: int, kind: str, message: str, told: tuple[int, str], retries: str
) -> None:
    """Word for word where the request is to blame; a key of ours is nobody's business."""
    async with claude(tmp_path) as client:
        with pytest.raises(APIStatusError) as caught:
            await client.messages.create(
                model=failing(status, kind, message), max_tokens=5, messages=STORY
            )
    error = caught.value
    body: Any = error.body
    assert (error.status_code, body["error"]["type"]) == told
    assert (body["error"]["message"] == message) == (status != 401)
    assert error.response.headers["x-should-retry"] == retries
    assert (error.request_id or "").startswith("req-")


async def test_provider_is_relayed_and_counts_itself(tmp_path: Path) -> None:
    """Its stream pings while it is silent, before the error that ends it."""
    async with claude(tmp_path) as client:
        message = await client.messages.create(model="claude/m", max_tokens=5, messages=STORY)
        counted = await client.messages.count_tokens(model="claude/m", messages=STORY)
        assert counted.input_tokens == read_tokens(message.usage)
        raw = await client.messages.with_raw_response.create(
            model="claude/m?text=one two three four&stall_after=4",
            max_tokens=5,
            messages=STORY,
            stream=True,
        )
        events = [event.rstrip() for event in EventSplitter().feed(await raw.http_response.aread())]
    first = events.index(PING, 3)  # its own one stands before the text
    assert events[first:-1] == [PING] * len(events[first:-1])
    assert b"timeout_error" in events[-1]
