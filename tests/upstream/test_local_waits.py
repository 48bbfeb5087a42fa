"""Tests of slipstream.upstream.local_waits."""

import asyncio

import pytest

from slipstream.choice import Attempt, Deadlines, Target
from slipstream.engine.protocol import Delta, Started
from slipstream.errors import TimedOut
from slipstream.upstream.local_client import Answer, EngineClient
from slipstream.upstream.local_waits import Waits
from tests.upstream.played_engine import LIMIT_S


def waits_of(total_s: float = LIMIT_S, **deadlines: float) -> Waits:
    """Return the waits of an attempt that begins now."""
    return Waits(
        Attempt(
            attempt_id="a",
            number=1,
            route="m",
            target=Target("local", "m"),
            deadlines=Deadlines(**deadlines),
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + total_s,
        )
    )


def answer_with(*parts: Started | Delta, client: EngineClient) -> Answer:
    """Return an answer that has these parts and gets no more."""
    answer = Answer(client, 1)
    for part in parts:
        answer.add(part)
    return answer


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> EngineClient:
    """A client that is never connected."""
    return EngineClient(tmp_path_factory.mktemp("engine") / "s")


async def test_bounded_wait_ends_at_the_first_tokens_deadline() -> None:
    """Starting the process and waiting for the model count as well."""
    with pytest.raises(TimedOut) as caught:
        await waits_of(first_token_s=0.01).bounded(asyncio.Event().wait())

    assert caught.value.phase == "first_token"


async def test_next_started_is_no_first_token(client: EngineClient) -> None:
    """Only text ends the first phase; then the time between pieces counts."""
    started = Started(request_id=1, prompt_tokens=1, cached_tokens=0)
    answer = answer_with(started, client=client)
    waits = waits_of(first_token_s=0.05, idle_s=LIMIT_S)
    assert await waits.next(answer) == started
    with pytest.raises(TimedOut) as caught:
        await waits.next(answer)
    assert caught.value.phase == "first_token"

    answer = answer_with(Delta(1, "a", 1), client=client)
    waits = waits_of(first_token_s=LIMIT_S, idle_s=0.01)
    assert await waits.next(answer) == Delta(1, "a", 1)
    with pytest.raises(TimedOut) as caught:
        await waits.next(answer)
    assert caught.value.phase == "idle"


async def test_total_deadline_ends_any_phase(client: EngineClient) -> None:
    """The call as a whole has its end, however fast its pieces come."""
    answer = answer_with(Delta(1, "a", 1), client=client)
    waits = waits_of(total_s=0.05)
    await waits.next(answer)
    with pytest.raises(TimedOut) as caught:
        await waits.next(answer)

    assert caught.value.phase == "total"
