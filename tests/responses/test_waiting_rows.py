"""Rows of answers in the background: each ends once, and never is begun for ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream.ledger.store import Store
from slipstream.responses import rows, waiting_rows
from slipstream.responses.records import Ending, Kept, Waiting
from tests.responses.place import answer, database_in, items, turn

JOB = ("k", "resp_1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Store]:
    """Open a database with one answer that is queued."""
    with database_in(tmp_path) as opened:
        rows.insert(opened, answer(status="queued", request=b"asked"), items("asked-1"))
        yield opened


def found(database: Store, response_id: str = "resp_1") -> Kept:
    """Return an answer that must be there."""
    kept = rows.find(database, "k", response_id, 0)
    assert kept is not None
    return kept


def test_answer_is_begun_and_ends(database: Store) -> None:
    """Its items are those that were kept where it was made, under the id that the client knows."""
    begun = waiting_rows.begin(database, *JOB)
    assert begun == Waiting("k", "resp_1", b"asked", b'{"id":"resp_1"}', 1)
    assert found(database).status == "in_progress"
    made = answer("resp_made", provider="openai", upstream_id="resp_made", previous_id="p")
    rows.insert(database, made, turn("t"))
    ending = Ending("completed", b"done", "resp_made")
    assert waiting_rows.end(database, "k", "resp_1", ending, items("unused"))
    kept = found(database)
    assert (kept.status, kept.body, kept.provider) == ("completed", b"done", "openai")
    assert kept.upstream_id == "resp_made"
    assert [item.item_id for item in rows.items_of(database, "k", "resp_1")] == ["t-in", "t-out"]
    assert rows.find(database, "k", "resp_made", 0) is None


def test_answer_whose_items_were_not_kept_has_its_own(database: Store) -> None:
    """The database may have refused at that moment; what was asked is there already."""
    ending = Ending("completed", b"done", "resp_lost")
    output = items("said", is_output=True)
    assert waiting_rows.end(database, "k", "resp_1", ending, output)
    listed = [(one.item_id, one.is_output) for one in rows.items_of(database, "k", "resp_1")]
    assert listed == [("asked-1", False), ("said", True)]


@pytest.mark.parametrize("status", ["cancelled", "failed", "completed"])
def test_answer_ends_once(database: Store, status: str) -> None:
    """What comes of it after its end is forgotten; it is not begun again either."""
    assert waiting_rows.end(database, "k", "resp_1", Ending(status))
    assert found(database).body == b'{"id":"resp_1"}'
    rows.insert(database, answer("resp_late"), turn("late"))
    assert not waiting_rows.end(
        database, "k", "resp_1", Ending("completed", b"late", "resp_late"), items("late")
    )
    assert waiting_rows.begin(database, *JOB) is None
    assert (found(database).status, found(database).body) == (status, b'{"id":"resp_1"}')
    assert rows.find(database, "k", "resp_late", 0) is None


def test_deleted_answer_neither_begins_nor_ends(database: Store) -> None:
    """Nothing of it comes back."""
    rows.delete(database, "k", "resp_1")
    assert waiting_rows.begin(database, *JOB) is None
    assert not waiting_rows.end(database, "k", "resp_1", Ending("completed", b"x"), items("x"))
    assert database.execute("SELECT count(*) FROM response_items") == [(0,)]


def test_unfinished_are_told_oldest_first(database: Store) -> None:
    """Only those in the background; what has ended is not among them."""
    rows.insert(database, answer("resp_0", status="queued", request=b"r", created_at_ns=0), ())
    rows.insert(database, answer("resp_2", status="completed", request=b"r"), ())
    rows.insert(database, answer("resp_3", status="in_progress"), ())
    waiting_rows.begin(database, *JOB)
    assert waiting_rows.unfinished(database) == [("k", "resp_0"), JOB]
    begun = waiting_rows.begin(database, *JOB)
    assert begun is not None
    assert begun.num_starts == 2
