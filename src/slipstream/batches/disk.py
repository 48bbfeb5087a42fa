"""Files on disk that survive the death of the process, and work on them beside the event loop.

A record is replaced as a whole: after a crash there is the old one or the new one. Lines are
appended; what a crash tore off is found, and cut, when the file is opened again.
"""

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from slipstream.batches.lines import Splitter

READ_BYTES: Final = 64 * 1024  # of lines at a time: they are parsed in well under a millisecond
_MODE: Final = 0o600  # they hold what people ask
_PARTIAL: Final = ".part"

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Do a piece of work in a thread.

    When cancelled it waits for the thread first, so that nobody closes, moves or deletes what is
    still being written.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **options))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # it is nobody's any more
        raise


def make_folder(folder: Path) -> None:
    """Make a folder that only we may read, and those above it; one that exists is left alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def partial(path: Path) -> Path:
    """Return where a file is written before it takes its name."""
    return path.with_name(path.name + _PARTIAL)


def is_partial(path: Path) -> bool:
    """Say whether a file was never finished."""
    return path.name.endswith(_PARTIAL)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a loss of power."""
    beside = partial(path)
    try:
        with open(_open_new(beside), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Delete a file for good; one that is not there is no error."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open_new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)


class Written:
    """A file that bytes are appended to; a piece is in it whole or not at all.

    Args:
        path: Made if missing.
        is_new: What may be there is thrown away.
    """

    __slots__ = ("_fd", "num_bytes", "path")

    def __init__(self, path: Path, *, is_new: bool = False) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags | (os.O_TRUNC if is_new else 0), _MODE)
        self.num_bytes = os.fstat(self._fd).st_size

    def append(self, data: bytes) -> None:
        """Add a piece; if that fails, cut off what was written of it."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.num_bytes)
            raise
        self.num_bytes += len(data)

    def cut(self, num_bytes: int) -> None:
        """Keep so many bytes of it."""
        os.ftruncate(self._fd, num_bytes)
        self.num_bytes = num_bytes

    def sync(self) -> None:
        """Make what was appended survive a loss of power."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Let go of it; closing twice is harmless."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class Content:
    """A file that is read from its beginning.

    It is opened with the first read, so that a thread that is given up has nothing to hand over:
    whoever made this closes it.
    """

    __slots__ = ("_file", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: io.FileIO | None = None

    def read(self, num_bytes: int) -> bytes:
        """Return the next bytes, at most so many; none at the end."""
        if self._file is None:
            self._file = io.FileIO(self._path)
        return self._file.read(num_bytes)

    def close(self) -> None:
        """Let go of it; closing twice is harmless."""
        if self._file is not None:
            self._file.close()


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (where it ends, line) of each line that has its end, without that end."""
    end = 0
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            yield end, line[:-1]


async def read_lines(path: Path) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield (number, line) of an input file, the first one being 1; blank lines are left out."""
    splitter = Splitter()
    content = Content(path)
    try:
        while data := await in_thread(content.read, READ_BYTES):
            for line in splitter.feed(data):
                yield line
        for line in splitter.close():
            yield line
    finally:
        content.close()
