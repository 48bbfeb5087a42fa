"""The scripted upstream as Anthropic: the order of its events, its checks, errors and seals."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import APIStatusError, AsyncAnthropic

from slipstream.upstream.scripted.seals import close_seal, is_own_id, make_id, open_seal
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from slipstream.wire.messages.answers_in import AnswerReader
from slipstream.wire.talk.events import CallSaid, Counted, Ended, Over, Said, Sealed, Thought
from tests.upstream.scripted_named import (
    CITY,
    WEATHER_SCHEMA,
    bytes_of_events,
    named,
    names,
    post,
)

PATH = "/anthropic/v1/messages"
HELLO: Any = {"role": "user", "content": "one two three"}
WEATHER: Any = {"name": "get_weather", "input_schema": WEATHER_SCHEMA}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000.5) as running:
        yield running


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    """Make the smallest request; None leaves a field out."""
    said = {"model": "m", "max_tokens": 100, "messages": [HELLO, *messages], **fields}
    return {name: value for name, value in said.items() if value is not None}


async def test_stream_has_the_order_of_the_real_one(upstream: ScriptedUpstream) -> None:
    """Start, blocks with a ping after the first start, delta, stop; input is counted at once."""
    wire = await post(upstream, PATH, body(stream=True), "cached=2,cache_write=3")
    assert names(wire) == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    events = named(wire)
    usage = events[0][1]["message"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (0, 1)
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (2, 3)
    assert events[-2][1]["usage"]["output_tokens"] == 3
    deltas = [data["delta"]["text"] for name, data in events if name == "content_block_delta"]
    assert deltas == ["one", " two", " three"]


async def test_calls_stream_as_blocks_with_empty_beginnings(upstream: ScriptedUpstream) -> None:
    """A call has its caller, an empty first piece, then its input; two calls are two blocks."""
    asked = body(stream=True, tools=[WEATHER])
    events = named(await post(upstream, PATH, asked, "calls=2,call_pieces=interleaved"))
    starts = [data["content_block"] for name, data in events if name == "content_block_start"]
    assert [start["name"] for start in starts] == ["get_weather"] * 2
    assert starts[0]["caller"] == {"type": "direct"}
    deltas = [data["delta"] for name, data in events if name == "content_block_delta"]
    pieces = [delta["partial_json"] for delta in deltas]
    assert pieces[0] == ""
    assert "".join(pieces) == CITY * 2
    assert events[-2][1]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("is_stream", [True, False])
async def test_own_reader_finds_everything(upstream: ScriptedUpstream, is_stream: bool) -> None:
    """The gateway's reader makes of an answer what was put into it."""
    asked = body(stream=is_stream, tools=[WEATHER])
    wire = await post(upstream, PATH, asked, "reasoning=2,cached=1,call_pieces=whole")
    reader = AnswerReader()
    if is_stream:
        events = [e for raw in bytes_of_events(wire) for e in reader.read(raw)] + reader.end()
    else:
        events = reader.read_whole(wire.body)
    assert "".join(e.text for e in events if isinstance(e, Thought)) == "hmm hmm"
    assert "".join(e.text for e in events if isinstance(e, CallSaid)).replace(" ", "") == (
        CITY.replace(" ", "")
    )
    [sealed] = [e for e in events if isinstance(e, Sealed)]
    assert open_seal("anthropic", sealed.seal.data) == "hmm hmm"
    usage = [e.usage for e in events if isinstance(e, Counted)][-1]
    assert (usage.input_tokens, usage.cache_read_tokens) == (2, 1)
    assert (usage.output_tokens, usage.output_reasoning_tokens) == (3, 2)
    assert [e.reason for e in events if isinstance(e, Ended)] == ["tool_calls"]
    assert isinstance(events[-1], Over)


async def test_thinking_is_hidden_where_asked(upstream: ScriptedUpstream) -> None:
    """Omitted thinking is a signature alone; redacted thinking a block of its own."""
    thinking = {"type": "adaptive", "display": "omitted"}
    said = (await post(upstream, PATH, body(thinking=thinking), "reasoning=1")).document
    assert said["content"][0]["thinking"] == ""
    assert open_seal("anthropic", said["content"][0]["signature"]) == "hmm"
    said = (await post(upstream, PATH, body(), "reasoning=1,redact")).document
    assert said["content"][0]["type"] == "redacted_thinking"
    assert open_seal("anthropic", said["content"][0]["data"]) == "hmm"


async def test_conversation_with_thinking_and_results_is_taken(upstream: ScriptedUpstream) -> None:
    """What was given out comes back and passes: signature, call and result."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    asked = body(tools=[WEATHER], thinking=thinking, max_tokens=2000)
    first = (await post(upstream, PATH, asked, "reasoning=1")).document
    result = {"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "warm"}
    asked["messages"] += [
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [result]},
    ]
    second = (await post(upstream, PATH, asked)).document
    assert second["content"] == [{"type": "text", "text": "warm"}]


@pytest.mark.parametrize(
    ("mock", "fields", "reason", "more"),
    [
        ("", {"max_tokens": 2}, "max_tokens", None),
        ("", {"stop_sequences": ["two"]}, "stop_sequence", "two"),
        ("finish=pause", {}, "pause_turn", None),
        ("finish=model_context_window_exceeded", {}, "model_context_window_exceeded", None),
        ("refuse", {}, "refusal", None),
    ],
)
async def test_answer_ends_for_every_reason(
    upstream: ScriptedUpstream, mock: str, fields: dict[str, Any], reason: str, more: str | None
) -> None:
    """Plain and streamed answers say why they end in Anthropic's words."""
    plain = (await post(upstream, PATH, body(**fields), mock)).document
    assert (plain["stop_reason"], plain["stop_sequence"]) == (reason, more)
    events = named(await post(upstream, PATH, body(stream=True, **fields), mock))
    assert events[-2][1]["delta"]["stop_reason"] == reason


async def test_usage_can_be_left_out(upstream: ScriptedUpstream) -> None:
    """As every upstream may."""
    assert "usage" not in (await post(upstream, PATH, body(), "usage=none")).document
    events = named(await post(upstream, PATH, body(stream=True), "usage=none"))
    assert "usage" not in events[0][1]["message"]
    assert "usage" not in events[-2][1]


async def test_structured_answer_is_an_instance(upstream: ScriptedUpstream) -> None:
    """`output_config.format` is obeyed."""
    form = {"type": "json_schema", "schema": WEATHER_SCHEMA}
    said = (await post(upstream, PATH, body(output_config={"format": form}))).document
    assert said["content"][0]["text"] == CITY


@pytest.mark.parametrize(
    ("mock", "status", "kind"),
    [
        ("status=429,retry_after=3,remaining=0", 429, "rate_limit_error"),
        ("status=529", 529, "overloaded_error"),
        ("status=503", 503, "api_error"),
        ("status=401", 401, "authentication_error"),
        ("status=413", 413, "request_too_large"),
    ],
)
async def test_error_is_anthropics(
    upstream: ScriptedUpstream, mock: str, status: int, kind: str
) -> None:
    """Status, type and envelope are the real ones; limits are in headers of its own."""
    wire = await post(upstream, PATH, body(), mock)
    assert (wire.status, wire.document["error"]["type"]) == (status, kind)
    assert wire.document["type"] == "error"
    assert wire.headers["request-id"] == "req_000001"
    if status == 429:
        assert wire.headers["retry-after"] == "3"
        assert wire.headers["anthropic-ratelimit-requests-remaining"] == "0"


async def test_error_after_some_events_is_an_event(upstream: ScriptedUpstream) -> None:
    """It has the words of the error that was scripted, and nothing follows it."""
    mock = "error_after=4,code=overloaded_error"
    wire = await post(upstream, PATH, body(stream=True), mock)
    assert [name for name, _ in named(wire)][3:] == ["content_block_delta", "error"]
    assert named(wire)[-1][1]["error"]["type"] == "overloaded_error"


async def test_faults_work_as_in_every_dialect(upstream: ScriptedUpstream) -> None:
    """A missing end, CR LF, comments and a cut are of the bytes, not of the dialect."""
    wire = await post(upstream, PATH, body(stream=True), "no_done,crlf,comments")
    assert names(wire)[-1] == "message_delta"
    assert b"\r\n\r\n: keep-alive\r\n\r\n" in wire.body
    cut = await post(upstream, PATH, body(stream=True), "cut_body=300")
    assert "message_stop" not in cut.body.decode()


CALL: Any = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT: Any = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
REFUSED: list[tuple[list[Any], dict[str, Any], str]] = [
    ([], {"max_tokens": None}, "max_tokens: Field required"),
    ([], {"seed": 1}, "seed: Extra inputs are not permitted"),
    ([], {"messages": []}, "messages"),
    ([], {"temperature": 1.5}, "temperature"),
    ([{"role": "tool", "content": "x"}], {}, "messages.1.role"),
    ([{"role": "user", "content": [{"type": "text", "text": ""}]}], {}, "messages.1.content.0"),
    ([{"role": "assistant", "content": [CALL]}], {}, "without `tool_result` blocks"),
    ([{"role": "user", "content": [RESULT]}], {}, "unexpected `tool_use_id`"),
    ([{"role": "assistant", "content": [RESULT]}], {}, "not permitted in role 'assistant'"),
    (
        [
            {"role": "assistant", "content": [CALL]},
            {"role": "user", "content": [{"type": "text", "text": "a"}, RESULT]},
        ],
        {},
        "must come first",
    ),
    (
        [
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "a", "signature": "b"}],
            }
        ],
        {},
        "Invalid `signature`",
    ),
    (
        [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "b"}]}],
        {},
        "Invalid `data`",
    ),
    ([], {"tools": [{"name": "f", "parameters": {}}]}, "tools.0.custom"),
    ([], {"tools": [WEATHER, WEATHER]}, "unique"),
    ([], {"tool_choice": {"type": "any"}}, "providing tools"),
    ([], {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "g"}}, "not found"),
    ([], {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "`max_tokens` must be greater"),
    (
        [
            {"role": "assistant", "content": [CALL]},
            {"role": "user", "content": [RESULT]},
        ],
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        "Expected `thinking`",
    ),
    ([], {"model": "claude-opus-5-5", "temperature": 0.5}, "temperature, top_p and top_k"),
    (
        [],
        {
            "model": "claude-opus-5-5",
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "max_tokens": 2000,
        },
        "not supported",
    ),
    (
        [],
        {"model": "claude-sonnet-5-5", "tools": [WEATHER], "tool_choice": {"type": "any"}},
        "forced tool use",
    ),
    ([{"role": "assistant", "content": "a"}], {"model": "claude-opus-4-6"}, "prefill"),
    ([{"role": "system", "content": "a"}], {"model": "claude-sonnet-4-5"}, 'role "system"'),
]


@pytest.mark.parametrize(("messages", "fields", "said"), REFUSED)
async def test_request_that_anthropic_refuses_is_refused(
    upstream: ScriptedUpstream, messages: list[Any], fields: dict[str, Any], said: str
) -> None:
    """A wrongly translated request gets a 400 that names what is wrong with it."""
    wire = await post(upstream, PATH, body(*messages, **fields))
    assert wire.status == 400
    assert wire.document["error"]["type"] == "invalid_request_error"
    assert said in wire.document["error"]["message"]


async def test_version_is_demanded_and_obeyed(upstream: ScriptedUpstream) -> None:
    """Without the header nothing is answered; the newer version has no sampling."""
    wire = await post(upstream, PATH, body(), "", ("x", "y"))
    assert "anthropic-version" in wire.document["error"]["message"]
    new = ("anthropic-version", "2026-10-21")
    assert (await post(upstream, PATH, body(), "", new)).status == 200
    wire = await post(upstream, PATH, body(top_p=0.5), "", new)
    assert wire.document["error"]["message"] == "top_p: Extra inputs are not permitted"


async def test_tokens_are_counted(upstream: ScriptedUpstream) -> None:
    """Words are tokens there, too; a limit has no place in the request."""
    asked = body(max_tokens=None, system="be kind")
    wire = await post(upstream, f"{PATH}/count_tokens", asked)
    assert wire.document == {"input_tokens": 5}
    assert (await post(upstream, f"{PATH}/count_tokens", body())).status == 400


async def test_deepinfra_needs_no_limit(upstream: ScriptedUpstream) -> None:
    """Its endpoint of the same dialect is not Anthropic's."""
    path = "/deepinfra/anthropic/v1/messages"
    assert (await post(upstream, path, body(max_tokens=None))).status == 200


def test_seals_and_ids_are_known_again() -> None:
    """Whoever changes one, or brings another vendor's, is found out."""
    sealed = close_seal("anthropic", "a thought")
    assert open_seal("anthropic", sealed) == "a thought"
    assert open_seal("openai", sealed) is None
    assert open_seal("anthropic", sealed[:-4]) is None
    assert open_seal("anthropic", "no base64!") is None
    assert is_own_id("resp_", make_id("resp_", 7))
    assert not is_own_id("resp_", "resp_00000007deadbeef0000")


async def test_official_sdk_reads_it(upstream: ScriptedUpstream) -> None:
    """The SDK accumulates a stream of thinking and a call, and knows an overload."""
    async with AsyncAnthropic(
        base_url=f"{upstream.origin}/anthropic",
        api_key="k",
        max_retries=0,
        timeout=10,
        _strict_response_validation=True,
    ) as client:
        async with client.messages.stream(
            model="m?reasoning=2",
            max_tokens=50,
            tools=[WEATHER],
            messages=[{"role": "user", "content": "hello there"}],
        ) as stream:
            final = await stream.get_final_message()
        with pytest.raises(APIStatusError) as caught:
            await client.messages.create(model="m?status=529", max_tokens=5, messages=[HELLO])
    _, call = final.content
    assert [block.type for block in final.content] == ["thinking", "tool_use"]
    assert call.type == "tool_use"
    assert call.input == {"city": "string"}
    assert (final.stop_reason, final.usage.output_tokens) == ("tool_use", 5)
    assert (caught.value.status_code, caught.value.type) == (529, "overloaded_error")


async def test_said_is_read_as_text(upstream: ScriptedUpstream) -> None:
    """Words come as words."""
    wire = await post(upstream, PATH, body(stream=True))
    reader = AnswerReader()
    events = [e for raw in bytes_of_events(wire) for e in reader.read(raw)]
    assert "".join(e.text for e in events if isinstance(e, Said)) == "one two three"
