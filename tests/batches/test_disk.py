"""Work on disk: whole or not at all, and never behind the caller's back."""

import asyncio
import contextlib
import os
import stat
import threading
from pathlib import Path

import pytest

from slipstream.batches.disk import (
    Written,
    in_thread,
    is_partial,
    make_folder,
    partial,
    read_lines,
    remove,
    whole_lines,
    write_whole,
)


def test_written_whole_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    """A record is the old one or the new one, and only we may read it."""
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_write_that_fails_leaves_the_old_and_nothing_beside(tmp_path: Path) -> None:
    """A name that cannot be taken is an error, and all is as it was."""
    path = tmp_path / "a.json"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(OSError, match="directory"):
        write_whole(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "gone" / "a.json", b"new")


def test_folder_is_ours_alone_and_stays_what_it_is(tmp_path: Path) -> None:
    """What people ask is nobody else's to read."""
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_partial_is_known_by_its_name(tmp_path: Path) -> None:
    """What was never finished is found at the next start."""
    path = tmp_path / "file.jsonl"
    assert is_partial(partial(path))
    assert not is_partial(path)
    remove(path)


def test_append_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """A disk that is full in the middle of a line does not leave half of it."""
    full = Written(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        full.append(b"line\n")
    assert full.num_bytes == 0
    full.close()
    kept = Written(tmp_path / "a")
    kept.append(b"one\n")
    kept.close()
    kept.close()
    again = Written(tmp_path / "a")
    assert again.num_bytes == 4
    again.append(b"two\n")
    again.cut(5)
    again.append(b"2\n")
    again.sync()
    again.close()
    assert (tmp_path / "a").read_bytes() == b"one\nt2\n"
    Written(tmp_path / "a", is_new=True).close()
    assert (tmp_path / "a").read_bytes() == b""


def test_whole_lines_say_where_they_end_and_leave_out_a_torn_one(tmp_path: Path) -> None:
    """What a crash tore off can be cut."""
    path = tmp_path / "a"
    path.write_bytes(b"one\n\nthree\nfo")
    assert list(whole_lines(path)) == [(4, b"one"), (5, b""), (11, b"three")]


async def test_lines_of_a_file_have_their_numbers(tmp_path: Path) -> None:
    """Also the last one, if it lacks its end, and also those that are longer than one read."""
    path = tmp_path / "a"
    path.write_bytes(b"one\n\n" + b"x" * 200_000 + b"\nlast")
    found = [(number, len(line)) async for number, line in read_lines(path)]
    assert found == [(1, 3), (3, 200_000), (4, 4)]
    with pytest.raises(FileNotFoundError):
        _ = [line async for line in read_lines(tmp_path / "gone")]


async def test_lines_that_nobody_reads_to_their_end_leave_no_file_open(tmp_path: Path) -> None:
    """Also when the reading is cut while a thread opens the file."""
    path = tmp_path / "a"
    path.write_bytes(b"x\n" * 100_000)

    async def read() -> None:
        async with contextlib.aclosing(read_lines(path)) as lines:
            async for _ in lines:
                await asyncio.sleep(0)

    for _ in range(20):
        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not [fd for fd in os.listdir("/proc/self/fd") if _target_of(fd) == str(path)]


def _target_of(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:  # the one of the listing itself
        return ""


async def test_thread_is_waited_for_when_its_caller_is_cancelled() -> None:
    """Nothing goes on with a file that somebody is about to delete."""
    began, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        began.set()
        assert may_end.wait(10)
        ended.append(True)

    task = asyncio.create_task(in_thread(work))
    async with asyncio.timeout(10):
        while not began.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == [True]


async def test_thread_gives_its_result_or_its_error() -> None:
    """It is a call like any other."""
    assert await in_thread(int, "7") == 7
    with pytest.raises(FileNotFoundError):
        await in_thread(os.stat, "/no/such/file")
