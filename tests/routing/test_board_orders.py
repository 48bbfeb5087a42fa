"""Promises of the Board that hold in any order of events."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.choice import Room, Target
from slipstream.errors import (
    Busy,
    ConnectFailed,
    GatewayError,
    Rejected,
    StreamCut,
    TimedOut,
)
from slipstream.routing.board import Board
from tests.routing.outcomes import board_of, outcome


def _status(status: int, wait_s: float | None = None) -> Rejected:
    error = Rejected("words", upstream_status=status)
    error.retry_after_s = wait_s
    return error


TARGETS = (
    Target("groq", "m", "a"),
    Target("groq", "m", "b"),
    Target("groq", "n", "a"),
    Target("lab", "m"),
)
ERRORS: tuple[GatewayError | None, ...] = (
    None,
    _status(500),
    _status(404),
    _status(401),
    _status(503, 40.0),
    _status(400),
    Busy("429", retry_after_s=10.0),
    Busy("429"),
    ConnectFailed("no"),
    TimedOut("first_token", 5.0),
    StreamCut("cut"),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "begin", "end", "leave", "vanish", "cool", "room"]),
        st.integers(0, len(TARGETS) - 1),
        st.integers(0, len(ERRORS) - 1),
        st.floats(0.0, 30.0),
    ),
    max_size=120,
)


@dataclass
class _World:
    """A Board, and the attempts that a dispatch would have in flight."""

    board: Board
    now_s: float = 1000.0
    running: list[tuple[Target, float]] = field(default_factory=list)

    def begin(self, target: Target) -> None:
        wait_s = self.board.wait_s(target, self.now_s)
        is_let = self.board.begin(target, self.now_s)
        assert is_let is (wait_s == 0.0)
        if is_let:
            self.running.append((target, self.now_s))

    def end(self, index: int, error: GatewayError | None, *, is_left: bool) -> None:
        """End one; it takes at least a moment."""
        target, began_s = self.running.pop(index % len(self.running))
        self.now_s += 0.01
        total_s = self.now_s - began_s
        if is_left:
            told = outcome(target, state="cancelled", first_s=None, total_s=total_s)
        else:
            told = outcome(target, error=error, first_s=total_s / 2, total_s=total_s)
        self.board.note(told, self.now_s)
        self.board.end(target)

    def vanish(self, index: int) -> None:
        """End one of which nothing is told."""
        target, _ = self.running.pop(index % len(self.running))
        self.board.end(target)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 2**32))
def test_board_keeps_its_promises_in_any_order(
    steps: list[tuple[str, int, int, float]], seed: int
) -> None:
    """Counts are right and end at nothing, and no order makes a healthy target unreachable."""
    world = _World(board_of({"groq": ("a", "b")}, seed=seed))
    board = world.board
    for kind, target_number, number, step_s in steps:
        target = TARGETS[target_number]
        match kind:
            case "begin":
                world.now_s += step_s
                world.begin(target)
            case "cool":
                board.cool(f"target {target.name}", step_s * 20.0, world.now_s)
            case "room":
                board.note_room(target, Room(requests=number, requests_reset_s=step_s), world.now_s)
            case _ if not world.running:
                continue
            case "vanish":
                world.vanish(number)
            case _:
                world.end(target_number, ERRORS[number], is_left=kind == "leave")
        _assert_counted(world)
    while world.running:
        world.vanish(0)
    _assert_counted(world)
    _assert_all_recover(world)


def _assert_counted(world: _World) -> None:
    """Lanes know how many are in flight; no cooldown is longer than the bound."""
    running = Counter(target.name for target, _ in world.running)
    for target in TARGETS:
        lane = world.board.lane(target)
        assert lane.in_flight == running[target.name]
        assert sum(quota.in_flight for quota in lane.quotas) == lane.in_flight
        assert world.board.wait_s(target, world.now_s) <= 300.001


def _assert_all_recover(world: _World) -> None:
    """All targets are well from now on: each takes requests within the longest cooldown."""
    for target in TARGETS:
        world.now_s += world.board.wait_s(target, world.now_s)
        assert world.board.begin(target, world.now_s)
        world.running.append((target, world.now_s))
        world.end(0, None, is_left=False)
    for target in TARGETS:
        assert world.board.lane(target).blocked_until_s <= world.now_s + 30.0
        assert world.board.begin(target, world.now_s)
