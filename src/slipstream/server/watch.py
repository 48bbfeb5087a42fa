"""Ends answers that nobody waits for any more: a client that stopped reading, or sending.

Upstreams have deadlines of their own. What has none is a client that keeps its connection open and
does nothing; one timer for all answers, looked at rarely, is enough for that.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

SWEEP_S = 1.0


class Ending(Protocol):
    """Something in progress that can be ended from outside."""

    started_at_s: float

    def end_overdue(self) -> None:
        """End it now."""


class Watch:
    """Ends what takes longer than `limit_s`.

    Args:
        limit_s: Longer than every deadline of an attempt together.
        now_s: The clock of `started_at_s`.
        call_later: Of the event loop.
    """

    def __init__(
        self,
        limit_s: float,
        now_s: Callable[[], float],
        call_later: Callable[..., asyncio.TimerHandle],
    ) -> None:
        self._limit_s = limit_s
        self._now_s = now_s
        self._call_later = call_later
        self._active: set[Ending] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, ending: Ending) -> None:
        """Begin to watch."""
        self._active.add(ending)
        if self._timer is None:
            self._timer = self._call_later(SWEEP_S, self._sweep)

    def remove(self, ending: Ending) -> None:
        """Stop watching; it ended by itself."""
        self._active.discard(ending)

    def _sweep(self) -> None:
        oldest_s = self._now_s() - self._limit_s
        for ending in [e for e in self._active if e.started_at_s < oldest_s]:
            self._active.discard(ending)
            ending.end_overdue()
        self._timer = self._call_later(SWEEP_S, self._sweep) if self._active else None
