"""A segment as its writer holds it: what a reader sees, its lock, a file system that is full."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipstream.ledger.mapped import MappedSegment
from slipstream.ledger.records import Record
from slipstream.ledger.segments import (
    Segment,
    frame,
    has_news_after,
    is_written,
    list_segments,
    read_piece,
    segment_path,
)
from tests.ledger.samples import opened, settled

_LIMIT_S = 60
_SIZE_BYTES = 4096


def _body(framed: bytes, length: int) -> bytes:
    return framed[8 : 8 + length]


def _listed(directory: Path) -> Segment:
    (segment,) = list_segments(directory)
    return segment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a segment may be made."""
    return segment_path(tmp_path, "w-1", 1)


def test_mapped_segment_is_locked_and_empty_when_it_has_its_name(path: Path) -> None:
    """Whoever finds the file finds it whole, without news and with a living writer."""
    mapped = MappedSegment(path, _SIZE_BYTES)
    segment = _listed(path.parent)
    assert is_written(segment)
    assert not has_news_after(segment, 0)
    assert read_piece(segment, 0, 2 * _SIZE_BYTES) == bytes(_SIZE_BYTES)
    assert list(path.parent.iterdir()) == [path]
    mapped.close()


def test_mapped_segment_has_room_on_the_disk_for_all_of_it(path: Path) -> None:
    """A file with holes would need room when a page is stored into, where nothing can refuse."""
    mapped = MappedSegment(path, 1024 * 1024)
    assert path.stat().st_blocks * 512 >= 1024 * 1024
    mapped.close()


@pytest.mark.parametrize("length", range(1, 20))
def test_mapped_segment_stores_what_frame_encodes(path: Path, length: int) -> None:
    """The writer's words and the reader's bytes are one format; `pread` sees them at once."""
    mapped = MappedSegment(path, _SIZE_BYTES)
    records: list[Record] = [opened("a" * length), settled("b" * length)]
    for record in records:
        framed = frame(record)
        assert mapped.store(_body(framed, int.from_bytes(framed[:4], sys.byteorder)))
    data = b"".join(frame(record) for record in records)
    segment = _listed(path.parent)
    assert mapped.end_bytes == len(data)
    assert read_piece(segment, 0, _SIZE_BYTES) == data.ljust(_SIZE_BYTES, b"\0")
    assert has_news_after(segment, 0)
    assert not has_news_after(segment, len(data))
    mapped.close()
    assert path.read_bytes() == data


@pytest.mark.parametrize(("length", "is_stored"), [(56, True), (57, False)])
def test_mapped_segment_takes_a_record_that_just_fits(
    path: Path, length: int, is_stored: bool
) -> None:
    """The last byte may be used, and nothing behind it; a refused record leaves no trace."""
    mapped = MappedSegment(path, 64)
    assert mapped.store(b"x" * length) is is_stored
    assert mapped.end_bytes == (64 if is_stored else 0)
    assert any(path.read_bytes()) is is_stored
    mapped.close()


def test_mapped_segment_unlocked_takes_nothing_more(path: Path) -> None:
    """A drain may already have read it to its end."""
    mapped = MappedSegment(path, _SIZE_BYTES)
    mapped.unlock()
    assert not is_written(_listed(path.parent))
    assert not mapped.store(b"late")
    mapped.close()


def test_mapped_segment_discarded_leaves_no_file(path: Path) -> None:
    """Also when a drain has deleted it before."""
    mapped = MappedSegment(path, _SIZE_BYTES)
    path.unlink()
    mapped.discard()
    assert list(path.parent.iterdir()) == []


def test_mapped_segment_that_cannot_get_its_name_leaves_nothing(path: Path) -> None:
    """A failure in the last step gives back the room and the lock."""
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        MappedSegment(path, _SIZE_BYTES)
    assert list(path.parent.iterdir()) == [path]


# A file system of 3 MiB in a mount namespace of its own, which ends with the process.
_SMALL_DISK = """
set -eu
mount -t tmpfs -o size=3m none "$1"
exec "$2" -c "$3" "$1"
"""

_FILL = """
import errno, sys
from pathlib import Path
from slipstream.errors import LedgerUnavailable
from slipstream.ledger.journal import Journal
from slipstream.ledger.mapped import MappedSegment
from slipstream.ledger.segments import list_segments, parse
from tests.ledger.samples import opened, settled

disk = Path(sys.argv[1])
journal = Journal(disk, segment_bytes=1024 * 1024)
journal.prepare()
try:
    with (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
except OSError as error:
    assert error.errno == errno.ENOSPC
number = 0
try:
    while True:
        journal.open(opened(f"a-{number}"))
        number += 1
        if number > 100:
            journal.settle(settled(f"a-{number - 101}"))
except LedgerUnavailable as error:
    print(error.message)
for each in range(number - 100, number):
    journal.settle(settled(f"a-{each}"))
print(number > 8000, journal.num_waiting)
pieces = [parse(each.path.read_bytes()) for each in list_segments(disk)]
names = sorted(path.suffix for path in disk.iterdir())
print(sum(len(each.records) for each in pieces) == 2 * number, names)
(disk / "filler").unlink()
journal.open(opened("later"))
print("goes on")
"""


def test_journal_on_a_full_file_system_refuses_and_is_not_killed(tmp_path: Path) -> None:
    """Every page was paid for beforehand: no store ends in SIGBUS, and every end is on record."""
    command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    done = subprocess.run(
        [*command, "sh", "-c", _SMALL_DISK, "sh", str(tmp_path), sys.executable, _FILL],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if os.geteuid() != 0 and ("unshare:" in done.stderr or "mount:" in done.stderr):
        pytest.skip(f"only root may mount a small file system here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "the ledger cannot be written: No space left on device",
        "True 0",
        "True ['', '.journal', '.journal']",
        "goes on",
    ]
