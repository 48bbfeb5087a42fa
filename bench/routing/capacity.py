"""What bounds a simulated target: servers with one queue before them, and limits per minute."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable

from slipstream.errors import TimedOut


class Servers:
    """As many requests as are worked at; others wait in the order in which they came."""

    __slots__ = ("_busy", "_ends", "_now_s", "_num", "_queue")

    def __init__(self, num: int, now_s: Callable[[], float]) -> None:
        self._num = num
        self._now_s = now_s
        self._busy = 0
        self._ends: list[float] = []  # when those that are worked at should end: a heap
        self._queue: deque[tuple[asyncio.Future[None], float]] = deque()  # and their work in s

    @property
    def num_waiting(self) -> int:
        """Requests that no server has taken up yet."""
        return len(self._queue)

    async def enter(self, work_s: float, limit_s: float) -> float:
        """Wait for a server; return when it should have done its work, which `leave` is told.

        Raises:
            TimedOut: None was free in time; the place in the queue is given up.
        """
        if self._busy < self._num and not self._queue:
            self._busy += 1
        else:
            await self._wait(work_s, limit_s)
        end_s = self._now_s() + work_s
        heapq.heappush(self._ends, end_s)
        return end_s

    def leave(self, end_s: float) -> None:
        """Give a server back: to the first that waits, if any does."""
        self._ends.remove(end_s)
        heapq.heapify(self._ends)
        self._hand_on()

    def wait_s(self) -> float:
        """Return how long somebody who came now would wait, if nobody left before the end."""
        if self._busy < self._num:
            return 0.0
        ends = list(self._ends)
        for _, work_s in self._queue:
            heapq.heapreplace(ends, ends[0] + work_s)
        return max(ends[0] - self._now_s(), 0.0) if ends else 0.0

    async def _wait(self, work_s: float, limit_s: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (turn, work_s)
        self._queue.append(place)
        try:
            async with asyncio.timeout(limit_s):
                await turn
        except BaseException as exc:
            if turn.done() and not turn.cancelled():
                self._hand_on()  # it was this one's turn, and nobody is there to take it
            else:
                self._queue.remove(place)
            if isinstance(exc, TimeoutError):
                raise TimedOut("first_token", limit_s) from exc
            raise

    def _hand_on(self) -> None:
        if self._queue:
            self._queue.popleft()[0].set_result(None)
        else:
            self._busy -= 1


class Bucket:
    """A limit per minute: it fills evenly and holds a minute's worth."""

    __slots__ = ("_at_s", "_per_min", "left")

    def __init__(self, per_min: int) -> None:
        self._per_min = per_min
        self._at_s = 0.0
        self.left = float(per_min)

    def wait_s(self, wanted: float, now_s: float) -> float:
        """Return in how many seconds there will be enough; 0: now."""
        self.left = min(self._per_min, self.left + (now_s - self._at_s) * self._per_min / 60)
        self._at_s = now_s
        return max(min(wanted, self._per_min) - self.left, 0.0) * 60 / self._per_min

    def take(self, wanted: float) -> None:
        """Use some of it up."""
        self.left -= min(wanted, self._per_min)

    @property
    def reset_s(self) -> float:
        """In how many seconds it will be full again."""
        return (self._per_min - self.left) * 60 / self._per_min
