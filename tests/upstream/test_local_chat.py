"""Tests of slipstream.upstream.local_chat, with answers that the test makes up."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slipstream.call import Frame, Meaning, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.engine.grammar_spec import JsonObject, JsonSchema, Lark, Regex, Tool, ToolUse
from slipstream.engine.protocol import (
    ChatMessage,
    Delta,
    Failed,
    Generate,
    Logprob,
    Started,
    ToolCall,
)
from slipstream.errors import OutOfBlocks
from slipstream.upstream.local_chat import plain_frames, stream_frames, to_generate, usage_of
from slipstream.upstream.local_client import Answer, AnswerPart, EngineClient
from slipstream.upstream.local_waits import Waits
from slipstream.wire.chat_answer import ChatAnswer
from slipstream.wire.chat_request import parse_chat_request
from tests.upstream.played_engine import LIMIT_S, finished

USER = {"role": "user", "content": "Hi"}
CALL = ToolCall("call_1", "f", "{}")
SCHEMA = {"name": "n", "schema": {"type": "object"}, "strict": True}


def generate(**fields: Any) -> Generate:
    """Return the engine's request for these fields."""
    body = msgspec.json.encode({"messages": [USER]} | fields)
    return to_generate(parse_chat_request(body), tenant="key-1")


def deadlines() -> Waits:
    """Return the waits of an attempt with time enough."""
    return Waits(
        Attempt(
            attempt_id="a",
            number=1,
            route="m",
            target=Target("local", "m"),
            deadlines=Deadlines(),
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + LIMIT_S,
        )
    )


async def answered(
    folder: Path, *parts: AnswerPart, stream: bool = True, num_choices: int = 1
) -> list[Frame]:
    """Return the frames of an answer with these parts, each taken before the next one comes."""
    head = ChatAnswer(
        answer_id="chatcmpl-1",
        model="m",
        created_s=1,
        fingerprint="fp",
        num_choices=num_choices,
        wants_usage=True,
    )
    answer = Answer(EngineClient(folder / "s"), 1)
    make = stream_frames if stream else plain_frames
    frames: list[Frame] = []

    async def read() -> None:
        async with aclosing(make(answer, head, deadlines())) as answering:
            async for frame in answering:
                frames.append(frame)

    reading = asyncio.create_task(read())
    for part in parts:
        await asyncio.sleep(0)
        answer.add(part)
        await asyncio.sleep(0)  # no input or output is waited for: it is taken now
    await reading
    return frames


def deltas_of(frames: list[Frame]) -> list[Any]:
    """Return the deltas of a stream's chunks."""
    events = b"".join(frame.data for frame in frames).split(b"\n\n")[:-2]
    chunks = [msgspec.json.decode(event[6:]) for event in events]
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, {}),
        ({"max_tokens": 5, "min_tokens": 2}, {"max_tokens": 5, "min_tokens": 2}),
        (
            {"temperature": 0.5, "top_p": 0.4, "top_k": 3, "min_p": 0.2},
            {"temperature": 0.5, "top_p": 0.4, "top_k": 3, "min_p": 0.2},
        ),
        (
            {"frequency_penalty": 1, "presence_penalty": -1, "repetition_penalty": 1.5},
            {"frequency_penalty": 1.0, "presence_penalty": -1.0, "repetition_penalty": 1.5},
        ),
        ({"logit_bias": {"7": 3}}, {"logit_bias": ((7, 3.0),)}),
        ({"seed": 1, "stop": "x", "n": 2}, {"seed": 1, "stop": ("x",), "num_choices": 2}),
        ({"logprobs": True, "top_logprobs": 2}, {"num_logprobs": 2}),
        ({"response_format": {"type": "json_object"}}, {"form": JsonObject()}),
        (
            {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
            {"form": JsonSchema('{"type":"object"}', True, "response_format.json_schema.schema")},
        ),
        (
            {"structured_outputs": {"regex": "a"}},
            {"form": Regex("a", "structured_outputs.regex")},
        ),
        (
            {"structured_outputs": {"grammar": "start: /a/"}},
            {"form": Lark("start: /a/", "structured_outputs.grammar")},
        ),
        (
            {
                "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": False,
            },
            {
                "tool_use": ToolUse(
                    tools=(Tool("f", is_strict=True),), choice="named", name="f", is_parallel=False
                )
            },
        ),
        ({"prediction": {"type": "content", "content": "p"}}, {"prediction": "p"}),
        ({"exact": True, "service_tier": "flex"}, {"is_exact": True, "priority": -1}),
        ({"reasoning_effort": "low"}, {"switches": {"reasoning_effort": "low"}}),
        ({"prompt_cache_key": "k"}, {"cache_key": "k"}),
    ],
)
def test_to_generate_says_what_was_asked(fields: dict[str, Any], asked: dict[str, Any]) -> None:
    """Every field has its place in the engine's request; the tenant is the key's id."""
    plain = Generate(request_id=0, messages=(ChatMessage("user", "Hi"),), tenant="key-1")

    assert generate(**fields) == msgspec.structs.replace(plain, **asked)


def test_to_generate_keeps_a_round_of_tools() -> None:
    """Calls, their answers, reasoning and names arrive in the conversation."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        USER | {"name": "Ann"},
        {"role": "assistant", "reasoning_content": "r", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
    ]

    assert generate(messages=messages).messages == (
        ChatMessage("user", "Hi", "Ann"),
        ChatMessage("assistant", "", None, "r", (ToolCall("1", "f", "{}"),)),
        ChatMessage("tool", "42", tool_call_id="1"),
    )


async def test_stream_each_kind_of_piece_becomes_its_chunk(tmp_path: Path) -> None:
    """Reasoning, text, a call, log probabilities and the finish; nothing for nothing."""
    frames = await answered(
        tmp_path,
        Started(request_id=1, prompt_tokens=9, cached_tokens=4),
        Delta(1, reasoning="r", num_tokens=3),
        Delta(1, "t", 2),
        Delta(1, "", 1),
        Delta(1, num_tokens=5, tool_call=CALL),
        Delta(1, "l", 1, logprobs=(Logprob(b"l", -1.0),)),
        Delta(1, "", 1, finish="tool_calls"),
        finished(1, prompt_tokens=9, cached_tokens=4, completion_tokens=13, reasoning_tokens=3),
    )

    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert deltas_of(frames) == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "r"},
        {"content": "t"},
        {"tool_calls": [{"index": 0} | call]},
        {"content": "l"},
        {},
    ]
    assert frames[0].meaning is Meaning.SILENT
    assert [frame.meaning for frame in frames[1:6]] == [Meaning.CONTENT] * 5
    spent = [frame.usage for frame in frames[1:6]]
    base = Usage(input_tokens=5, cache_read_tokens=4, output_reasoning_tokens=3)
    so_far = [msgspec.structs.replace(base, output_tokens=n) for n in (0, 2, 8, 9, 10)]
    assert spent == so_far
    assert frames[-1].usage == so_far[-1]
    assert (frames[-1].meaning, frames[-1].finish_reason) == (Meaning.END, "tool_calls")


@pytest.mark.parametrize("stream", [True, False])
async def test_answer_of_several_choices_ends_with_the_first_ones_reason(
    tmp_path: Path, stream: bool
) -> None:
    """For our account a call has one finish: that of its first choice."""
    frames = await answered(
        tmp_path,
        Started(request_id=1, prompt_tokens=1, cached_tokens=0),
        Delta(1, "a", 1, finish="length"),
        Delta(1, "b", 1, choice=1, finish="stop"),
        finished(1),
        stream=stream,
        num_choices=2,
    )

    assert frames[-1].finish_reason == "length"
    if not stream:
        choices = msgspec.json.decode(frames[0].data)["choices"]
        told = [(c["message"]["content"], c["finish_reason"]) for c in choices]
        assert told == [("a", "length"), ("b", "stop")]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("text", "is_empty"), [("", True), ("a", False)], ids=["silent", "said"])
async def test_answer_without_a_word_is_told_to_be_empty(
    tmp_path: Path, text: str, *, stream: bool, is_empty: bool
) -> None:
    """What finishes it is no commit; with a word before, it is an answer like any other."""
    frames = await answered(
        tmp_path,
        Started(request_id=1, prompt_tokens=1, cached_tokens=0),
        Delta(1, text, 1),
        Delta(1, "", 1, finish="stop"),
        finished(1),
        stream=stream,
    )
    told = [frame for frame in frames if frame.meaning in (Meaning.CONTENT, Meaning.END)]
    assert {frame.is_empty for frame in told} == {is_empty}
    assert frames[-1].finish_reason == "stop"


@pytest.mark.parametrize("stream", [True, False])
async def test_answer_that_fails_raises_what_the_engine_says(tmp_path: Path, stream: bool) -> None:
    """Before or after the first text: an error of our tree, never an end made up."""
    failed = Failed(request_id=1, code="out_of_blocks", message="too much")
    with pytest.raises(OutOfBlocks, match="too much"):
        await answered(tmp_path, Delta(1, "a", 1), failed, stream=stream)


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({}, Usage(input_tokens=1, output_tokens=2)),
        (
            {
                "prompt_tokens": 10,
                "cached_tokens": 6,
                "completion_tokens": 20,
                "reasoning_tokens": 5,
                "accepted_tokens": 8,
                "rejected_tokens": 3,
            },
            Usage(
                input_tokens=4,
                cache_read_tokens=6,
                output_tokens=7,
                output_reasoning_tokens=5,
                prediction_accepted_tokens=8,
                prediction_rejected_tokens=3,
            ),
        ),
        (
            {"completion_tokens": 10, "reasoning_tokens": 6, "accepted_tokens": 9},
            Usage(input_tokens=1, output_reasoning_tokens=6, prediction_accepted_tokens=4),
        ),
    ],
)
def test_usage_counts_each_token_once(counts: dict[str, int], usage: Usage) -> None:
    """Buckets are disjoint, also where the prediction had reasoning right; rejected ones are
    beside the completion."""
    part = finished(1, **counts)

    assert usage_of(part) == usage
    assert usage.total_output_tokens == part.completion_tokens + part.rejected_tokens
