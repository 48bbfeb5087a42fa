"""Draining: exactly one row per attempt, however often, from how many processes, killed when."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipstream.call import BUCKETS
from slipstream.errors import LedgerUnavailable
from slipstream.ledger.drain import STALE_S, drain, drain_all, has_news
from slipstream.ledger.journal import MIN_SEGMENT_BYTES, Journal
from slipstream.ledger.notices import journal_directory
from slipstream.ledger.records import Settled
from slipstream.ledger.segments import (
    HEADER,
    MAX_RECORD_BYTES,
    frame,
    is_written,
    list_segments,
    parse,
    segment_path,
)
from slipstream.ledger.store import Store
from tests.ledger.samples import buckets, opened, settled, store_in

_LIMIT_S = 60


def _states(store: Store) -> dict[str, str]:
    return dict(store.execute("SELECT attempt_id, state FROM attempts"))


def _leftovers(store: Store) -> tuple[int, int]:
    """Return the rows that should be gone once all workers are dead and drained."""
    tables = ("open_attempts", "journal_offsets")
    first, second = (store.execute(f"SELECT count(*) FROM {name}")[0][0] for name in tables)
    return first, second


def test_drain_makes_a_row_of_opened_and_settled(home: Path) -> None:
    """All fields of both records arrive in their columns."""
    journal = Journal(home / "journal")
    journal.open(opened())
    journal.settle(
        settled(buckets=buckets(input_tokens=3, output_tokens=9), price_date="2026-01-31")
    )
    with store_in(home) as store:
        assert drain_all(store, home / "journal") == 1
        columns = "call_id, provider, model, state, input_tokens, output_tokens, cost_usd_pico"
        row = store.execute(f"SELECT {columns}, price_date, finish_reason FROM attempts")
    journal.close()
    assert row == [
        ("call-a-1", "cerebras", "gpt-oss-120b", "complete", 3, 9, 1_000_000, "2026-01-31", "stop")
    ]


def test_drain_of_a_missing_directory_does_nothing(home: Path) -> None:
    """A fresh installation has no journal yet."""
    with store_in(home) as store:
        assert drain_all(store, home / "none") == 0


def test_drain_leaves_running_attempts_open_and_settles_them_later(home: Path) -> None:
    """An attempt that straddles two drains has no row after the first, one after the second."""
    journal = Journal(home / "journal")
    journal.open(opened("a"))
    with store_in(home) as store:
        assert drain_all(store, home / "journal") == 0
        assert _leftovers(store)[0] == 1
        journal.settle(settled("a"))
        assert drain_all(store, home / "journal") == 1
        assert _states(store) == {"a": "complete"}
        assert _leftovers(store)[0] == 0
    journal.close()


def test_drain_again_changes_nothing(home: Path) -> None:
    """Records that are read twice, as after a lost offset, make no second row and lose none."""
    journal = Journal(home / "journal")
    journal.open(opened("a"))
    journal.open(opened("b"))
    journal.settle(settled("a"))
    with store_in(home) as store:
        assert drain_all(store, home / "journal") == 1
        for _ in range(2):
            store.execute("DELETE FROM journal_offsets")
            assert drain_all(store, home / "journal") == 0
        journal.settle(settled("b"))
        journal.close()
        store.execute("DELETE FROM journal_offsets")
        assert drain_all(store, home / "journal") == 1
        assert _states(store) == {"a": "complete", "b": "complete"}
        assert _leftovers(store) == (0, 0)


def test_drain_deletes_segments_of_dead_writers_only(home: Path) -> None:
    """A live writer keeps its newest segment; rotated and abandoned ones go once they are read."""
    journal = Journal(home / "journal", segment_bytes=MIN_SEGMENT_BYTES)
    for number in range(400):
        journal.open(opened(f"a-{number}"))
        journal.settle(settled(f"a-{number}"))
    assert len(list_segments(home / "journal")) > 2
    with store_in(home) as store:
        assert drain_all(store, home / "journal") == 400
        assert all(is_written(each) for each in list_segments(home / "journal"))
        journal.close()
        assert drain_all(store, home / "journal") == 0
        assert list_segments(home / "journal") == []
        assert _leftovers(store) == (0, 0)


def test_drain_of_a_dead_writer_marks_what_it_left_open_as_lost(home: Path) -> None:
    """Opened and never settled: one row, state lost, cost unknown; also if read earlier."""
    journal = Journal(home / "journal")
    journal.open(opened("early"))
    with store_in(home) as store:
        drain_all(store, home / "journal")
        journal.open(opened("late"))
        journal.open(opened("done"))
        journal.settle(settled("done"))
        journal.close()
        assert drain_all(store, home / "journal") == 3
        assert _states(store) == {"early": "lost", "late": "lost", "done": "complete"}
        query = "SELECT DISTINCT cost_usd_pico, is_estimate FROM attempts WHERE state = 'lost'"
        assert store.execute(query) == [(None, 1)]
        assert _leftovers(store) == (0, 0)


def test_drain_keeps_a_live_workers_attempts_open_across_rotation(home: Path) -> None:
    """A rotated segment has no writer any more, but its worker lives: nothing of it is lost."""
    journal = Journal(home / "journal", segment_bytes=MIN_SEGMENT_BYTES)
    journal.open(opened("a"))
    journal.open(opened("b"))
    for number in range(200):
        journal.open(opened(f"c-{number}"))
        journal.settle(settled(f"c-{number}"))
    with store_in(home) as store:
        assert drain_all(store, home / "journal") == 200
        store.execute("DELETE FROM attempts")
        assert drain_all(store, home / "journal") == 0
        journal.settle(settled("a"))
        assert drain_all(store, home / "journal") == 1
        assert _states(store) == {"a": "complete"}
        journal.close()
        assert drain_all(store, home / "journal") == 1
        assert _states(store) == {"a": "complete", "b": "lost"}


def test_drain_in_small_batches_gives_the_same(home: Path) -> None:
    """Pairs that a batch's end separates are merged all the same."""
    journal = Journal(home / "journal", segment_bytes=40_000)
    ids = [f"a-{number}" for number in range(2000)]
    for start in range(0, len(ids), 100):
        for each in ids[start : start + 100]:
            journal.open(opened(each))
        for each in ids[start : start + 100]:
            journal.settle(settled(each))
    journal.close()
    with store_in(home) as store:
        num_batches = 0
        is_more = True
        while is_more:
            is_more = drain(store, home / "journal", batch_bytes=20_000).is_more
            num_batches += 1
        assert num_batches > 5
        assert _states(store) == dict.fromkeys(ids, "complete")
        assert _leftovers(store) == (0, 0)


def test_drain_tolerates_a_torn_last_record(home: Path) -> None:
    """Half a record at the end of a dead writer's file never was; all before it counts."""
    journal = Journal(home / "journal")
    journal.open(opened("a"))
    journal.settle(settled("a"))
    journal.open(opened("b"))
    journal.close()
    (segment,) = list_segments(home / "journal")
    segment.path.write_bytes(segment.path.read_bytes() + frame(settled("b"))[:-3])
    with store_in(home) as store:
        assert drain_all(store, home / "journal") == 2
        assert _states(store) == {"a": "complete", "b": "lost"}
        assert list_segments(home / "journal") == []


def _write_at(path: Path, position: int, data: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(position)
        file.write(data)


def test_drain_waits_for_a_record_that_is_being_written(home: Path) -> None:
    """A live writer's half record is read when it is whole: header last, or body last (on ARM)."""
    journal = Journal(home / "journal")
    journal.open(opened("a"))
    journal.open(opened("b"))
    (segment,) = list_segments(home / "journal")
    end = 2 * len(frame(opened("a")))
    first, second = frame(settled("a")), frame(settled("b"))
    with store_in(home) as store:
        _write_at(segment.path, end + HEADER.size, first[HEADER.size :])
        assert drain_all(store, home / "journal") == 0
        _write_at(segment.path, end, first[: HEADER.size])
        assert drain_all(store, home / "journal") == 1
        _write_at(segment.path, end + len(first), second[: HEADER.size + 20])
        assert drain_all(store, home / "journal") == 0
        _write_at(segment.path, end + len(first), second)
        assert drain_all(store, home / "journal") == 1
        assert _states(store) == {"a": "complete", "b": "complete"}
    journal.close()
    assert not list((home / "journal").glob("*.damaged"))


def test_drain_of_garbage_in_a_live_file_does_not_spin_and_keeps_it(home: Path) -> None:
    """What can never be read waits for its writer's end, and is kept; nobody asks again at once."""
    path = segment_path(home / "journal", "w-1", 1)
    path.parent.mkdir()
    path.write_bytes(frame(opened("a")) + b"\xff" * (4 * MAX_RECORD_BYTES))
    with store_in(home) as store, path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        drain(store, home / "journal", 1)
        assert not drain(store, home / "journal", 1).is_more
        assert list((home / "journal").iterdir()) == [path]
        fcntl.flock(writer, fcntl.LOCK_UN)
        assert drain_all(store, home / "journal") == 1
        assert _states(store) == {"a": "lost"}
    assert list((home / "journal").iterdir()) == [path.with_suffix(".damaged")]


def test_drain_reads_a_segment_only_after_the_one_before_it(home: Path) -> None:
    """A prepared segment is there early; were it read first, an end would come before its start."""
    first, second = (segment_path(home / "journal", "w-1", number) for number in (1, 2))
    first.parent.mkdir()
    second.write_bytes(frame(settled("a")))
    with store_in(home) as store, first.open("wb", buffering=0) as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert drain_all(store, home / "journal") == 0
        assert len(list_segments(home / "journal")) == 2
        writer.write(frame(opened("a")))
        assert drain_all(store, home / "journal") == 0
        fcntl.flock(writer, fcntl.LOCK_UN)
        assert drain_all(store, home / "journal") == 1
        assert _states(store) == {"a": "complete"}
    assert list_segments(home / "journal") == []


def test_drain_with_a_prepared_segment_is_idle_until_it_is_used(home: Path) -> None:
    """An empty segment is no news, and deleting it is its owner's business."""
    journal = Journal(home / "journal")
    journal.prepare()
    with store_in(home) as store:
        assert not has_news(home / "journal", {})
        ends = drain(store, home / "journal").ends
        assert not has_news(home / "journal", ends)
        assert len(list_segments(home / "journal")) == 2
        journal.close()
        drain_all(store, home / "journal")
        assert _leftovers(store) == (0, 0)


def test_drain_deletes_unnamed_files_of_killed_workers_only(home: Path) -> None:
    """A worker that dies while it makes a segment leaves a file; one that makes it now needs it."""
    Journal(home / "journal").close()
    stale, fresh = home / "journal" / "w-1-00000002.new", home / "journal" / "w-2-00000002.new"
    stale.touch()
    fresh.touch()
    long_ago_s = time.time() - 2 * STALE_S
    os.utime(stale, (long_ago_s, long_ago_s))
    with store_in(home) as store:
        drain_all(store, home / "journal")
    assert not stale.exists()
    assert fresh.exists()


def test_drain_of_a_damaged_file_keeps_a_copy_and_reads_the_rest(home: Path) -> None:
    """A file whose middle cannot be read is never thrown away."""
    journal = Journal(home / "journal")
    for each in ("a", "b"):
        journal.open(opened(each))
        journal.settle(settled(each))
    journal.close()
    (segment,) = list_segments(home / "journal")
    data = bytearray(segment.path.read_bytes())
    data[len(frame(opened("a"))) + 30] ^= 1
    segment.path.write_bytes(data)
    with store_in(home) as store:
        drain_all(store, home / "journal")
        assert _states(store) == {"a": "lost", "b": "complete"}
    (kept,) = (home / "journal").glob("*.damaged")
    assert kept.read_bytes() == data


def test_has_news_is_true_only_when_a_drain_would_find_something(home: Path) -> None:
    """An idle poll must not open a transaction."""
    journal = Journal(home / "journal")
    with store_in(home) as store:
        ends = drain(store, home / "journal").ends
        assert not has_news(home / "journal", ends)
        journal.open(opened())
        assert has_news(home / "journal", ends)
        ends = drain(store, home / "journal").ends
        assert not has_news(home / "journal", ends)
        journal.close()
        assert has_news(home / "journal", ends)


def test_drain_that_the_database_refuses_moves_nothing(home: Path) -> None:
    """Rows and offsets are committed together or not at all, and files stay."""
    journal = Journal(home / "journal")
    journal.open(opened())
    journal.settle(settled())
    journal.close()
    with store_in(home) as store:
        store.execute(
            "CREATE TRIGGER t BEFORE INSERT ON journal_offsets BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        with pytest.raises(LedgerUnavailable, match="no"):
            drain_all(store, home / "journal")
        assert _states(store) == {}
        assert len(list_segments(home / "journal")) == 1
        store.execute("DROP TRIGGER t")
        assert drain_all(store, home / "journal") == 1


def test_drain_of_a_journal_that_cannot_be_read_is_a_typed_error(home: Path) -> None:
    """The bookkeeper goes on after trouble with files as after trouble with the database."""
    (home / "journal" / "w-1-00000001.journal").mkdir(parents=True)
    with store_in(home) as store, pytest.raises(LedgerUnavailable, match="cannot be drained"):
        drain_all(store, home / "journal")


def test_sums_in_the_ledger_are_those_of_the_journal(home: Path) -> None:
    """Whatever was settled, buckets and costs add up to the same in the database."""
    rng = random.Random(7)
    journal = Journal(home / "journal", segment_bytes=MIN_SEGMENT_BYTES)
    ends: list[Settled] = []
    for number in range(300):
        counts = tuple(rng.choice((0, rng.randrange(10**6))) for _ in BUCKETS)
        cost = rng.choice((None, rng.randrange(10**12)))
        ends.append(settled(f"a-{number}", cost_usd_pico=cost, buckets=counts))
        journal.open(opened(f"a-{number}"))
        journal.settle(ends[-1])
    with store_in(home) as store:
        drain_all(store, home / "journal")
        sums = ", ".join(f"SUM({name})" for name in (*BUCKETS, "cost_usd_pico"))
        (found,) = store.execute(f"SELECT {sums} FROM attempts")
    journal.close()
    expected = [sum(column) for column in zip(*(each.buckets for each in ends), strict=True)]
    assert found == (*expected, sum(each.cost_usd_pico or 0 for each in ends))


# ---- killed, and at once ------------------------------------------------------------------------

_BURST = """
import sys
from pathlib import Path
from slipstream.ledger.journal import Journal
from tests.ledger.samples import opened, settled

journal = Journal(Path(sys.argv[1]), segment_bytes=200_000)
print("up", flush=True)
for number in range(10_000):
    if number % 700 == 0:
        journal.prepare()
    journal.open(opened(f"{sys.argv[2]}-{number}"))
    if number >= 8:  # eight are always running
        journal.settle(settled(f"{sys.argv[2]}-{number - 8}"))
"""

_DRAIN = """
import sys
from pathlib import Path
from slipstream.ledger.drain import drain_all
from tests.ledger.samples import store_in

with store_in(Path(sys.argv[1])) as store:
    print("up", flush=True)
    sys.stdin.readline()
    print(drain_all(store, Path(sys.argv[1]) / "journal", 20_000))
"""


def _start(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _killed_burst(directory: Path, name: str, after_s: float) -> None:
    child = _start(_BURST, str(directory), name)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    time.sleep(after_s)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=_LIMIT_S)


@pytest.mark.parametrize("seed", range(4))
def test_sigkill_in_a_burst_loses_and_doubles_nothing(home: Path, seed: int) -> None:
    """Every attempt whose record was written has one row: its end if that was written, or lost.

    Drained in between as well as after: the moment of the kill falls anywhere.
    """
    directory = journal_directory(home)
    rng = random.Random(seed)
    with store_in(home) as store:
        child = _start(_BURST, str(directory), "a")
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        time.sleep(rng.uniform(0.005, 0.12))
        drain(store, directory, 20_000)
        time.sleep(rng.uniform(0, 0.03))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=_LIMIT_S)
        written = set()
        settled_ids = set(_states(store))
        for segment in list_segments(directory):
            for record in parse(segment.path.read_bytes()).records:
                written.add(record.attempt_id)
                settled_ids |= {record.attempt_id} if isinstance(record, Settled) else set()
        written |= settled_ids | {
            row[0] for row in store.execute("SELECT attempt_id FROM open_attempts")
        }
        drain_all(store, directory)
        states = _states(store)
        assert states.keys() == written
        assert {id_ for id_, state in states.items() if state == "complete"} == settled_ids
        assert len(written) - len(settled_ids) <= 9
        assert list_segments(directory) == []
        assert _leftovers(store) == (0, 0)


def test_drain_beside_a_writer_at_full_speed_reads_all_once(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No record is taken for damaged, none is missed and none counted twice, across rotations."""
    directory = journal_directory(home)
    child = _start(_BURST, str(directory), "a")
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    num_rows = num_drains = 0
    deadline_s = time.monotonic() + _LIMIT_S
    with store_in(home) as store:
        while child.poll() is None:
            assert time.monotonic() < deadline_s
            num_rows += drain(store, directory, 1).num_rows
            num_drains += 1
        num_rows += drain_all(store, directory)
        states = _states(store)
        assert _leftovers(store) == (0, 0)
    child.communicate(timeout=_LIMIT_S)
    assert num_drains > 1
    assert num_rows == len(states) == 10_000
    assert sorted(id_ for id_, state in states.items() if state == "lost") == [
        f"a-{number}" for number in range(9_992, 10_000)
    ]
    assert not caplog.records
    assert list(directory.iterdir()) == []


def test_drains_of_two_processes_at_once_share_the_work(home: Path) -> None:
    """Two drainers on one journal insert each row once between them."""
    directory = journal_directory(home)
    for name in ("a", "b"):
        _killed_burst(directory, name, 0.05)
    ids = {
        record.attempt_id
        for segment in list_segments(directory)
        for record in parse(segment.path.read_bytes()).records
    }
    drainers = [_start(_DRAIN, str(home)) for _ in range(2)]
    for each in drainers:
        assert each.stdout is not None
        assert each.stdout.readline() == "up\n"
    for each in drainers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    shown = [each.communicate(timeout=_LIMIT_S)[0] for each in drainers]
    assert [each.returncode for each in drainers] == [0, 0]
    assert sum(int(each) for each in shown) == len(ids)
    with store_in(home) as store:
        assert _states(store).keys() == ids
        assert _leftovers(store) == (0, 0)
