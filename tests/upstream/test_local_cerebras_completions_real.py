"""Tests of slipstream.upstream.local_cerebras_completions, over the real engine in its process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from cerebras.cloud.sdk.types.completion import CompletionResponse

from slipstream.engine.settings import MIB, EngineSettings
from slipstream.errors import BadRequest, ContextTooLong, GatewayError
from slipstream.upstream.local import LocalModel
from tests.prepared_model import MODEL, prepared_directory
from tests.upstream.cerebras_completions import asked_of, call_of, choices_of, read_frames
from tests.upstream.played_engine import LIMIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")  # all share one process

START_S = 120.0
NIGHT = "It was a dark and stormy night"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[LocalModel]:
    """Give the served model."""
    settings = EngineSettings(kv_cache_bytes=160 * MIB)
    served = LocalModel(MODEL, prepared_directory(), settings)
    async with asyncio.timeout(START_S):
        await served.start()
        try:
            await served.wait_ready(START_S)
            yield served
        finally:
            await served.stop()


async def bodies_of(model: LocalModel, **fields: Any) -> list[Any]:
    """Return the bodies of an answer of the real model; each is read by the SDK too."""
    asked = asked_of(**({"prompt": NIGHT, "max_tokens": 6} | fields))
    async with asyncio.timeout(LIMIT_S), aclosing(model(call_of(asked))) as frames:
        bodies = read_frames([frame async for frame in frames], stream=asked.is_stream)
    for body in bodies:
        CompletionResponse.model_validate(body)
    return bodies


async def test_real_answer_is_the_same_streamed_and_whole(model: LocalModel) -> None:
    """Text, reason, account; the engine's phases fit into the total."""
    [whole] = await bodies_of(model)
    events = await bodies_of(model, stream=True)
    assert choices_of([whole]) == choices_of(events)
    [(text, finish)] = choices_of([whole]).values()
    assert len(text) > 6
    assert finish == "length"
    for body in (whole, events[-1]):
        assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (7, 6)
        times = body["time_info"]
        phases = times["queue_time"] + times["prompt_time"] + times["completion_time"]
        assert 0 < phases <= times["total_time"]
    assert not [event for event in events[:-1] if "usage" in event or "time_info" in event]


@pytest.mark.parametrize("stream", [False, True])
async def test_real_raw_tokens_spell_the_text(model: LocalModel, stream: bool) -> None:
    """As many as are paid for; sent back as a prompt with an echo they are the text again."""
    [text, *_] = choices_of(await bodies_of(model))[0]
    bodies = await bodies_of(model, return_raw_tokens=True, stream=stream)
    tokens, _ = choices_of(bodies)[0]
    assert len(tokens) == bodies[-1]["usage"]["completion_tokens"] == 6
    echoed = await bodies_of(model, prompt=tokens, echo=True, max_tokens=1, stream=stream)
    assert choices_of(echoed)[0][0].startswith(text)


async def test_real_raw_tokens_hold_those_of_the_stop(model: LocalModel) -> None:
    """Raw is raw: a stop string is not in the text, and its tokens are in the tokens."""
    [(text, finish)] = choices_of(await bodies_of(model, stop=" sun")).values()
    assert (text, finish) == (", with the", "stop")
    [body] = await bodies_of(model, stop=" sun", return_raw_tokens=True)
    [(tokens, _)] = choices_of([body]).values()
    assert len(tokens) == body["usage"]["completion_tokens"]
    [(spelled, _)] = choices_of(
        await bodies_of(model, prompt=tokens, echo=True, max_tokens=1)
    ).values()
    assert spelled.startswith(", with the sun")


async def test_real_logprobs_have_offsets_from_the_prompts_beginning(model: LocalModel) -> None:
    """The prompt's 30 characters come first, whether it came as text or as token ids."""
    [body] = await bodies_of(model, logprobs=2, max_tokens=3)
    told = body["choices"][0]["logprobs"]
    assert told["tokens"] == [",", " with", " the"]
    assert told["text_offset"] == [30, 31, 36]
    assert [len(top) for top in told["top_logprobs"]] == [2, 2, 2]
    likeliest = [max(top.values()) for top in told["top_logprobs"]]
    assert told["token_logprobs"] == likeliest  # it is greedy
    [body] = await bodies_of(model, prompt=[28, 351], logprobs=0, max_tokens=1)
    assert body["choices"][0]["logprobs"]["text_offset"] == [len(", with")]
    assert len(body["choices"][0]["logprobs"]["top_logprobs"][0]) == 1


@pytest.mark.parametrize(
    ("root", "prompt", "kind"),
    [
        ("root", "As JSON: ", dict),
        ("object", "As JSON: ", dict),
        ("array", "Numbers: [1,2]\n[3,4]\n", list),
        ("string", '"a"\n"b"\n', str),
        ("number", '"a"\n"b"\n', int),
        ("value", '{"name":"Ann"}\n', bool),
    ],
)
async def test_real_grammar_root_is_what_the_answer_is(
    model: LocalModel, root: str, prompt: str, kind: type
) -> None:
    """The model alone goes on otherwise."""
    [(text, _)] = choices_of(
        await bodies_of(model, prompt=prompt, grammar_root=root, max_tokens=20, stream=True)
    ).values()
    assert type(msgspec.json.decode(text)) is kind


async def test_real_white_space_is_nothing_else(model: LocalModel) -> None:
    """At most 20 characters of it."""
    [(text, finish)] = choices_of(
        await bodies_of(model, grammar_root="ws", max_tokens=40, temperature=1, seed=1)
    ).values()
    assert text.strip(" \t\n") == ""
    assert len(text) <= 20
    assert finish == "stop"


async def test_real_prompts_of_token_arrays_have_an_answer_each(model: LocalModel) -> None:
    """In their order, n for each, the echo of each its own."""
    fields = {"prompt": [[28], [351, 260]], "n": 2, "echo": True, "max_tokens": 1}
    said = choices_of(await bodies_of(model, **fields))
    texts = [said[index][0] for index in range(4)]
    starts = [",", ",", " with the", " with the"]
    assert all(text.startswith(start) for text, start in zip(texts, starts, strict=True))


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"prompt": [2_000_000]}, BadRequest, "prompt"),
        ({"logit_bias": {"999999": 1}}, BadRequest, "logit_bias"),
        ({"prompt": [1] * 9_000}, ContextTooLong, "prompt"),
    ],
)
async def test_real_refusal_names_the_field(
    model: LocalModel, fields: dict[str, Any], kind: type[GatewayError], param: str
) -> None:
    """What only the model knows is refused by it."""
    with pytest.raises(kind) as caught:
        await bodies_of(model, **fields)
    assert caught.value.param == param
