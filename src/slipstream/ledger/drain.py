"""Moves the journal's records into the database, exactly once, however often it is interrupted.

Rules
 1. Rows and the offsets up to which they were read are committed together; a row that exists is
    left alone, so that reading anything twice changes nothing.
 2. A batch is read and written under the database's write lock, so any number may drain at once.
 3. An attempt that is opened and not settled waits in the table `open_attempts`; it is lost when
    its worker is dead and all that the worker wrote was read.
 4. A segment is deleted after the commit that finishes it, never before.
 5. A worker's segment is read only when nothing can be missing from the one before it: that one was
    unlocked before it was read to its end.
 6. A record in the middle is damaged only if it is so at a second look: on ARM a reader may see a
    record before it sees the whole of the one in front.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from slipstream.errors import LedgerUnavailable
from slipstream.ledger.records import COLUMNS, Opened, Row, Settled, attempt_row, lost_row
from slipstream.ledger.segments import (
    HEADER,
    MAX_RECORD_BYTES,
    UNNAMED,
    Piece,
    Segment,
    has_news_after,
    is_written,
    list_segments,
    num_torn_bytes,
    parse,
    read_piece,
)
from slipstream.ledger.store import Store

DEFAULT_BATCH_BYTES: Final = 256 * 1024  # about 1,200 attempts; bounds the memory of a drain
STALE_S: Final = 60.0  # a file that is without its name for so long has lost its maker

_INSERT_ATTEMPT: Final = (
    f"INSERT INTO attempts ({', '.join(COLUMNS)}) "  # noqa: S608 -- our own column names
    f"VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT (attempt_id) DO NOTHING"
)
_INSERT_OPEN: Final = (
    "INSERT INTO open_attempts (attempt_id, worker, record) VALUES (?, ?, ?) "
    "ON CONFLICT (attempt_id) DO NOTHING"
)
_SET_OFFSET: Final = (
    "INSERT INTO journal_offsets (segment, end_bytes) VALUES (?, ?) "
    "ON CONFLICT (segment) DO UPDATE SET end_bytes = excluded.end_bytes"
)

_log = logging.getLogger("slipstream.ledger")
_encoder = msgspec.msgpack.Encoder()
_opened_decoder = msgspec.msgpack.Decoder(Opened)


@dataclass(frozen=True, slots=True)
class Drained:
    """What one batch did.

    Args:
        num_rows: Attempts that are new in the ledger, lost ones included.
        num_lost: Attempts that were found lost.
        is_more: The batch was full; call again at once.
        ends: How far each remaining segment was read, by its name.
    """

    num_rows: int
    num_lost: int
    is_more: bool
    ends: Mapping[str, int]


def drain(store: Store, directory: Path, batch_bytes: int = DEFAULT_BATCH_BYTES) -> Drained:
    """Move at most about `batch_bytes` of the journal into the database.

    Raises:
        LedgerUnavailable: The database or the directory refused; nothing was moved.
    """
    if not directory.is_dir():
        return Drained(0, 0, is_more=False, ends={})
    with _files_mapped():
        with store.transaction():
            segments = list_segments(directory)
            # Who is alive is asked before reading: what a dead worker wrote is then all there.
            written = {segment.name for segment in segments if is_written(segment)}
            batch = _read_batch(store, segments, written, batch_bytes)
            dead = _dead_workers(directory, segments, batch)
            num_rows, num_lost = _write_batch(store, batch, dead)
        _remove_finished(store, batch)
        if batch.finished:
            _remove_stale(directory, time.time())
    return Drained(num_rows, num_lost, batch.is_full, batch.ends)


def drain_all(store: Store, directory: Path, batch_bytes: int = DEFAULT_BATCH_BYTES) -> int:
    """Move everything that is in the journal now; return how many attempts were new."""
    num_rows = 0
    is_more = True
    while is_more:
        done = drain(store, directory, batch_bytes)
        num_rows += done.num_rows
        is_more = done.is_more
    return num_rows


def has_news(directory: Path, ends: Mapping[str, int]) -> bool:
    """Say whether a drain would find something, given how far the last one read. Cheap.

    Raises:
        LedgerUnavailable: The journal cannot be looked at.
    """
    with _files_mapped():
        return any(
            has_news_after(segment, ends.get(segment.name, 0))
            for segment in list_segments(directory)
        )


@contextlib.contextmanager
def _files_mapped() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise LedgerUnavailable(f"the journal cannot be drained: {exc}") from exc


# ---- reading ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Batch:
    rows: list[Row] = field(default_factory=list)
    opened: dict[str, tuple[str, Opened]] = field(default_factory=dict)  # by id: (worker, record)
    no_longer_open: list[str] = field(default_factory=list)  # ids settled here, opened before
    ends: dict[str, int] = field(default_factory=dict)
    finished: list[Segment] = field(default_factory=list)
    num_bytes: int = 0
    is_full: bool = False


def _read_batch(
    store: Store, segments: list[Segment], written: set[str], batch_bytes: int
) -> _Batch:
    batch = _Batch()
    starts = dict(store.execute("SELECT segment, end_bytes FROM journal_offsets"))
    unfinished: set[str] = set()  # workers with an earlier segment of which more may come
    for segment in segments:
        start = starts.get(segment.name, 0)
        batch.ends[segment.name] = start
        if batch.is_full or segment.worker in unfinished:
            continue
        if _read_segment(store, batch, segment, start, batch_bytes) and segment.name not in written:
            _note_tail(segment, batch.ends[segment.name])
            batch.finished.append(segment)
        else:
            unfinished.add(segment.worker)
    return batch


def _read_segment(
    store: Store, batch: _Batch, segment: Segment, start: int, batch_bytes: int
) -> bool:
    """Read a piece of a segment into the batch; say whether nothing readable follows it."""
    piece_bytes = max(batch_bytes, 2 * MAX_RECORD_BYTES)
    data = read_piece(segment, start, piece_bytes)
    piece = parse(data)
    if piece.num_damaged:
        data = read_piece(segment, start, piece_bytes)
        piece = parse(data)
    _take(store, batch, segment, piece)
    batch.ends[segment.name] = start + piece.end
    batch.num_bytes += piece.end
    is_all = piece.is_at_end or len(data) < piece_bytes or not piece.end
    batch.is_full = batch.num_bytes >= batch_bytes or not is_all
    return is_all


def _take(store: Store, batch: _Batch, segment: Segment, piece: Piece) -> None:
    """Sort the records of one piece into the batch."""
    if piece.num_damaged:
        _keep_damaged(segment, piece.num_damaged)
    for record in piece.records:
        if isinstance(record, Opened):
            batch.opened[record.attempt_id] = (segment.worker, record)
        else:
            _take_settled(store, batch, record)


def _take_settled(store: Store, batch: _Batch, settled: Settled) -> None:
    attempt_id = settled.attempt_id
    _, opened = batch.opened.pop(attempt_id, (None, None))
    if opened is None:
        query = "SELECT record FROM open_attempts WHERE attempt_id = ?"
        found = store.execute(query, (attempt_id,))
        if not found:
            if not store.execute("SELECT 1 FROM attempts WHERE attempt_id = ?", (attempt_id,)):
                _log.error("journal: attempt %s was settled and never opened", attempt_id)
            return
        opened = _opened_decoder.decode(found[0][0])
        batch.no_longer_open.append(attempt_id)
    batch.rows.append(attempt_row(opened, settled))


def _keep_damaged(segment: Segment, num_damaged: int) -> None:
    _log.error("journal: %d unreadable records in %s; kept", num_damaged, segment.name)
    with contextlib.suppress(FileExistsError):
        os.link(segment.path, segment.path.with_suffix(".damaged"))


def _note_tail(segment: Segment, end: int) -> None:
    num_bytes = num_torn_bytes(segment, end)
    if num_bytes > HEADER.size + MAX_RECORD_BYTES:
        _keep_damaged(segment, 1)
    elif num_bytes:
        _log.warning("journal: %s ends in a torn record of %d bytes", segment.name, num_bytes)


def _dead_workers(directory: Path, segments: list[Segment], batch: _Batch) -> set[str]:
    """Return the workers all of whose segments are finished, with no new one beside them."""
    finished = {segment.name for segment in batch.finished}
    now = list_segments(directory)
    alive = {each.worker for each in (*segments, *now) if each.name not in finished}
    return {segment.worker for segment in segments} - alive


# ---- writing ------------------------------------------------------------------------------------


def _write_batch(store: Store, batch: _Batch, dead: set[str]) -> tuple[int, int]:
    """Write all that a batch found; return how many attempts were new, and how many lost."""
    still_open = []
    lost = []
    for attempt_id, (worker, opened) in batch.opened.items():
        if worker in dead:
            lost.append(lost_row(opened))
        else:
            still_open.append((attempt_id, worker, _encoder.encode(opened)))
    num_rows = store.execute_many(_INSERT_ATTEMPT, batch.rows)
    store.execute_many(
        "DELETE FROM open_attempts WHERE attempt_id = ?", ((id_,) for id_ in batch.no_longer_open)
    )
    for worker in dead:
        query = "SELECT record FROM open_attempts WHERE worker = ?"
        left = store.execute(query, (worker,))
        lost += [lost_row(_opened_decoder.decode(record)) for (record,) in left]
        store.execute("DELETE FROM open_attempts WHERE worker = ?", (worker,))
    num_lost = store.execute_many(_INSERT_ATTEMPT, lost)
    store.execute_many(_INSERT_OPEN, still_open)
    # A prepared segment has none: its owner deletes it unread when it is never used.
    store.execute_many(_SET_OFFSET, ((name, end) for name, end in batch.ends.items() if end))
    return num_rows + num_lost, num_lost


def _remove_finished(store: Store, batch: _Batch) -> None:
    for segment in batch.finished:
        segment.path.unlink(missing_ok=True)
        store.execute("DELETE FROM journal_offsets WHERE segment = ?", (segment.name,))
        batch.ends.pop(segment.name, None)


def _remove_stale(directory: Path, now_s: float) -> None:
    """Delete what workers left that were killed while they made a segment."""
    for path in directory.glob(f"*{UNNAMED}"):
        with contextlib.suppress(FileNotFoundError):  # it has its name by now
            if now_s - path.stat().st_mtime > STALE_S:
                path.unlink()
