"""One timer for all deadlines."""

import asyncio

from slipstream.upstream.http.sweeper import RESOLUTION_S, Sweeper
from tests.upstream.http.servers import until


class _Item:
    """Counts how often it is looked at; may leave while it is."""

    def __init__(self, sweeper: Sweeper, leaves_after: int = 10**9) -> None:
        self.times_s: list[float] = []
        self._sweeper = sweeper
        self._leaves_after = leaves_after

    def check(self, now_s: float) -> None:
        self.times_s.append(now_s)
        if len(self.times_s) >= self._leaves_after:
            self._sweeper.discard(self)


async def test_sweeper_runs_only_while_something_is_watched() -> None:
    """An idle gateway has no timer, and work starts it again."""
    sweeper = Sweeper(asyncio.get_running_loop())
    assert not sweeper.is_running
    for _ in range(2):
        item = _Item(sweeper, leaves_after=2)
        sweeper.add(item)
        assert sweeper.is_running
        await until(lambda: not sweeper.is_running)
        assert len(item.times_s) == 2
        assert len(sweeper) == 0


async def test_sweeper_looks_at_everything_with_the_loops_time() -> None:
    """Each item is checked in each sweep, also when others leave during it."""
    loop = asyncio.get_running_loop()
    sweeper = Sweeper(loop)
    start_s = loop.time()
    leaving, staying = [_Item(sweeper, 1) for _ in range(5)], [_Item(sweeper) for _ in range(5)]
    for item in (*leaving, *staying):
        sweeper.add(item)
    await until(lambda: len(staying[0].times_s) >= 3)
    assert all(len(item.times_s) == 1 for item in leaving)
    assert len({tuple(item.times_s) for item in staying}) == 1
    # uvloop's clock has milliseconds, so a timer may seem to be one early
    assert staying[0].times_s[0] >= start_s + RESOLUTION_S - 0.002
    assert len(sweeper) == 5
    sweeper.close()
    assert not sweeper.is_running
    assert len(sweeper) == 0
