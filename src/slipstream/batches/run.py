"""Carries batches out, from wherever they stand, also after the process was killed.

Theory of operation. A batch is a task; each of its lines in progress is a task of that one.

 1. A line's answer is appended to the batch's files before it counts. A line whose answer is there
    is never asked again, so each custom_id stands exactly once in the two files of a batch that
    was completed or has expired, and at most once in those of any other.
 2. The asking itself happens at least once: a line that was being asked when the process ended,
    or was answered in the last second before the machine lost power, is asked (and billed) again.
 3. An answer that the disk does not take waits in memory, and no more is asked for its batch than
    that already, until there is room, the window is over or the process ends.
 4. At most `max_concurrent` lines are being asked, those of all batches together, in the order in
    which they came; a line that waits to be asked again keeps its place in its batch, not among
    these. So one limited model slows down its batch and no other.
 5. Cancelling, and the end of the window, cut what is being asked. What was not answered by the end
    of the window gets an error, `batch_expired`; of a cancelled batch it is left out.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Final

from slipstream.batches.records import (
    CANCELLABLE,
    NEXT,
    Answer,
    BatchRecord,
    Counts,
    Problem,
    Status,
    moved,
)
from slipstream.batches.refusals import Conflict, StorageUnavailable
from slipstream.batches.results import Results
from slipstream.batches.retries import Retries
from slipstream.batches.steps import Asking, Source, ask_all, check, give_up, insist
from slipstream.batches.store import Store

SWEEP_S: Final = 60.0

# Where a batch stands at the start whose end is decided already, and that end.
_DECIDED: Final = {Status.FINALIZING: Status.COMPLETED, Status.CANCELLING: Status.CANCELLED}

_EXPIRED: Final = (
    "batch_expired",
    "This request could not be answered before the completion window was over.",
)
_DEFECT: Final = Problem(code="internal_error", message="Slipstream failed; its log says how.")

_log = logging.getLogger("slipstream.batches")


class Runner:
    """Runs every batch of a store that has not ended.

    Args:
        answer: Who answers a line.
        max_concurrent: Lines being asked at once.
        retries: Which answers are asked for again.
        look_s: How often a batch looks whether its window is over: wall clocks may jump.
    """

    def __init__(
        self,
        store: Store,
        answer: Answer,
        *,
        max_concurrent: int = 8,
        retries: Retries | None = None,
        look_s: float = 5.0,
    ) -> None:
        self._store = store
        slots = asyncio.Semaphore(max_concurrent)
        self._asking = Asking(answer, retries or Retries(), slots, max_concurrent)
        self._look_s = look_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancels: dict[str, asyncio.Event] = {}  # of the batches that run
        self._is_stopped = False

    @property
    def num_running(self) -> int:
        """How many batches are being carried out."""
        return len(self._cancels)

    def start(self) -> None:
        """Go on with every batch that has not ended, and sweep the store from time to time."""
        self._own(self._sweep_on())
        for batch_id in self._store.unfinished():
            self.begin(batch_id)

    def begin(self, batch_id: str) -> None:
        """Carry out a batch that was just made; after `stop` it waits for the next start."""
        if not self._is_stopped:
            self._cancels[batch_id] = asyncio.Event()
            self._own(self._guard(batch_id))

    async def cancel(self, key_id: str, batch_id: str) -> BatchRecord:
        """Have a batch end soon; doing so twice is harmless.

        Raises:
            NotFound: The key has no such batch.
            Conflict: It has ended otherwise, or is about to.
            StorageUnavailable: The disk refuses; the batch goes on.
        """
        self._store.get(key_id, batch_id)
        record = await self._store.change(batch_id, self._cancelling)
        if batch_id in self._cancels:
            self._cancels[batch_id].set()
        return record

    async def stop(self) -> None:
        """Cut what is being asked; everything goes on at the next start."""
        self._is_stopped = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # ---- one batch ------------------------------------------------------------------------------

    async def _guard(self, batch_id: str) -> None:
        """Carry a batch out; a defect of ours ends this one only."""
        task = asyncio.create_task(self._carry_out(batch_id))
        try:
            await asyncio.wait((task,))
        finally:
            task.cancel()
            await asyncio.wait((task,))
            del self._cancels[batch_id]
        defect = None if task.cancelled() else task.exception()
        if defect is not None:
            _log.error("defect while running %s", batch_id, exc_info=defect)
            async with self._results(batch_id) as results:
                await self._end(batch_id, results, Status.FAILED, (_DEFECT,))

    async def _carry_out(self, batch_id: str) -> None:
        record = self._store.known(batch_id)
        async with self._results(batch_id) as results:
            problems: tuple[Problem, ...] = ()
            ending = _DECIDED.get(record.status)
            if ending is None:
                work = asyncio.create_task(self._work(record, results))
                ending, problems = await self._outcome(record, work)
            if ending is Status.EXPIRED:
                await give_up(self._source(record), results, *_EXPIRED)
            await self._end(batch_id, results, ending, problems)

    @contextlib.asynccontextmanager
    async def _results(self, batch_id: str) -> AsyncIterator[Results]:
        record, content = self._store.known(batch_id), self._store.files.content
        results = Results(content(record.output_file_id), content(record.error_file_id))
        try:
            await insist(results.open)
            yield results
        finally:
            results.close()

    async def _work(self, record: BatchRecord, results: Results) -> tuple[Problem, ...]:
        """Ask every line that has no answer; return what is wrong with the input, if anything."""
        source = self._source(record)
        if record.status is Status.VALIDATING:
            num_requests, problems = await check(source)
            if problems:
                return problems
            record = await self._move(
                record.id, Status.IN_PROGRESS, counts=Counts(total=num_requests)
            )
        total = record.counts.total

        def note() -> None:
            self._store.count(record.id, _counts(total, results))

        note()
        await ask_all(source, results, self._asking, note)
        return ()

    async def _outcome(
        self, record: BatchRecord, work: asyncio.Task[tuple[Problem, ...]]
    ) -> tuple[Status, tuple[Problem, ...]]:
        """Return how a batch ends: its work is done, or somebody or the clock cuts it."""
        cancel = asyncio.create_task(self._cancels[record.id].wait())
        try:
            while not work.done() and not cancel.done():
                left_s = record.expires_at_s - self._store.now_s()
                if left_s <= 0:
                    return Status.EXPIRED, ()
                await asyncio.wait(
                    (work, cancel),
                    timeout=min(left_s, self._look_s),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if cancel.done():
                return Status.CANCELLED, ()
            problems = work.result()
            return (Status.FAILED, problems) if problems else (Status.COMPLETED, ())
        finally:
            cancel.cancel()
            work.cancel()
            await asyncio.wait((work, cancel))

    async def _end(
        self, batch_id: str, results: Results, ending: Status, problems: tuple[Problem, ...]
    ) -> None:
        """Make files of the answers, and note the end."""
        if ending is Status.COMPLETED and not _is_at(self._store, batch_id, Status.FINALIZING):
            await self._move(batch_id, Status.FINALIZING)
        await insist(results.sync)
        record = self._store.known(batch_id)
        for file_id, kind, has_any in (
            (record.output_file_id, "output", results.has_output),
            (record.error_file_id, "errors", results.has_errors),
        ):
            if has_any:
                await insist(self._store.files.adopt, record, file_id, kind)
            else:
                await insist(self._store.files.drop_content, file_id)
        await self._move(
            batch_id,
            ending,
            problems=problems,
            has_output=results.has_output,
            has_errors=results.has_errors,
            counts=_counts(record.counts.total, results),
        )
        _log.info("%s is %s", batch_id, self._store.known(batch_id).status)

    def _source(self, record: BatchRecord) -> Source:
        path = self._store.files.content(record.input_file_id)
        return Source(path, record.endpoint, record.key_id)

    async def _move(self, batch_id: str, status: Status, **changes: object) -> BatchRecord:
        """Bring a batch one step further; one that was cancelled meanwhile is cancelled."""

        def change(record: BatchRecord) -> BatchRecord:
            if status in NEXT[record.status]:
                return moved(record, status, self._store.now_s(), **changes)
            if record.status is not Status.CANCELLING:
                raise AssertionError(f"{record.status} is not followed by {status}")
            if status not in (Status.IN_PROGRESS, Status.FINALIZING):
                return moved(record, Status.CANCELLED, self._store.now_s(), **changes)
            return record

        return await insist(self._store.change, batch_id, change)

    def _cancelling(self, record: BatchRecord) -> BatchRecord:
        if record.status in (Status.CANCELLING, Status.CANCELLED):
            return record
        if record.status not in CANCELLABLE:
            raise Conflict(f"A batch that is {record.status} cannot be cancelled.")
        return moved(record, Status.CANCELLING, self._store.now_s())

    # ---- tasks ----------------------------------------------------------------------------------

    def _own(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("defect beside the batches", exc_info=task.exception())

    async def _sweep_on(self) -> None:
        while True:
            with contextlib.suppress(StorageUnavailable):  # it is logged, and tried again
                await self._store.sweep()
            await asyncio.sleep(SWEEP_S)


def _is_at(store: Store, batch_id: str, status: Status) -> bool:
    return store.known(batch_id).status is status


def _counts(total: int, results: Results) -> Counts:
    num_completed, num_failed = results.num_completed, results.num_failed
    return Counts(
        total=max(total, num_completed + num_failed), completed=num_completed, failed=num_failed
    )
