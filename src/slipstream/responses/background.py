"""Makes answers in the background, also those that a gateway before this one left undone.

Theory of operation. An answer is a row first and a task then.

 1. A row is there before its client hears of it: `queued`, then `in_progress`, then an end.
 2. A gateway that starts goes on with every row that has no end. What was being made is made
    again from its beginning; one that was begun too often is `failed`.
 3. Who cancels ends the row first and the task then; what comes of the task finds the row ended.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from slipstream.errors import LedgerUnavailable
from slipstream.responses.archive import Archive
from slipstream.responses.records import Ending, KeptItem, Status, Waiting

RETRY_S: Final = 1.0
SWEEP_S: Final = 3600.0
MAX_STARTS: Final = 3
"""How often an answer is begun: one that ends the process does not do so for ever."""

T = TypeVar("T")
Made = tuple[Ending, Sequence[KeptItem]]
Make = Callable[[Waiting], Awaitable[Made]]
"""Makes one answer; its failures are endings, too."""

_log = logging.getLogger("slipstream.responses")


class Background:
    """All answers that are made here without anybody waiting for them.

    Args:
        give_up: Makes the ending of one that was begun too often.
        max_concurrent: Being made at once.
        retry_s: How long a database that cannot be used is left alone.
    """

    def __init__(
        self,
        archive: Archive,
        make: Make,
        give_up: Callable[[Waiting], Ending],
        *,
        max_concurrent: int,
        retry_s: float = RETRY_S,
    ) -> None:
        self._archive, self._make, self._give_up = archive, make, give_up
        self._slots = asyncio.Semaphore(max_concurrent)
        self._retry_s = retry_s
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._sweeping: asyncio.Task[None] | None = None
        self._is_stopped = False

    @property
    def num_running(self) -> int:
        """How many answers are being made or wait for it."""
        return len(self._tasks)

    def start(self, left: Iterable[tuple[str, str]], *, sweeps_now: bool = False) -> None:
        """Go on with what was left undone, and sweep the archive from time to time.

        Args:
            left: Key and id of each answer.
            sweeps_now: There is something to be swept at once.
        """
        self._sweeping = asyncio.create_task(self._sweep_on(0.0 if sweeps_now else SWEEP_S))
        for key_id, response_id in left:
            self.begin(key_id, response_id)

    def begin(self, key_id: str, response_id: str) -> None:
        """Make an answer whose row was just made; after `stop` it waits for the next start."""
        if self._is_stopped:
            return
        key = (key_id, response_id)
        task = self._tasks[key] = asyncio.create_task(self._run(key_id, response_id))

        def let_go(done: asyncio.Task[None]) -> None:
            del self._tasks[key]
            if not done.cancelled() and (defect := done.exception()) is not None:
                _log.error("defect while making %s", response_id, exc_info=defect)

        task.add_done_callback(let_go)

    async def cancel(self, key_id: str, response_id: str) -> None:
        """End an answer where it stands; one that has ended stays as it is."""
        await self._archive.end(key_id, response_id, Ending(Status.CANCELLED))
        self.forget(key_id, response_id)

    def forget(self, key_id: str, response_id: str) -> None:
        """Cut what is being made of an answer that nobody wants any more."""
        task = self._tasks.get((key_id, response_id))
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Cut what is being made; all of it is made at the next start."""
        self._is_stopped = True
        tasks = [*self._tasks.values(), *([self._sweeping] if self._sweeping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key_id: str, response_id: str) -> None:
        """Make one answer; what it needs is read when its turn comes, for many may wait."""
        async with self._slots:
            waiting = await self._insist(lambda: self._archive.begin(key_id, response_id))
            if waiting is None:
                return
            if waiting.num_starts > MAX_STARTS:
                made: Made = (self._give_up(waiting), ())
            else:
                made = await self._make(waiting)
            await self._insist(lambda: self._archive.end(key_id, response_id, *made))

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what has to be done, however long the database cannot be used."""
        while True:
            try:
                return await work()
            except LedgerUnavailable as error:
                _log.error("%s; trying again in %g s", error.message, self._retry_s)
                await asyncio.sleep(self._retry_s)

    async def _sweep_on(self, wait_s: float) -> None:
        while True:
            await asyncio.sleep(wait_s)
            wait_s = SWEEP_S
            with contextlib.suppress(LedgerUnavailable):  # the next one will do
                await self._archive.sweep()
