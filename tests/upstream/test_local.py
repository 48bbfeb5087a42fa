"""Tests of slipstream.upstream.local: the leaf over the real engine in its real process."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from slipstream.call import Call, Dialect, Frame, Meaning, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.errors import (
    BadRequest,
    Broken,
    ContextTooLong,
    GatewayError,
    LoadFailed,
    OutOfBlocks,
    Overloaded,
    StreamCut,
    TimedOut,
    UnknownModel,
)
from slipstream.upstream.local import LocalModel, serve_local
from tests.prepared_model import MODEL, prepared_directory

pytestmark = pytest.mark.asyncio(loop_scope="module")  # most tests share one process

LIMIT_S = 180.0
LONG = "Count from one to one thousand in words, slowly, and do not stop."


def call(
    text: str = "Tell me a story.",
    *,
    deadlines: Deadlines | None = None,
    total_s: float = LIMIT_S,
    wants_usage: bool = False,
    model: str = MODEL,
    **fields: Any,
) -> Call:
    """Return a call, aimed at the model; greedy and of 24 tokens unless told otherwise."""
    body = {
        "model": "alias",
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": 24,
    } | fields
    return Call(
        call_id="c1",
        dialect=Dialect.OPENAI_CHAT,
        body=msgspec.json.encode(body),
        model="alias",
        key_id="none",
        is_stream=bool(fields.get("stream")),
        wants_usage=wants_usage,
        attempt=Attempt(
            attempt_id="c1-1",
            number=1,
            route="alias",
            target=Target("local", model),
            deadlines=deadlines or Deadlines(),
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + total_s,
        ),
    )


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[LocalModel]:
    """Serve the real model with a small cache; leave no process."""
    given = {"kv_cache_bytes": 256 * MIB} | settings
    model = LocalModel(MODEL, prepared_directory(), EngineSettings(**given))
    async with asyncio.timeout(4 * LIMIT_S):
        await model.start()
        try:
            yield model
        finally:
            await model.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[LocalModel]:
    """Give a served model; no test may leave anything running in it."""
    async with serving(kv_cache_bytes=160 * MIB) as served:
        yield served


async def frames_of(model: LocalModel, asked: Call) -> list[Frame]:
    """Return all frames of an answer."""
    async with aclosing(model(asked)) as frames:
        return [frame async for frame in frames]


def text_of(frames: list[Frame]) -> str:
    """Return the text of a streamed or a plain answer."""
    if len(frames) == 1:
        content: str = msgspec.json.decode(frames[0].data)["choices"][0]["message"]["content"]
        return content
    lines = b"".join(frame.data for frame in frames[:-1]).split(b"\n\n")[:-1]
    events = [msgspec.json.decode(line[6:]) for line in lines]
    return "".join(
        choice["delta"].get("content", "") for event in events for choice in event["choices"]
    )


async def settled(model: LocalModel) -> None:
    """Wait until the engine holds nothing."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            stats = await model.stats()
            if (stats.num_running, stats.num_waiting) == (0, 0):
                assert stats.num_free_blocks == stats.num_blocks
                return
            await asyncio.sleep(0.01)


async def answer_twice(model: LocalModel, asked: Call) -> tuple[str, str]:
    """Return an answer computed alone, and the same among others."""
    alone = text_of(await frames_of(model, asked))
    others = [call(f"{n} things to say", temperature=1, stream=True) for n in range(5)]
    answers = await asyncio.gather(*(frames_of(model, c) for c in [*others, asked]))
    return alone, text_of(answers[-1])


def prompt_tokens(usage: Usage) -> int:
    """Return the tokens of a prompt, read or found in the cache."""
    return usage.input_tokens + usage.cache_read_tokens


async def test_call_streams_and_answers_plainly(model: LocalModel) -> None:
    """Both forms carry the same text, usage and finish; pieces come token by token."""
    streamed = await frames_of(model, call(stream=True))
    (plain,) = await frames_of(model, call())

    assert text_of(streamed) == text_of([plain]) != ""
    assert [f.meaning for f in streamed][:2] == [Meaning.SILENT, Meaning.CONTENT]
    assert sum(f.meaning is Meaning.CONTENT for f in streamed) > 10
    assert streamed[-1].meaning is plain.meaning is Meaning.END
    assert streamed[-1].finish_reason == plain.finish_reason == "length"
    assert plain.usage is not None
    assert streamed[-1].usage is not None
    assert prompt_tokens(streamed[-1].usage) == prompt_tokens(plain.usage)
    assert streamed[-1].usage.output_tokens == plain.usage.output_tokens
    assert plain.usage.cache_read_tokens == 32  # the second reads a block less
    assert plain.usage.output_tokens == 24
    said = msgspec.json.decode(plain.data)
    assert (said["model"], said["id"]) == ("alias", "chatcmpl-c1")
    assert said["usage"]["prompt_tokens"] == prompt_tokens(plain.usage) > 10


async def test_call_greedy_and_seeded_answers_ignore_neighbours(model: LocalModel) -> None:
    """The same request gives the same answer alone and in a batch, also at a temperature."""
    alone, among_others = await answer_twice(model, call("Name three colours.", seed=1))
    assert alone == among_others

    warm: dict[str, Any] = {"temperature": 0.9, "top_p": 0.95, "seed": 4711}
    alone, among_others = await answer_twice(model, call("Name three colours.", **warm))
    assert alone == among_others
    other_seed = await frames_of(model, call("Name three colours.", **(warm | {"seed": 1})))
    assert text_of(other_seed) != alone


async def test_call_pieces_of_the_prompt_do_not_change_the_answer(model: LocalModel) -> None:
    """A prompt read 16 tokens at a time is answered like one that was read at once."""
    asked: dict[str, Any] = {"text": "Repeat after me: " + "one two three " * 60, "max_tokens": 16}
    whole = text_of(await frames_of(model, call(**asked)))
    async with serving(max_batch_tokens=16, mixed_prompt_tokens=16) as other:
        assert text_of(await frames_of(other, call(**asked))) == whole


async def test_call_stop_string_ends_the_answer_in_front_of_it(model: LocalModel) -> None:
    """Every word of an answer can stop it, wherever its tokens lie."""
    whole = text_of(await frames_of(model, call()))
    for at in range(0, len(whole) - 6, 5):
        stop = whole[at : at + 6]
        frames = await frames_of(model, call(stream=True, stop=[stop, "never seen"]))
        assert text_of(frames) == whole[: whole.index(stop)]
        assert frames[-1].finish_reason == "stop"


async def test_call_closed_in_the_middle_frees_everything(model: LocalModel) -> None:
    """A client that goes away, by closing or by cancellation, stops the engine's work for it."""
    async with aclosing(model(call(LONG, stream=True, max_tokens=2_000))) as frames:
        async for frame in frames:
            if frame.meaning is Meaning.CONTENT:
                assert frame.usage is not None
                assert frame.usage.output_tokens >= 1  # what it has cost so far
                break
    await settled(model)

    task = asyncio.create_task(frames_of(model, call(LONG, max_tokens=2_000)))
    while (await model.stats()).num_running == 0:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled(model)


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"temperature": 3}, BadRequest, "temperature"),
        ({"tools": [{}]}, BadRequest, "tools[0].type"),
        ({"text": "word " * 9_000}, ContextTooLong, "messages"),
        ({"text": "word " * 6_500}, OutOfBlocks, None),
    ],
)
async def test_call_that_cannot_be_answered_is_refused(
    model: LocalModel, fields: dict[str, Any], kind: type[GatewayError], param: str | None
) -> None:
    """The caller's faults and the engine's limits come as the errors of our tree."""
    with pytest.raises(kind) as caught:
        await frames_of(model, call(**fields))

    assert caught.value.param == param


async def test_call_queue_full_is_overloaded() -> None:
    """Over the bound a request is refused at once, while the others are answered."""
    async with serving(max_running=1, max_queued=1) as model:
        await model.wait_ready(LIMIT_S)
        asked = [call(LONG, max_tokens=30) for _ in range(6)]
        results = await asyncio.gather(
            *(frames_of(model, one) for one in asked), return_exceptions=True
        )

    refused = [result for result in results if isinstance(result, Overloaded)]
    assert 3 <= len(refused) <= 5
    assert all(error.retry_after_s == 1.0 for error in refused)
    assert len([result for result in results if isinstance(result, list)]) == 6 - len(refused)


@pytest.mark.parametrize(
    ("deadlines", "total_s", "phase"),
    [
        (Deadlines(first_token_s=0.02), LIMIT_S, "first_token"),
        (Deadlines(idle_s=0.0), LIMIT_S, "idle"),
        (Deadlines(), 0.05, "total"),
    ],
)
async def test_call_deadline_passes_names_the_phase(
    model: LocalModel, deadlines: Deadlines, total_s: float, phase: str
) -> None:
    """Each phase has its deadline; a request that missed one is cancelled in the engine."""
    await model.wait_ready(LIMIT_S)
    text = LONG if phase == "idle" else "word " * 3_000
    asked = call(text, stream=True, max_tokens=1_000, deadlines=deadlines, total_s=total_s)
    with pytest.raises(TimedOut) as caught:
        await frames_of(model, asked)

    assert caught.value.phase == phase
    await settled(model)


async def test_process_killed_in_an_answer_comes_back() -> None:
    """Before the first text the request may be tried again; after it the stream was cut."""
    async with serving() as model:
        await model.wait_ready(LIMIT_S)
        first_pid = model.pid
        assert first_pid is not None
        begun = model(call(LONG, stream=True, max_tokens=2_000))
        async for frame in begun:
            if frame.meaning is Meaning.CONTENT:
                break
        unbegun = asyncio.create_task(frames_of(model, call(LONG, max_tokens=2_000)))
        while (await model.stats()).num_running < 2:
            await asyncio.sleep(0.005)
        os.kill(first_pid, signal.SIGKILL)
        began_s = time.monotonic()

        with pytest.raises((StreamCut, Broken)):  # its text may have come unseen: it is plain
            await unbegun
        with pytest.raises(StreamCut):
            async for _ in begun:
                pass
        assert text_of(await frames_of(model, call())) != ""
        assert model.pid != first_pid
        assert time.monotonic() - began_s < LIMIT_S


async def test_model_that_cannot_be_loaded_fails_its_requests(tmp_path: Path) -> None:
    """Requests that waited, and later ones, hear why; nothing is started for ever."""
    model = LocalModel("broken", tmp_path, EngineSettings())
    async with asyncio.timeout(LIMIT_S):
        try:
            await model.start()
            for _ in range(2):
                with pytest.raises(LoadFailed, match=r"'broken' cannot be loaded.*model\.json"):
                    await frames_of(model, call())
            assert model.pid is None
        finally:
            await model.stop()


async def test_model_started_at_first_use_has_no_process_before() -> None:
    """With start = first_use the gateway starts without it; `stop` is safe at any time."""
    async with serving(start="first_use") as model:
        assert (model.pid, model.ready) == (None, None)
        with pytest.raises(Broken):
            await model.stats()


async def test_serve_local_picks_the_model_of_the_attempt() -> None:
    """One leaf serves all models; a name that is none of them is an unknown model."""
    serve = serve_local({})

    with pytest.raises(UnknownModel, match="'other'"):
        async for _ in serve(call(model="other")):
            pass
