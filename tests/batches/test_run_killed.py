"""SIGKILL in the middle of a batch: nothing on disk is lost, nothing on disk is asked again."""

import asyncio
import signal
import sys
import time
from pathlib import Path

from slipstream.batches.lines import custom_id_of
from slipstream.batches.records import Counts, Status
from tests.batches.world import KEY, add_batch, add_file, ids_in, input_of, names_in, store_in

PROCESS = Path(__file__).with_name("batch_process.py")
NUM_LINES = 1500
NUM_KILLS = 4
MAX_OPEN = 8  # the runner's default


async def start(folder: Path, asked: Path, num_quick: int) -> asyncio.subprocess.Process:
    """Start a process that runs the folder's batches."""
    argv = (sys.executable, str(PROCESS), str(folder), str(asked), str(num_quick))
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"running\n"
    return process


async def kill_after(folder: Path, asked: Path, output: Path, num_more: int) -> None:
    """Run the batches, and kill the process once it has written so many answers more."""
    before = whole_ids(output)
    process = await start(folder, asked, num_more)
    async with asyncio.timeout(60):
        while len(whole_ids(output)) < len(before) + num_more - MAX_OPEN // 2:
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL


def whole_ids(path: Path) -> set[str]:
    """Return the custom_ids of the answers that are whole."""
    if not path.exists():
        return set()
    lines = path.read_bytes().splitlines(keepends=True)
    return {str(custom_id_of(line)) for line in lines if line.endswith(b"\n")}


async def test_killed_gateway_loses_and_repeats_nothing_that_was_on_disk(tmp_path: Path) -> None:
    """After any number of kills each line has one answer; asked twice are those in flight only."""
    folder, num_on_disk = tmp_path / "batches", 0
    store = store_in(folder, time.time)
    batch = await add_batch(store, await add_file(store, input_of(NUM_LINES)))
    output = store.files.content(batch.output_file_id)
    on_disk: set[str] = set()
    for kill in range(NUM_KILLS):
        asked = tmp_path / f"asked-{kill}"
        await kill_after(folder, asked, output, 100 * (kill + 1))
        assert not on_disk & set(asked.read_text().split()), "asked though it was on disk"
        assert on_disk <= whole_ids(output), "lost"
        on_disk = whole_ids(output)
        assert len(on_disk) > num_on_disk
        num_on_disk = len(on_disk)
        with output.open("ab") as torn:
            torn.write(b'{"id":"batch_req_torn","custom_id":"r1","resp')  # as a crash may leave it

    last = await start(folder, tmp_path / "asked-last", NUM_LINES)
    assert await asyncio.wait_for(last.wait(), 60) == 0
    again = store_in(folder, time.time)
    record = again.get(KEY, batch.id)
    assert record.status is Status.COMPLETED
    assert record.counts == Counts(total=NUM_LINES, completed=NUM_LINES)
    assert ids_in(again, record.output_file_id) == sorted(f"r{i}" for i in range(NUM_LINES))
    num_asks = sum(
        len((tmp_path / name).read_text().split())
        for name in names_in(tmp_path)
        if name.startswith("asked-")
    )
    assert 0 <= num_asks - NUM_LINES <= NUM_KILLS * MAX_OPEN
