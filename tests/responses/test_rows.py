"""The rows of kept answers: whose they are, what they follow, how long they stay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream.errors import BadRequest
from slipstream.ledger.store import Store
from slipstream.responses import rows
from slipstream.responses.records import PreviousNotFound
from tests.responses.place import DAY_NS, answer, database_in, items, turn

BOUND = 10_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Store]:
    """Open a database."""
    with database_in(tmp_path) as opened:
        yield opened


def chain(database: Store, *ids: str) -> None:
    """Keep answers each of which follows the one before it."""
    before = None
    for number, response_id in enumerate(ids):
        kept = answer(response_id, previous_id=before, created_at_ns=number * DAY_NS)
        rows.insert(database, kept, turn(response_id))
        before = response_id


def names(database: Store, response_id: str, **fields: int) -> list[str]:
    """Return the items of a conversation."""
    bounds = {"now_ns": 0, "max_bytes": BOUND} | fields
    talk = rows.conversation(database, "k", response_id, **bounds)
    return [item.item_id for item in talk.items]


def test_answer_is_found_by_its_own_key_only(database: Store) -> None:
    """Every field comes back as it was; the same id may be another key's, too."""
    kept = answer(
        status="failed",
        body=b"\x00\xff",
        previous_id="p",
        provider="openai",
        upstream_id="u",
        request=b"{}",
    )
    rows.insert(database, kept, ())
    rows.insert(database, answer(key_id="other"), ())
    assert rows.find(database, "k", "resp_1", 0) == kept
    assert rows.find(database, "other", "resp_1", 0) == answer(key_id="other")
    assert rows.find(database, "third", "resp_1", 0) is None
    assert rows.delete(database, "k", "resp_1")
    assert not rows.delete(database, "k", "resp_1")
    assert rows.find(database, "other", "resp_1", 0) is not None


def test_answer_of_the_same_id_is_replaced_whole(database: Store) -> None:
    """A provider may give an id twice; items of the first one do not stay behind."""
    rows.insert(database, answer(), items("a", "b"))
    rows.insert(database, answer(body=b"new"), items("c"))
    found = rows.find(database, "k", "resp_1", 0)
    assert found is not None
    assert found.body == b"new"
    assert [item.item_id for item in rows.items_of(database, "k", "resp_1")] == ["c"]


def test_conversation_is_every_turn_in_its_order(database: Store) -> None:
    """Oldest first, with what was asked and what was said."""
    chain(database, "a", "b", "c")
    assert names(database, "c") == ["a-in", "a-out", "b-in", "b-out", "c-in", "c-out"]
    assert names(database, "a") == ["a-in", "a-out"]
    talk = rows.conversation(database, "k", "b", now_ns=0, max_bytes=BOUND)
    assert talk.last.response_id == "b"


@pytest.mark.parametrize("gone", ["a", "b", "c"])
def test_conversation_that_lacks_a_turn_is_refused(database: Store, gone: str) -> None:
    """Half of a conversation would be another one."""
    chain(database, "a", "b", "c")
    rows.delete(database, "k", gone)
    with pytest.raises(PreviousNotFound, match=f"'{gone}'"):
        names(database, "c")


def test_conversation_of_another_key_is_refused(database: Store) -> None:
    """As if it were not there."""
    chain(database, "a")
    with pytest.raises(PreviousNotFound):
        rows.conversation(database, "other", "a", now_ns=0, max_bytes=BOUND)


@pytest.mark.parametrize("status", ["queued", "in_progress", "failed", "cancelled"])
def test_answer_that_was_not_given_is_not_followed(database: Store, status: str) -> None:
    """The error says where it stands."""
    rows.insert(database, answer(status=status), ())
    with pytest.raises(BadRequest, match=status):
        names(database, "resp_1")


def test_conversation_over_the_bound_is_refused(database: Store) -> None:
    """At the bound it is not."""
    chain(database, "a", "b")
    num_bytes = len(b"".join(b"a-in a-out b-in b-out".split()))
    assert names(database, "b", max_bytes=num_bytes)
    with pytest.raises(BadRequest, match="compact"):
        names(database, "b", max_bytes=num_bytes - 1)


def test_answers_that_follow_each_other_in_a_circle_end(database: Store) -> None:
    """Ids that come from elsewhere may do anything."""
    rows.insert(database, answer("a", previous_id="b"), items("a1"))
    rows.insert(database, answer("b", previous_id="a"), items("b1"))
    assert names(database, "a") == ["b1", "a1"]
    kept = rows.find(database, "k", "a", 0)
    assert kept is not None
    assert [item.item_id for item in rows.input_of(database, kept)] == ["b1", "a1"]


def test_input_is_all_that_an_answer_was_made_of(database: Store) -> None:
    """Its own output is not; turns that were forgotten are left out."""
    chain(database, "a", "b", "c")
    kept = rows.find(database, "k", "c", 0)
    assert kept is not None
    found = [item.item_id for item in rows.input_of(database, kept)]
    assert found == ["a-in", "a-out", "b-in", "b-out", "c-in"]
    rows.delete(database, "k", "b")
    assert [item.item_id for item in rows.input_of(database, kept)] == ["c-in"]


def test_items_are_found_by_name_for_their_own_key(database: Store) -> None:
    """The newest of a name, with who keeps it, too."""
    rows.insert(database, answer("a", provider="openai", created_at_ns=1), items("x", "y"))
    rows.insert(database, answer("b", created_at_ns=2), items("y"))
    rows.insert(database, answer("c", key_id="other", created_at_ns=3), items("y", "z"))
    found = rows.items_named(database, "k", ["x", "y", "z", "none"])
    assert found == {"x": (b"x", "openai"), "y": (b"y", None)}


def test_sweep_takes_what_nobody_touched(database: Store) -> None:
    """With its items; what lies on the bound stays, and is found until it is swept."""
    for number in (1, 2, 3):
        rows.insert(database, answer(f"r{number}", created_at_ns=number), items("x"))
    assert rows.find(database, "k", "r1", 1) is not None
    assert rows.find(database, "k", "r1", 2) is None
    assert rows.sweep(database, 3) == 2
    assert [rows.find(database, "k", f"r{n}", 0) is not None for n in (1, 2, 3)] == [
        False,
        False,
        True,
    ]
    assert database.execute("SELECT response_id FROM response_items") == [("r3",)]


def test_conversation_that_goes_on_is_kept_whole(database: Store) -> None:
    """What an answer follows is touched with it, once a day; so no turn is swept alone."""
    chain(database, "a", "b")
    names(database, "b", now_ns=DAY_NS // 2)
    assert rows.find(database, "k", "a", 1) is None
    names(database, "b", now_ns=40 * DAY_NS)
    assert rows.sweep(database, 30 * DAY_NS) == 0
    assert names(database, "b")


def test_sweep_takes_so_many_at_a_time(database: Store) -> None:
    """Others wait for the lock meanwhile."""
    for number in range(rows.SWEEP_BATCH + 2):
        rows.insert(database, answer(f"r{number}"), ())
    assert [rows.sweep(database, 2) for _ in range(3)] == [rows.SWEEP_BATCH, 2, 0]
