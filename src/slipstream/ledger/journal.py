"""The gateway's side of the ledger: appends each attempt's two records to this worker's own file.

One `write` per record, straight into the kernel: what was written survives SIGKILL of the process
(not the loss of power; nothing is synced). Rules:
 1. `open` either puts the attempt on record or raises, so that nothing is sent unrecorded.
 2. `settle` never raises for a full disk: the record waits in a bounded queue, and until that is
    empty `open` refuses. A record that the queue cannot take shows later as state `lost`.
 3. A write that comes up short is cut off again, so that only the end of a file is ever torn.
"""

import fcntl
import logging
import os
import secrets
import time
from collections import deque
from pathlib import Path
from typing import Final

from slipstream.errors import LedgerUnavailable
from slipstream.ledger.records import Opened, Settled
from slipstream.ledger.segments import frame, segment_path

DEFAULT_SEGMENT_BYTES: Final = 16 * 1024 * 1024
DEFAULT_MAX_WAITING: Final = 65_536
_MODE: Final = 0o600

_log = logging.getLogger("slipstream.ledger")


class Journal:
    """This worker's append-only journal; one per process, used from one thread.

    Args:
        directory: Where all workers of this installation keep their segments; made if missing.
        segment_bytes: A new file is begun once the current one is this long.
        max_waiting: Settled records kept in memory while the disk takes none.

    Raises:
        LedgerUnavailable: The first segment cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        max_waiting: int = DEFAULT_MAX_WAITING,
    ) -> None:
        self.worker: Final = f"{time.time_ns():x}-{os.getpid()}-{secrets.token_hex(4)}"
        self._directory: Final = directory
        self._segment_bytes: Final = segment_bytes
        self._waiting: deque[bytes] = deque(maxlen=max_waiting)
        self._sequence = 0
        self._descriptor = -1
        self._size_bytes = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._begin_segment()
        except OSError as exc:
            raise _unavailable(exc) from exc

    @property
    def num_waiting(self) -> int:
        """Settled records that are not on disk yet."""
        return len(self._waiting)

    def open(self, record: Opened) -> None:
        """Put a new attempt on record.

        Raises:
            LedgerUnavailable: It is not on record; do not send the request.
        """
        if self._waiting and not self.retry():
            raise LedgerUnavailable("the ledger cannot be written; earlier records still wait")
        try:
            self._append(frame(record))
        except OSError as exc:
            _log.error("journal: an attempt was refused, its record cannot be written: %s", exc)
            raise _unavailable(exc) from exc

    def settle(self, record: Settled) -> None:
        """Put an attempt's end on record, now or as soon as the disk takes it."""
        framed = frame(record)
        if self._waiting and not self.retry():
            self._keep(framed)
            return
        try:
            self._append(framed)
        except OSError as exc:
            _log.error("journal: a settled attempt waits in memory, disk refuses it: %s", exc)
            self._keep(framed)

    def retry(self) -> bool:
        """Write the records that wait; return whether none is left."""
        num_written = 0
        try:
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.popleft()
                num_written += 1
        except OSError:
            return False
        if num_written:
            _log.warning("journal: %d waiting records were written at last", num_written)
        return True

    def close(self) -> None:
        """Write what waits, if possible, and let go of the segment; closing twice is harmless."""
        if self._descriptor < 0:
            return
        if not self.retry():
            _log.error("journal: %d attempts will show as lost", len(self._waiting))
        os.close(self._descriptor)
        self._descriptor = -1

    # ---- one file -------------------------------------------------------------------------------

    def _append(self, framed: bytes) -> None:
        if self._size_bytes >= self._segment_bytes:
            self._begin_segment()
        written = os.write(self._descriptor, framed)
        if written == len(framed):
            self._size_bytes += written
            return
        self._cut_back()
        raise OSError(f"only {written} of {len(framed)} bytes could be written")

    def _cut_back(self) -> None:
        """Take off the beginning of a record; a file that keeps it is left behind instead."""
        try:
            os.ftruncate(self._descriptor, self._size_bytes)
        except OSError:
            self._size_bytes = self._segment_bytes

    def _begin_segment(self) -> None:
        """Begin the next file; the old one is let go only when the new one is ready."""
        path = segment_path(self._directory, self.worker, self._sequence + 1)
        unnamed = path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(unnamed, flags, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(path)
        except OSError:
            os.close(descriptor)
            unnamed.unlink(missing_ok=True)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor
        self._sequence += 1
        self._size_bytes = 0

    def _keep(self, framed: bytes) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            _log.error("journal: the queue of waiting records is full; the oldest shows as lost")
        self._waiting.append(framed)


def _unavailable(exc: OSError) -> LedgerUnavailable:
    return LedgerUnavailable(f"the ledger cannot be written: {exc.strerror or exc}")
