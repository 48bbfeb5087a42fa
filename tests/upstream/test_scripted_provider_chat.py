"""Chat as each provider has it: what it adds to answers, how it says errors, what it refuses."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from slipstream.upstream.scripted.seals import close_seal, open_seal
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.upstream.scripted_named import CITY, WEATHER_SCHEMA, post
from tests.upstream.scripted_raw import Wire, talk

PREFIXES = {
    "openai": "/openai/v1",
    "groq": "/groq/openai/v1",
    "mistral": "/mistral/v1",
    "xai": "/xai/v1",
    "openrouter": "/openrouter/api/v1",
    "deepinfra": "/deepinfra/v1/openai",
    "gemini": "/gemini/v1beta/openai",
}
HELLO: Any = {"role": "user", "content": "one two three"}
WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA},
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000.5) as running:
        yield running


async def ask(
    upstream: ScriptedUpstream, provider: str, mock: str = "", *messages: Any, **fields: Any
) -> Wire:
    """Ask a provider."""
    document = {"model": "m", "messages": [HELLO, *messages], **fields}
    return await post(upstream, f"{PREFIXES[provider]}/chat/completions", document, mock)


def documents(wire: Wire) -> list[Any]:
    """Return the chunks of a stream."""
    return [json.loads(event) for event in wire.events if event != "[DONE]"]


@pytest.mark.parametrize("provider", PREFIXES)
@pytest.mark.parametrize("is_stream", [True, False])
async def test_official_sdk_reads_every_provider(
    upstream: ScriptedUpstream, provider: str, is_stream: bool
) -> None:
    """OpenAI's SDK gets the call, whatever else an answer holds."""
    base_url = upstream.origin + PREFIXES[provider]
    async with AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0, timeout=10) as client:
        answer: Any = await client.chat.completions.create(
            model="m?reasoning=1", messages=[HELLO], tools=[WEATHER], stream=is_stream
        )
        if not is_stream:
            [call] = answer.choices[0].message.tool_calls
            assert (call.function.name, call.function.arguments) == ("get_weather", CITY)
            return
        deltas = [chunk.choices[0].delta async for chunk in answer if chunk.choices]
    pieces = [call.function.arguments for delta in deltas for call in delta.tool_calls or ()]
    assert "".join(pieces) == CITY


async def test_reasoning_is_shown_under_each_name(upstream: ScriptedUpstream) -> None:
    """OpenAI hides it; the others have a field, or chunks of content."""
    shown = {
        "openai": None,
        "groq": "reasoning",
        "xai": "reasoning_content",
        "openrouter": "reasoning",
        "deepinfra": "reasoning_content",
    }
    for provider, field in shown.items():
        wire = await ask(upstream, provider, "reasoning=1")
        message = wire.document["choices"][0]["message"]
        assert [name for name in message if name in ("reasoning", "reasoning_content")] == (
            [field] if field else []
        )
    message = (await ask(upstream, "mistral", "reasoning=1")).document["choices"][0]["message"]
    assert [chunk["type"] for chunk in message["content"]] == ["thinking", "text"]
    forced = await ask(upstream, "openai", "reasoning=1,reasoning_field=both")
    assert forced.document["choices"][0]["message"]["reasoning_content"] == "hmm"


async def test_mistral_streams_whole_calls_and_usage_with_the_end(
    upstream: ScriptedUpstream,
) -> None:
    """Nine letters and digits name a call; usage needs no asking."""
    chunks = documents(await ask(upstream, "mistral", stream=True, tools=[WEATHER]))
    [call] = [c for d in chunks for c in d["choices"][0]["delta"].get("tool_calls", ())]
    assert (call["function"]["arguments"], len(call["id"])) == (CITY, 9)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[-1]["usage"]["completion_tokens"] == 3
    assert all("usage" not in chunk for chunk in chunks[:-1])


async def test_xai_counts_reasoning_beside_the_answer(upstream: ScriptedUpstream) -> None:
    """The total holds all three; the cost is told; calls leave the reason empty."""
    said = (await ask(upstream, "xai", "reasoning=2", tools=[WEATHER])).document
    usage = said["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 3)
    assert usage["total_tokens"] == 8
    assert usage["cost_in_usd_ticks"] == 160_000
    assert said["choices"][0]["finish_reason"] == ""


async def test_groq_tells_its_own_usage(upstream: ScriptedUpstream) -> None:
    """`x_groq` is on the first and the last chunk, with usage in the last."""
    options = {"include_usage": True}
    chunks = documents(await ask(upstream, "groq", stream=True, stream_options=options))
    assert [bool(chunk.get("x_groq")) for chunk in chunks] == [True, *[False] * 4, True]
    assert chunks[-1]["x_groq"]["usage"]["completion_tokens"] == 3


async def test_openrouter_gives_details_to_be_sent_back(upstream: ScriptedUpstream) -> None:
    """What it gave out passes, whole or in pieces; what was changed does not."""
    plain = (await ask(upstream, "openrouter", "reasoning=2")).document
    message = plain["choices"][0]["message"]
    assert plain["usage"]["cost"] > 0
    back = {"role": "assistant", "content": "x", "reasoning_details": message["reasoning_details"]}
    assert (await ask(upstream, "openrouter", "", back, HELLO)).status == 200
    chunks = documents(await ask(upstream, "openrouter", "reasoning=2", stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    back["reasoning_details"] = [d for delta in deltas for d in delta.get("reasoning_details", ())]
    assert len(back["reasoning_details"]) == 2
    assert (await ask(upstream, "openrouter", "", back, HELLO)).status == 200
    back["reasoning_details"][0]["text"] = "changed"
    assert (await ask(upstream, "openrouter", "", back, HELLO)).status == 400


async def test_gemini_demands_its_signature_back(upstream: ScriptedUpstream) -> None:
    """A call carries it in `extra_content`; without it a Gemini 3 refuses."""
    said = (await ask(upstream, "gemini", tools=[WEATHER], model="gemini-3.5-flash")).document
    message = said["choices"][0]["message"]
    [call] = message["tool_calls"]
    signature = call["extra_content"]["google"]["thought_signature"]
    assert open_seal("gemini", signature) == ""
    back = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "warm"}
    taken = await ask(upstream, "gemini", "", back, result, model="gemini-3.5-flash")
    assert taken.status == 200
    del call["extra_content"]
    wire = await ask(upstream, "gemini", "", back, result, model="gemini-3.5-flash")
    assert "thought_signature" in wire.document[0]["error"]["message"]
    call["extra_content"] = {"google": {"thought_signature": close_seal("openai", "x")}}
    assert (await ask(upstream, "gemini", "", back, result)).status == 400


@pytest.mark.parametrize(
    ("provider", "read"),
    [
        ("openai", lambda d: d["error"]["type"]),
        ("groq", lambda d: d["error"]["type"]),
        ("mistral", lambda d: d["type"]),
        ("openrouter", lambda d: d["error"]["metadata"] and "rate_limit_error"),
        ("gemini", lambda d: d[0]["error"]["status"] and "rate_limit_error"),
    ],
)
async def test_error_has_the_shape_of_its_provider(
    upstream: ScriptedUpstream, provider: str, read: Any
) -> None:
    """Before the first token, and as the last event after it."""
    mock = "status=429,code=rate_limit_exceeded,retry_after=2"
    wire = await ask(upstream, provider, mock)
    assert wire.status == 429
    assert read(wire.document) == "rate_limit_error"
    chunks = await ask(upstream, provider, "error_after=1", stream=True)
    assert "scripted" in chunks.events[-1]


async def test_openrouter_ends_a_stream_with_a_chunk_of_error(upstream: ScriptedUpstream) -> None:
    """The error stands beside a choice that says so."""
    last = documents(await ask(upstream, "openrouter", "error_after=2", stream=True))[-1]
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["code"] == 500


@pytest.mark.parametrize(
    ("provider", "header"),
    [
        ("openai", "x-ratelimit-remaining-requests"),
        ("mistral", "x-ratelimit-remaining-req-minute"),
        ("gemini", None),
    ],
)
async def test_limits_are_in_the_headers_of_each_provider(
    upstream: ScriptedUpstream, provider: str, header: str | None
) -> None:
    """Gemini has none."""
    headers = (await ask(upstream, provider, "remaining=7")).headers
    found = {name: value for name, value in headers.items() if "ratelimit" in name}
    assert (found.get(header) if header else found) == ("7" if header else {})


CALL: Any = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS: Any = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FORM: Any = {"type": "json_object"}
REFUSED: list[tuple[str, list[Any], dict[str, Any], int, str]] = [
    ("openai", [], {"top_k": 4}, 400, "top_k"),
    ("openai", [], {"model": "gpt-6-sol", "max_tokens": 4}, 400, "max_completion_tokens"),
    ("openai", [], {"model": "gpt-6-astra", "temperature": 0.5}, 400, "temperature"),
    ("openai", [CALLS], {}, 400, "c1"),
    ("openai", [{"role": "tool", "tool_call_id": "c2", "content": "x"}], {}, 400, "preceding"),
    ("openai", [{"role": "assistant", "content": None}], {}, 400, "content or tool_calls"),
    ("groq", [], {"logprobs": True}, 400, "logprobs"),
    ("groq", [], {"n": 2}, 400, "at most 1"),
    ("groq", [], {"tools": [WEATHER], "response_format": FORM}, 400, "json mode"),
    ("groq", [{"role": "user", "content": "x", "name": "y"}], {}, 400, "name"),
    ("groq", [], {"reasoning_format": "raw", "include_reasoning": True}, 400, "exclude"),
    ("mistral", [], {"seed": 4}, 422, "seed"),
    ("mistral", [], {"stream_options": {}, "stream": True}, 422, "stream_options"),
    ("mistral", [], {"max_completion_tokens": 4}, 422, "max_completion_tokens"),
    ("mistral", [{"role": "developer", "content": "x"}], {}, 422, "developer"),
    ("mistral", [{"role": "user", "content": "x", "reasoning": "y"}], {}, 422, "reasoning"),
    ("mistral", [CALLS], {}, 400, "length 9"),
    ("mistral", [{"role": "assistant", "content": "x"}], {}, 400, "last role"),
    ("mistral", [], {"reasoning_effort": "medium"}, 400, "reasoning_effort"),
    ("xai", [], {"model": "grok-4.6", "stop": ["x"]}, 400, "stop"),
    ("xai", [{"role": "user", "content": "x", "name": "y"}], {}, 400, "name"),
    (
        "xai",
        [],
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
        400,
        "strict",
    ),
    ("deepinfra", [], {"max_completion_tokens": 4}, 422, "max_completion_tokens"),
    (
        "deepinfra",
        [{"role": "system", "content": "x"}, {"role": "system", "content": "y"}],
        {},
        422,
        "one system",
    ),
    ("gemini", [], {"logit_bias": {"1": 1}}, 400, "logit_bias"),
    (
        "gemini",
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://x.org/a.png"}}],
            }
        ],
        {},
        400,
        "data URL",
    ),
]


@pytest.mark.parametrize(("provider", "messages", "fields", "status", "said"), REFUSED)
async def test_request_that_a_provider_refuses_is_refused(
    upstream: ScriptedUpstream,
    provider: str,
    messages: list[Any],
    fields: dict[str, Any],
    status: int,
    said: str,
) -> None:
    """A wrongly translated request gets the provider's status and words that name the fault."""
    wire = await ask(upstream, provider, "", *messages, **fields)
    assert wire.status == status
    assert said in wire.body.decode()


async def test_mistral_calls_required_any(upstream: ScriptedUpstream) -> None:
    """Both words make it call."""
    for choice in ("any", "required"):
        wire = await ask(upstream, "mistral", tools=[WEATHER], tool_choice=choice)
        assert wire.document["choices"][0]["finish_reason"] == "tool_calls"


async def test_openai_calls_custom_tools_and_refuses_in_its_field(
    upstream: ScriptedUpstream,
) -> None:
    """A tool that takes text is given text; a refusal is no content."""
    tool = {"type": "custom", "custom": {"name": "exec"}}
    said = (await ask(upstream, "openai", tools=[tool])).document["choices"][0]["message"]
    assert said["tool_calls"][0]["custom"] == {"name": "exec", "input": "print(1 + 1)"}
    said = (await ask(upstream, "openai", "refuse")).document["choices"][0]["message"]
    assert (said["content"], bool(said["refusal"])) == (None, True)


async def test_pieces_of_calls_come_as_told(upstream: ScriptedUpstream) -> None:
    """Whole with the name, or by turns with those of other calls."""
    chunks = documents(
        await ask(upstream, "openai", "calls=2,call_pieces=whole", stream=True, tools=[WEATHER])
    )
    calls = [c for d in chunks for c in d["choices"][0]["delta"].get("tool_calls", ())]
    assert [call["function"]["arguments"] for call in calls] == [CITY] * 2
    mock = "calls=2,call_pieces=interleaved"
    chunks = documents(await ask(upstream, "openai", mock, stream=True, tools=[WEATHER]))
    calls = [c for d in chunks for c in d["choices"][0]["delta"].get("tool_calls", ())]
    assert [call["index"] for call in calls] == [0, 1, 0, 1, 0, 1]


async def test_models_are_listed_as_each_provider_does(upstream: ScriptedUpstream) -> None:
    """Anthropic pages, Gemini prefixes, the others list."""
    for path, key in (
        ("/anthropic/v1/models", "has_more"),
        ("/gemini/v1beta/models", "models"),
        ("/gemini/v1beta/openai/models", "object"),
        ("/openai/v1/models", "object"),
    ):
        wire = await talk(upstream, None, method="GET", path=path)
        assert key in wire.document
