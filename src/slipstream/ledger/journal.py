"""The gateway's side of the ledger: stores each attempt's two records in this worker's own file.

A record is copied into shared memory that a file backs: what was stored survives SIGKILL of the
process (not the loss of power; nothing is synced). Rules:
 1. `open` either puts the attempt on record or raises, so that nothing is sent unrecorded.
 2. `open` leaves room for the end of every attempt that runs: a full disk refuses new ones first.
 3. `settle` never raises. If there is no room all the same, the record waits in a bounded queue,
    and until that is empty `open` refuses. What the queue cannot take shows later as state `lost`.
 4. `prepare`, called beside the requests, does what takes long; without it, requests wait for that.
"""

import errno
import logging
import os
import secrets
import time
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from slipstream.errors import LedgerUnavailable
from slipstream.ledger.mapped import MappedSegment
from slipstream.ledger.records import Opened, Record, Settled
from slipstream.ledger.segments import HEADER, MAX_RECORD_BYTES, aligned, segment_path

DEFAULT_SEGMENT_BYTES: Final = 2 * 1024 * 1024  # about 10,000 attempts; counts as resident memory
MIN_SEGMENT_BYTES: Final = 2 * MAX_RECORD_BYTES
DEFAULT_MAX_WAITING: Final = 65_536
SETTLED_ROOM_BYTES: Final = 256  # kept for an attempt's end, which usually takes about half of it
_MAX_TEXT_CHARS: Final = 250  # of each field of a record that is too large; seven fields have text

_log = logging.getLogger("slipstream.ledger")
_encode = msgspec.msgpack.Encoder().encode


class Journal:
    """This worker's append-only journal; one per process, used from one thread.

    Args:
        directory: Where all workers of this installation keep their segments; made if missing.
        segment_bytes: How large a file is made; at least `MIN_SEGMENT_BYTES`.
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
        assert segment_bytes >= MIN_SEGMENT_BYTES
        self.worker: Final = f"{time.time_ns():x}-{os.getpid()}-{secrets.token_hex(4)}"
        self._directory: Final = directory
        self._segment_bytes: Final = aligned(segment_bytes)
        self._waiting: deque[bytes] = deque(maxlen=max_waiting)
        self._sequence = 0
        self._num_running = 0  # opened and not settled
        self._is_closed = self._is_short = False
        self._last: MappedSegment | None = None  # full and unlocked, not let go of yet
        self._next: MappedSegment | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._current = self._make_segment()
        except OSError as exc:
            raise _unavailable(exc) from exc

    @property
    def num_waiting(self) -> int:
        """Settled records that are not in a file yet."""
        return len(self._waiting)

    def open(self, record: Opened) -> None:
        """Put a new attempt on record.

        Raises:
            LedgerUnavailable: It is not on record; do not send the request.
        """
        if self._waiting and not self.retry():
            raise LedgerUnavailable("the ledger cannot be written; earlier records still wait")
        body = _encode(record)
        if len(body) > MAX_RECORD_BYTES:
            body = _cut_short(record)
        try:
            if self._next is None and not self._has_room(len(body)):
                self._next = self._make_segment()
            self._append(body)
        except OSError as exc:
            _log.error("journal: an attempt was refused, its record cannot be written: %s", exc)
            raise _unavailable(exc) from exc
        self._num_running += 1

    def settle(self, record: Settled) -> None:
        """Put an attempt's end on record, now or as soon as the disk takes it."""
        body = _encode(record)
        if len(body) > MAX_RECORD_BYTES:
            body = _cut_short(record)
        if self._num_running:
            self._num_running -= 1
        if self._waiting and not self.retry():
            self._keep(body)
            return
        try:
            self._append(body)
        except OSError as exc:
            _log.error("journal: a settled attempt waits in memory, disk refuses it: %s", exc)
            self._keep(body)

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

    def prepare(self) -> None:
        """Have the next segment ready and let go of the last; takes about a millisecond."""
        if self._is_closed:
            return
        if self._last is not None:
            self._last.close()
            self._last = None
        if self._next is not None:
            return
        try:
            self._next = self._make_segment()
        except OSError as exc:
            if not self._is_short:
                _log.warning("journal: no room for the next segment; soon no attempt runs: %s", exc)
            self._is_short = True

    def close(self) -> None:
        """Write what waits, if possible, and let go of the segments; closing twice is harmless."""
        if self._is_closed:
            return
        if not self.retry():
            _log.error("journal: %d attempts will show as lost", len(self._waiting))
        self._is_closed = True
        if self._next is not None:
            self._next.discard()
            self._next = None
        if self._last is not None:
            self._last.close()
            self._last = None
        self._current.close()

    # ---- files ----------------------------------------------------------------------------------

    def _has_room(self, num_bytes: int) -> bool:
        """Say whether a new attempt's record leaves room for the ends of all."""
        current = self._current
        left_bytes = current.size_bytes - current.end_bytes - HEADER.size - aligned(num_bytes)
        return left_bytes >= (self._num_running + 1) * SETTLED_ROOM_BYTES

    def _append(self, body: bytes) -> None:
        """Store a record, in the next segment if need be; OSError if there is no room for that."""
        if self._current.store(body):
            return
        following = self._next or self._make_segment()
        full, self._current, self._next = self._current, following, None
        full.unlock()
        if self._last is not None:  # `prepare` was not called since
            self._last.close()
        self._last = full
        is_stored = following.store(body)
        assert is_stored, "an empty segment has room for any record"

    def _make_segment(self) -> MappedSegment:
        if self._is_closed:
            raise OSError(errno.EBADF, "the journal is closed")
        path = segment_path(self._directory, self.worker, self._sequence + 1)
        made = MappedSegment(path, self._segment_bytes)
        self._sequence += 1
        self._is_short = False
        return made

    def _keep(self, body: bytes) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            _log.error("journal: the queue of waiting records is full; the oldest shows as lost")
        self._waiting.append(body)


def _cut_short(record: Record) -> bytes:
    """Encode a record that is too large with the beginnings of its texts only."""
    _log.warning(
        "journal: the texts of attempt %.50s are too long, and were cut", record.attempt_id
    )
    texts = {name: getattr(record, name) for name in record.__struct_fields__}
    cut = {name: text[:_MAX_TEXT_CHARS] for name, text in texts.items() if isinstance(text, str)}
    return _encode(msgspec.structs.replace(record, **cut))


def _unavailable(exc: OSError) -> LedgerUnavailable:
    return LedgerUnavailable(f"the ledger cannot be written: {exc.strerror or exc}")
