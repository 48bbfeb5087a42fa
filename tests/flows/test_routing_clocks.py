"""Clocks that jump, forth and back, by nothing or by years: board and planner stay sane."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.choice import Plan, Room, Strategy, Target
from slipstream.errors import (
    Busy,
    ConnectFailed,
    GatewayError,
    NoTarget,
    Rejected,
    TimedOut,
    UpstreamError,
)
from tests.routing.outcomes import board_of, outcome
from tests.routing.scenes import Scene

MAX_S = 300.0
PROBE_S = 1.0
TARGETS = (Target("a", "m"), Target("a", "n"), Target("b", "m"))

jumps = st.one_of(
    st.floats(0, 10),
    st.floats(0, 1000),
    st.floats(-1e9, 1e9),
    st.sampled_from([0.0, -0.001, -1.0, -3600.0, 3600.0, 3.2e7, -3.2e7]),
)
durations = st.one_of(st.floats(0, 5), st.sampled_from([0.0, 1e-9, 600.0, 1e7]))
moves = st.tuples(
    st.integers(0, len(TARGETS) - 1),
    jumps,
    st.sampled_from(
        ["complete", "cancelled", "outraced", "busy", "refused", "late", "gone", "broken", "room"]
    ),
    durations,
    st.one_of(st.none(), st.floats(0, 1e5)),
)


def error_of(what: str, wait_s: float | None) -> GatewayError | None:
    """Return what an attempt of this ending failed with."""
    match what:
        case "busy":
            return Busy("busy", retry_after_s=wait_s)
        case "refused":
            return Rejected("no", upstream_status=401)
        case "late":
            return TimedOut("first_token", 1.0)
        case "gone":
            return ConnectFailed("gone")
        case "broken":
            return Rejected("broken", upstream_status=500)
    return None


@dataclass
class Played:
    """A board under a clock that is set at will."""

    seed: int
    now_s: float = 1e6

    def __post_init__(self) -> None:
        self.board = board_of(seed=self.seed, max_cooldown_s=MAX_S)

    def play(self, move: tuple[int, float, str, float, float | None]) -> None:
        """Begin an attempt, jump, end it in its way."""
        index, jump_s, what, total_s, wait_s = move
        target = TARGETS[index]
        is_let_through = self.board.begin(target, self.now_s)
        self.now_s = max(self.now_s + jump_s, 0.0)
        self.board.is_open(target, self.now_s)  # a clock that nobody looks at has not jumped
        if what == "room":
            told = Room(requests=index, requests_reset_s=wait_s, tokens=0, tokens_reset_s=total_s)
            self.board.note_room(target, told, self.now_s)
        if not is_let_through:
            return
        error = error_of(what, wait_s)
        state: Any = "failed" if error else "complete" if what == "room" else what
        self.board.note(outcome(target, state=state, error=error, total_s=total_s), self.now_s)
        self.board.end(target)

    def check(self) -> None:
        """Whatever has been: figures are numbers, and nobody waits longer than the bound."""
        for target in TARGETS:
            wait_s = self.board.wait_s(target, self.now_s)
            assert 0.0 <= wait_s <= MAX_S + PROBE_S, wait_s
            assert self.board.is_open(target, self.now_s) == (wait_s > 0)
            lane = self.board.lane(target)
            first_s, total_s = lane.expect_s(200.0, 1000.0)
            assert 0.0 <= first_s <= total_s < 1e9
            assert math.isfinite(total_s)
            assert lane.in_flight == 0
            assert lane.samples_at(self.now_s) >= 0.0
            quantile_s = lane.first_token_quantile_s(0.95)
            assert quantile_s is None or 0.0 <= quantile_s < 1e9
        assert len(self.board.standings(self.now_s)) == len(TARGETS)


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=30), st.integers(0, 3))
def test_board_bears_any_jump_of_its_clock(
    played: list[tuple[int, float, str, float, float | None]], seed: int
) -> None:
    """Waits stay within the longest cooldown, figures finite, nothing is counted twice."""
    scene = Played(seed)
    for move in played:
        scene.play(move)
        scene.check()


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=30), st.integers(0, 3))
def test_target_is_found_again_after_the_longest_cooldown_whatever_the_clock_did(
    played: list[tuple[int, float, str, float, float | None]], seed: int
) -> None:
    """Time that passes as it should ends every cooldown; a success then closes what was open."""
    scene = Played(seed)
    for move in played:
        scene.play(move)
    for target in TARGETS:
        scene.now_s += MAX_S + PROBE_S
        assert scene.board.begin(target, scene.now_s)
        scene.now_s += 1.0
        scene.board.note(outcome(target, total_s=1.0), scene.now_s)
        scene.board.end(target)
        assert not scene.board.is_open(target, scene.now_s)


STRATEGIES: tuple[Strategy, ...] = (
    "ordered",
    "weighted",
    "cheapest",
    "fastest",
    "balanced",
    "race",
)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=30, deadline=None)
@given(st.lists(moves, max_size=20), st.integers(0, 3))
def test_planner_bears_any_jump_of_its_clocks(
    strategy: Strategy,
    played: list[tuple[int, float, str, float, float | None]],
    seed: int,
) -> None:
    """A plan has each target once, at most; a refusal says when to come back, within the bound."""
    names = [target.name for target in TARGETS]
    scene = Scene(names, strategy=strategy, explore=0.1, seed=seed)
    for index, jump_s, what, total_s, wait_s in played:
        error = error_of(what, wait_s)
        if error is not None:
            scene.fail(names[index], error, took_s=total_s)
        else:
            scene.answer(names[index], first_s=total_s / 2, total_s=total_s)
        scene.now_s = max(scene.now_s + jump_s, 0.0)
        scene.wall_ns += int(jump_s * 1e9)
        scene.board.is_open(TARGETS[0], scene.now_s)  # as attempts do all the time
        plan = plan_or_wait(scene)
        if plan is None:
            continue
        found = [each.name for each in plan.targets]
        assert len(found) == len(set(found))
        assert set(found) <= set(names)
        assert plan.hedge_s is None or 0.0 <= plan.hedge_s < 1e9


def plan_or_wait(scene: Scene) -> Plan | None:
    """Plan; where all are left alone, check that what is said of it can be believed."""
    try:
        return scene.plan()
    except NoTarget as exc:
        refusal = exc
    assert refusal.status == 503
    assert refusal.retry_after_s is not None
    assert 0.0 <= refusal.retry_after_s <= MAX_S + PROBE_S
    return None


def test_errors_of_the_table_are_faults_of_upstreams() -> None:
    """Else the tests above would cool nothing."""
    kinds = [error_of(what, None) for what in ("busy", "refused", "late", "gone", "broken")]
    assert all(isinstance(error, UpstreamError) for error in kinds)
