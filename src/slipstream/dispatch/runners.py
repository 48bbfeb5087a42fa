"""One attempt from its beginning to its end: who is asked, and what is given back afterwards."""

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import msgspec

from slipstream.call import Call, Frame, Frames, Serve
from slipstream.choice import Attempt, Target
from slipstream.dispatch.health import Health
from slipstream.dispatch.turns import Turns


class Means(NamedTuple):
    """What all calls are carried out with.

    Args:
        turns: None where no target has a bound.
        now_s: The event loop's clock.
        sleep: Waits for so many seconds.
    """

    leaves: Mapping[str, Serve]
    health: Health
    turns: Turns | None
    now_s: Callable[[], float]
    wall_ns: Callable[[], int]
    rng: random.Random
    sleep: Callable[[float], Awaitable[None]]


class Place:
    """A place at a target that has a bound; given back once.

    Args:
        waited_s: How long it took to get it.
    """

    __slots__ = ("_target", "_turns", "waited_s")

    def __init__(self, turns: Turns, target: Target, waited_s: float) -> None:
        self._turns: Turns | None = turns
        self._target, self.waited_s = target, waited_s

    def give_back(self) -> None:
        """Give it back; again does nothing."""
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.give_back(self._target)


class Runner:
    """One attempt that was begun; whoever began it closes it.

    Args:
        began_s: On the loop's clock.
        place: At its target, to be given back at its end.
        is_counted: Health has it in flight, to be counted out at its end.

    `held` is what has come of its answer and was not handed on.
    """

    __slots__ = ("_is_counted", "_means", "_place", "attempt", "began_s", "frames", "held")

    def __init__(
        self,
        means: Means,
        call: Call,
        attempt: Attempt,
        began_s: float,
        place: Place | None,
        is_counted: bool,
    ) -> None:
        self._means, self._place, self._is_counted = means, place, is_counted
        self.attempt, self.began_s = attempt, began_s
        self.held: list[Frame] = []
        leaf = means.leaves[attempt.target.provider]
        self.frames: Frames = leaf(msgspec.structs.replace(call, attempt=attempt))

    async def close(self) -> None:
        """End it if it runs: its row is settled then, and its connection let go."""
        try:
            await self.frames.aclose()
        finally:
            if self._is_counted:
                self._is_counted = False
                self._means.health.end(self.attempt.target)
            if self._place is not None:
                self._place.give_back()
