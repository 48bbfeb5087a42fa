"""Tests of slipstream.upstream.local_cerebras, with answers that the test makes up."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slipstream.call import Call, Dialect
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.engine.protocol import Delta, Finished, Logprob, Ready, Started, ToolCall
from slipstream.errors import BadRequest
from slipstream.upstream.local_cerebras import Watch, answer_cerebras, to_cerebras_generate
from slipstream.upstream.local_client import Answer, AnswerPart, EngineClient
from slipstream.upstream.local_waits import Waits
from slipstream.wire.cerebras.models import row_for
from slipstream.wire.cerebras.objects import answer_id_of
from slipstream.wire.cerebras.request import CerebrasRequest, read_cerebras_request
from tests.upstream.played_engine import LIMIT_S

READY = Ready(
    model="m",
    fingerprint="fp_1",
    context_tokens=100,
    cache_tokens=100,
    num_threads=1,
    precision="f32",
    load_s=1.0,
)
FINISHED = Finished(
    request_id=1,
    prompt_tokens=300,
    cached_tokens=256,
    completion_tokens=3,
    reasoning_tokens=1,
    queue_s=0.25,
    prompt_s=0.5,
    completion_s=0.75,
)


def read(**fields: Any) -> CerebrasRequest:
    """Return a request with these fields."""
    said = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return read_cerebras_request(said, lambda name: row_for(name))


async def answered(folder: Path, *parts: AnswerPart, **fields: Any) -> bytes:
    """Return the bytes of the answer to a request with these fields."""
    asked = read(**fields)
    attempt = Attempt(
        attempt_id="a",
        number=1,
        route="m",
        target=Target("local", "m"),
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=asyncio.get_running_loop().time() + LIMIT_S,
    )
    call = Call(
        call_id="req-1",
        dialect=Dialect.CEREBRAS_CHAT,
        body=b"",
        model="m",
        key_id="k",
        is_stream=asked.is_stream,
        attempt=attempt,
    )
    answer = Answer(EngineClient(folder / "s"), 1)
    for part in (Started(request_id=1, prompt_tokens=300, cached_tokens=256), *parts, FINISHED):
        answer.add(part)
    watch = Watch(lambda: 1_000.5)
    frames = answer_cerebras(call, asked, answer, READY, Waits(attempt), watch)
    async with aclosing(frames), asyncio.timeout(LIMIT_S):
        return b"".join([frame.data async for frame in frames])


def events_of(data: bytes) -> Iterator[Any]:
    """Yield the events of a stream but the last, which says that it is over."""
    *events, last, nothing = data.split(b"\n\n")
    assert (last, nothing) == (b"data: [DONE]", b"")
    for event in events:
        yield json.loads(event.removeprefix(b"data: "))


async def test_times_are_the_engines_own(tmp_path: Path) -> None:
    """Queue, prompt and completion are measured where they happen; the total is of it all."""
    body = json.loads(await answered(tmp_path, Delta(1, "ok", 3, finish="stop")))
    times = body["time_info"]
    assert times.pop("total_time") > 0
    assert times == {
        "created": 1_000.5,
        "queue_time": 0.25,
        "prompt_time": 0.5,
        "completion_time": 0.75,
    }
    assert (body["id"], body["created"]) == (answer_id_of("req-1"), 1_000)
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 256}


async def test_reasoning_and_its_tokens_go_apart(tmp_path: Path) -> None:
    """With `parsed`, log probabilities of reasoning stand beside those of the text."""
    parts = (
        Delta(1, "", 1, reasoning="hm", logprobs=(Logprob(b"hm", -1.0),)),
        Delta(1, "", 1, logprobs=(Logprob(b"</think>", -0.5),), is_reasoning=True),
        Delta(1, "ok", 1, logprobs=(Logprob(b"ok", -2.0),), finish="stop"),
    )
    fields = {"logprobs": True, "reasoning_format": "parsed", "reasoning_effort": "low"}
    choice = json.loads(await answered(tmp_path, *parts, **fields))["choices"][0]
    assert choice["message"] == {"reasoning": "hm", "content": "ok", "role": "assistant"}
    assert [said["token"] for said in choice["logprobs"]["content"]] == ["ok"]
    thought = [said["token"] for said in choice["reasoning_logprobs"]["content"]]
    assert thought == ["hm", "</think>"]


@pytest.mark.parametrize(
    ("reasoning_format", "deltas"),
    [
        ("parsed", [{"reasoning": "hm"}, {"content": "ok"}]),
        ("raw", [{"content": "<think>hm"}, {"content": "</think>ok"}]),
        ("hidden", [{"content": "ok"}]),
    ],
)
async def test_stream_tells_reasoning_by_its_format(
    tmp_path: Path, reasoning_format: str, deltas: list[dict[str, str]]
) -> None:
    """Section 2.6; hidden reasoning is not told, and counted all the same."""
    parts = (Delta(1, "", 1, reasoning="hm"), Delta(1, "ok", 2), Delta(1, finish="stop"))
    data = await answered(tmp_path, *parts, stream=True, reasoning_format=reasoning_format)
    events = list(events_of(data))
    said = [event["choices"][0]["delta"] for event in events]
    assert said == [{"role": "assistant"}, *deltas, {}]
    assert events[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 1


async def test_call_is_one_delta(tmp_path: Path) -> None:
    """Section 3.3: arguments are not split, and the finish comes alone."""
    parts = (Delta(1, num_tokens=3, tool_call=ToolCall("call_1", "f", '{"a":1}')),)
    tool = {"type": "function", "function": {"name": "f"}}
    finish = Delta(1, finish="tool_calls")
    data = await answered(tmp_path, *parts, finish, stream=True, tools=[tool])
    _, call, last = events_of(data)
    told = call["choices"][0]["delta"]["tool_calls"]
    assert [one["function"] for one in told] == [{"name": "f", "arguments": '{"a":1}'}]
    assert last["choices"][0]["finish_reason"] == "tool_calls"


def test_request_takes_the_headers_and_the_tier_with_it() -> None:
    """The queue's bound and the tier's priority reach the engine; the key is the tenant."""
    asked = msgspec.structs.replace(read(service_tier="flex"), max_queue_s=0.5)
    made = to_cerebras_generate(asked, "key-1")
    assert (made.max_queue_s, made.priority, made.tenant) == (0.5, -1, "key-1")


def test_image_is_refused_with_its_place() -> None:
    """Rows may take images; the models that run here read none."""
    uri = "data:image/png;base64,aGk="
    picture = {"type": "image_url", "image_url": {"url": uri}}
    said = [{"role": "user", "content": [picture]}]
    row = msgspec.structs.replace(row_for("m"), max_images=1)
    asked = read_cerebras_request({"model": "m", "messages": said}, lambda name: row)
    with pytest.raises(BadRequest, match=r"messages\.0: only content of type 'text'"):
        to_cerebras_generate(asked, "k")
