"""What is done with the lines of a batch, one step at a time."""

import asyncio
import time
from pathlib import Path

import pytest

from slipstream.batches.lines import MAX_REQUESTS
from slipstream.batches.records import CHAT_ENDPOINT
from slipstream.batches.refusals import StorageUnavailable
from slipstream.batches.results import Results
from slipstream.batches.steps import Source, check, give_up, insist
from tests.batches.world import KEY, input_of, line_of


def source_of(folder: Path, content: bytes) -> Source:
    """Return an input."""
    path = folder / "input.jsonl"
    path.write_bytes(content)
    return Source(path, CHAT_ENDPOINT, KEY)


async def test_check_counts_requests_and_stops_at_the_first_too_many(tmp_path: Path) -> None:
    """An input over the limit is not read to its end."""
    assert await check(source_of(tmp_path, input_of(3))) == (3, ())
    num, problems = await check(source_of(tmp_path, input_of(MAX_REQUESTS + 500)))
    assert num == MAX_REQUESTS + 1
    assert [p.code for p in problems] == ["too_many_requests"]


async def test_check_lets_others_run_meanwhile(tmp_path: Path) -> None:
    """A long input does not hold up the event loop for longer than a moment."""
    source = source_of(tmp_path, input_of(MAX_REQUESTS))
    task = asyncio.create_task(check(source))
    num_turns = 0
    async with asyncio.timeout(60):
        while not task.done():
            await asyncio.sleep(0)
            num_turns += 1
    assert num_turns > 100
    assert await task == (MAX_REQUESTS, ())


async def test_give_up_notes_each_line_without_an_answer_once(tmp_path: Path) -> None:
    """Doing so again, after a restart in the middle, adds nothing."""
    source = source_of(tmp_path, input_of(700) + b"nonsense\n" + line_of("last"))
    results = Results(tmp_path / "output", tmp_path / "errors")
    await results.open()
    for _ in range(2):
        await give_up(source, results, "batch_expired", "too late")
        assert (results.num_completed, results.num_failed) == (0, 701)
    results.close()
    assert (tmp_path / "errors").read_bytes().count(b"\n") == 701


@pytest.mark.parametrize("error", [OSError(28, "No space left"), StorageUnavailable("full")])
async def test_insist_tries_until_the_disk_gives_in(error: Exception) -> None:
    """Each try is a new one, after a wait; what is no fault of the disk is not tried again."""
    tries: list[float] = []

    async def work(value: int) -> int:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise error
        return value

    async with asyncio.timeout(20):
        assert await insist(work, 7) == 7
    assert tries[1] - tries[0] >= 0.2
    assert tries[2] - tries[1] >= 0.4

    async def defect() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await insist(defect)
