"""Turns at targets that take only so many attempts at the same time.

    take ──▶ a place is free and nobody waits ──▶ go
         ╰─▶ key A: 1 4      each key's requests in their order, the keys by turns;
             key B: 2        who goes away is out of the queue at once
             key C: 3 5 6

A place that is given back goes to whoever is next, so that nobody overtakes. Nothing here knows
attempts: whoever took a place gives it back.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from slipstream.choice import Target
from slipstream.errors import Overloaded

_RETRY_AFTER_S: Final = 1.0  # places are free again in about this time, or nobody knows when


class Turns:
    """Hands out the places of all targets that have a bound.

    Args:
        max_concurrent: Of a target, all its keys together; None: it has no bound.
        max_queued: How many may wait at one target.
    """

    __slots__ = ("_lines", "_max_concurrent", "_max_queued")

    def __init__(self, max_concurrent: Callable[[Target], int | None], max_queued: int) -> None:
        self._max_concurrent = max_concurrent
        self._max_queued = max_queued
        self._lines: dict[tuple[str, str], _Line] = {}  # of targets at which somebody is

    def has_bound(self, target: Target) -> bool:
        """Tell whether a target has places to hand out; at others nobody takes one."""
        return self._max_concurrent(target) is not None

    def num_waiting(self, target: Target) -> int:
        """Return how many wait for their turn at a target."""
        line = self._lines.get((target.provider, target.model))
        return 0 if line is None else line.num_waiting

    async def take(self, target: Target, key_id: str, limit_s: float) -> None:
        """Take a place at a target that has a bound, now or when it is this key's turn.

        Args:
            key_id: Whose request it is.
            limit_s: How long it may wait.

        Raises:
            Overloaded: Too many wait already, or it has waited for so long.
            CancelledError: It went away; the place, if it had one by then, is the next one's.
        """
        line = self._lines.setdefault((target.provider, target.model), _Line())
        if line.num_taken < (self._max_concurrent(target) or 0):
            line.num_taken += 1
            return
        if line.num_waiting >= self._max_queued:
            raise _overloaded(f"{line.num_waiting} requests already wait for {target.name}")
        waiter = line.join(key_id)
        try:
            async with asyncio.timeout(limit_s):
                await waiter
        except (asyncio.CancelledError, TimeoutError) as exc:
            if waiter.done() and not waiter.cancelled():
                self.give_back(target)
            else:
                line.leave(key_id, waiter)
            if isinstance(exc, TimeoutError):
                raise _overloaded(f"no turn at {target.name} within {limit_s:.3g} s") from exc
            raise

    def give_back(self, target: Target) -> None:
        """Give a place back, which is then taken by whoever is next."""
        line = self._lines[target.provider, target.model]
        line.num_taken -= 1
        waiter = line.pop()
        if waiter is not None:
            line.num_taken += 1
            waiter.set_result(None)
        elif not line.num_taken:
            del self._lines[target.provider, target.model]


class _Line:
    """The places of one target that are taken, and who waits for one."""

    __slots__ = ("_waiters", "num_taken", "num_waiting")

    def __init__(self) -> None:
        self._waiters: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self.num_taken = self.num_waiting = 0

    def join(self, key_id: str) -> "asyncio.Future[None]":
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(key_id, deque()).append(waiter)
        self.num_waiting += 1
        return waiter

    def leave(self, key_id: str, waiter: "asyncio.Future[None]") -> None:
        queue = self._waiters.get(key_id, deque())
        if waiter in queue:
            queue.remove(waiter)
            self.num_waiting -= 1
            if not queue:
                del self._waiters[key_id]

    def pop(self) -> "asyncio.Future[None] | None":
        """Take whoever is next out of the queue, and let its key's next one wait for a round."""
        while self._waiters:
            key_id, queue = next(iter(self._waiters.items()))
            waiter = queue.popleft()
            self.num_waiting -= 1
            if queue:
                self._waiters.move_to_end(key_id)
            else:
                del self._waiters[key_id]
            if not waiter.done():  # it was cancelled in this turn of the loop
                return waiter
        return None


def _overloaded(problem: str) -> Overloaded:
    return Overloaded(f"The gateway is busy: {problem}.", retry_after_s=_RETRY_AFTER_S)
