"""An event loop whose clock jumps to whatever is due next: hours of waiting in no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_MAX_S = 1e7  # of virtual time: a test that waits longer waits for ever


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits for what its loop would: tells it how long that would have been."""

    def __init__(self, loop: "VirtualLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "nothing is due, and nothing ever will be"
            self._loop.jump(timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for tests without sockets: its time passes when there is nothing else to do."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the virtual time."""
        return self._now_s

    def jump(self, by_s: float) -> None:
        """Let time pass."""
        self._now_s += by_s
        assert self._now_s < _MAX_S, "the test waits for something that does not come"


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in virtual time; no task may be left over."""

    async def alone() -> T:
        result = await work
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks that outlive the test: {left}"
        return result

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(alone())
