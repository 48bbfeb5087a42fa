"""The journal's files: how a record is framed, what a file is called, who still writes it. Reading.

    journal/<worker>-<sequence>.journal        one worker's records, oldest sequence first

    +-------------+------------------+---------------------+
    | length, u32 | CRC-32 of body   | msgpack: a `Record` |   … until the file ends
    +-------------+------------------+---------------------+

Rules: 1. A worker holds a lock (flock) on the segment that it writes, from before the file has its
name. 2. It locks the next one before it lets go of the last. 3. Hence a worker none of whose
segments is locked, with no new one beside them, is dead. 4. A record that is not whole at the end
of a file is not there yet while the writer lives, and never was when it is dead.
"""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from slipstream.ledger.records import Opened, Record, Settled

SUFFIX: Final = ".journal"
HEADER: Final = struct.Struct(">II")
MAX_RECORD_BYTES: Final = 64 * 1024

_decoder = msgspec.msgpack.Decoder(Opened | Settled)
_encode = msgspec.msgpack.Encoder().encode
_pack = HEADER.pack


def frame(record: Record) -> bytes:
    """Encode one record with its length and checksum in front."""
    body = _encode(record)
    return _pack(len(body), crc32(body)) + body


@dataclass(frozen=True, slots=True)
class Piece:
    """Records read from a segment.

    Args:
        records: In the order in which they were written.
        end: Bytes from the start of what was read to the end of the last whole record.
        num_damaged: Records in the middle that fail their checksum or are no records.
    """

    records: list[Record]
    end: int
    num_damaged: int


def parse(data: bytes) -> Piece:
    """Decode all whole records; what follows the last of them is left for the next read."""
    view = memoryview(data)
    records: list[Record] = []
    position = end = num_damaged = num_suspect = 0
    while len(view) - position >= HEADER.size:
        length, checksum = HEADER.unpack_from(view, position)
        start = position + HEADER.size
        if length > MAX_RECORD_BYTES or start + length > len(view):
            break
        position = start + length
        record = _decoded(view[start:position], checksum)
        if record is None:
            num_suspect += 1  # torn, if nothing good follows it
            continue
        records.append(record)
        end = position
        num_damaged, num_suspect = num_damaged + num_suspect, 0
    return Piece(records, end, num_damaged)


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
        descriptor = os.open(segment.path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_piece(segment: Segment, start: int, max_bytes: int) -> bytes:
    """Read up to `max_bytes` of a segment from an offset; empty if the file is gone."""
    try:
        with segment.path.open("rb", buffering=0) as file:
            file.seek(start)
            return file.read(max_bytes) or b""
    except FileNotFoundError:
        return b""
