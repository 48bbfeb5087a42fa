"""The journal's writer: rotation, closing, a disk that takes no more; with real files."""

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slipstream.errors import LedgerUnavailable
from slipstream.ledger.journal import MIN_SEGMENT_BYTES, Journal
from slipstream.ledger.records import Opened, Record, Settled
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


def test_journal_rotates_and_lets_go_of_full_segments(tmp_path: Path) -> None:
    """A full segment can be drained and deleted at once; none of its records is lost."""
    journal = Journal(tmp_path, segment_bytes=MIN_SEGMENT_BYTES)
    for number in range(400):
        journal.open(opened(f"a-{number}"))
        journal.settle(settled(f"a-{number}"))
    segments = list_segments(tmp_path)
    assert len(segments) > 2
    are_written = [is_written(segment) for segment in segments]
    assert are_written.count(False) >= len(segments) - 2
    assert are_written == sorted(are_written)
    assert all(each.path.stat().st_size <= MIN_SEGMENT_BYTES for each in segments)
    ids = [record.attempt_id for record in _records(tmp_path)]
    assert ids == [f"a-{number // 2}" for number in range(800)]
    journal.close()
    assert not any(is_written(segment) for segment in segments)


def test_journal_closed_gives_back_what_it_did_not_use(tmp_path: Path) -> None:
    """A file that is not written any more is as long as its records; an unused one is gone."""
    journal = Journal(tmp_path)
    journal.open(opened())
    journal.prepare()
    assert len(list_segments(tmp_path)) == 2
    journal.close()
    (segment,) = list_segments(tmp_path)
    assert segment.path.read_bytes() == frame(opened())


def test_journal_prepared_makes_no_file_when_it_turns(tmp_path: Path) -> None:
    """What takes long was done beside the requests, once, and is done again for the next turn."""
    journal = Journal(tmp_path, segment_bytes=MIN_SEGMENT_BYTES)
    for _ in range(2):
        journal.prepare()
    first, second = list_segments(tmp_path)
    number = 0
    while is_written(first):
        journal.open(opened(f"a-{number}"))
        journal.settle(settled(f"a-{number}"))
        number += 1
    assert list_segments(tmp_path) == [first, second]
    journal.prepare()
    assert len(list_segments(tmp_path)) == 3
    journal.close()
    assert len(_records(tmp_path)) == 2 * number


def test_journal_closed_refuses_attempts_and_keeps_ends(tmp_path: Path) -> None:
    """Nothing is stored into memory that is no longer mapped, and nothing crashes."""
    journal = Journal(tmp_path)
    journal.close()
    journal.prepare()
    with pytest.raises(LedgerUnavailable, match="journal is closed"):
        journal.open(opened())
    journal.settle(settled())
    assert journal.num_waiting == 1


def test_journal_cuts_texts_that_no_record_can_hold(tmp_path: Path) -> None:
    """A client's or a target's endless name costs neither the row nor those after it."""
    journal = Journal(tmp_path, segment_bytes=MIN_SEGMENT_BYTES)
    long = "\U0001f980" * 20_000
    texts = dict.fromkeys(("call_id", "key_id", "route", "provider", "model", "credential"), long)
    journal.open(opened("a", **texts))
    ends: dict[str, Any] = dict.fromkeys(
        ("price_source", "price_date", "fault", "error_code", "finish_reason"), long
    )
    journal.settle(settled("a", **ends))
    first, second = _records(tmp_path)
    assert (first.attempt_id, second.attempt_id) == ("a", "a")
    assert isinstance(first, Opened)
    assert first.model == long[:250]
    journal.close()


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
# RLIMIT_FSIZE of a child stands in for it: no further file can be made, and later it can again.

_FULL_DISK = """
import os, resource, signal, sys
from pathlib import Path
from slipstream.errors import LedgerUnavailable
from slipstream.ledger.journal import MIN_SEGMENT_BYTES, Journal
from tests.ledger.samples import opened, settled

journal = Journal(Path(sys.argv[1]), segment_bytes=MIN_SEGMENT_BYTES, max_waiting=3)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

def fill(is_full):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100 if is_full else hard, hard))

def open_all(name):
    number = 0
    while True:
        try:
            journal.open(opened(f"{name}-{number}"))
        except LedgerUnavailable as error:
            print(error.status, error.code)
            return number
        number += 1
"""

_ENDS_AS_USUAL = """
fill(True)
number = open_all("a")
print(number)
for each in range(number):
    journal.settle(settled(f"a-{each}"))
print(journal.num_waiting)
fill(False)
journal.open(opened("later"))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""

_ENDS_TOO_LONG = """
fill(True)
number = open_all("a")
long = "x" * 6000
for each in range(number):
    journal.settle(settled(f"a-{each}", finish_reason=f"{each:03d}" + long))
print(number, journal.num_waiting)
assert open_all("b") == 0
assert not journal.retry()
fill(False)
HOW
print(journal.num_waiting)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def _run(code: str, directory: Path) -> list[str]:
    command = [sys.executable, "-c", _FULL_DISK + code, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.splitlines()


def _ended(directory: Path) -> list[str]:
    return [each.attempt_id for each in _records(directory) if isinstance(each, Settled)]


def test_journal_on_a_full_disk_refuses_attempts_and_has_room_for_ends(tmp_path: Path) -> None:
    """Nothing is sent unrecorded, and each attempt that was let through gets its end on record."""
    refused, number, num_waiting = _run(_ENDS_AS_USUAL, tmp_path)
    assert refused == "503 ledger_unavailable"
    assert int(number) > 10
    assert num_waiting == "0"
    ids = [f"a-{each}" for each in range(int(number))]
    assert _ended(tmp_path) == ids
    opens = [each.attempt_id for each in _records(tmp_path) if isinstance(each, Opened)]
    assert opens == [*ids, "later"]
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize("how", ["journal.retry()", "journal.open(opened('c'))"])
def test_journal_keeps_ends_without_room_and_drops_the_oldest_of_too_many(
    tmp_path: Path, how: str
) -> None:
    """The queue has a bound; what it drops stays opened, and so shows as lost."""
    shown = _run(_ENDS_TOO_LONG.replace("HOW", how), tmp_path)
    refused, numbers, refused_too, num_waiting = shown
    number, num_waiting_before = (int(each) for each in numbers.split())
    assert refused == refused_too == "503 ledger_unavailable"
    assert (num_waiting_before, num_waiting) == (3, "0")
    ids = _ended(tmp_path)
    assert len(ids) < number
    assert ids[-3:] == [f"a-{each}" for each in range(number - 3, number)]


def test_journal_writes_what_waits_with_the_next_settled(tmp_path: Path) -> None:
    """No new attempt is needed for it: the next end of any takes the waiting ones along."""
    code = _ENDS_TOO_LONG.replace("HOW", "journal.settle(settled('a-0'))")
    assert _run(code, tmp_path)[-1] == "0"
    assert _ended(tmp_path)[-1] == "a-0"


def test_journal_that_cannot_prepare_says_so_once_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator hears of trouble before an attempt is refused, once and not every second."""
    directory = tmp_path / "journal"
    journal = Journal(directory)
    hidden = directory.rename(tmp_path / "hidden")
    for _ in range(3):
        journal.prepare()
    assert len(caplog.records) == 1
    journal.open(opened())
    journal.settle(settled())
    hidden.rename(directory)
    journal.prepare()
    assert len(list_segments(directory)) == 2
    assert len(caplog.records) == 1
    journal.close()
    assert _records(directory) == [opened(), settled()]


def test_full_disk_stand_in_limits_this_process_never() -> None:
    """The limit is set in children only."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
