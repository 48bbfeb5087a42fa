"""What an admin sees of targets."""

import msgspec
import pytest

from slipstream.choice import Room, Target
from slipstream.errors import Busy, Rejected
from slipstream.routing.standings import Standing
from tests.routing.outcomes import GROQ, board_of, outcome


def test_standing_of_an_unknown_target_says_so() -> None:
    """None where nothing is known, never 0."""
    board = board_of()
    board.lane(GROQ)
    (standing,) = board.standings(100.0)
    assert (standing.target, standing.state, standing.reason) == ("groq/m", "closed", "")
    assert (standing.first_token_p50_s, standing.first_token_p95_s) == (None, None)
    assert (standing.tokens_per_s, standing.samples) == (None, 0.0)
    assert standing.keys[0].requests_left is None


def test_standing_shows_times_room_and_what_is_in_flight() -> None:
    """Everything that the choice goes by."""
    board = board_of({"groq": ("a", "b")})
    for number in range(50):
        board.note(outcome(first_s=0.4, total_s=0.9, num_output=51), 100.0 + number)
    board.begin(Target("groq", "m", "b"), 150.0)
    board.note_room(Target("groq", "m", "b"), Room(requests=7, tokens=5000), 150.0)
    (standing,) = board.standings(150.0)
    assert standing.first_token_p50_s == pytest.approx(0.4, rel=0.13)
    assert standing.first_token_p95_s == pytest.approx(0.4, rel=0.13)
    assert standing.tokens_per_s == pytest.approx(100.0, rel=0.01)
    assert standing.failure_share == pytest.approx(0.0, abs=0.01)
    assert standing.in_flight == 1
    assert [(key.credential, key.in_flight, key.requests_left, key.tokens_left) for key in
            standing.keys] == [("a", 0, None, None), ("b", 1, 7.0, 5000.0)]  # fmt: skip


def test_standing_tells_state_reason_and_wait() -> None:
    """Open, then half-open, and why."""
    board = board_of()
    for _ in range(5):
        board.note(outcome(error=Rejected("no", upstream_status=500)), 100.0)
    (standing,) = board.standings(100.0)
    assert (standing.state, standing.reason) == ("open", "status 500")
    assert 0.8 <= standing.wait_s <= 1.2
    (standing,) = board.standings(102.0)
    assert (standing.state, standing.wait_s) == ("half_open", 0.0)


def test_standing_of_a_target_with_one_good_key_is_good() -> None:
    """One key of two is out of quota: the target answers, and the key's state is told."""
    board = board_of({"groq": ("a", "b")})
    busy = outcome(Target("groq", "m", "a"), error=Busy("429", retry_after_s=30.0))
    board.note(busy, 100.0)
    (standing,) = board.standings(100.0)
    assert standing.state == "closed"
    first, second = standing.keys
    assert [(breaker.state, breaker.reason) for breaker in first.breakers] == [
        ("closed", ""),
        ("open", "out of quota"),
    ]
    assert {breaker.state for breaker in second.breakers} == {"closed"}


def test_standings_are_sorted_and_can_be_sent() -> None:
    """The admin API sends them as they are."""
    board = board_of()
    for name in ("b", "a", "c"):
        board.lane(Target("groq", name))
    standings = board.standings(100.0)
    assert [standing.target for standing in standings] == ["groq/a", "groq/b", "groq/c"]
    sent = msgspec.json.encode(standings)
    assert msgspec.json.decode(sent, type=list[Standing]) == standings
