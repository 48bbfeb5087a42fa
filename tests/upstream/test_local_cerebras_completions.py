"""Tests of slipstream.upstream.local_cerebras_completions, against a process that a test plays."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from slipstream.call import Frame, Meaning
from slipstream.engine.grammar_spec import JsonSchema, Regex
from slipstream.engine.protocol import Delta, Failed, Finished, Generate, Logprob, Started
from slipstream.errors import ContextTooLong
from slipstream.upstream.local_cerebras import Watch
from slipstream.upstream.local_cerebras_completions import (
    answer_cerebras_completions,
    to_cerebras_requests,
)
from slipstream.upstream.local_client import Answer
from slipstream.wire.cerebras.completions_request import CerebrasCompletions
from slipstream.wire.cerebras.objects import answer_id_of
from tests.upstream.cerebras_completions import asked_of, call_of, choices_of, read_frames
from tests.upstream.played_engine import READY, Played, connected


def test_to_requests_takes_forms_and_tokens_along() -> None:
    """Beside what completions have in common; a prompt's text is asked for only of token ids."""
    asked = asked_of(grammar_root="array", return_raw_tokens=True, logprobs=2, seed=4, n=2)
    first, second = to_cerebras_requests(asked, tenant="t")
    assert (first.prompt, second.prompt) == ("a", "b")
    assert first.form == JsonSchema('{"type":"array"}', param="grammar_root")
    assert (first.wants_tokens, first.wants_prompt, first.num_logprobs) == (True, False, 2)
    assert (first.tenant, first.seed, first.num_choices, first.max_tokens) == ("t", 4, 2, 40_960)
    [spaces] = to_cerebras_requests(asked_of(grammar_root="ws", prompt="a"), tenant="t")
    assert isinstance(spaces.form, Regex)


@pytest.mark.parametrize(
    ("fields", "wants_prompt"),
    [
        ({"prompt": [1], "echo": True}, True),
        ({"prompt": [1], "logprobs": 0}, True),
        ({"prompt": [1]}, False),
        ({"prompt": [1], "best_of": 2}, False),
        ({"prompt": "a", "echo": True, "logprobs": 1}, False),
    ],
)
def test_to_requests_asks_for_the_prompt_where_its_text_is_needed(
    fields: dict[str, Any], wants_prompt: bool
) -> None:
    """For an echo, and for offsets, which count its characters."""
    [request] = to_cerebras_requests(asked_of(**fields), tenant="t")
    assert request.wants_prompt == wants_prompt


async def played_answer(folder: Path, asked: CerebrasCompletions, play: Any) -> list[Frame]:
    """Return the frames of an answer that a played engine gives."""

    async def frames_of(send: Any) -> list[Frame]:
        watch = Watch(lambda: 1_000.5)
        answered = answer_cerebras_completions(call_of(asked), asked, READY, send, watch)
        async with aclosing(answered) as frames:
            return [frame async for frame in frames]

    async with connected(folder) as (client, played):

        async def send(request: Generate) -> Answer:
            return client.generate(request)

        reading = asyncio.create_task(frames_of(send))
        await play(played)
        return await reading


async def heard(played: Played) -> Generate:
    """Return the next request that the process gets."""
    said = await played.hear()
    assert isinstance(said, Generate)
    return said


def ended(request_id: int, queue_s: float, prompt_s: float, completion_s: float) -> Finished:
    """Return the end of an answer that took so long."""
    return Finished(
        request_id=request_id, prompt_tokens=3, cached_tokens=1, completion_tokens=2,
        queue_s=queue_s, prompt_s=prompt_s, completion_s=completion_s,
    )  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
async def test_prompts_are_one_answer_with_one_account(tmp_path: Path, stream: bool) -> None:
    """Choices prompt by prompt, costs in sum, and the phases of the prompt that took longest."""

    async def play(played: Played) -> None:
        first, second = await heard(played), await heard(played)
        for request, times in ((second, (0.1, 0.2, 0.3)), (first, (0.3, 0.1, 0.1))):
            at = request.request_id
            text = str(request.prompt).upper()
            played.say(Started(request_id=at, prompt_tokens=3, cached_tokens=1))
            played.say(Delta(at, text, 1, 1, finish="stop"), Delta(at, text, 1, 0, finish="length"))
            played.say(ended(at, *times))

    frames = await played_answer(tmp_path, asked_of(n=2, stream=stream), play)
    bodies = read_frames(frames, stream=stream)
    assert choices_of(bodies) == {
        0: ("A", "length"), 1: ("A", "stop"), 2: ("B", "length"), 3: ("B", "stop"),
    }  # fmt: skip
    last = bodies[-1]
    assert (last["id"], last["created"], last["model"]) == (
        answer_id_of("c"), 1_000, "gpt-oss-120b",
    )  # fmt: skip
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (6, 4)
    times = last["time_info"]
    assert times.pop("total_time") > 0
    assert times == {
        "created": 1_000.5, "queue_time": 0.1, "prompt_time": 0.2, "completion_time": 0.3,
    }  # fmt: skip
    usage = frames[-1].usage
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (4, 2, 4)
    assert frames[-1].finish_reason == "length"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("text", "is_empty"), [("", True), ("a", False)], ids=["silent", "said"])
async def test_answer_without_a_word_is_told_to_be_empty(
    tmp_path: Path, text: str, *, stream: bool, is_empty: bool
) -> None:
    """Of all prompts together."""

    async def play(played: Played) -> None:
        for request in (await heard(played), await heard(played)):
            at = request.request_id
            played.say(Started(request_id=at, prompt_tokens=3, cached_tokens=1))
            played.say(Delta(at, text, 1, finish="stop"), ended(at, 0.1, 0.1, 0.1))

    frames = await played_answer(tmp_path, asked_of(stream=stream), play)
    told = [frame for frame in frames if frame.meaning in (Meaning.CONTENT, Meaning.END)]
    assert {frame.is_empty for frame in told} == {is_empty}


async def test_best_of_gives_the_likeliest_of_each_prompt(tmp_path: Path) -> None:
    """All are paid for; log probabilities that nobody asked for are not told."""

    async def play(played: Played) -> None:
        request = await heard(played)
        assert (request.num_choices, request.num_logprobs) == (3, 0)
        at = request.request_id
        played.say(Started(request_id=at, prompt_tokens=3, cached_tokens=1))
        for number, logprob in enumerate((-2.0, -0.5, -1.0)):
            told = (Logprob(b"x", logprob),)
            played.say(Delta(at, f"{number}", 1, number, logprobs=told, finish="stop"))
        played.say(ended(at, 0.0, 0.0, 0.0))

    asked = asked_of(prompt="a", best_of=3, n=2)
    [body] = read_frames(await played_answer(tmp_path, asked, play), stream=False)
    assert body["choices"] == [
        {"finish_reason": "stop", "index": 0, "text": "1"},
        {"finish_reason": "stop", "index": 1, "text": "2"},
    ]


async def test_failure_of_one_prompt_names_it(tmp_path: Path) -> None:
    """As everywhere: nothing is told of the others."""

    async def play(played: Played) -> None:
        await heard(played)
        second = await heard(played)
        played.say(Started(request_id=1, prompt_tokens=3, cached_tokens=1))
        played.say(Delta(1, "x", 1, finish="stop"), ended(1, 0.0, 0.0, 0.0))
        played.say(Failed.of(second.request_id, ContextTooLong("Too long.")))

    with pytest.raises(ContextTooLong, match=r"prompt\[1\]: Too long"):
        await played_answer(tmp_path, asked_of(), play)
