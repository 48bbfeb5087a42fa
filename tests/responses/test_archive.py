"""The archive: one thread that is opened late, and nobody who waits for it too long."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from slipstream.errors import LedgerUnavailable
from slipstream.ledger.store import Store, open_store
from slipstream.responses.archive import Archive
from slipstream.responses.records import Ending, ResponseNotFound
from slipstream.responses.rows import SWEEP_BATCH
from tests.responses.place import DAY_NS, answer, database_in, items, turn, url_in


class Place:
    """A database that is opened when it is needed, by a clock that stands still."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ns = 100 * DAY_NS
        self.threads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def connect(self) -> Store:
        """Open it, once the gate is open."""
        self.gate.wait(10)
        self.threads.append(threading.current_thread().name)
        return open_store(url_in(self.folder))

    @asynccontextmanager
    async def archive(
        self, connect: Callable[[], Store] | None = None, wait_s: float = 10
    ) -> AsyncIterator[Archive]:
        """Open an archive."""
        opened = Archive(
            connect or self.connect,
            keep_days=30,
            max_bytes=1000,
            now_ns=lambda: self.now_ns,
            wait_s=wait_s,
        )
        try:
            yield opened
        finally:
            self.gate.set()
            await opened.close()


async def test_database_is_opened_once_by_a_thread_of_its_own(tmp_path: Path) -> None:
    """Not before anything is asked."""
    place = Place(tmp_path)
    async with place.archive() as archive:
        assert place.threads == []
        await asyncio.gather(*(archive.keep(answer(f"r{n}"), turn(f"t{n}")) for n in range(9)))
        found = await asyncio.gather(*(archive.input_of(answer(f"r{n}")) for n in range(9)))
    assert [[item.item_id for item in one] for one in found] == [[f"t{n}-in"] for n in range(9)]
    [name] = place.threads
    assert name.startswith("responses")


async def test_answer_is_not_found_after_its_days(tmp_path: Path) -> None:
    """Whether or not it was swept yet; the sweep says how many it took."""
    place = Place(tmp_path)
    async with place.archive() as archive:
        await archive.keep(answer(created_at_ns=place.now_ns), items("x"))
        assert (await archive.get("k", "resp_1")).response_id == "resp_1"
        assert await archive.sweep() == 0
        place.now_ns += 31 * DAY_NS
        with pytest.raises(ResponseNotFound, match="resp_1"):
            await archive.get("k", "resp_1")
        with pytest.raises(ResponseNotFound):
            await archive.delete("k", "resp_1")
        assert await archive.sweep() == 1


async def test_every_question_is_answered_for_its_key(tmp_path: Path) -> None:
    """What the rows do, from the loop."""
    place = Place(tmp_path)
    async with place.archive() as archive:
        kept = answer(status="queued", request=b"{}", created_at_ns=place.now_ns)
        await archive.keep(kept, items("x"))
        begun = await archive.begin("k", "resp_1")
        assert begun is not None
        assert begun.request == b"{}"
        assert await archive.end("k", "resp_1", Ending("completed", b"{}"), turn("t"))
        assert not await archive.end("k", "resp_1", Ending("cancelled"))
        talk = await archive.conversation("k", "resp_1")
        assert [item.item_id for item in talk.items] == ["x", "t-in", "t-out"]
        assert await archive.items_named("k", ["x"]) == {"x": (b"x", None)}
        await archive.delete("k", "resp_1")
        with pytest.raises(ResponseNotFound):
            await archive.get("k", "resp_1")


async def test_nobody_waits_longer_than_they_may(tmp_path: Path) -> None:
    """What was not begun in time is never done; the loop goes on meanwhile."""
    place = Place(tmp_path)
    place.gate.clear()
    async with place.archive(wait_s=0.1) as archive:
        asked = [archive.keep(answer(f"r{n}", created_at_ns=place.now_ns), ()) for n in range(3)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in told] == [LedgerUnavailable] * 3
        place.gate.set()
        is_served = False
        async with asyncio.timeout(20):
            while not is_served:
                with suppress(LedgerUnavailable):  # as long as the thread is behind
                    await archive.sweep()
                    is_served = True
    with database_in(tmp_path) as store:
        assert store.execute("SELECT response_id FROM responses WHERE response_id <> 'r0'") == []


async def test_cancellation_beside_a_result_is_not_lost(tmp_path: Path) -> None:
    """Who is cancelled in the moment in which the answer comes ends; a sweeper would go on else."""
    place = Place(tmp_path)
    place.gate.clear()
    async with place.archive() as archive:
        task = asyncio.create_task(archive.sweep())
        await asyncio.sleep(0)
        place.gate.set()
        # The thread answers while the loop stands still; both wake the task in the same turn.
        archive._thread.submit(lambda: None).result()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_database_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    """Each who asks is told why; a later one may be served."""
    place = Place(tmp_path)
    failures = [LedgerUnavailable("the disk is away")]

    def connect() -> Store:
        if failures:
            raise failures.pop()
        return place.connect()

    async with place.archive(connect) as archive:
        with pytest.raises(LedgerUnavailable, match="away"):
            await archive.sweep()
        assert await archive.sweep() == 0


async def test_sweep_takes_all_that_is_old(tmp_path: Path) -> None:
    """However many there are."""
    place = Place(tmp_path)
    num_old = SWEEP_BATCH + 3
    with database_in(tmp_path) as store, store.transaction():
        store.execute_many(
            "INSERT INTO responses (response_id, key_id, status, body, created_at_ns, "
            "touched_at_ns) VALUES (?, 'k', 'completed', x'', 1, 1)",
            [(f"r{number}",) for number in range(num_old)],
        )
    async with place.archive() as archive:
        assert await archive.sweep() == num_old
