"""Tests of slipstream.upstream.local_completions, against a process that the test plays."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slipstream.call import Call, Dialect, Frame, Meaning
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.engine.protocol import Delta, Failed, Generate, Logprob, Started
from slipstream.errors import ContextTooLong
from slipstream.upstream.local_client import Answer, EngineClient
from slipstream.upstream.local_completions import (
    best_of,
    plain_completions,
    stream_completions,
    to_requests,
)
from slipstream.wire.completions_answer import CompletionAnswer
from slipstream.wire.completions_request import parse_completions
from tests.upstream.played_engine import LIMIT_S, Played, connected, finished


def body_of(**fields: Any) -> bytes:
    """Return a request for two prompts."""
    return msgspec.json.encode({"model": "m", "prompt": ["a", "b"]} | fields)


async def answered(client: EngineClient, body: bytes, *, stream: bool) -> list[Frame]:
    """Return the frames of an answer."""
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
        call_id="c",
        dialect=Dialect.OPENAI_COMPLETIONS,
        body=body,
        model="m",
        key_id="key-1",
        attempt=attempt,
    )
    head = CompletionAnswer(answer_id="cmpl-c", model="m", created_s=1, fingerprint="f")

    async def send(request: Generate) -> Answer:
        return client.generate(request)

    make = stream_completions if stream else plain_completions
    return [frame async for frame in make(call, parse_completions(body), head, send)]


async def heard(played: Played) -> Generate:
    """Return the next request that the process gets."""
    said = await played.hear()
    assert isinstance(said, Generate)
    return said


def test_to_requests_makes_one_for_each_prompt() -> None:
    """Each asks for all choices; to choose among them their log probabilities are needed."""
    asked = parse_completions(body_of(n=2, best_of=3, seed=4))
    requests = to_requests(asked, tenant="t")
    assert [request.prompt for request in requests] == ["a", "b"]
    for request in requests:
        assert (request.num_choices, request.num_logprobs, request.seed) == (3, 0, 4)
        assert (request.max_tokens, request.tenant, request.parses_reasoning) == (16, "t", False)
    assert to_requests(parse_completions(body_of(n=2)), tenant="t")[0].num_logprobs is None


def test_best_of_keeps_the_highest_mean() -> None:
    """The mean, not the sum: long answers are no worse; one without tokens comes last."""
    long = [Delta(0, logprobs=(Logprob(b"x", -0.2),) * 9)]
    short = [Delta(0, logprobs=(Logprob(b"x", -1.0),))]
    empty = [Delta(0)]
    assert best_of([empty, short, long], 2) == [long, short]
    assert best_of([empty, short, long], 3) == [empty, short, long]


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_of_prompts_are_one_answer(tmp_path: Path, stream: bool) -> None:
    """Whichever prompt the engine ends first, indices and the sum of the cost are the same."""
    async with connected(tmp_path) as (client, played):
        reading = asyncio.create_task(answered(client, body_of(n=2), stream=stream))
        first, second = await heard(played), await heard(played)
        for request in (second, first):
            at = request.request_id
            text = str(request.prompt).upper()
            played.say(Started(request_id=at, prompt_tokens=3, cached_tokens=1))
            played.say(Delta(at, text, 1, 1, finish="stop"), Delta(at, text, 1, 0, finish="length"))
            played.say(finished(at, prompt_tokens=3, cached_tokens=1))
        frames = await reading
    usage = frames[-1].usage
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (4, 2, 4)
    assert frames[-1].finish_reason == "length"
    events = [frame.data.removeprefix(b"data: ") for frame in frames]
    bodies = [msgspec.json.decode(event) for event in (events[:-1] if stream else events)]
    choices = {c["index"]: (c["text"], c["finish_reason"]) for b in bodies for c in b["choices"]}
    assert choices == {0: ("A", "length"), 1: ("A", "stop"), 2: ("B", "length"), 3: ("B", "stop")}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("more", "is_empty"), [({}, True), ({"echo": True}, False)], ids=str)
async def test_answer_without_a_word_is_told_to_be_empty(
    tmp_path: Path, more: dict[str, Any], *, stream: bool, is_empty: bool
) -> None:
    """Unless the prompt is to be said again."""
    async with connected(tmp_path) as (client, played):
        body = body_of(prompt="a", **more)
        reading = asyncio.create_task(answered(client, body, stream=stream))
        at = (await heard(played)).request_id
        played.say(Started(request_id=at, prompt_tokens=1, cached_tokens=0))
        played.say(Delta(at, "", 1, finish="stop"), finished(at))
        frames = await reading
    told = [frame for frame in frames if frame.meaning in (Meaning.CONTENT, Meaning.END)]
    assert {frame.is_empty for frame in told} == {is_empty}


async def test_failure_of_one_prompt_ends_all(tmp_path: Path) -> None:
    """The error says which prompt it was, and the engine is told to stop the others."""
    async with connected(tmp_path) as (client, played):
        prompts = [str(number) for number in range(10)]
        reading = asyncio.create_task(answered(client, body_of(prompt=prompts), stream=False))
        requests = [await heard(played) for _ in range(8)]  # as many as are open at once
        played.say(finished(requests[0].request_id))
        ninth = await heard(played)
        assert ninth.prompt == "8"
        played.say(Failed.of(requests[1].request_id, ContextTooLong("Too long.")))
        with pytest.raises(ContextTooLong, match=r"prompt\[1\]: Too long") as caught:
            await reading
        assert caught.value.param == "prompt[1]"
        stopped = {(await played.hear()).request_id for _ in range(7)}
        assert stopped == {request.request_id for request in [*requests[2:], ninth]}
        assert client.num_open == 0
