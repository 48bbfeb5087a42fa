"""Tasks that are owned end before their owner goes on, however it goes on."""

import asyncio

import pytest

from slipstream.dispatch import owned
from tests.dispatch.virtual_time import run_virtual


async def _slow_to_leave(ended: list[float]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(1.0)
        ended.append(asyncio.get_running_loop().time())


def test_all_tasks_have_ended_afterwards() -> None:
    """Also those that take their time."""

    async def play() -> list[float]:
        ended: list[float] = []
        tasks = [asyncio.ensure_future(_slow_to_leave(ended)) for _ in range(3)]
        await asyncio.sleep(0)
        await owned.end(tasks)
        assert all(task.done() for task in tasks)
        return ended

    assert run_virtual(play()) == [1001.0] * 3


def test_owner_that_is_cancelled_waits_all_the_same() -> None:
    """And is cancelled then."""

    async def play() -> float:
        ended: list[float] = []
        tasks = [asyncio.ensure_future(_slow_to_leave(ended))]
        await asyncio.sleep(0)
        ending = asyncio.ensure_future(owned.end(tasks))
        await asyncio.sleep(0.5)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert tasks[0].done()
        return ended[0]

    assert run_virtual(play()) == 1001.0


def test_what_a_task_raised_goes_up() -> None:
    """A defect is never lost in a task."""

    async def fail() -> None:
        raise ZeroDivisionError

    async def play() -> None:
        tasks = [asyncio.ensure_future(fail()), asyncio.ensure_future(asyncio.sleep(99))]
        await asyncio.sleep(0)
        with pytest.raises(ZeroDivisionError):
            await owned.end(tasks)
        assert all(task.done() for task in tasks)

    run_virtual(play())


def test_no_tasks_are_no_work() -> None:
    """Nothing is waited for."""
    run_virtual(owned.end([]))
