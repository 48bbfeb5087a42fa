"""Races in virtual time: who starts when, who wins, and what becomes of everybody else."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.call import Call, Frame, Frames
from slipstream.choice import Deadlines, Target
from slipstream.errors import (
    BadRequest,
    Broken,
    Busy,
    ConnectFailed,
    Exhausted,
    LedgerUnavailable,
    StreamCut,
)
from tests.dispatch.scene import (
    DONE,
    QUIET,
    STOP,
    WHOLE,
    Leaf,
    Scene,
    Script,
    Step,
    with_wishes,
    word,
)
from tests.dispatch.virtual_time import run_virtual

FOREVER = float("inf")
A, B, C = word("a"), word("b"), word("c")


def race(
    *scripts: Script | list[Script], hedge_s: float = 1.0, runners: int = 2, **plan: Any
) -> Scene:
    """Make a race over leaves a, b, c …."""
    return Scene(*scripts, strategy="race", hedge_s=hedge_s, max_runners=runners, **plan)


def test_first_that_is_fast_enough_runs_alone() -> None:
    """No second runner starts before its time."""
    scene = race((0.9, A, DONE), (B, DONE))
    assert run_virtual(scene.run()) is None
    assert (scene.tried, scene.data) == ("a", A.data + DONE.data)
    assert scene.book.states == ["complete"]


def test_next_starts_beside_a_silent_one_and_wins() -> None:
    """After hedge_s without meaning; silence is none. The loser is closed at the win."""
    scene = race((QUIET, 5.0, A, DONE), (0.5, B, 1.0, B, DONE))
    assert run_virtual(scene.run()) is None
    assert scene.data == B.data * 2 + DONE.data
    assert scene.leaves["b"].began_s == [1001.0]
    assert scene.leaves["a"].closed_s == [1001.5]
    assert scene.book.states == ["outraced", "complete"]
    assert [each.cause for each in scene.book.opened.values()] == ["first", "hedge"]
    assert scene.outcomes == [("a", "first", "outraced"), ("b", "hedge", "ok")]
    assert scene.receipt.num_attempts == 2
    assert [told.error for told in scene.told] == [None, None]


def test_first_may_win_although_another_has_started() -> None:
    """The hedge is closed, not the one that speaks first."""
    scene = race((1.5, A, DONE), (FOREVER,))
    assert run_virtual(scene.run()) is None
    assert scene.data == A.data + DONE.data
    assert scene.leaves["b"].closed_s == [1001.5]
    assert scene.outcomes == [("a", "first", "ok"), ("b", "hedge", "outraced")]


def test_all_start_at_once_without_a_delay() -> None:
    """As many as may run."""
    scene = race((3.0, A, DONE), (2.0, B, DONE), (1.0, C, DONE), hedge_s=0.0, runners=3)
    assert run_virtual(scene.run()) is None
    assert scene.data == C.data + DONE.data
    assert [leaf.began_s for leaf in scene.leaves.values()] == [[1000.0]] * 3
    assert [leaf.closed_s for leaf in scene.leaves.values()] == [[1001.0]] * 3


def test_all_at_once_are_no_more_than_may_run() -> None:
    """The third is left out while both run."""
    scene = race((3.0, A, DONE), (2.0, B, DONE), (C, DONE), hedge_s=0.0)
    assert run_virtual(scene.run()) is None
    assert (scene.tried, scene.data) == ("ab", B.data + DONE.data)


def test_failed_runner_is_replaced_at_once() -> None:
    """A failure is not waited for: the next one starts in the same moment, as a fallback."""
    scene = race((0.25, ConnectFailed("gone")), (0.5, B, DONE), hedge_s=10.0)
    assert run_virtual(scene.run()) is None
    assert scene.leaves["b"].began_s == [1000.25]
    assert scene.outcomes == [("a", "first", "upstream_unreachable"), ("b", "fallback", "ok")]


def test_no_more_run_at_a_time_than_the_plan_has_room_for() -> None:
    """The third one waits until a runner has failed."""
    scene = race((5.0, Broken("a")), (9.0, B, DONE), (1.0, C, DONE), hedge_s=1.0)
    assert run_virtual(scene.run()) is None
    assert scene.leaves["c"].began_s == [1005.0]
    assert scene.data == C.data + DONE.data
    assert scene.book.states == ["failed", "outraced", "complete"]


def test_runners_count_against_the_budget_of_attempts() -> None:
    """Two attempts are two, however they run."""
    scene = race((5.0, Broken("a")), (5.0, Broken("b")), (C, DONE), max_attempts=2)
    error = run_virtual(scene.run())
    assert isinstance(error, Exhausted)
    assert scene.tried == "ab"
    assert [name for name, _ in error.attempts] == ["a/m", "b/m"]
    assert [tried.outcome for tried in error.tried] == ["upstream_broken"] * 2
    assert error.plan is scene.plan


def test_all_runners_failing_is_told_with_every_one_of_them() -> None:
    """As one after another."""
    scene = race((0.5, Broken("a")), (0.25, Busy("b", retry_after_s=3.0)), (9.0, StreamCut("c")))
    error = run_virtual(scene.run())
    assert isinstance(error, Exhausted)
    assert {name for name, _ in error.attempts} == {"a/m", "b/m", "c/m"}
    assert scene.book.states == ["failed", "failed", "cut"]


def test_failure_that_nobody_mends_starts_nobody_and_lets_those_win_that_run() -> None:
    """What the second runner is asked is paid for already; a third would be told the same."""
    scene = race((2.0, BadRequest("a")), (3.0, B, DONE), (C, DONE), runners=3, hedge_s=1.5)
    assert run_virtual(scene.run()) is None
    assert (scene.tried, scene.data) == ("ab", B.data + DONE.data)


def test_failure_that_nobody_mends_is_the_verdict_though_others_fail_later() -> None:
    """The client hears what it can mend."""
    scene = race((2.0, BadRequest("mine")), (3.0, Broken("b")))
    error = run_virtual(scene.run())
    assert isinstance(error, Exhausted)
    assert (error.status, error.message) == (400, "mine")


def test_two_that_commit_in_the_same_turn_have_one_winner() -> None:
    """The other's answer is closed and never seen, and its row says that it lost."""
    scene = race((1.0, A, DONE), (1.0, B, DONE), hedge_s=0.0)
    assert run_virtual(scene.run()) is None
    assert scene.data == A.data + DONE.data
    assert scene.book.states == ["complete", "outraced"]
    assert scene.outcomes == [("a", "first", "ok"), ("b", "hedge", "outraced")]


def test_two_plain_answers_in_the_same_turn_have_one_winner() -> None:
    """Each is whole when it comes: one is complete, the other outraced with what it cost."""
    call = with_wishes(is_stream=False)
    scene = race((1.0, WHOLE), (1.0, WHOLE), hedge_s=0.0, call=call)
    assert run_virtual(scene.run()) is None
    assert scene.data == WHOLE.data
    assert scene.book.states == ["complete", "outraced"]


def test_runner_that_speaks_although_it_was_cancelled_is_closed_at_once() -> None:
    """Whatever a leaf makes of a cancellation, there is one winner, and it stays the winner."""

    class _Stubborn(Leaf):
        async def __call__(self, call: Call) -> Frames:
            played = super().__call__(call)
            try:
                await anext(played)
            except asyncio.CancelledError:
                yield B
                yield B

    scene = race((1.0, A, 60.0, A, DONE), (B,), hedge_s=0.0)
    scene.leaves["b"] = _Stubborn((FOREVER,))
    assert run_virtual(scene.run()) is None
    assert scene.data == A.data * 2 + DONE.data
    assert scene.health.ended_s == [1001.0, 1061.0]
    assert scene.book.states == ["complete", "outraced"]


@pytest.mark.parametrize("num_frames", [1, 2], ids=["after the first", "after the second"])
def test_client_that_leaves_after_the_win_leaves_nothing_behind(num_frames: int) -> None:
    """The winner is cancelled, the loser outraced; `run_virtual` finds no task."""
    scene = race((5.0, A, DONE), (0.5, B, 1.0, B, DONE))
    assert run_virtual(scene.run(max_frames=num_frames)) is None
    assert scene.book.states == ["outraced", "cancelled"]


@pytest.mark.parametrize(("after_s", "num_runners"), [(0.5, 1), (1.25, 2), (7.0, 2)], ids=str)
def test_client_that_leaves_during_the_race_closes_every_runner(
    after_s: float, num_runners: int
) -> None:
    """At once, and nobody is called a loser: nobody has won."""
    scene = race((FOREVER,), (FOREVER,))

    async def leave() -> float:
        task = asyncio.create_task(scene.run())
        await asyncio.sleep(after_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.get_running_loop().time()

    assert run_virtual(leave()) == 1000.0 + after_s
    assert scene.book.states == ["cancelled"] * num_runners


def test_cut_after_the_win_is_never_retried() -> None:
    """Rule 3 of every strategy."""
    scene = race((5.0, A, DONE), (0.5, B, 9.0, StreamCut("late")), (C, DONE))
    assert isinstance(run_virtual(scene.run()), StreamCut)
    assert (scene.tried, scene.data) == ("ab", B.data)
    assert scene.book.states == ["outraced", "cut"]


def test_answer_without_a_word_wins_no_race() -> None:
    """Whoever says nothing first is passed by whoever says something later."""
    scene = race((0.5, STOP, DONE), (3.0, B, DONE))
    assert run_virtual(scene.run()) is None
    assert scene.data == B.data + DONE.data
    assert scene.outcomes == [("a", "first", "empty_answer"), ("b", "fallback", "ok")]


def test_answer_without_a_word_is_handed_on_when_all_others_fail() -> None:
    """It is an answer after all."""
    scene = race((2.0, STOP, DONE), (3.0, Broken("b")))
    assert run_virtual(scene.run()) is None
    assert scene.data == STOP.data + DONE.data


def test_target_that_is_left_alone_takes_no_runner() -> None:
    """It is passed over as one after another: no attempt, no row."""
    scene = race((5.0, A, DONE), (B, DONE), (0.5, C, DONE))
    scene.health.open_until_s["b/m"] = 5000.0
    assert run_virtual(scene.run()) is None
    assert (scene.tried, scene.data) == ("ac", C.data + DONE.data)


def test_probe_is_called_one() -> None:
    """An attempt at a target of which nobody knows whether it is back."""
    scene = race((FOREVER,), (B, DONE), probes=frozenset({Target("a", "m")}))
    assert run_virtual(scene.run()) is None
    assert scene.outcomes == [("a", "probe", "outraced"), ("b", "hedge", "ok")]


def test_runner_that_waits_for_its_turn_is_no_attempt() -> None:
    """A place that does not come in time costs nothing, and is not waited for after the race."""
    scene = race((FOREVER,), (1.0, B, DONE), hedge_s=0.5, max_concurrent=lambda target: 1)

    async def beside_another() -> None:
        plan, scene.plan = scene.plan, msgspec.structs.replace(scene.plan, hedge_s=None)
        holder = scene.serve(with_wishes(call_id="holder"))
        pulling = asyncio.ensure_future(anext(holder))
        await asyncio.sleep(0.25)  # by now it has the one place at a
        scene.plan = plan
        assert await scene.read() is None
        pulling.cancel()
        await asyncio.wait([pulling])
        await holder.aclose()

    run_virtual(beside_another())
    scene.check()
    assert scene.data == B.data + DONE.data
    assert list(scene.book.opened) == ["holder-1", "c1-1"]
    assert scene.book.opened["c1-1"].provider == "b"


def test_defect_of_a_runner_goes_up_and_closes_the_others() -> None:
    """What is no error of ours is no failure to go on from."""
    scene = race((2.0, ZeroDivisionError()), (FOREVER,))
    with pytest.raises(ZeroDivisionError):
        run_virtual(scene.run())
    assert scene.book.states == ["failed", "cancelled"]


def test_ledger_that_refuses_the_second_runner_leaves_the_first() -> None:
    """Nothing is sent that cannot be put on record; what runs may win."""
    scene = race((3.0, A, DONE), (B, DONE), (C, DONE), runners=3)
    scene.book.refuses_at, scene.book.error = 2, LedgerUnavailable("full")
    assert run_virtual(scene.run()) is None
    assert scene.data == A.data + DONE.data
    assert list(scene.leaves["b"].began_s) == []
    assert scene.health.num_begun == 2


_steps = st.lists(
    st.sampled_from([QUIET, A, STOP, DONE, WHOLE])
    | st.sampled_from([Broken("x"), Busy("x", retry_after_s=1.0), BadRequest("x"), StreamCut("x")])
    | st.sampled_from([0.0, 0.5, 1.0, 3.0, FOREVER]),
    max_size=5,
).map(tuple)


@settings(deadline=None, max_examples=300)
@given(
    scripts=st.lists(_steps, min_size=1, max_size=4),
    hedge_s=st.sampled_from([None, 0.0, 0.5, 1.0]),
    runners=st.integers(1, 4),
    max_attempts=st.integers(1, 5),
    leaves_after_s=st.sampled_from([None, 0.0, 0.5, 1.0, 2.0]),
    max_frames=st.sampled_from([None, 1, 2]),
    opens=st.frozensets(st.sampled_from("abcd")),
    refuses_at=st.sampled_from([None, 1, 2]),
    least=st.sampled_from([None, 1.0]),
    is_stream=st.booleans(),
)
def test_any_scripts_keep_the_rules_in_every_strategy(
    scripts: list[tuple[Step, ...]],
    hedge_s: float | None,
    runners: int,
    max_attempts: int,
    leaves_after_s: float | None,
    max_frames: int | None,
    opens: frozenset[str],
    refuses_at: int | None,
    least: float | None,
    is_stream: bool,
) -> None:
    """What the client saw is the beginning of one answer, however the call ended.

    `Scene.check` and `run_virtual` look after each: one row per attempt, begin and end of each
    balanced, no answer open, no task left.
    """
    scene = Scene(
        *scripts,
        call=with_wishes(is_stream=is_stream),
        hedge_s=hedge_s,
        max_runners=runners,
        max_attempts=max_attempts,
        max_wait_s=2.0,
        least_tokens_per_s=least,
        deadlines=Deadlines(total_s=60.0),
    )
    scene.health.open_until_s = {f"{name}/m": 1001.0 for name in opens}
    scene.book.refuses_at, scene.book.error = refuses_at, LedgerUnavailable("full")

    async def play() -> Exception | None:
        try:
            async with asyncio.timeout(leaves_after_s or 50.0):
                return await scene.run(max_frames=max_frames)
        except TimeoutError as exc:
            return exc

    error = run_virtual(play())
    assert len(scene.tried) <= max_attempts
    assert scene.health.num_begun <= max_attempts
    states = scene.book.states
    assert states.count("complete") - _num_said_nothing(scene) <= 1
    if "outraced" in states:
        assert hedge_s is not None
        assert scene.seen or error is not None
    if isinstance(error, Exhausted):
        assert not scene.seen
    if not scene.seen:
        return
    assert any(_is_beginning(scene.seen, script) for script in scripts)


def _num_said_nothing(scene: Scene) -> int:
    return sum(told.state == "complete" and told.first_token_s is None for told in scene.told)


def _is_beginning(seen: list[Frame], script: tuple[Step, ...]) -> bool:
    """Tell whether what was seen is the beginning of what one leaf said."""
    said = [step.data for step in script if isinstance(step, Frame)]
    return [frame.data for frame in seen] == said[: len(seen)]
