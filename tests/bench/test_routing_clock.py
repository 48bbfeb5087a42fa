"""The simulated clock: coroutines run as they are, and hours pass at once."""

import asyncio

import pytest

from bench.routing import clock


async def _sleepers(heard: list[tuple[float, str]]) -> None:
    loop = asyncio.get_running_loop()

    async def sleep(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        heard.append((loop.time(), name))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep(7200.0, "late"))
        group.create_task(sleep(0.25, "soon"))


def test_clock_hours_pass_in_order_and_at_once() -> None:
    """Two hours cost nothing, and timers ring at exactly their time."""
    heard: list[tuple[float, str]] = []
    clock.run(_sleepers(heard))
    assert heard == [(0.25, "soon"), (7200.0, "late")]


def test_clock_timeouts_are_of_its_time() -> None:
    """`asyncio.timeout` counts simulated seconds, so deadlines are tried without waiting."""

    async def wait() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600.0):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert clock.run(wait()) == 3600.0


def test_clock_a_wait_that_nothing_ends_is_an_error() -> None:
    """What would hang for ever in the gateway ends the run instead."""

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer"):
        clock.run(wait())
