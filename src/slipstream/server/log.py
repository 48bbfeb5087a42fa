"""The canonical log: one line for each request, written in batches.

Lines are kept in memory for a moment and written with one call, so that a slow terminal or disk
costs a request nothing. The buffer is bounded: what does not fit is counted and said so.
Never holds a body, a prompt or a key.
"""

import asyncio
import os
from collections.abc import Callable

FLUSH_S = 0.1
MAX_WAITING_LINES = 20_000


class CanonicalLog:
    """Collects lines and writes them to one file descriptor.

    Args:
        fd: Where to; None discards everything. Not closed here.
        call_later: Of the event loop.
    """

    def __init__(self, fd: int | None, call_later: Callable[..., asyncio.TimerHandle]) -> None:
        self._fd = fd
        self._call_later = call_later
        self._lines: list[str] = []
        self._num_dropped = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_on(self) -> bool:
        """Whether lines go anywhere; lets a caller skip making them."""
        return self._fd is not None

    def write(self, line: str) -> None:
        """Add one line, without its line end."""
        if self._fd is None:
            return
        if len(self._lines) >= MAX_WAITING_LINES:
            self._num_dropped += 1
            return
        self._lines.append(line)
        if self._timer is None:
            self._timer = self._call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what is waiting. An error of the file is swallowed: a log must not stop answers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if self._num_dropped:
            lines.append(f"log lines dropped: {self._num_dropped}")
            self._num_dropped = 0
        if self._fd is None or not lines:
            return
        data = ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            return
