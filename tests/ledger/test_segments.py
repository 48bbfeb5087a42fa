"""The journal's framing, cut at every byte and damaged; file names; who is alive."""

import fcntl
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from slipstream.ledger.records import Record
from slipstream.ledger.segments import (
    HEADER,
    frame,
    has_news_after,
    is_written,
    list_segments,
    num_torn_bytes,
    parse,
    read_piece,
    segment_path,
)
from tests.ledger.samples import opened, settled

_RECORDS: list[Record] = [opened("a"), settled("a"), opened("b"), opened("c"), settled("b")]
_FRAMED = [frame(record) for record in _RECORDS]
_DATA = b"".join(_FRAMED)


def test_parse_cut_at_every_byte_gives_the_whole_records_before_the_cut() -> None:
    """A torn last record is left for the next read, and nothing before it is lost."""
    ends = [sum(map(len, _FRAMED[:number])) for number in range(len(_FRAMED) + 1)]
    for cut in range(len(_DATA) + 1):
        piece = parse(_DATA[:cut])
        num_whole = max(number for number, end in enumerate(ends) if end <= cut)
        assert piece.records == _RECORDS[:num_whole]
        assert piece.end == ends[num_whole]
        assert piece.num_damaged == 0
        assert not piece.is_at_end


def test_parse_stops_at_a_header_of_zero() -> None:
    """Room that was reserved and not used is no data, whatever lies behind it."""
    piece = parse(_DATA + bytes(HEADER.size) + _DATA)
    assert piece.records == _RECORDS
    assert piece.end == len(_DATA)
    assert piece.is_at_end


def test_frame_begins_and_ends_where_a_word_of_memory_does() -> None:
    """A header is stored as one word, which needs its address to be a multiple of eight."""
    assert {len(frame(opened("a" * number))) % 8 for number in range(1, 20)} == {0}


def test_parse_of_a_damaged_record_keeps_those_after_it() -> None:
    """One flipped bit costs one record, and is counted."""
    spoilt = bytearray(_DATA)
    spoilt[len(_FRAMED[0]) + HEADER.size + 5] ^= 1
    piece = parse(bytes(spoilt))
    assert piece.records == [_RECORDS[0], *_RECORDS[2:]]
    assert piece.num_damaged == 1
    assert piece.end == len(_DATA)


def test_parse_of_a_damaged_last_record_waits_for_it() -> None:
    """A bad checksum at the very end may be a record that is just being written."""
    spoilt = bytearray(_DATA)
    spoilt[-len(_FRAMED[-1]) + HEADER.size + 5] ^= 1
    piece = parse(bytes(spoilt))
    assert piece.records == _RECORDS[:-1]
    assert piece.num_damaged == 0
    assert piece.end == len(_DATA) - len(_FRAMED[-1])


@given(st.binary(max_size=400))
def test_parse_of_garbage_raises_nothing(data: bytes) -> None:
    """Whatever a disk gives back, reading it never fails and never goes past its end."""
    piece = parse(data)
    assert 0 <= piece.end <= len(data)


def test_list_segments_orders_by_worker_and_number(tmp_path: Path) -> None:
    """Each worker's oldest segment comes first; other files are not looked at."""
    for worker, sequence in (("b-1", 1), ("a-1", 10), ("a-1", 2)):
        segment_path(tmp_path, worker, sequence).touch()
    for other in ("drain.lock", "a-1-00000003.new", "x.journal", "a-1-00000001.damaged"):
        (tmp_path / other).touch()
    found = [(each.worker, each.sequence) for each in list_segments(tmp_path)]
    assert found == [("a-1", 2), ("a-1", 10), ("b-1", 1)]


def test_is_written_follows_the_lock(tmp_path: Path) -> None:
    """A segment is written as long as a descriptor holds its lock."""
    path = segment_path(tmp_path, "w", 1)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    (segment,) = list_segments(tmp_path)
    assert not is_written(segment)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert is_written(segment)
    os.close(descriptor)
    assert not is_written(segment)


def test_a_segment_that_is_gone_is_empty_and_not_written(tmp_path: Path) -> None:
    """Another drainer may delete a file between listing and reading."""
    path = segment_path(tmp_path, "w", 1)
    path.touch()
    (segment,) = list_segments(tmp_path)
    path.unlink()
    assert not is_written(segment)
    assert not has_news_after(segment, 0)
    assert read_piece(segment, 0, 100) == b""
    assert num_torn_bytes(segment, 0) == 0


def test_has_news_after_looks_at_the_next_header_and_at_the_lock(tmp_path: Path) -> None:
    """A reserved file's size says nothing; a record does, and so does a writer that has gone."""
    path = segment_path(tmp_path, "w", 1)
    path.write_bytes(_FRAMED[0] + bytes(4096))
    (segment,) = list_segments(tmp_path)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert has_news_after(segment, 0)
        assert not has_news_after(segment, len(_FRAMED[0]))
        assert not has_news_after(segment, path.stat().st_size)
    assert has_news_after(segment, path.stat().st_size)


def test_num_torn_bytes_counts_up_to_the_last_that_is_not_zero(tmp_path: Path) -> None:
    """A killed writer leaves zeros, and sometimes a body whose header was never stored."""
    path = segment_path(tmp_path, "w", 1)
    path.write_bytes(_DATA + bytes(4096))
    (segment,) = list_segments(tmp_path)
    assert num_torn_bytes(segment, len(_DATA)) == 0
    path.write_bytes(_DATA + bytes(HEADER.size) + b"body" + bytes(4096))
    assert num_torn_bytes(segment, len(_DATA)) == HEADER.size + 4
