"""One call's attempts from the ledger: all of them, in order, and no neighbour's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream.ledger.calls import attempts_of, nearest_calls, num_open
from slipstream.ledger.drain import drain_all
from slipstream.ledger.journal import Journal
from slipstream.ledger.notices import journal_directory
from slipstream.ledger.records import Opened, Settled
from slipstream.ledger.store import Store
from tests.ledger.samples import NOON_NS, new_home, opened, settled, store_in

CALL = "req-0a1b2c3d4e5f-1a"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an installation with an empty ledger."""
    return new_home(tmp_path / "home")


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """Return its ledger."""
    with store_in(home) as found:
        yield found


def record(home: Path, store: Store, *records: Opened | Settled) -> None:
    """Put attempts on record as a gateway does, and move them into the ledger."""
    journal = Journal(journal_directory(home))
    for each in records:
        if isinstance(each, Opened):
            journal.open(each)
        else:
            journal.settle(each)
    drain_all(store, journal_directory(home))
    journal.close()


def attempt(number: int, call_id: str = CALL, **changes: object) -> Opened:
    """Return a call's attempt."""
    fields = {"call_id": call_id, "number": number, "started_at_ns": NOON_NS + number}
    return opened(f"{call_id}-{number}", **(fields | changes))


def test_attempts_of_a_call_come_in_their_order(home: Path, store: Store) -> None:
    """Also where the first one ended last; with cause, outcome, times, tokens and cost."""
    record(
        home,
        store,
        attempt(1),
        attempt(2, provider="groq", credential="2", cause="hedge"),
        settled(f"{CALL}-2", cost_usd_pico=7, first_token_us=1_500, total_us=2_500),
        settled(f"{CALL}-1", "failed", None, error_code="upstream_timeout", http_status=504),
    )
    first, second = attempts_of(store, CALL)

    assert (first.number, first.cause, first.target_name) == (1, "first", "cerebras/gpt-oss-120b")
    assert (first.state, first.error_code, first.http_status) == ("failed", "upstream_timeout", 504)
    assert (first.cost_usd_pico, first.is_estimate) == (None, False)
    assert (second.number, second.cause, second.credential) == (2, "hedge", "2")
    assert (second.cost_usd_pico, second.first_token_us, second.total_us) == (7, 1_500, 2_500)
    assert (second.tokens["input_tokens"], second.tokens["output_tokens"]) == (10, 5)


@pytest.mark.parametrize("other", [f"{CALL}b", CALL[:-1], f"{CALL}-1", "zzz", ""])
def test_attempts_of_other_calls_are_none_of_it(home: Path, store: Store, other: str) -> None:
    """Ids are hexadecimal counts: one is the beginning of another."""
    record(home, store, attempt(1, other), settled(f"{other}-1"))
    assert attempts_of(store, CALL) == []
    assert num_open(store, CALL) == 0


def test_attempts_that_still_run_are_counted(home: Path, store: Store) -> None:
    """A call in progress is not unknown."""
    record(home, store, attempt(1), attempt(2), settled(f"{CALL}-1"))
    assert len(attempts_of(store, CALL)) == 1
    assert num_open(store, CALL) == 1


def test_nearest_calls_are_those_that_look_alike(home: Path, store: Store) -> None:
    """A slip of one letter finds the call that was meant; what is far from all finds none."""
    record(home, store, attempt(1), settled(f"{CALL}-1"), attempt(1, "other"), settled("other-1"))
    assert nearest_calls(store, CALL.replace("0a1b", "0a1c")) == [CALL]
    assert nearest_calls(store, "completely-different") == []
