"""Tests of the process's tuning, in processes of their own: it is not taken back."""

import subprocess
import sys

COLLECTOR = """
import gc
from slipstream.tuning import spare_the_collector
gc.set_threshold(700, 10, 10)
spare_the_collector()
assert gc.isenabled()
assert gc.get_threshold()[0] > 10_000, gc.get_threshold()
assert gc.get_freeze_count() > 1_000, gc.get_freeze_count()
"""

REGISTER = """
import asyncio, gc
from slipstream.tuning import spare_the_register

closed = []

async def numbers():
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        closed.append(True)

async def main():
    spare_the_register()
    dropped = numbers()
    await anext(dropped)
    assert len(asyncio.get_running_loop()._asyncgens) == 0
    del dropped
    gc.collect()
    await asyncio.sleep(0.01)
    assert closed == [True]

asyncio.run(main())
"""


def test_spare_the_collector_freezes_and_comes_less_often() -> None:
    """The collector stays on, passes by what lives long, and waits for more to collect."""
    subprocess.run([sys.executable, "-c", COLLECTOR], check=True, timeout=30)


def test_spare_the_register_still_closes_a_dropped_generator() -> None:
    """A generator that nobody closed is closed all the same; it is only not registered."""
    subprocess.run([sys.executable, "-c", REGISTER], check=True, timeout=30)
