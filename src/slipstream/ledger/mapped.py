"""One file of the journal as its writer holds it: reserved in full, locked, mapped into memory.

Storing a record is a copy into shared memory: no system call, and the kernel keeps it when the
process is killed. Rules
 1. The whole file is written with zeros before it is mapped, so that a full disk shows there, as an
    error, and never later, as SIGBUS.
 2. A record's body is stored first and its header last, in one aligned word: who sees a header sees
    the body (x86; on ARM very soon after, and until then the checksum tells).
"""

import contextlib
import fcntl
import mmap
import os
import struct
import sys
from pathlib import Path
from typing import Final
from zlib import crc32

from slipstream.ledger.segments import HEADER, UNNAMED

_MODE: Final = 0o600
# Linux's <linux/fs.h>: read and set a file's flags, and the flag that btrfs is to write in place.
_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_FLAGS: Final = struct.Struct("@l")
_NO_COW: Final = 0x00800000
_HEADER_BYTES: Final = HEADER.size
_WORD_SHIFT: Final = 3  # a header's index among the map's words of eight bytes


class MappedSegment:
    """A new file that this process writes.

    Args:
        path: Its name; the file gets it when it is ready to take records.
        size_bytes: A multiple of eight.

    Raises:
        OSError: There is no room for it; nothing is left behind.
    """

    __slots__ = ("_descriptor", "_map", "_path", "_words", "end_bytes", "size_bytes")

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self.size_bytes = size_bytes
        self.end_bytes = 0
        unnamed = path.with_suffix(UNNAMED)
        self._descriptor = os.open(
            unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE
        )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _reserve(self._descriptor, size_bytes)
            self._map = mmap.mmap(self._descriptor, size_bytes)
            self._words = memoryview(self._map).cast("Q")
            unnamed.rename(path)
        except OSError:
            os.close(self._descriptor)
            unnamed.unlink(missing_ok=True)
            raise

    def store(self, body: bytes) -> bool:
        """Append a record, if there is room for it; return whether there was."""
        start = self.end_bytes
        length = len(body)
        body_end = start + _HEADER_BYTES + length
        if body_end > self.size_bytes:
            return False
        self._map[start + _HEADER_BYTES : body_end] = body
        # As `header_of` and `aligned` have it; two calls would take a fifth of the whole.
        self._words[start >> _WORD_SHIFT] = crc32(body) << 32 | length
        self.end_bytes = (body_end + 7) & ~7
        return True

    def unlock(self) -> None:
        """Say that no record will follow; keep the memory, whose release takes a while."""
        self.size_bytes = 0
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file, of which nothing but its records is left; once."""
        self.size_bytes = 0
        self._words.release()
        self._map.close()
        with contextlib.suppress(OSError):  # zeros at its end say the same
            os.ftruncate(self._descriptor, self.end_bytes)
        os.close(self._descriptor)

    def discard(self) -> None:
        """Delete the file, to which nothing was written, and let go of it."""
        self._path.unlink(missing_ok=True)
        self.close()


def _reserve(descriptor: int, size_bytes: int) -> None:
    """Make room on the disk for every byte of an empty file.

    With zeros and not with fallocate, which macOS lacks, and which leaves pages that fault one by
    one. ext4, XFS and tmpfs then keep the room; btrfs does when told not to copy on write. Other
    filesystems that always copy (ZFS, snapshots) may, when full, end the process with SIGBUS.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # most filesystems have no such flag
            (flags,) = _FLAGS.unpack(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(_FLAGS.size)))
            fcntl.ioctl(descriptor, _SET_FLAGS, _FLAGS.pack(flags | _NO_COW))
    left = memoryview(bytes(size_bytes))
    while left:
        left = left[os.write(descriptor, left) :]
