"""The Board as dispatch and the planner meet it: who is left alone, for what, and for how long."""

import math
import random
from collections import Counter

import pytest

from slipstream.call import Outcome
from slipstream.choice import Room, Target
from slipstream.errors import (
    BadRequest,
    Busy,
    ConnectFailed,
    GatewayError,
    Rejected,
    TimedOut,
)
from slipstream.routing.board import Board
from tests.routing.outcomes import GROQ, board_of, outcome

OTHER = Target("groq", "other")
LAB = Target("lab", "m")


def _status(status: int, wait_s: float | None = None) -> Rejected:
    error = Rejected("words", upstream_status=status)
    error.retry_after_s = wait_s
    return error


def _try(board: Board, told: Outcome, now_s: float) -> bool:
    """Make one attempt that ends as told at a moment; return whether it was let through."""
    target = told.attempt.target
    if not board.begin(target, now_s - told.total_s):
        return False
    board.note(told, now_s)
    board.end(target)
    return True


def _open(board: Board, target: Target, now_s: float) -> None:
    """Let a target fail until it is left alone for about a second."""
    for number in range(5):
        assert _try(board, outcome(target, error=_status(500), total_s=0.01), now_s + number / 100)


def test_begin_and_end_count() -> None:
    """What is in flight is known of each lane, and ends at nothing."""
    board = board_of()
    for _ in range(3):
        assert board.begin(GROQ, 100.0)
    assert board.lane(GROQ).in_flight == 3
    for _ in range(5):
        board.end(GROQ)
    assert board.lane(GROQ).in_flight == 0
    board.end(Target("nobody", "m"))


def test_target_faults_leave_the_target_alone_and_no_other() -> None:
    """Invariant 7: its provider's other models go on."""
    board = board_of()
    _open(board, GROQ, 100.0)
    assert board.is_open(GROQ, 100.1)
    assert 0.5 < board.wait_s(GROQ, 100.1) < 1.3
    assert not board.begin(GROQ, 100.1)
    assert board.lane(GROQ).in_flight == 0
    assert not board.is_open(OTHER, 100.1)
    assert board.wait_s(OTHER, 100.1) == 0.0


def test_connect_failures_leave_the_whole_provider_alone() -> None:
    """Three connections that fail, of whichever models, are the provider's."""
    board = board_of()
    for number, target in enumerate((GROQ, OTHER, GROQ)):
        assert _try(board, outcome(target, error=ConnectFailed("no")), 101.0 + number)
    third = Target("groq", "third")
    assert board.is_open(third, 103.1)
    assert board.lane(third).blocked_until_s > 103.1
    assert not board.is_open(LAB, 103.1)


def test_any_answer_shows_that_the_provider_is_reached() -> None:
    """A 500 between failed connections is an answer: the way is open."""
    board = board_of()
    for number in range(6):
        error: GatewayError = _status(400) if number % 2 else ConnectFailed("no")
        _try(board, outcome(error=error), 101.0 + 2.0 * number)
    assert not board.is_open(GROQ, 112.0)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_refused_key_is_left_alone_with_all_models_and_other_keys_go_on(status: int) -> None:
    """For a minute at first: somebody has to mend it."""
    board = board_of({"groq": ("a", "b")})
    first, second = Target("groq", "m", "a"), Target("groq", "m", "b")
    _try(board, outcome(first, error=_status(status)), 101.0)
    assert 40.0 < board.wait_s(first, 101.0) < 80.0
    assert board.is_open(Target("groq", "other", "a"), 101.0)
    assert not board.is_open(second, 101.0)
    lane = board.lane(GROQ)
    assert {lane.credential(101.0) for _ in range(20)} == {"b"}
    assert lane.blocked_until_s == 0.0
    assert lane.failure_share < 0.03


def test_forbidden_model_is_no_bad_key() -> None:
    """A key that worked a moment ago and may not use this model goes on with the others."""
    board = board_of()
    _try(board, outcome(OTHER), 101.0)
    _try(board, outcome(GROQ, error=_status(403)), 102.0)
    assert board.is_open(GROQ, 103.0)
    assert not board.is_open(OTHER, 103.0)


def test_quota_leaves_one_model_with_one_key_alone_for_as_long_as_it_asks() -> None:
    """Retry-After is honoured, never less of it."""
    board = board_of({"groq": ("a", "b")})
    first = Target("groq", "m", "a")
    _try(board, outcome(first, error=Busy("429", retry_after_s=20.0)), 101.0)
    assert 20.0 <= board.wait_s(first, 101.0) <= 22.0
    assert not board.is_open(Target("groq", "other", "a"), 101.0)
    assert not board.is_open(Target("groq", "m", "b"), 101.0)


def test_overload_with_a_wait_is_honoured() -> None:
    """A 503 that says when to come back, whatever the key."""
    board = board_of({"groq": ("a", "b")})
    _try(board, outcome(Target("groq", "m", "a"), error=_status(503, 7.0)), 101.0)
    assert 7.0 <= board.wait_s(Target("groq", "m", "b"), 101.0) <= 7.7


def test_missing_model_is_left_alone_at_once() -> None:
    """It does not heal by itself."""
    board = board_of()
    _try(board, outcome(error=_status(404)), 101.0)
    assert board.wait_s(GROQ, 101.0) > 40.0


def test_missing_thing_of_a_model_that_works_is_the_callers() -> None:
    """A 404 for a response id that nobody knows must not shut a target to everybody."""
    board = board_of()
    _try(board, outcome(), 101.0)
    for number in range(20):
        assert _try(board, outcome(error=_status(404)), 103.0 + 2.0 * number)
    assert not board.is_open(GROQ, 143.0)


@pytest.mark.parametrize(
    "told",
    [
        outcome(error=_status(400)),
        outcome(error=BadRequest("bad")),
        outcome(state="cancelled", first_s=None),
        outcome(state="cancelled"),
        outcome(state="outraced", first_s=None),
        outcome(error=RuntimeError("ours")),
    ],
)
def test_callers_faults_and_those_who_left_cool_nothing(told: Outcome) -> None:
    """However often."""
    board = board_of()
    for number in range(50):
        assert _try(board, told, 102.0 + 2.0 * number)
    assert board.lane(GROQ).failure_share == pytest.approx(0.02)


def test_instant_emptiness_is_a_failure() -> None:
    """A provider that answers at once with nothing does not look fast."""
    board = board_of()
    before = board.lane(GROQ).first_token_s
    for number in range(5):
        nothing = outcome(first_s=None, total_s=0.001, num_output=0)
        _try(board, nothing, 101.0 + number / 10)
    assert board.is_open(GROQ, 101.5)
    assert board.lane(GROQ).first_token_s == before
    assert board.lane(GROQ).failing_s > 0.25


def test_timeouts_do_not_bend_what_a_target_takes() -> None:
    """Half of its answers come after the deadline: it is expected to take as long as that."""
    board = board_of()
    for number in range(200):
        late = outcome(error=TimedOut("first_token", 3.0), total_s=3.0)
        _try(board, late if number % 2 else outcome(), 110.0 + 10.0 * number)
    assert board.lane(GROQ).first_token_s > 1.5


def test_outage_is_forgotten_when_it_is_over() -> None:
    """A hundred requests that timed out together leave a target as good as it was before."""
    board = board_of()
    for number in range(100):
        _try(board, outcome(), 102.0 + number)
    before_s = board.lane(GROQ).expect_s(100.0, 100.0)[1]
    for _ in range(100):
        assert board.begin(GROQ, 210.0)
    for _ in range(100):
        board.note(outcome(error=TimedOut("first_token", 10.0), total_s=10.0), 220.0)
        board.end(GROQ)
    for number in range(5):
        _try(board, outcome(), 240.0 + 2.0 * number)
    assert board.lane(GROQ).expect_s(100.0, 100.0)[1] < 2.0 * before_s


def test_out_of_quota_is_not_unreliable() -> None:
    """A target whose limit is met now and then is as good as ever while it has room."""
    board = board_of()
    for number in range(50):
        _try(board, outcome(error=Busy("429", retry_after_s=1.0)), 105.0 + 5.0 * number)
    assert board.lane(GROQ).failure_share == pytest.approx(0.02)


def test_half_open_lets_one_probe_through_and_a_success_closes() -> None:
    """One at a time, then everybody."""
    board = board_of()
    _open(board, GROQ, 100.0)
    assert board.begin(GROQ, 102.0)
    assert not board.begin(GROQ, 102.0)
    assert board.wait_s(GROQ, 102.0) > 0.0
    board.note(outcome(total_s=0.5), 102.5)
    board.end(GROQ)
    assert all(board.begin(GROQ, 102.5) for _ in range(10))
    assert not board.lane(GROQ).is_on_trial


@pytest.mark.parametrize("state", ["cancelled", "outraced"])
def test_probe_that_was_left_frees_its_place(state: str) -> None:
    """Nobody knows more than before, so the next one may look."""
    board = board_of()
    _open(board, GROQ, 100.0)
    assert board.begin(GROQ, 102.0)
    board.note(outcome(state=state, first_s=None, total_s=0.5), 102.5)  # type: ignore[arg-type]
    assert board.begin(GROQ, 102.5)
    board.end(GROQ)
    assert not board.begin(GROQ, 102.5)
    board.end(GROQ)
    assert board.begin(GROQ, 102.6)


def test_probe_that_was_never_asked_frees_its_place_when_it_ends() -> None:
    """A journal that cannot be written ends an attempt of which nothing is told."""
    board = board_of()
    _open(board, GROQ, 100.0)
    assert board.begin(GROQ, 102.0)
    board.end(GROQ)
    assert board.begin(GROQ, 102.0)


def test_older_attempts_neither_free_nor_close_nor_double() -> None:
    """What began before the trouble says nothing of what is now."""
    board = board_of()
    for _ in range(3):
        assert board.begin(GROQ, 99.0)
    _open(board, GROQ, 100.0)
    assert board.begin(GROQ, 102.0)
    for told in (
        outcome(total_s=3.5),
        outcome(error=_status(500), total_s=3.5),
        outcome(state="cancelled", first_s=None, total_s=3.5),
    ):
        board.note(told, 102.5)
        board.end(GROQ)
        assert not board.begin(GROQ, 102.5)
    board.note(outcome(error=_status(500), total_s=1.0), 103.0)
    board.end(GROQ)
    assert 1.5 < board.wait_s(GROQ, 103.0) < 2.5


def test_probe_of_a_provider_is_one_for_all_its_models() -> None:
    """While one request looks whether the way is open, the others do not."""
    board = board_of()
    for number in range(3):
        _try(board, outcome(error=ConnectFailed("no"), total_s=0.01), 100.0 + number / 100)
    assert board.begin(OTHER, 102.0)
    assert not board.begin(GROQ, 102.0)
    assert board.lane(GROQ).blocked_until_s == math.inf
    board.note(outcome(OTHER, total_s=0.5), 102.5)
    assert board.begin(GROQ, 102.5)


def test_room_steers_and_does_not_forbid() -> None:
    """The planner passes by what has no room; a request that names its target is let through."""
    board = board_of({"groq": ("a", "b")})
    for label in ("a", "b"):
        room = Room(requests=1, requests_reset_s=30.0)
        board.note_room(Target("groq", "m", label), room, 100.0)
    lane = board.lane(GROQ)
    assert lane.blocked_until_s == 0.0
    used = Counter[str]()
    for _ in range(2):
        label = lane.credential(100.0)
        used[label] += 1
        assert board.begin(Target("groq", "m", label), 100.0)
    assert used == {"a": 1, "b": 1}
    assert lane.blocked_until_s == 130.0
    assert board.begin(Target("groq", "m", "a"), 100.0)
    assert not board.is_open(GROQ, 100.0)
    assert board.begin(Target("groq", "m", "a"), 131.0)
    assert lane.blocked_until_s == 0.0


def test_on_cooled_tells_what_began_to_cool_once() -> None:
    """Other gateways hear of a step, not of each failure in it."""
    board, told = board_of({"groq": ("a", "b")}), []
    board.on_cooled = lambda scope, seconds, reason: told.append((scope, round(seconds), reason))
    for _ in range(30):
        board.note(outcome(error=_status(500)), 100.0)
    board.note(outcome(Target("lab", "m"), error=_status(401)), 100.0)
    board.note(outcome(Target("groq", "x/y", "b"), error=Busy("", retry_after_s=30.0)), 100.0)
    for _ in range(9):
        board.note(outcome(Target("far", "m"), error=ConnectFailed("no")), 100.0)
    assert [(scope, reason) for scope, _, reason in told] == [
        ("target groq/m", "status 500"),
        ("key lab#default", "key refused (status 401)"),
        ("lane groq/x/y#b", "out of quota"),
        ("provider far", "no connection"),
    ]


@pytest.mark.parametrize(
    "scope", ["target groq/m", "provider groq", "key groq#default", "lane groq/m#default"]
)
def test_cool_of_another_gateway_is_as_good_as_ours(scope: str) -> None:
    """Left alone for as long, then probed; and not told on."""
    board, told = board_of(), []
    board.on_cooled = lambda *heard: told.append(heard)
    board.cool(scope, 20.0, 100.0)
    assert board.wait_s(GROQ, 100.0) == pytest.approx(20.0)
    board.cool(scope, 5.0, 100.0)
    assert board.wait_s(GROQ, 100.0) == pytest.approx(20.0)
    assert board.begin(GROQ, 120.0)
    assert not board.begin(GROQ, 120.0)
    assert told == []


def test_wake_lets_a_probe_look_before_its_time() -> None:
    """A list of models that is answered again is a sign of health; a wait asked for stays."""
    board = board_of()
    _open(board, GROQ, 100.0)
    board.wake("target groq/m", 100.1)
    assert board.begin(GROQ, 100.1)
    assert not board.begin(GROQ, 100.1)
    _try(board, outcome(LAB, error=_status(503, 30.0)), 101.0)
    board.wake("target lab/m", 102.0)
    assert board.wait_s(LAB, 102.0) >= 29.0


def test_is_roomier_needs_to_know_both() -> None:
    """A context that nobody knows is not known to be larger."""
    board = board_of(contexts={"small": 8_000, "large": 128_000})
    small, large, unknown = (Target("groq", name) for name in ("small", "large", "unknown"))
    assert board.is_roomier(large, small)
    assert not board.is_roomier(small, large)
    assert not board.is_roomier(large, large)
    assert not board.is_roomier(unknown, small)
    assert not board.is_roomier(large, unknown)


@pytest.mark.parametrize("jump_s", [-1e6, -3600.0, -5.0, -0.5, 5.0, 3600.0, 1e9])
def test_clock_that_jumps_does_no_harm(jump_s: float) -> None:
    """A second of cooldown is over a second later at most, and estimates go on."""
    board, start_s = board_of(), 2e6
    for number in range(50):
        _try(board, outcome(first_s=0.4, total_s=0.9), start_s + number)
    _open(board, GROQ, start_s + 50.0)
    now_s = start_s + 50.1 + jump_s
    assert board.wait_s(GROQ, now_s) < 2.0
    now_s += 2.0
    assert _try(board, outcome(first_s=0.4, total_s=0.9), now_s + 0.9)
    for number in range(50):
        assert _try(board, outcome(first_s=0.8, total_s=1.3), now_s + 2.0 + number)
    assert board.lane(GROQ).first_token_s == pytest.approx(0.8, rel=0.25)


def test_target_that_recovers_is_used_again_whatever_went_before() -> None:
    """An outage of an hour, one request a second: a probe finds the end of it within the bound."""
    board, now_s = board_of(max_cooldown_s=60.0), 100.0
    num_tried = 0
    while now_s < 3700.0:
        num_tried += _try(board, outcome(error=_status(502), total_s=0.1), now_s)
        now_s += 1.0
    assert num_tried < 100
    answered = [s for s in range(61) if _try(board, outcome(total_s=0.1), now_s + s)]
    assert answered[0] <= 60
    assert answered[-1] == 60


def test_jitter_comes_from_the_given_random_numbers() -> None:
    """The same seed, the same cooldowns: simulations can be run again."""

    def waits(seed: int) -> list[float]:
        board = board_of(seed=seed)
        found = []
        for number in range(20):
            target = Target("groq", str(number))
            board.note(outcome(target, error=Busy("429")), 100.0)
            found.append(board.wait_s(target, 100.0))
        return found

    assert waits(1) == waits(1)
    assert waits(1) != waits(2)
    assert len({round(wait_s, 6) for wait_s in waits(3)}) == 20


def test_keys_share_the_load_of_one_model() -> None:
    """Three keys of which nothing is known get the same."""
    board, rng = board_of({"groq": ("a", "b", "c")}), random.Random(4)
    lane, counts, running = board.lane(GROQ), Counter[str](), []
    for _ in range(600):
        label = lane.credential(100.0)
        counts[label] += 1
        target = Target("groq", "m", label)
        assert board.begin(target, 100.0)
        running.append(target)
        if len(running) > 20:
            board.end(running.pop(rng.randrange(len(running))))
    assert max(counts.values()) - min(counts.values()) < 60
