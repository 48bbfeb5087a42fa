"""Answers in the background, made by a test: how many at once, cancelled, cut, gone on with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from slipstream.errors import LedgerUnavailable
from slipstream.ledger.store import Store, open_store
from slipstream.responses.archive import Archive
from slipstream.responses.background import Background, Made
from slipstream.responses.records import Ending, Waiting
from slipstream.responses.waiting_rows import unfinished
from tests.responses.place import answer, database_in, items, url_in


class World:
    """An archive and a background whose answers wait until a test lets them go."""

    def __init__(self, archive: Archive, max_concurrent: int) -> None:
        self.archive = archive
        self.begun: list[str] = []
        self.free = asyncio.Event()
        self.defect: Exception | None = None
        self.background = Background(
            archive,
            self._make,
            lambda waiting: Ending("failed", b"given up"),
            max_concurrent=max_concurrent,
            retry_s=0.01,
        )

    async def _make(self, waiting: Waiting) -> Made:
        self.begun.append(waiting.response_id)
        await self.free.wait()
        if self.defect is not None:
            raise self.defect
        return Ending("completed", b"made"), items("said", is_output=True)

    async def ask(self, response_id: str) -> None:
        """Ask for an answer."""
        kept = answer(response_id, status="queued", request=b"{}", created_at_ns=10**18)
        await self.archive.keep(kept, ())
        self.background.begin("k", response_id)

    async def status(self, response_id: str) -> tuple[str, bytes]:
        """Return where an answer stands."""
        kept = await self.archive.get("k", response_id)
        return kept.status, kept.body

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(10):
            while not is_so():
                await asyncio.sleep(0.002)


@asynccontextmanager
async def world_in(folder: Path, max_concurrent: int = 2, **options: Any) -> AsyncIterator[World]:
    """Open a world."""
    connect = options.pop("connect", lambda: open_store(url_in(folder)))
    archive = Archive(connect, keep_days=30, max_bytes=1000, now_ns=lambda: 10**18)
    world = World(archive, max_concurrent)
    try:
        yield world
    finally:
        await world.background.stop()
        await archive.close()


async def test_so_many_are_made_at_once_and_no_more(tmp_path: Path) -> None:
    """The others wait, and come in their order."""
    async with world_in(tmp_path) as world:
        for number in range(5):
            await world.ask(f"r{number}")
        await world.until(lambda: len(world.begun) == 2)
        assert await world.status("r1") == ("in_progress", b'{"id":"r1"}')
        assert (await world.status("r2"))[0] == "queued"
        assert world.background.num_running == 5
        world.free.set()
        await world.until(lambda: world.background.num_running == 0)
        assert world.begun == [f"r{number}" for number in range(5)]
        assert await world.status("r4") == ("completed", b"made")


async def test_cancelled_answer_leaves_its_place(tmp_path: Path) -> None:
    """One that runs and one that waits; what has ended stays as it is."""
    async with world_in(tmp_path, max_concurrent=1) as world:
        for name in ("running", "waiting", "last"):
            await world.ask(name)
        await world.until(lambda: world.begun == ["running"])
        for name in ("waiting", "running", "running"):
            await world.background.cancel("k", name)
        assert (await world.status("running"))[0] == "cancelled"
        assert (await world.status("waiting"))[0] == "cancelled"
        world.free.set()
        await world.until(lambda: world.background.num_running == 0)
        assert world.begun == ["running", "last"]
        await world.background.cancel("k", "last")
        assert (await world.status("last"))[0] == "completed"


async def test_stopped_answers_are_made_at_the_next_start(tmp_path: Path) -> None:
    """Also the one that was being made; one that was begun too often is given up."""
    async with world_in(tmp_path, max_concurrent=1) as world:
        await world.ask("a")
        await world.ask("b")
        await world.until(lambda: world.begun == ["a"])
    with database_in(tmp_path) as store:
        left = unfinished(store)
        store.execute("UPDATE responses SET num_starts = 3 WHERE response_id = 'b'")
    assert left == [("k", "a"), ("k", "b")]
    async with world_in(tmp_path) as world:
        world.free.set()
        world.background.start(left)
        await world.until(lambda: world.background.num_running == 0)
        assert world.begun == ["a"]
        assert await world.status("a") == ("completed", b"made")
        assert await world.status("b") == ("failed", b"given up")
        await world.background.stop()
        await world.ask("late")
        assert world.background.num_running == 0
        assert (await world.status("late"))[0] == "queued"


async def test_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """A finished answer is not lost for it."""
    failures: list[int] = []

    class Away(Store):
        """A connection that fails while it is told to."""

        def execute(self, sql: str, parameters: Any = ()) -> list[Any]:
            if failures:
                failures.pop()
                raise LedgerUnavailable("away")
            return super().execute(sql, parameters)

    def connect() -> Store:
        store = open_store(url_in(tmp_path))
        return Away(store._connection)

    async with world_in(tmp_path, connect=connect) as world:
        await world.ask("a")
        await world.until(lambda: world.begun == ["a"])
        failures += [1, 2, 3]
        world.free.set()
        await world.until(lambda: world.background.num_running == 0)
        assert failures == []
        assert (await world.status("a"))[0] == "completed"


async def test_defect_ends_one_answer_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and what it hit is made at the next start."""
    async with world_in(tmp_path) as world:
        world.defect = ZeroDivisionError()
        world.free.set()
        await world.ask("a")
        await world.until(lambda: world.background.num_running == 0)
        world.defect = None
        await world.ask("b")
        await world.until(lambda: world.background.num_running == 0)
        assert (await world.status("b"))[0] == "completed"
        assert (await world.status("a"))[0] == "in_progress"
    assert "defect while making a" in caplog.text


async def test_what_is_old_at_the_start_is_swept_then(tmp_path: Path) -> None:
    """A start that found too much for itself leaves the rest to the thread."""
    async with world_in(tmp_path) as world:
        await world.archive.keep(answer("old", created_at_ns=1), ())
        with database_in(tmp_path) as store:
            world.background.start([], sweeps_now=True)
            async with asyncio.timeout(10):
                while store.execute("SELECT 1 FROM responses"):
                    await asyncio.sleep(0.002)
