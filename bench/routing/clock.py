"""An event loop whose clock jumps to the next timer instead of waiting for it.

Nothing else of asyncio is changed, so the gateway's own coroutines run on it as they are: timeouts,
races and queues cost no real time, and two runs of the same program are the same to the bit.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")


class Clock(selectors.BaseSelector):
    """The simulated time, in the place where a loop waits for sockets, of which there are none."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let `timeout` pass.

        Raises:
            RuntimeError: Nothing will ever happen again, and somebody waits for it.
        """
        if timeout is None:
            raise RuntimeError("everything waits for something that no timer will bring")
        self.now_s += max(timeout, 0.0)
        return []

    def register(
        self,
        fileobj: Any,
        events: int,
        data: Any = None,
    ) -> selectors.SelectorKey:
        """Take note of nothing: the loop's own wake-up pipe is all that ever comes."""
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget what was never noted."""
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return nothing: no socket is watched."""
        return {}


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop on a Clock of its own, which starts at 0."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        """Return the simulated seconds."""
        return self.clock.now_s


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end on a new simulated loop."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)
