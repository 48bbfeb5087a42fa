"""The scripted upstream as Gemini's own API: frames, signatures demanded back, Google's errors."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slipstream.upstream.scripted.seals import open_seal
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from slipstream.wire.gemini.answers_in import AnswerReader
from slipstream.wire.talk.events import CallSaid, Counted, Ended, Said, Sealed, Thought
from tests.upstream.scripted_named import WEATHER_SCHEMA, bytes_of_events, named, post

MODEL = "gemini-4-argon"
HELLO: Any = {"role": "user", "parts": [{"text": "one two three"}]}
TOOLS: Any = [
    {"functionDeclarations": [{"name": "get_weather", "parametersJsonSchema": WEATHER_SCHEMA}]}
]
THOUGHTS: Any = {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"}}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000.5) as running:
        yield running


def path(model: str = MODEL, *, streams: bool = False) -> str:
    """Return where a model is asked."""
    method = "streamGenerateContent?alt=sse" if streams else "generateContent"
    return f"/gemini/v1beta/models/{model}:{method}"


def body(*contents: Any, **fields: Any) -> dict[str, Any]:
    """Make the smallest request."""
    return {"contents": [HELLO, *contents], **fields}


async def test_stream_is_frames_without_names_or_end(upstream: ScriptedUpstream) -> None:
    """Each frame is a whole answer with new parts and usage; only the last says why it ended."""
    asked = body(generationConfig=THOUGHTS)
    wire = await post(upstream, path(streams=True), asked, "reasoning=1,cached=2")
    events = named(wire)
    assert {name for name, _ in events} == {""}
    candidates = [data["candidates"][0] for _, data in events]
    parts = [part for candidate in candidates for part in candidate["content"]["parts"]]
    assert [part["text"] for part in parts] == ["hmm", "one", " two", " three", ""]
    assert parts[0]["thought"] is True
    assert open_seal("gemini", parts[-1]["thoughtSignature"]) == "hmm"
    assert [c.get("finishReason") for c in candidates] == [None] * 4 + ["STOP"]
    usage = events[-1][1]["usageMetadata"]
    assert (usage["promptTokenCount"], usage["cachedContentTokenCount"]) == (3, 2)
    assert (usage["candidatesTokenCount"], usage["thoughtsTokenCount"]) == (3, 1)
    assert usage["totalTokenCount"] == 7


@pytest.mark.parametrize("streams", [True, False])
async def test_own_reader_finds_everything(upstream: ScriptedUpstream, streams: bool) -> None:
    """The gateway's reader makes of an answer what was put into it; calls come whole."""
    asked = body(tools=TOOLS, generationConfig=THOUGHTS)
    wire = await post(upstream, path(streams=streams), asked, "reasoning=2,calls=2,cached=1")
    reader = AnswerReader()
    if streams:
        events = [e for raw in bytes_of_events(wire) for e in reader.read(raw)] + reader.end()
    else:
        events = reader.read_whole(wire.body)
    assert "".join(e.text for e in events if isinstance(e, Thought)) == "hmm hmm"
    assert [e.text for e in events if isinstance(e, CallSaid)] == ['{"city":"string"}'] * 2
    assert [e.call for e in events if isinstance(e, Sealed)] == [0]
    usage = [e.usage for e in events if isinstance(e, Counted)][-1]
    assert (usage.input_tokens, usage.cache_read_tokens) == (2, 1)
    assert (usage.output_tokens, usage.output_reasoning_tokens) == (6, 2)
    assert [e.reason for e in events if isinstance(e, Ended)] == ["tool_calls"]


async def test_signed_calls_may_come_back(upstream: ScriptedUpstream) -> None:
    """What was given out passes; without the signature, a Gemini 3 refuses and others do not."""
    first = (await post(upstream, path(), body(tools=TOOLS))).document
    said = first["candidates"][0]["content"]
    response = {"name": "get_weather", "response": {"result": "warm"}}
    result = {"role": "user", "parts": [{"functionResponse": response}]}
    asked = body(said, result, tools=TOOLS)
    second = (await post(upstream, path(), asked)).document
    assert second["candidates"][0]["content"]["parts"] == [{"text": "warm"}]
    del said["parts"][0]["thoughtSignature"]
    wire = await post(upstream, path(), asked)
    assert "missing a thought_signature" in wire.document["error"]["message"]
    assert (await post(upstream, path("gemini-2.5-flash"), asked)).status == 200
    said["parts"][0]["thoughtSignature"] = "skip_thought_signature_validator"
    assert (await post(upstream, path(), asked)).status == 200
    said["parts"][0]["thoughtSignature"] = "bm90IG91cnM="
    assert (await post(upstream, path(), asked)).status == 400


async def test_answers_end_for_every_reason(upstream: ScriptedUpstream) -> None:
    """The reasons are Gemini's; a blocked prompt has no candidates."""
    config = {"maxOutputTokens": 2}
    said = (await post(upstream, path(), body(generationConfig=config))).document
    assert said["candidates"][0]["finishReason"] == "MAX_TOKENS"
    for mock, reason in (("refuse", "SAFETY"), ("finish=SPII", "SPII")):
        frames = named(await post(upstream, path(streams=True), body(), mock))
        assert frames[-1][1]["candidates"][0]["finishReason"] == reason
    said = (await post(upstream, path(), body(), "finish=blocked")).document
    assert said["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in said


async def test_several_candidates_and_a_form(upstream: ScriptedUpstream) -> None:
    """Each candidate is told by its index; a schema is obeyed."""
    config: Any = {
        "candidateCount": 2,
        "responseMimeType": "application/json",
        "responseJsonSchema": WEATHER_SCHEMA,
    }
    said = (await post(upstream, path(), body(generationConfig=config))).document
    texts = [candidate["content"]["parts"][0]["text"] for candidate in said["candidates"]]
    assert texts == ['{"city": "string"}'] * 2
    frames = named(await post(upstream, path(streams=True), body(generationConfig=config)))
    assert [frame["candidates"][0]["index"] for _, frame in frames] == [0, 1, 0, 1]


async def test_schema_with_gemini_types_is_read(upstream: ScriptedUpstream) -> None:
    """`parameters` may say its types in capitals."""
    schema = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}
    tools = [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]
    calling = {"mode": "ANY", "allowedFunctionNames": ["f"]}
    asked = body(tools=tools, toolConfig={"functionCallingConfig": calling})
    said = (await post(upstream, path(), asked)).document
    assert said["candidates"][0]["content"]["parts"][0]["functionCall"]["args"] == {"n": 0}


async def test_errors_are_googles(upstream: ScriptedUpstream) -> None:
    """When to come back stands in the details alone; in a stream an error is a frame."""
    wire = await post(upstream, path(), body(), "status=429,retry_after=34,remaining=3")
    error = wire.document["error"]
    assert (wire.status, error["code"], error["status"]) == (429, 429, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["retryDelay"] == "34s"
    assert not [name for name in wire.headers if "retry" in name or "ratelimit" in name]
    wire = await post(upstream, path(), body(), "status=503,code=MODEL_OVERLOADED")
    assert wire.document["error"]["status"] == "UNAVAILABLE"
    assert wire.document["error"]["details"][0]["reason"] == "MODEL_OVERLOADED"
    frames = named(await post(upstream, path(streams=True), body(), "error_after=1"))
    assert frames[-1][1]["error"]["status"] == "INTERNAL"


async def test_model_in_the_path_may_have_behaviours(upstream: ScriptedUpstream) -> None:
    """A suffix survives a gateway that quotes the model into the path."""
    said = (await post(upstream, path("m%3Ftext=hi"), body())).document
    assert said["candidates"][0]["content"]["parts"] == [{"text": "hi"}]
    assert said["modelVersion"] == "m"


async def test_end_can_be_left_out(upstream: ScriptedUpstream) -> None:
    """Without a terminal event, what is missing is the frame with the reason."""
    frames = named(await post(upstream, path(streams=True), body(), "no_done"))
    assert len(frames) == 2
    assert all("finishReason" not in data["candidates"][0] for _, data in frames)


CALL: Any = {
    "role": "model",
    "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "x"}],
}
RESULT: Any = {
    "role": "user",
    "parts": [{"functionResponse": {"name": "f", "response": {"result": "x"}}}],
}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"contents": []}, "contents"),
    ({"contents": [HELLO], "messages": []}, 'Unknown name "messages"'),
    ({"contents": [HELLO], "generationConfig": {"max_tokens": 1}}, "at 'generationConfig'"),
    ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "contents[0].role"),
    ({"contents": [{"role": "model", "parts": [{"text": "x"}]}]}, "start with a user turn"),
    ({"contents": [{"role": "user", "parts": [{}]}]}, "required oneof field"),
    ({"contents": [{"role": "user", "parts": []}]}, "parts"),
    ({"contents": [HELLO, CALL]}, "Corrupted thought signature"),
    ({"contents": [HELLO, RESULT]}, "number of function response parts"),
    (
        {
            "contents": [
                {"role": "user", "parts": [{"fileData": {"fileUri": "https://x.org/a.png"}}]}
            ]
        },
        "Unsupported file uri",
    ),
    (
        {"contents": [HELLO], "generationConfig": {"responseJsonSchema": {}}},
        "response_mime_type",
    ),
    (
        {
            "contents": [HELLO],
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "low", "thinkingBudget": 5}},
        },
        "only one of",
    ),
    ({"contents": [HELLO], "generationConfig": {"stopSequences": ["a"] * 6}}, "stopSequences"),
    (
        {
            "contents": [HELLO],
            "tools": TOOLS,
            "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["get_weather"]}},
        },
        "only when the mode is ANY",
    ),
]


@pytest.mark.parametrize(("asked", "said"), REFUSED)
async def test_request_that_gemini_refuses_is_refused(
    upstream: ScriptedUpstream, asked: dict[str, Any], said: str
) -> None:
    """A wrongly translated request gets a 400 that names what is wrong with it."""
    wire = await post(upstream, path(), asked)
    assert (wire.status, wire.document["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert said in wire.document["error"]["message"]


async def test_older_generation_has_its_own_rules(upstream: ScriptedUpstream) -> None:
    """Before 3 there are no levels, and no form beside functions."""
    wire = await post(upstream, path("gemini-2.5-flash"), body(generationConfig=THOUGHTS))
    assert "level" in wire.document["error"]["message"]
    asked = body(tools=TOOLS, generationConfig={"responseMimeType": "application/json"})
    wire = await post(upstream, path("gemini-2.5-flash"), asked)
    assert "Function calling" in wire.document["error"]["message"]
    assert (await post(upstream, path(), asked)).status == 200


async def test_stream_without_sse_is_refused(upstream: ScriptedUpstream) -> None:
    """The other form of a stream is not spoken."""
    wire = await post(upstream, path(streams=True).partition("?")[0], body())
    assert "alt=sse" in wire.document["error"]["message"]


async def test_tokens_are_counted(upstream: ScriptedUpstream) -> None:
    """By contents, or by a whole request."""
    at = f"/gemini/v1beta/models/{MODEL}:countTokens"
    assert (await post(upstream, at, body())).document == {"totalTokens": 3}
    system = {"parts": [{"text": "be kind"}]}
    whole = {"generateContentRequest": body(systemInstruction=system, model=f"models/{MODEL}")}
    assert (await post(upstream, at, whole)).document == {"totalTokens": 5}


async def test_said_is_read_as_text(upstream: ScriptedUpstream) -> None:
    """Words come as words."""
    wire = await post(upstream, path(streams=True), body())
    reader = AnswerReader()
    events = [e for raw in bytes_of_events(wire) for e in reader.read(raw)]
    assert "".join(e.text for e in events if isinstance(e, Said)) == "one two three"
