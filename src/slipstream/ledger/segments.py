"""The journal's files: how a record is framed, what a file is called, who still writes it. Reading.

    journal/<worker>-<sequence>.journal        one worker's records, oldest sequence first

    +------------------------------------+---------------------+--------+
    | u64: CRC-32 of body << 32 | length | msgpack: a `Record` | to 8 n |  … zeros, or end of file
    +------------------------------------+---------------------+--------+

Rules
 1. A worker holds a lock (flock) on the segment that it writes, from before the file has its name.
 2. It locks the next one before it lets go of the last.
 3. Hence a worker none of whose segments is locked, with no new one beside them, is dead.
 4. A header of zero is the end of the data. Records go into memory that this file backs, the header
    last, and `pread` sees that memory at once: Linux and macOS have one cache for both.
 5. A record that is not whole where a file's data ends is not there yet while the writer lives, and
    never was when it is dead.
"""

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from slipstream.ledger.records import Opened, Record, Settled

SUFFIX: Final = ".journal"
UNNAMED: Final = ".new"
HEADER: Final = struct.Struct("=Q")  # native: a journal is read on the machine that wrote it
MAX_RECORD_BYTES: Final = 8 * 1024

_LENGTH_MASK: Final = 0xFFFF_FFFF
_MAX_TAIL_BYTES: Final = 4 * 1024 * 1024

_decoder = msgspec.msgpack.Decoder(Opened | Settled)
_encode = msgspec.msgpack.Encoder().encode


def header_of(body: bytes) -> int:
    """Return the word in front of a record's body; never zero (`mapped.store` has it again)."""
    return crc32(body) << 32 | len(body)


def aligned(position: int) -> int:
    """Return where the next record begins: its header is one word (`mapped.store` has it again)."""
    return (position + 7) & ~7


def frame(record: Record) -> bytes:
    """Encode one record as it lies in a file."""
    body = _encode(record)
    framed = HEADER.pack(header_of(body)) + body
    return framed.ljust(aligned(len(framed)), b"\0")


@dataclass(frozen=True, slots=True)
class Piece:
    """Records read from a segment.

    Args:
        records: In the order in which they were written.
        end: Bytes from the start of what was read to the end of the last whole record.
        num_damaged: Records in the middle that fail their checksum or are no records.
        is_at_end: A header of zero follows: no more was written yet.
    """

    records: list[Record]
    end: int
    num_damaged: int
    is_at_end: bool


def parse(data: bytes) -> Piece:
    """Decode all whole records; what follows the last of them is left for the next read."""
    view = memoryview(data)
    records: list[Record] = []
    position = end = num_damaged = num_suspect = 0
    is_at_end = False
    while len(view) - position >= HEADER.size:
        (header,) = HEADER.unpack_from(view, position)
        length = header & _LENGTH_MASK
        start = position + HEADER.size
        following = aligned(start + length)
        is_at_end = not header
        if is_at_end or length > MAX_RECORD_BYTES or following > len(view):
            break
        position = following
        record = _decoded(view[start : start + length], header >> 32)
        if record is None:
            num_suspect += 1  # torn, if nothing good follows it
            continue
        records.append(record)
        end = position
        num_damaged, num_suspect = num_damaged + num_suspect, 0
    return Piece(records, end, num_damaged, is_at_end)


def _decoded(body: memoryview, checksum: int) -> Record | None:
    if crc32(body) != checksum:
        return None
    try:
        record: Record = _decoder.decode(body)
    except msgspec.MsgspecError:
        return None
    return record


# ---- files --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the journal; orders by worker, then by sequence."""

    worker: str
    sequence: int
    path: Path

    @property
    def name(self) -> str:
        """The file's name, by which the database knows it."""
        return self.path.name


def segment_path(directory: Path, worker: str, sequence: int) -> Path:
    """Return where a worker's segment lies."""
    return directory / f"{worker}-{sequence:08d}{SUFFIX}"


def list_segments(directory: Path) -> list[Segment]:
    """List the segments of all workers, each worker's oldest first; skip any other file."""
    found = []
    for path in directory.glob(f"*{SUFFIX}"):
        worker, _, sequence = path.stem.rpartition("-")
        if worker and sequence.isdigit():
            found.append(Segment(worker, int(sequence), path))
    return sorted(found)


def is_written(segment: Segment) -> bool:
    """Say whether a living process still writes this segment; False if the file is gone."""
    try:
        with _opened(segment) as descriptor:
            return _is_locked(descriptor)
    except FileNotFoundError:
        return False


def has_news_after(segment: Segment, end: int) -> bool:
    """Say whether a record follows what was read, or nobody writes this segment any more."""
    try:
        with _opened(segment) as descriptor:
            header = os.pread(descriptor, HEADER.size, end)
            return any(header) or not _is_locked(descriptor)
    except FileNotFoundError:  # another process has just finished with it
        return False


def read_piece(segment: Segment, start: int, max_bytes: int) -> bytes:
    """Read up to `max_bytes` of a segment from an offset; empty if the file is gone."""
    try:
        with _opened(segment) as descriptor:
            return os.pread(descriptor, max_bytes, start)
    except FileNotFoundError:
        return b""


def num_torn_bytes(segment: Segment, end: int) -> int:
    """Return how many bytes of a dead writer's segment follow its last record, without zeros."""
    return len(read_piece(segment, end, _MAX_TAIL_BYTES).rstrip(b"\0"))


@contextlib.contextmanager
def _opened(segment: Segment) -> Iterator[int]:
    descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
