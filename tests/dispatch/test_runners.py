"""An attempt gives back what it took, once, whatever its leaf does at the end."""

import asyncio
import random

import pytest

from slipstream.call import Call, Frames
from slipstream.choice import Attempt, Cause, Deadlines, Target
from slipstream.dispatch.runners import Means, Place, Runner
from slipstream.dispatch.turns import Turns
from tests.dispatch.scene import DONE, WORD, Leaf, Watch, with_wishes
from tests.dispatch.virtual_time import run_virtual


def runner_of(
    leaf: Leaf,
    *,
    number: int = 1,
    name: str = "a",
    cause: Cause = "first",
    place: Place | None = None,
) -> tuple[Runner, Watch]:
    """Begin an attempt at 1004 s of a clock that stands at 1010; return it, and who counts it."""
    attempt = Attempt(
        attempt_id=f"c-{number}",
        number=number,
        route="fast",
        target=Target(name, "m"),
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=9e9,
        cause=cause,
    )
    watch = Watch()
    means = Means(
        leaves={name: leaf},
        health=watch,
        turns=None,
        now_s=lambda: 1010.0,
        wall_ns=lambda: 0,
        rng=random.Random(1),
        sleep=asyncio.sleep,
    )
    watch.begin(attempt.target, 1004.0)
    made = Runner(means, with_wishes(), attempt, 1004.0, place, is_counted=True)
    return made, watch


def test_closing_ends_the_answer_and_counts_it_out_once() -> None:
    """Again does nothing, also where others have taken the place since."""

    async def play() -> None:
        turns, here = Turns(lambda target: 1, 0), Target("a", "m")
        await turns.take(here, "k", 1.0)
        leaf = Leaf((WORD, DONE))
        runner, watch = runner_of(leaf, place=Place(turns, here, 0.0))
        await anext(runner.frames)
        await runner.close()
        assert leaf.num_running == 0
        assert not +watch.in_flight
        await turns.take(here, "k", 1.0)
        await runner.close()
        assert not -watch.in_flight
        turns.give_back(here)

    run_virtual(play())


def test_leaf_that_fails_while_it_is_closed_is_counted_out_all_the_same() -> None:
    """Its defect goes up."""

    class _Stubborn(Leaf):
        async def __call__(self, call: Call) -> Frames:
            try:
                yield WORD
            finally:
                raise ZeroDivisionError

    async def play() -> None:
        runner, watch = runner_of(_Stubborn())
        await anext(runner.frames)
        with pytest.raises(ZeroDivisionError):
            await runner.close()
        assert not +watch.in_flight

    run_virtual(play())
