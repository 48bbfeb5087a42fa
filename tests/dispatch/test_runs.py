"""Calls carried out one target after another: breakers, waits, turns, speed, what is told."""

import asyncio
import gc
from typing import Any

import msgspec
import pytest

from slipstream.choice import Deadlines, Target, Wishes
from slipstream.dispatch.runners import Runner
from slipstream.errors import (
    Broken,
    Busy,
    ConnectFailed,
    ContextTooLong,
    Cooling,
    Exhausted,
    GatewayError,
    LedgerUnavailable,
    Overloaded,
    Rejected,
    StreamCut,
    TimedOut,
)
from tests.dispatch.scene import CALL, DONE, QUIET, STOP, WORD, Scene, Script, with_wishes, word
from tests.dispatch.virtual_time import run_virtual

FOREVER = float("inf")
B = word("b")


def answered(scene: Scene, by: str) -> None:
    """Check that the client got one whole answer."""
    assert run_virtual(scene.run()) is None
    assert scene.tried == by
    assert scene.seen[-1].data == DONE.data


def failed(scene: Scene) -> GatewayError:
    """Check that the client got none."""
    error = run_virtual(scene.run())
    assert isinstance(error, GatewayError)
    assert not scene.seen
    return error


# ---- breakers ------------------------------------------------------------------------------------


def test_target_that_is_left_alone_is_passed_over_without_an_attempt() -> None:
    """No row, no place in the budget, no number."""
    scene = Scene((WORD, DONE), (B, DONE), max_attempts=1)
    scene.health.open_until_s["a/m"] = 5000.0
    answered(scene, by="b")
    assert list(scene.book.opened) == ["c1-1"]
    assert scene.book.opened["c1-1"].cause == "first"


def test_breaker_that_closes_between_plan_and_attempt_is_heeded() -> None:
    """`begin` has the last word: of two that come at once, one is the probe."""
    scene = Scene((WORD, DONE), (B, DONE))
    scene.health.refuses = "a/m"
    answered(scene, by="b")


def test_only_target_is_tried_whatever_is_known_of_it_and_once() -> None:
    """Nobody else can answer, and clients retry by themselves."""
    scene = Scene((Busy("full", retry_after_s=0.1),), max_wait_s=60.0)
    scene.health.open_until_s["a/m"] = 1005.0
    error = failed(scene)
    assert isinstance(error, Exhausted)
    assert (error.status, len(error.attempts)) == (429, 1)
    assert scene.tried == "a"
    assert scene.slept_s == []


def test_all_left_alone_is_a_503_that_says_when_the_first_comes_back() -> None:
    """Nobody was asked, so there is no attempt to tell of."""
    scene = Scene((WORD, DONE), (B, DONE))
    scene.health.open_until_s = {"a/m": 1030.0, "b/m": 1012.0}
    error = failed(scene)
    assert isinstance(error, Cooling)
    assert (error.status, error.retry_after_s, error.plan) == (503, 12.0, scene.plan)
    assert scene.book.opened == {}


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ((Busy("x", retry_after_s=9.0), Busy("y", retry_after_s=7.0)), 429),
        ((Busy("x", retry_after_s=9.0), Rejected("y", upstream_status=500)), 503),
    ],
    ids=["quota", "mixed"],
)
def test_all_cooling_after_attempts_is_told_with_the_least_wait(
    errors: tuple[GatewayError, ...], status: int
) -> None:
    """What failed and what was passed over count alike."""
    scene = Scene(*((error,) for error in errors), (WORD, DONE))
    scene.health.open_until_s["c/m"] = 1005.0
    scene.health.opens_until_s = 1020.0
    error = failed(scene)
    assert isinstance(error, Exhausted)
    assert (error.status, error.retry_after_s) == (status, 5.0)


# ---- waits ---------------------------------------------------------------------------------------


def test_target_that_says_when_to_come_back_is_asked_again_then() -> None:
    """Once no other is left, and within the time that the plan has for it."""
    busy: Script = (Busy("full", retry_after_s=2.0),)
    scene = Scene([busy, (WORD, DONE)], (ConnectFailed("gone"),), max_wait_s=5.0)
    scene.health.open_until_s["b/m"] = 9000.0
    answered(scene, by="aa")
    assert [each.cause for each in scene.book.opened.values()] == ["first", "fallback"]
    assert len(scene.slept_s) == 1
    assert 2.0 <= scene.slept_s[0] <= 2.05


def test_second_round_backs_off_from_targets_that_did_not_say() -> None:
    """Both have failed in a way that time may mend."""
    fail: Script = (ConnectFailed("gone"),)
    scene = Scene([fail, fail, (WORD, DONE)], [fail, fail, fail], max_wait_s=5.0)
    assert run_virtual(scene.run()) is None
    assert scene.tried.count("a") == 3
    assert scene.slept_s
    assert sum(scene.slept_s) <= 5.0


def test_waits_end_where_the_plan_s_time_for_them_ends() -> None:
    """All together, not each."""
    busy: Script = (Busy("full", retry_after_s=2.0),)
    scene = Scene(busy, busy, max_wait_s=5.0)
    error = failed(scene)
    assert isinstance(error, Exhausted)
    assert sum(scene.slept_s) <= 5.0
    assert error.status == 429
    assert error.retry_after_s is not None
    assert 0 < error.retry_after_s <= 2.0


def test_no_wait_reaches_over_the_deadline() -> None:
    """The client would be gone, or is told at once while it may still do something else."""
    busy: Script = (1.0, Busy("full", retry_after_s=3.0))
    scene = Scene(busy, busy, max_wait_s=60.0, deadlines=Deadlines(total_s=3.9))
    error = failed(scene)
    assert isinstance(error, Exhausted)
    assert scene.slept_s == []
    assert scene.tried == "ab"


def test_client_s_own_deadline_counts_as_the_call_s() -> None:
    """A plain answer after it is for nobody; a second later, so that the client ends it first."""
    scene = Scene((3.0, Broken("a")), (WORD, DONE), call=with_wishes(patience_s=1.5))
    assert isinstance(failed(scene), Exhausted)
    assert scene.leaves["a"].attempts[0].total_deadline_s == 1002.5
    assert scene.tried == "a"


def test_rounds_do_not_add_to_the_budget_of_attempts() -> None:
    """Four are four."""
    busy: Script = (Busy("full", retry_after_s=0.1),)
    scene = Scene(busy, busy, max_wait_s=60.0, max_attempts=4)
    assert isinstance(failed(scene), Exhausted)
    assert len(scene.tried) == 4


def test_client_that_leaves_during_a_wait_leaves_nothing_behind() -> None:
    """Nothing runs then, and nothing is begun after it."""
    busy: Script = (Busy("full", retry_after_s=2.0),)
    scene = Scene(busy, busy, max_wait_s=5.0)

    async def leave() -> None:
        task = asyncio.ensure_future(scene.run())
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(leave())
    assert scene.tried == "ab"


# ---- where failures lead -------------------------------------------------------------------------


def test_context_length_goes_only_to_a_larger_context() -> None:
    """Asking one of the same size costs time and is told the same."""
    too_long: Script = (ContextTooLong("too long"),)
    scene = Scene(too_long, (WORD, DONE), (B, DONE))
    scene.health.context = {"a/m": 10, "b/m": 10, "c/m": 20}
    answered(scene, by="ac")


def test_context_length_of_a_small_one_is_no_verdict_where_a_larger_one_fails() -> None:
    """The request would fit there: shortening it is not what helps."""
    scene = Scene((ContextTooLong("too long"),), (Rejected("down", upstream_status=500),))
    scene.health.context = {"a/m": 10, "b/m": 20}
    error = failed(scene)
    assert (error.status, error.code) == (502, "all_targets_failed")


def test_context_length_that_fits_nowhere_is_told_as_it_is() -> None:
    """The client can mend it."""
    scene = Scene((ContextTooLong("too long"),), (WORD, DONE))
    error = failed(scene)
    assert (error.status, error.code) == (400, "context_length_exceeded")
    assert scene.tried == "a"


def test_ledger_that_refuses_an_attempt_ends_the_call_and_is_counted_out() -> None:
    """The journal is the same for every target."""
    scene = Scene((WORD, DONE), (WORD, DONE))
    scene.book.refuses_at, scene.book.error = 1, LedgerUnavailable("disk full")
    error = failed(scene)
    assert (error.status, error.code) == (503, "ledger_unavailable")
    assert scene.health.num_begun == 1
    assert scene.book.opened == {}


@pytest.mark.parametrize("attempts", [1, 2])
def test_empty_answer_is_a_failure_as_long_as_another_target_is_left(attempts: int) -> None:
    """From the last one it is handed on as it is."""
    scene = Scene((QUIET, STOP, DONE), (B, DONE), max_attempts=attempts)
    assert run_virtual(scene.run()) is None
    assert scene.data == (QUIET.data + STOP.data if attempts == 1 else B.data) + DONE.data
    assert scene.book.states == ["complete"] * attempts


def test_empty_answer_is_handed_on_when_everybody_after_it_fails() -> None:
    """An answer without a word is more than an error, and was paid for."""
    scene = Scene((STOP, DONE), (Broken("b"),), (Busy("c", retry_after_s=1.0),), max_wait_s=60.0)
    assert run_virtual(scene.run()) is None
    assert scene.data == STOP.data + DONE.data
    assert scene.slept_s == []
    assert [tried.outcome for tried in scene.receipt.tried] == [
        "empty_answer",
        "upstream_broken",
        "rate_limit_exceeded",
    ]


@pytest.mark.parametrize("retries", [True, False], ids=["retried", "not retried"])
def test_refusal_without_a_word_goes_on_where_the_plan_says_so(retries: bool) -> None:
    """Otherwise it is the answer."""
    refusal = msgspec.structs.replace(STOP, finish_reason="content_filter")
    scene = Scene((refusal, DONE), (B, DONE), retries_refusals=retries)
    assert run_virtual(scene.run()) is None
    assert scene.data == (B.data if retries else refusal.data) + DONE.data


# ---- speed and patience --------------------------------------------------------------------------


def test_slow_stream_is_left_for_the_next_target_before_anything_was_seen() -> None:
    """Its row says that it was too slow, and whose fault that is."""
    slow: Script = tuple(step for _ in range(50) for step in (1.0, WORD))
    scene = Scene(slow, (B, B, B, DONE), least_tokens_per_s=5.0, rate_window_s=2.5)
    assert run_virtual(scene.run()) is None
    assert scene.data == B.data * 3 + DONE.data
    settled = scene.book.settled["c1-1"]
    assert (settled.state, settled.fault, settled.error_code) == ("failed", "target", "too_slow")
    assert scene.leaves["a"].closed_s == [1003.5]


def test_slow_streams_that_were_left_are_not_kept_in_memory() -> None:
    """Attempts are out of the collector's sight: an error that led back to its own never went."""

    def num_runners() -> int:
        gc.collect()
        return sum(type(each) is Runner for each in gc.get_objects())

    before = num_runners()
    slow: Script = tuple(step for _ in range(9) for step in (1.0, WORD))
    scene = Scene(slow, (B, B, B, DONE), least_tokens_per_s=5.0, rate_window_s=2.5)
    assert run_virtual(scene.run()) is None
    assert scene.book.states == ["failed", "complete"]
    scene.told.clear()
    del scene
    assert num_runners() == before


def test_slow_stream_of_the_last_target_is_kept() -> None:
    """There is nothing better."""
    slow: Script = (*(step for _ in range(6) for step in (1.0, WORD)), DONE)
    scene = Scene((Broken("a"),), slow, least_tokens_per_s=5.0, rate_window_s=2.5)
    assert run_virtual(scene.run()) is None
    assert scene.data == WORD.data * 6 + DONE.data


def test_client_that_leaves_while_speed_is_proven_is_cancelled_and_not_too_slow() -> None:
    """Who left decides whose fault it is."""
    scene = Scene((WORD, FOREVER), (B, DONE), least_tokens_per_s=5.0, rate_window_s=9.0)

    async def leave() -> None:
        task = asyncio.ensure_future(scene.run())
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(leave())
    assert scene.book.states == ["cancelled"]


def test_patience_shortens_the_first_token_while_another_target_is_left() -> None:
    """The last one has all the time that the deadlines give."""
    late = TimedOut("first_token", 1)
    scene = Scene((late,), (late,), patience_s=(3.0, 4.0))
    failed(scene)
    limits = [leaf.attempts[0].deadlines.first_token_s for leaf in scene.leaves.values()]
    assert limits == [3.0, 60.0]


# ---- turns ---------------------------------------------------------------------------------------


def _bounded(*scripts: Script, max_queued: int = 5, **plan: Any) -> Scene:
    """Make a scene in which the first target takes one at a time."""
    return Scene(
        *scripts,
        max_concurrent=lambda target: 1 if target.provider == "a" else None,
        max_queued=max_queued,
        **plan,
    )


async def _beside_a_holder(scene: Scene, held_s: float) -> GatewayError | None:
    """Run a call while another one has the place at `a` for so long."""
    holder = scene.serve(with_wishes(call_id="holder"))
    await anext(holder)
    asyncio.get_running_loop().call_later(held_s, lambda: closing.append(_close(holder)))
    closing: list[asyncio.Task[None]] = []
    error = await scene.read()
    await asyncio.sleep(held_s)
    await asyncio.gather(*closing)
    scene.check()
    assert error is None or isinstance(error, GatewayError)
    return error


def _close(frames: Any) -> "asyncio.Task[None]":
    return asyncio.ensure_future(frames.aclose())


def test_call_waits_for_its_turn_and_its_wait_counts() -> None:
    """Against the time to the first token; the place is given back at the answer's end."""
    scene = _bounded((WORD, 0.0, DONE))
    assert run_virtual(_beside_a_holder(scene, 7.0)) is None
    [_, mine] = scene.leaves["a"].attempts
    assert mine.deadlines.first_token_s == 53.0
    assert scene.leaves["a"].began_s == [1000.0, 1007.0]


def test_turn_that_does_not_come_in_time_leads_to_the_next_target() -> None:
    """Without an attempt at the first one."""
    scene = _bounded((WORD, DONE), (B, DONE), deadlines=Deadlines(first_token_s=2.0))
    assert run_virtual(_beside_a_holder(scene, 7.0)) is None
    assert scene.data == B.data + DONE.data
    assert list(scene.book.opened) == ["holder-1", "c1-1"]


def test_full_queue_leads_to_the_next_target() -> None:
    """At once."""
    scene = _bounded((WORD, DONE), (B, DONE), max_queued=0)
    assert run_virtual(_beside_a_holder(scene, 7.0)) is None
    assert scene.leaves["b"].began_s == [1000.0]


def test_full_queue_of_the_only_target_is_an_overload_of_ours() -> None:
    """No attempt, and nobody's fault; it says when to come back."""
    scene = _bounded((WORD, DONE), max_queued=0)
    error = run_virtual(_beside_a_holder(scene, 7.0))
    assert isinstance(error, Overloaded)
    assert (error.status, error.retry_after_s) == (503, 1.0)
    assert list(scene.book.opened) == ["holder-1"]


# ---- what is told --------------------------------------------------------------------------------


def test_nothing_is_told_where_there_was_no_choice() -> None:
    """Frames are those of the leaf, but for what metering adds."""
    scene = Scene((WORD, DONE), (B, DONE))
    answered(scene, by="a")
    assert (scene.receipt.plan, scene.receipt.tried) == (None, ())


@pytest.mark.parametrize(
    "changes",
    [{"is_weighed": True}, {"call": with_wishes(CALL, wishes=Wishes(is_explained=True))}],
    ids=["weighed", "explained"],
)
def test_plan_and_tries_are_told_where_somebody_wants_to_know(changes: dict[str, Any]) -> None:
    """On the first frame alone."""
    scene = Scene((1.0, QUIET, WORD, DONE), **changes)
    answered(scene, by="a")
    assert scene.receipt.plan is scene.plan
    assert scene.outcomes == [("a", "first", "ok")]
    assert scene.receipt.tried[0].took_s == 1.0
    assert scene.leaves["a"].attempts[0].is_weighed is scene.plan.is_weighed
    assert all(frame.receipt is None or frame.receipt.plan is None for frame in scene.seen[1:])


def test_tries_are_told_after_a_fallback() -> None:
    """Each with its cause, its outcome and its time."""
    scene = Scene(
        (
            2.0,
            Busy("full"),
        ),
        (0.5, B, DONE),
    )
    answered(scene, by="ab")
    assert scene.outcomes == [("a", "first", "rate_limit_exceeded"), ("b", "fallback", "ok")]
    assert [tried.took_s for tried in scene.receipt.tried] == [2.0, 0.5]


def test_probe_is_called_one() -> None:
    """Whatever else led to it."""
    scene = Scene((Broken("a"),), (B, DONE), probes=frozenset({Target("b", "m")}))
    answered(scene, by="ab")
    assert [each.cause for each in scene.book.opened.values()] == ["first", "probe"]


def test_cut_after_the_commit_point_is_settled_and_never_retried() -> None:
    """With health, ledger and turns around it."""
    scene = Scene((WORD, StreamCut("late")), (B, DONE), max_wait_s=60.0)
    assert isinstance(run_virtual(scene.run()), StreamCut)
    assert (scene.tried, scene.data) == ("a", WORD.data)
    assert scene.book.states == ["cut"]


def test_slow_client_holds_its_place_and_nobody_s_account() -> None:
    """What it takes is its own time."""
    scene = _bounded((1.0, WORD, 1.0, WORD, DONE))
    assert run_virtual(scene.run(pause_s=60.0)) is None
    [told] = scene.told
    assert told.first_token_s == 1.0
    assert told.held_s == pytest.approx(120.0)
