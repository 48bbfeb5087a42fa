"""What is done with the lines of one batch: looked at, asked, given up. Knows nothing of records.

What the disk refuses is tried again for as long as it takes: whoever waits for these may be
cancelled instead.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple, ParamSpec, TypeVar

from slipstream.batches.disk import read_lines
from slipstream.batches.lines import Checker, Line, answer_line, read_line, unanswered_line
from slipstream.batches.records import Answer, Answered, Ask, Problem
from slipstream.batches.refusals import StorageUnavailable
from slipstream.batches.results import Result, Results
from slipstream.batches.retries import Retries

_DISK_WAIT_S: Final = (0.2, 30.0)  # first and longest, while the disk refuses
_NUM_AT_ONCE: Final = 500  # lines given up in one piece of work on disk

_log = logging.getLogger("slipstream.batches")

P = ParamSpec("P")
T = TypeVar("T")


class Asking(NamedTuple):
    """How lines are asked.

    Args:
        slots: Of the lines being asked, those of all batches together.
        max_waiting: Lines of one batch that are being asked, wait to be, or wait for the disk.
    """

    answer: Answer
    retries: Retries
    slots: asyncio.Semaphore
    max_waiting: int


class Source(NamedTuple):
    """Where the lines of a batch come from, and on whose behalf they are asked."""

    path: Path
    endpoint: str
    key_id: str


async def check(source: Source) -> tuple[int, tuple[Problem, ...]]:
    """Return how many requests the input has, and everything that is wrong with it."""
    checker = Checker(source.endpoint)
    try:
        await _look_at_all(source, checker)
    except OSError as exc:
        message = f"The input file cannot be read: {exc.strerror}."
        return 0, (Problem(code="input_file_unreadable", message=message, param="input_file_id"),)
    return checker.num_requests, checker.problems()


async def ask_all(
    source: Source, results: Results, asking: Asking, on_kept: Callable[[], None]
) -> None:
    """Get an answer for every line that has none; call `on_kept` after each that has."""
    room = asyncio.Semaphore(asking.max_waiting)

    async def settle(line: Line) -> None:
        await keep(results, await _result_of(line, source.key_id, asking))
        on_kept()

    async with asyncio.TaskGroup() as group, aclosing(_open_lines(source, results)) as lines:
        async for line in lines:
            await room.acquire()
            # A task that is cancelled before it began runs none of its own clean-up.
            group.create_task(settle(line)).add_done_callback(lambda _: room.release())


async def give_up(source: Source, results: Results, code: str, message: str) -> None:
    """Note for every line without an answer why it has none."""
    pending: list[Result] = []
    async with aclosing(_open_lines(source, results)) as lines:
        async for line in lines:
            text = unanswered_line(line.custom_id, code, message)
            pending.append(Result(line.custom_id, text, is_error=True))
            if len(pending) == _NUM_AT_ONCE:
                await keep(results, *pending)
                pending.clear()
    await keep(results, *pending)


async def keep(results: Results, *kept: Result) -> None:
    """Put answers on disk, however long that takes."""
    await insist(results.keep, *kept)


async def insist(work: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs) -> T:
    """Do work on disk, again and again while the disk refuses."""
    wait_s, longest_s = _DISK_WAIT_S
    while True:
        try:
            return await work(*args, **options)
        except (OSError, StorageUnavailable) as exc:
            _log.warning("the disk refuses; again in %.1f s: %s", wait_s, exc)
        await asyncio.sleep(wait_s)
        wait_s = min(longest_s, 2 * wait_s)


async def _look_at_all(source: Source, checker: Checker) -> None:
    async with aclosing(read_lines(source.path)) as lines:
        async for number, raw in lines:
            checker.add(number, raw)
            if checker.is_full:
                return


async def _open_lines(source: Source, results: Results) -> AsyncGenerator[Line, None]:
    """Yield the lines without an answer."""
    async with aclosing(read_lines(source.path)) as lines:
        async for number, raw in lines:
            line = read_line(number, raw, source.endpoint)
            if isinstance(line, Line) and line.custom_id not in results.done:
                yield line


async def _result_of(line: Line, key_id: str, asking: Asking) -> Result:
    if line.is_stream:
        message = "A batch gives whole answers: leave 'stream' out, or false."
        text = unanswered_line(line.custom_id, "stream_not_supported", message)
        return Result(line.custom_id, text, is_error=True)
    ask = Ask(custom_id=line.custom_id, key_id=key_id, url=line.url, body=line.body)
    answered = await _answered(ask, asking)
    is_error = not 200 <= answered.status < 300
    return Result(line.custom_id, answer_line(line.custom_id, answered), is_error)


async def _answered(ask: Ask, asking: Asking) -> Answered:
    """Return the answer that stands."""
    for num_tries in count(1):
        async with asking.slots:
            answered = await asking.answer(ask)
        wait_s = asking.retries.wait_s(answered, num_tries)
        if wait_s is None:
            return answered
        await asyncio.sleep(wait_s)
    raise AssertionError("counting has no end")
