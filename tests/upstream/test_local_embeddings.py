"""Embeddings of a model that we run: in portions, in order, over the engine's real process."""

import asyncio
import base64
import json
import os
import signal
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from slipstream.call import Call, Dialect, Frame, Meaning, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.engine.protocol import Embedded
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.errors import BadRequest, Broken, ContextTooLong, TimedOut, Unsupported
from slipstream.upstream.local import LocalModel
from slipstream.upstream.local_embeddings import answer_embeddings, portions
from slipstream.wire.texts import Text
from tests.engine.test_embedder import expected, unit
from tests.tiny_encoder import CONTEXT_TOKENS, DIMENSIONS, NAME, pull_encoder

pytestmark = pytest.mark.asyncio(loop_scope="module")  # most tests share one process

LIMIT_S = 180.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalModel]:
    """Give the tiny encoder, served."""
    folder: Path = pull_encoder(tmp_path_factory.mktemp("home"))
    served = LocalModel(NAME, folder, EngineSettings(kv_cache_bytes=32 * MIB))
    try:
        await served.start()
        yield served
    finally:
        await served.stop()


def call(
    given: Any = "a", *, deadlines: Deadlines | None = None, total_s: float = LIMIT_S, **fields: Any
) -> Call:
    """Return a call, aimed at the model."""
    return Call(
        call_id="c1",
        dialect=Dialect.OPENAI_EMBEDDINGS,
        body=json.dumps({"model": "alias", "input": given, **fields}).encode(),
        model="alias",
        key_id="none",
        attempt=Attempt(
            attempt_id="c1-1",
            number=1,
            route="alias",
            target=Target("local", NAME),
            deadlines=deadlines or Deadlines(),
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + total_s,
        ),
    )


async def ask(model: LocalModel, asked: Call) -> Frame:
    """Return the one frame of an answer."""
    async with asyncio.timeout(LIMIT_S):
        [frame] = [frame async for frame in model(asked)]
    return frame


def vectors_of(frame: Frame) -> list[list[float]]:
    """Return the vectors of an answer in numbers."""
    return [item["embedding"] for item in json.loads(frame.data)["data"]]


async def test_vectors_are_those_of_the_model(model: LocalModel) -> None:
    """Token ids give the vectors that the arithmetic gives; tokens are counted."""
    frame = await ask(model, call([[7, 8, 9], [10]]))
    said = json.loads(frame.data)
    assert frame.meaning is Meaning.END
    assert frame.usage == Usage(input_tokens=4)
    assert said["model"] == "alias"
    assert said["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    for vector, ids in zip(vectors_of(frame), [[7, 8, 9], [10]], strict=True):
        assert vector == pytest.approx(unit(expected(ids)).tolist(), abs=1e-5)


async def test_base64_and_dimensions(model: LocalModel) -> None:
    """Fewer numbers are the first ones, scaled; base64 holds the same."""
    plain = vectors_of(await ask(model, call(["one", "two"], dimensions=3)))
    coded = await ask(model, call(["one", "two"], dimensions=3, encoding_format="base64"))
    whole = vectors_of(await ask(model, call("one")))[0]
    assert len(whole) == DIMENSIONS
    length = sum(number**2 for number in whole[:3]) ** 0.5
    assert plain[0] == pytest.approx([number / length for number in whole[:3]], abs=1e-6)
    for vector, text in zip(plain, vectors_of(coded), strict=True):
        assert struct.unpack("<3f", base64.b64decode(str(text))) == tuple(vector)


@pytest.mark.parametrize(
    ("given", "fields", "error", "said"),
    [
        ([5, 49_152], {}, BadRequest, "item 0 has a token id outside"),
        ([1] * (CONTEXT_TOKENS + 1), {}, ContextTooLong, "item 0 of 'input' has 65"),
        ("a", {"dimensions": 9}, BadRequest, "'dimensions': this model's vectors have 8, got 9"),
        (["a", ""], {}, BadRequest, r"'input\[1\]'"),
    ],
)
async def test_what_the_model_cannot_take_is_the_callers_fault(
    model: LocalModel, given: Any, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    """The error names the input and the bound."""
    with pytest.raises(error, match=said) as caught:
        await ask(model, call(given, **fields))
    assert getattr(caught.value, "status", None) == 400


async def test_chat_with_an_embeddings_model_is_refused(model: LocalModel) -> None:
    """The error says where it is asked; another target may be tried."""
    chat = json.dumps({"model": "alias", "messages": [{"role": "user", "content": "a"}]})
    asked = call()
    wrong = Call(
        call_id="c2",
        dialect=Dialect.OPENAI_CHAT,
        body=chat.encode(),
        model="alias",
        key_id="none",
        attempt=asked.attempt,
    )
    with pytest.raises(Unsupported, match=r"is for embeddings, not for chat: .*/v1/embeddings"):
        await ask(model, wrong)


async def test_caller_that_leaves_leaves_nothing(model: LocalModel) -> None:
    """A request given up in the middle disturbs no later one."""
    assert model.pid is not None
    os.kill(model.pid, signal.SIGSTOP)  # so that it is in the middle
    try:
        task = asyncio.create_task(ask(model, call([[1, 2, 3] * 20] * 2000)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        os.kill(model.pid, signal.SIGCONT)
    assert len(vectors_of(await ask(model, call("a")))) == 1


async def test_deadline_that_has_passed_is_named(model: LocalModel) -> None:
    """Embeddings have the deadlines of every attempt."""
    with pytest.raises(TimedOut) as caught:
        await ask(model, call("a", total_s=-1.0))
    assert caught.value.phase == "total"


# ---- portions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["a"], [(0, 1)]),
        (["a"] * 256, [(0, 256)]),
        (["a"] * 600, [(0, 256), (256, 512), (512, 600)]),
        (["x" * 40_000] * 3, [(0, 1), (1, 2), (2, 3)]),
        ([(1,) * 8192, (1,)], [(0, 1), (1, 2)]),
        ([(1,) * 8191, (1,)], [(0, 2)]),
        (["x" * 16_000] * 4, [(0, 2), (2, 4)]),
    ],
)
async def test_portions_are_bounded_and_leave_nothing_out(
    inputs: list[Text], found: list[tuple[int, int]]
) -> None:
    """Each input is in one portion, in order; one that is too large is alone."""
    assert list(portions(inputs)) == found


def made_of(start: float, num: int) -> Embedded:
    """Return vectors of one number each."""
    numbers = [start + index for index in range(num)]
    return Embedded(
        request_id=1, vectors=struct.pack(f"<{num}f", *numbers), dimensions=1, prompt_tokens=num
    )


async def test_portions_are_put_together_in_order() -> None:
    """The answer does not show that it was made in parts."""
    asked: list[int] = []

    async def embed(inputs: tuple[Text, ...], dimensions: int | None, attempt: Attempt) -> Embedded:
        asked.append(len(inputs))
        return made_of(sum(asked[:-1]), len(inputs))

    frame = await answer_embeddings(call(["x" * 16_000] * 5), embed)
    assert asked == [2, 2, 1]
    assert vectors_of(frame) == [[0.0], [1.0], [2.0], [3.0], [4.0]]
    assert frame.usage == Usage(input_tokens=5)


async def test_error_in_a_later_portion_says_which_inputs_it_speaks_of() -> None:
    """The engine counts from the first that it was given; the caller sees which that was."""

    async def embed(inputs: tuple[Text, ...], dimensions: int | None, attempt: Attempt) -> Embedded:
        if len(inputs) == 1:
            raise BadRequest("Invalid 'input': item 0 is empty.", param="input")
        return made_of(0, len(inputs))

    with pytest.raises(
        BadRequest, match=r"^Of input\[2:3\]: Invalid 'input': item 0 is empty"
    ) as no:
        await answer_embeddings(call(["x" * 16_000] * 3), embed)
    assert no.value.param == "input"


async def test_process_that_ends_fails_the_request() -> None:
    """What is no fault of an input goes up as it is."""

    async def embed(inputs: tuple[Text, ...], dimensions: int | None, attempt: Attempt) -> Embedded:
        raise Broken("the model's process ended")

    with pytest.raises(Broken, match=r"^the model's process ended$"):
        await answer_embeddings(call(), embed)
