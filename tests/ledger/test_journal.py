"""The journal's writer: rotation, closing, a disk that takes no more; with real files."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from slipstream.errors import LedgerUnavailable
from slipstream.ledger.journal import Journal
from slipstream.ledger.records import Opened, Record
from slipstream.ledger.segments import frame, is_written, list_segments, parse
from tests.ledger.samples import opened, settled

_LIMIT_S = 30


def _records(directory: Path) -> list[Record]:
    found: list[Record] = []
    for segment in list_segments(directory):
        piece = parse(segment.path.read_bytes())
        assert piece.num_damaged == 0
        found += piece.records
    return found


def test_journal_holds_what_was_written_at_once(tmp_path: Path) -> None:
    """A record is in the file when the call returns, not when the journal closes."""
    journal = Journal(tmp_path / "new" / "journal")
    journal.open(opened())
    assert _records(tmp_path / "new" / "journal") == [opened()]
    journal.settle(settled())
    assert _records(tmp_path / "new" / "journal") == [opened(), settled()]
    journal.close()


def test_journal_rotates_and_holds_only_the_newest_segment(tmp_path: Path) -> None:
    """A full segment is let go of, so that it can be drained and deleted; none is lost."""
    journal = Journal(tmp_path, segment_bytes=1000)
    for number in range(50):
        journal.open(opened(f"a-{number}"))
    segments = list_segments(tmp_path)
    assert len(segments) > 3
    assert [is_written(segment) for segment in segments] == [False] * (len(segments) - 1) + [True]
    assert all(each.path.stat().st_size < 1000 + len(frame(opened("a-99"))) for each in segments)
    assert _records(tmp_path) == [opened(f"a-{number}") for number in range(50)]
    journal.close()
    assert not is_written(segments[-1])


def test_journals_of_two_workers_share_a_directory(tmp_path: Path) -> None:
    """Each worker has files of its own, also within one process and one moment."""
    first, second = Journal(tmp_path), Journal(tmp_path)
    assert first.worker != second.worker
    first.open(opened("a"))
    second.open(opened("b"))
    assert {segment.worker for segment in list_segments(tmp_path)} == {first.worker, second.worker}
    first.close()
    second.close()


def test_journal_closed_twice_is_harmless(tmp_path: Path) -> None:
    """Closing is idempotent: the descriptor may already belong to someone else."""
    journal = Journal(tmp_path)
    journal.close()
    journal.close()


def test_journal_in_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    """A journal that cannot be made fails at start, with a typed error."""
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(LedgerUnavailable, match="File exists"):
        Journal(tmp_path / "journal")


# ---- a disk that is full ------------------------------------------------------------------------
# RLIMIT_FSIZE of a child stands in for it: writes come up short, then fail, and work again later.

_FULL_DISK = """
import resource, sys
from pathlib import Path
from slipstream.errors import LedgerUnavailable
from slipstream.ledger.journal import Journal
from tests.ledger.samples import opened, settled

journal = Journal(Path(sys.argv[1]), max_waiting=3)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for number in range(5):
    journal.open(opened(f"a-{number}"))
size_bytes = next(Path(sys.argv[1]).glob("*.journal")).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes + int(sys.argv[2]), hard))
try:
    journal.open(opened("refused"))
except LedgerUnavailable as error:
    print(error.status, error.code)
num_settled = int(sys.argv[3])
for number in range(num_settled):
    journal.settle(settled(f"a-{number}"))
print(journal.num_waiting)
try:
    journal.open(opened("refused-too"))
except LedgerUnavailable as error:
    print(error.status, error.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.open(opened("later"))
print(journal.num_waiting)
journal.close()
"""

_FULL_FOR_A_MOMENT = """
import resource, sys
from pathlib import Path
from slipstream.ledger.journal import Journal
from tests.ledger.samples import opened, settled

journal = Journal(Path(sys.argv[1]))
for name in ("a", "b", "c"):
    journal.open(opened(name))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
journal.settle(settled("a"))
journal.settle(settled("b"))
print(journal.num_waiting)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.settle(settled("c"))
print(journal.num_waiting)
sys.stdout.flush()
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


def _on_full_disk(directory: Path, num_bytes_left: int, num_settled: int) -> list[str]:
    command = [sys.executable, "-c", _FULL_DISK, str(directory), str(num_bytes_left)]
    done = subprocess.run(
        [*command, str(num_settled)], capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("num_bytes_left", [0, 1, 7, 50])
def test_journal_on_a_full_disk_refuses_attempts_and_keeps_settled_ones(
    tmp_path: Path, num_bytes_left: int
) -> None:
    """Nothing is sent unrecorded; what was settled waits and is written when there is room.

    With some bytes left the write comes up short first: what it left is taken off again.
    """
    shown = _on_full_disk(tmp_path, num_bytes_left, num_settled=2)
    assert shown == ["503 ledger_unavailable", "2", "503 ledger_unavailable", "0"]
    before = [opened(f"a-{number}") for number in range(5)]
    after: list[Record] = [settled("a-0"), settled("a-1"), opened("later")]
    assert _records(tmp_path) == [*before, *after]


def test_journal_whose_queue_overflows_drops_the_oldest_and_goes_on(tmp_path: Path) -> None:
    """The queue has a bound; what it drops stays opened, and so shows as lost."""
    shown = _on_full_disk(tmp_path, 0, num_settled=5)
    assert shown == ["503 ledger_unavailable", "3", "503 ledger_unavailable", "0"]
    ends = [each.attempt_id for each in _records(tmp_path) if not isinstance(each, Opened)]
    assert ends == ["a-2", "a-3", "a-4"]


def test_journal_writes_what_waits_with_the_next_settled(tmp_path: Path) -> None:
    """No new attempt is needed for it: the next end of any takes the waiting ones along."""
    command = [sys.executable, "-c", _FULL_FOR_A_MOMENT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.stdout.split() == ["2", "0"], done.stderr
    ends = [each.attempt_id for each in _records(tmp_path) if not isinstance(each, Opened)]
    assert ends == ["a", "b", "c"]


def test_full_disk_stand_in_limits_this_process_never() -> None:
    """The limit is set in children only."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
