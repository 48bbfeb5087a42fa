"""The answers that are kept, for the event loop: one thread with a connection of its own.

It is opened with the first piece of work, so that a gateway that keeps nothing pays nothing. A
database that is locked or slow holds up those who wait for it, each as long as it may, and no
other request.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from slipstream.errors import LedgerUnavailable
from slipstream.responses import rows, waiting_rows
from slipstream.responses.records import (
    Conversation,
    Ending,
    Kept,
    KeptItem,
    ResponseNotFound,
    Waiting,
)
from slipstream.responses.rows import Database

WAIT_S: Final = 10.0
_DAY_NS: Final = 24 * 3600 * 10**9

T = TypeVar("T")


class Archive:
    """Answers by id, each for the key that made it.

    Every method raises LedgerUnavailable where the database cannot be used within `wait_s`.

    Args:
        connect: Called in the thread, once it is needed.
        max_bytes: Of a conversation that is gone on with.
        now_ns: Wall clock.
    """

    def __init__(
        self,
        connect: Callable[[], Database],
        *,
        keep_days: float,
        max_bytes: int,
        now_ns: Callable[[], int],
        wait_s: float = WAIT_S,
    ) -> None:
        self._connect = connect
        self._keep_ns = int(keep_days * _DAY_NS)
        self._max_bytes = max_bytes
        self._wait_s = wait_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="responses")
        self._database: Database | None = None  # the thread's
        self.now_ns: Final = now_ns

    @property
    def swept_before_ns(self) -> int:
        """What was last touched before that is forgotten."""
        return self.now_ns() - self._keep_ns

    async def keep(self, kept: Kept, items: Sequence[KeptItem]) -> None:
        """Keep an answer."""
        await self._do(lambda database: rows.insert(database, kept, items))

    async def get(self, key_id: str, response_id: str) -> Kept:
        """Return an answer.

        Raises:
            ResponseNotFound: The key has none of this id.
        """
        since_ns = self.swept_before_ns
        kept = await self._do(lambda database: rows.find(database, key_id, response_id, since_ns))
        if kept is None:
            raise ResponseNotFound(response_id)
        return kept

    async def delete(self, key_id: str, response_id: str) -> None:
        """Forget an answer.

        Raises:
            ResponseNotFound: The key has none of this id.
        """
        await self.get(key_id, response_id)
        if not await self._do(lambda database: rows.delete(database, key_id, response_id)):
            raise ResponseNotFound(response_id)

    async def conversation(self, key_id: str, response_id: str) -> Conversation:
        """Return an answer that is to be followed, with everything before it.

        Raises:
            PreviousNotFound: It or one that it follows is not there.
            BadRequest: It cannot be followed, or all of it is over the bound.
        """
        now_ns, max_bytes = self.now_ns(), self._max_bytes
        return await self._do(
            lambda database: rows.conversation(
                database, key_id, response_id, now_ns=now_ns, max_bytes=max_bytes
            )
        )

    async def input_of(self, kept: Kept) -> list[KeptItem]:
        """Return all items that an answer was made of, oldest first."""
        return await self._do(lambda database: rows.input_of(database, kept))

    async def items_named(
        self, key_id: str, item_ids: Sequence[str]
    ) -> dict[str, tuple[bytes, str | None]]:
        """Return items by id, each with the provider that keeps it, too."""
        return await self._do(lambda database: rows.items_named(database, key_id, item_ids))

    async def begin(self, key_id: str, response_id: str) -> Waiting | None:
        """Note that an answer is being made, and return it; None if it waits for that no more."""
        return await self._do(lambda database: waiting_rows.begin(database, key_id, response_id))

    async def end(
        self, key_id: str, response_id: str, ending: Ending, output: Sequence[KeptItem] = ()
    ) -> bool:
        """Note how an answer in the background ended, if it had not."""
        return await self._do(
            lambda database: waiting_rows.end(database, key_id, response_id, ending, output)
        )

    async def sweep(self) -> int:
        """Forget what was kept long enough; return how many answers that were."""
        before_ns = self.swept_before_ns
        num_swept, num_new = 0, rows.SWEEP_BATCH
        while num_new == rows.SWEEP_BATCH:
            num_new = await self._do(lambda database: rows.sweep(database, before_ns))
            num_swept += num_new
        return num_swept

    async def close(self) -> None:
        """End the thread, after what it has begun; nothing may be asked any more."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if self._database is not None:
            self._thread.submit(self._database.close).result()  # by the thread that opened it
        self._thread.shutdown()

    async def _do(self, work: Callable[[Database], T]) -> T:
        """Do a piece of work in the thread; what waits too long for its turn is never begun."""
        done = self._thread.submit(self._work, work)
        try:
            # Python 3.11's wait_for loses a cancellation that comes together with the result.
            async with asyncio.timeout(self._wait_s):
                return await asyncio.wrap_future(done)
        except TimeoutError as exc:
            raise LedgerUnavailable(
                f"the database of kept answers gave no answer within {self._wait_s:g} s"
            ) from exc

    def _work(self, work: Callable[[Database], T]) -> T:
        if self._database is None:
            self._database = self._connect()
        return work(self._database)
