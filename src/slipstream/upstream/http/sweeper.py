"""All deadlines of one client, watched by one timer that runs only while something is in flight.

A deadline therefore passes up to `RESOLUTION_S` late, never early. In exchange a request costs
two set operations instead of a timer of its own.
"""

import asyncio
from typing import Final, Protocol

RESOLUTION_S: Final = 0.025  # limits are seconds long; 25 ms are below what anyone can set apart


class Watched(Protocol):
    """Something with a deadline."""

    def check(self, now_s: float) -> None:
        """Fail whoever waits, if a deadline has passed; must not raise or block."""


class Sweeper:
    """Looks at everything in flight every `RESOLUTION_S` seconds."""

    __slots__ = ("_items", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_running(self) -> bool:
        """Whether a timer is set; it outlives the last item by one sweep at most."""
        return self._timer is not None

    def add(self, item: Watched) -> None:
        """Watch an item until it is discarded."""
        self._items.add(item)
        if self._timer is None:
            self._timer = self._loop.call_later(RESOLUTION_S, self._sweep)

    def discard(self, item: Watched) -> None:
        """Watch it no longer; an item that is not watched is fine."""
        self._items.discard(item)

    def close(self) -> None:
        """Stop the timer and forget every item."""
        self._items.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        if not self._items:
            self._timer = None
            return
        now_s = self._loop.time()
        for item in tuple(self._items):  # a check may discard items
            item.check(now_s)
        self._timer = self._loop.call_later(RESOLUTION_S, self._sweep)
