"""Tests of slipstream.process, with real processes."""

import asyncio
import logging
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from slipstream.process import EXIT_IS_FINAL, Supervised
from tests.commands import is_alive

LIMIT_S = 20.0
WAITS = "import sys; sys.stdin.read()"  # lives until its standard input ends
QUICK = (0.01, 0.05)


def python(source: str) -> list[str]:
    """Return the command that runs this source."""
    return [sys.executable, "-c", source]


async def until(is_true: Callable[[], object]) -> None:
    """Wait for a condition, within the deadline of all tests."""
    async with asyncio.timeout(LIMIT_S):
        while not is_true():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(child: Supervised) -> AsyncIterator[Supervised]:
    """Start a child, and stop it whatever happens."""
    await child.start()
    try:
        yield child
    finally:
        async with asyncio.timeout(LIMIT_S):
            await child.stop()


async def test_start_and_stop_leaves_nothing() -> None:
    """`stop` returns when the process is gone."""
    child = Supervised("t", python(WAITS))
    async with running(child):
        assert child.is_up
        pid = child.pid
        assert pid is not None

    assert not child.is_up
    assert child.pid is None
    assert not is_alive(pid)


async def test_killed_child_comes_back() -> None:
    """SIGKILL of the child: told once, back with another pid."""
    ends: list[int | None] = []
    ups: list[int] = []
    child = Supervised(
        "t",
        python(WAITS),
        backoff_s=QUICK,
        on_up=lambda: ups.append(child.num_starts),
        on_down=ends.append,
    )
    async with running(child):
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.is_up and child.pid != first)

    assert ends == [-signal.SIGKILL]
    assert ups == [1, 2]


async def test_stop_is_not_told_as_an_end() -> None:
    """`on_down` is for ends that nobody asked for."""
    ends: list[int | None] = []
    async with running(Supervised("t", python(WAITS), on_down=ends.append)):
        pass

    assert ends == []


async def test_child_that_ends_at_once_is_tried_ever_more_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Waits double from the first to the longest, each with jitter between half and all."""
    child = Supervised("t", ["/bin/false"], backoff_s=(0.04, 0.16), rng=random.Random(1))
    async with running(child):
        await until(lambda: len(_waits_s(caplog)) == 5)

    bounds = [(0.02, 0.04), (0.04, 0.08), (0.08, 0.16), (0.08, 0.16), (0.08, 0.16)]
    for wait_s, (least_s, most_s) in zip(_waits_s(caplog), bounds, strict=True):
        assert least_s <= wait_s <= most_s


def _waits_s(caplog: pytest.LogCaptureFixture) -> list[float]:
    """Return the waits that were announced: clocks of a busy machine say less."""
    records = [record for record in caplog.records if "again in" in record.getMessage()]
    return [record.args[-1] for record in records if isinstance(record.args, tuple)]  # type: ignore[misc]


async def test_child_that_lived_is_started_at_once_again() -> None:
    """Earlier ends are forgotten once a child has lived `settled_s`."""
    waits: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: waits.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("slipstream.settled")
    logger.addHandler(handler)
    child = Supervised("settled", ["/bin/false"], backoff_s=(0.01, 100.0), settled_s=0.0)
    async with running(child):
        await until(lambda: child.num_starts == 12)
    logger.removeHandler(handler)

    assert all(message.endswith("again in 0.0 s") for message in waits)


async def test_final_exit_status_is_obeyed() -> None:
    """Status 78 says that starting again cannot help; its last words say why."""
    ends: list[int | None] = []
    source = f"import sys; print('ERROR no such model', file=sys.stderr); sys.exit({EXIT_IS_FINAL})"
    child = Supervised("t", python(source), backoff_s=QUICK, on_down=ends.append)
    async with running(child):
        await until(lambda: child.has_given_up)
        await asyncio.sleep(0.1)

        assert ends == [EXIT_IS_FINAL]
        assert child.num_starts == 1
        assert child.last_words == "no such model"


async def test_program_that_does_not_exist_is_told() -> None:
    """What cannot be started is an end like any other, without a status."""
    ends: list[int | None] = []
    child = Supervised("t", ["/no/such/program"], backoff_s=QUICK, on_down=ends.append)
    async with running(child):
        await until(lambda: len(ends) >= 2)

        assert set(ends) == {None}
        assert "No such file" in child.last_words


async def test_child_that_ignores_sigterm_is_killed() -> None:
    """After the grace period SIGKILL ends it."""
    source = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('set', flush=True); time.sleep(60)"
    )
    said: list[bytes] = []
    child = Supervised("t", python(source), on_stdout=said.append, grace_s=0.1)
    async with running(child):
        await until(lambda: said)
        pid = child.pid
        assert pid is not None
        began_s = time.monotonic()

    assert not is_alive(pid)
    assert time.monotonic() - began_s < 10


async def test_messages_go_both_ways() -> None:
    """Standard input and output carry bytes, as framed messages need it."""
    echo = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
    said: list[bytes] = []
    child = Supervised("t", python(echo), on_stdout=said.append)
    assert not child.send(b"too early\n")
    async with running(child):
        assert child.send(b"hello\n")
        await child.drain()
        await until(lambda: b"".join(said) == b"HELLO\n")

    assert not child.send(b"too late\n")


async def test_standard_error_is_logged_by_line(caplog: pytest.LogCaptureFixture) -> None:
    """Lines keep their level; long ones are cut; the last without a line end counts."""
    source = (
        "import sys; e = sys.stderr; e.write('WARNING hot\\nplain\\n' + 'x' * 9000 + '\\nlast')"
    )
    with caplog.at_level(logging.INFO, logger="slipstream.t"):
        child = Supervised("t", python(source), backoff_s=(60, 60))
        async with running(child):
            await until(lambda: child.last_words == "last")

    said = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "slipstream.t"][:4]
    assert said == [("WARNING", "hot"), ("INFO", "plain"), ("INFO", "x" * 2000), ("INFO", "last")]


PARENT = """
import asyncio, sys
from slipstream.process import Supervised
async def main():
    child = Supervised("t", [sys.executable, "-c", sys.argv[1]])
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
SLEEPS_UNTIL_PARENT_DIES = """
import os, time
from slipstream import process
process.die_with_parent()
os.set_inheritable(0, False)
time.sleep(60)
"""
SLEEPS_UNTIL_LIFELINE_ENDS = """
import os, time
from slipstream import process
process.watch_lifeline(lambda: os._exit(0))
time.sleep(60)
"""


@pytest.mark.parametrize("child", [SLEEPS_UNTIL_PARENT_DIES, SLEEPS_UNTIL_LIFELINE_ENDS])
async def test_killed_parent_leaves_no_orphan(child: str) -> None:
    """SIGKILL of the parent ends the child, by the kernel's signal or by the pipe's end alone."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, child, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        pid = int(await parent.stdout.readline())
    await asyncio.sleep(0.5)  # let it ask for what it is to notice
    assert is_alive(pid)

    parent.kill()
    async with asyncio.timeout(LIMIT_S):
        await parent.wait()
    await until(lambda: not is_alive(pid))
