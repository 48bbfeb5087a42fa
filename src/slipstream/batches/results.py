"""The answers of one batch while it runs: two files, a line each, and which lines have theirs.

1. An answer is on disk, in one of the files, before it is counted; what is counted is in `done`.
2. What a killed process wrote is there: the kernel has it. A loss of power may take the answers
   of the last second, `SYNC_S`; those lines are asked again.
3. Opening cuts each file at the first line that is not whole; what stood there is asked again.
"""

import asyncio
import time
from pathlib import Path
from typing import Final, NamedTuple

from slipstream.batches.disk import Written, in_thread, whole_lines
from slipstream.batches.lines import custom_id_of

SYNC_S: Final = 1.0


class Result(NamedTuple):
    """The answer to one line.

    Args:
        line: With its end.
    """

    custom_id: str
    line: bytes
    is_error: bool


class Results:
    """A batch's two files of answers; used on one event loop.

    Args:
        output: Where answers go.
        errors: Where what is no answer goes.
    """

    def __init__(self, output: Path, errors: Path) -> None:
        self.done: set[str] = set()
        self.num_completed = 0
        self.num_failed = 0
        self._paths = (output, errors)
        self._files: list[Written] = []
        self._pending: list[Result] = []  # of callers whose turn has not come
        self._lock = asyncio.Lock()  # one thread at a time works on the files
        self._synced_at_s = 0.0

    @property
    def has_output(self) -> bool:
        """Whether any line was answered."""
        return self.num_completed > 0

    @property
    def has_errors(self) -> bool:
        """Whether any line has an error for an answer."""
        return self.num_failed > 0

    async def open(self) -> None:
        """Find out what is there already; OSError if the files cannot be used."""
        async with self._lock:
            await in_thread(self._open)

    async def keep(self, *results: Result) -> None:
        """Put answers on disk, and those of others that wait to do so.

        Raises:
            OSError: Not all of them are on disk. Those that are, are in `done`; keeping them again
                does nothing.
        """
        self._pending += results
        async with self._lock:
            if all(result.custom_id in self.done for result in results):
                return
            # Others' are written on the way: who finds his done has nothing left to do.
            taken, self._pending = [*self._pending, *results], []
            await in_thread(self._append, taken)

    async def sync(self) -> None:
        """Make what was kept survive a loss of power; OSError if the disk refuses."""
        async with self._lock:
            await in_thread(self._sync)

    def close(self) -> None:
        """Let go of the files; closing twice is harmless."""
        while self._files:
            self._files.pop().close()

    def _open(self) -> None:
        self.close()
        self.done.clear()
        counts = []
        for path in self._paths:
            file = Written(path)
            self._files.append(file)
            num_done, end = len(self.done), 0
            for line_end, line in whole_lines(path):
                custom_id = custom_id_of(line)
                if custom_id is None:
                    break
                end = line_end
                self.done.add(custom_id)
            file.cut(end)
            counts.append(len(self.done) - num_done)
        self.num_completed, self.num_failed = counts

    def _append(self, results: list[Result]) -> None:
        for result in results:
            if result.custom_id in self.done:
                continue
            self._files[result.is_error].append(result.line)
            self.done.add(result.custom_id)
            if result.is_error:
                self.num_failed += 1
            else:
                self.num_completed += 1
        now_s = time.monotonic()
        if now_s - self._synced_at_s >= SYNC_S:
            self._sync()
            self._synced_at_s = now_s

    def _sync(self) -> None:
        for file in self._files:
            file.sync()
