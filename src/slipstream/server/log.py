"""The canonical log: one line for each request, written in batches.

Lines are kept in memory for a moment and written together, and never more than the other side takes
at once: a pipe that nobody reads, or a terminal that was stopped, must not stop answers. What is
kept is bounded: lines that do not fit are counted and said so. Never holds a body or a key.
"""

import os
import select
import stat
from asyncio import TimerHandle
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slipstream.errors import ConfigError

FLUSH_S = 0.1
MAX_WAITING_LINES = 20_000

CallLater = Callable[..., TimerHandle]
"""Of the event loop."""

_FILE_BYTES = 1 << 20  # for one write to a file, which never waits for a reader
_PIPE_BYTES = select.PIPE_BUF  # a pipe that is ready takes as much without blocking


class CanonicalLog:
    """Collects lines and writes them to one file descriptor.

    Args:
        fd: Where to; None discards everything. Not closed here.
        call_later: For the next flush.
    """

    def __init__(self, fd: int | None, call_later: CallLater) -> None:
        self._fd = fd
        self._call_later = call_later
        self._lines: list[str] = []
        self._rest = b""  # of lines that were begun to be written
        self._num_dropped = 0
        self._timer: TimerHandle | None = None
        self._ready = select.poll()
        self._slice_bytes = _PIPE_BYTES
        if fd is not None:
            self._ready.register(fd, select.POLLOUT)
            if stat.S_ISREG(os.fstat(fd).st_mode):
                self._slice_bytes = _FILE_BYTES

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
        """Write what can be written now; the rest waits for its next turn.

        An error of the file is swallowed, with what waited: a log must not stop answers.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fd is None:
            return
        try:
            while (data := self._rest or self._take_lines()) and self._ready.poll(0):
                self._rest = data
                self._rest = data[os.write(self._fd, data[: self._slice_bytes]) :]
            self._rest = data
        except OSError:
            self._rest = b""
        if self._rest:
            self._timer = self._call_later(FLUSH_S, self.flush)

    def close(self) -> None:
        """Write what can be written now; nothing is written later."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take_lines(self) -> bytes:
        lines, self._lines = self._lines, []
        if self._num_dropped:
            lines.append(f"log lines dropped: {self._num_dropped}")
            self._num_dropped = 0
        return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace") if lines else b""


@contextmanager
def open_log(where: str, call_later: CallLater) -> Iterator[CanonicalLog]:
    """Open the log that the configuration names; flush it when the context closes.

    Raises:
        ConfigError: `where` is a file that cannot be written.
    """
    fd: int | None = None
    if where == "stderr":
        fd = os.dup(2)
    elif where != "off":
        try:
            fd = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as exc:
            raise ConfigError(f"server.log: the file {where} cannot be written: {exc}") from exc
    log = CanonicalLog(fd, call_later)
    try:
        yield log
    finally:
        log.close()
        if fd is not None:
            os.close(fd)
