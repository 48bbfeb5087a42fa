"""The planner: who is left alone, who is probed, conversations and races."""

from typing import Any, get_args

import pytest

from slipstream.call import Usage
from slipstream.choice import (
    CHAT,
    Needs,
    Strategy,
)
from slipstream.errors import Busy, NoTarget, Rejected
from tests.routing.scenes import Scene, names_of, price, target

STRATEGIES = get_args(Strategy)
THREE = ("a/m", "b/m", "c/m")
PRICES = {"a/m": price(3), "b/m": price(1), "c/m": price(2)}


def _refused(scene: Scene, model: str = "all", **fields: Any) -> NoTarget:
    with pytest.raises(NoTarget) as caught:
        scene.plan(model, **fields)
    return caught.value


def test_plan_cooling_targets_come_last() -> None:
    """They are not forgotten: who has nothing better may wait for them."""
    scene = Scene(THREE)
    scene.fail("a/m", Busy("later", retry_after_s=20.0))
    assert names_of(scene.plan()) == ["b/m", "c/m", "a/m"]
    scene.fail("b/m", Busy("later", retry_after_s=4.0))
    assert names_of(scene.plan()) == ["c/m", "b/m", "a/m"]


def test_plan_all_cooling_for_longer_than_one_may_wait_is_a_503() -> None:
    """It says when to come back, and of each target why it is left alone."""
    scene = Scene(THREE)
    for name, wait_s in zip(THREE, (30.0, 60.0, 90.0), strict=True):
        scene.fail(name, Busy("later", retry_after_s=wait_s))
    error = _refused(scene)
    assert (error.status, error.kind, error.param) == (503, "server_error", None)
    assert error.retry_after_s is not None
    assert 29.0 < error.retry_after_s < 34.0
    assert [name for name, _ in error.left] == list(THREE)
    assert "a/m: it failed or has no room left" in error.message
    scene.now_s += 28.0
    assert names_of(scene.plan())[0] == "a/m"


def test_plan_of_what_none_can_is_a_400_with_every_reason() -> None:
    """The caller learns what to change; with many targets the message stays short."""
    names = [f"p{n}/m" for n in range(100)]
    facts = {name: {"abilities": CHAT} for name in names}
    error = _refused(Scene(names, facts=facts, needs=Needs(abilities=CHAT | 1)))
    assert (error.status, error.kind, error.param) == (400, "invalid_request_error", "model")
    assert "p0/m: it does not offer tools" in error.message
    assert "and 92 more" in error.message
    assert len(error.message) < 2000
    assert len(error.left) == 100


def test_plan_where_nothing_is_usable_is_a_404() -> None:
    """Neither waiting nor another request would help."""
    facts: dict[str, dict[str, Any]] = {name: {"is_usable": False} for name in THREE}
    assert _refused(Scene(THREE, facts=facts)).status == 404


def test_plan_recovered_target_is_probed_by_one_request_that_does_not_wait() -> None:
    """It goes first with the next one beside it; once it has answered, it is one of them again."""
    scene = Scene(THREE, prices=PRICES)
    for name in THREE:
        scene.answer(name, first_s=0.4, total_s=2.0, times=30)
    scene.fail("a/m", Rejected("oh", upstream_status=500), times=5)
    assert names_of(scene.plan())[-1] == "a/m"
    scene.now_s += 60.0
    plan = scene.plan()
    assert names_of(plan)[0] == "a/m"
    assert plan.probes == {target("a/m")}
    assert plan.max_runners == 2
    assert plan.hedge_s is not None
    assert 0.3 < plan.hedge_s < 0.6
    assert scene.board.begin(target("a/m"), scene.now_s)
    assert names_of(scene.plan())[-1] == "a/m"  # the single probe is out
    scene.board.end(target("a/m"))
    scene.answer("a/m")
    assert scene.plan().probes == frozenset()
    assert names_of(scene.plan()) == list(THREE)


def test_plan_does_not_pay_for_the_probe_of_what_is_not_worth_it() -> None:
    """Under cheapest a dear target is found out about by whoever needs it."""
    scene = Scene(THREE, strategy="cheapest", prices=PRICES)
    scene.fail("a/m", Rejected("oh", upstream_status=500), times=5)
    scene.now_s += 60.0
    plan = scene.plan()
    assert (names_of(plan), plan.probes) == (["b/m", "c/m", "a/m"], frozenset())


def _talk(scene: Scene, name: str, body: bytes, usage: Usage) -> None:
    call = scene.call(body=body)
    scene.planner.plan(call)
    scene.answer(name, call_id=call.call_id, usage=usage, body_bytes=len(body))


def test_plan_conversation_stays_where_its_cache_is_warm() -> None:
    """Leaving a cached prefix costs more than a slightly lower price saves."""
    prices = {"a/m": price(10, 1, read_usd=1), "b/m": price(9, 1, read_usd=1)}
    scene = Scene(("a/m", "b/m"), strategy="cheapest", prices=prices)
    body = b"the beginning of a long conversation " * 300
    assert names_of(scene.plan(body=body))[0] == "b/m"
    _talk(scene, "a/m", body, Usage(input_tokens=2700, output_tokens=300))
    longer = body + b"and its next turn" * 20
    assert names_of(scene.plan(body=longer))[0] == "a/m"
    assert names_of(scene.plan(body=b"another one " * 900))[0] == "b/m"
    scene.now_s += 3600.0
    assert names_of(scene.plan(body=longer))[0] == "b/m"


def test_plan_learns_whether_a_provider_caches_at_all() -> None:
    """A discount that is never given is not counted on."""
    prices = {"a/m": price(10, 1, read_usd=1), "b/m": price(9, 1, read_usd=1)}
    scene = Scene(("a/m", "b/m"), strategy="cheapest", prices=prices)
    body = b"the beginning of a long conversation " * 300
    for _ in range(30):
        _talk(scene, "a/m", body, Usage(input_tokens=2700, output_tokens=300))
    scene.now_s += 10.0
    assert names_of(scene.plan(body=body))[0] == "b/m"


def test_plan_conversation_does_not_hop_between_equals() -> None:
    """Where two are alike, a conversation stays with the one that has it."""
    scene = Scene(("a/m", "b/m"), strategy="fastest")
    for name in ("a/m", "b/m"):
        scene.answer(name, first_s=0.5, total_s=2.0, times=100)
    body = b"the beginning of a long conversation " * 300
    _talk(scene, "b/m", body, Usage(input_tokens=2700, output_tokens=100))
    firsts = [names_of(scene.plan(body=body))[0] for _ in range(200)]
    assert firsts.count("b/m") > 150


def test_plan_race_is_capped_by_its_share_of_requests() -> None:
    """Further runners may start for one request in four, whatever the rest would like."""
    scene = Scene(THREE, strategy="race", race_share=0.25, hedge_s=0.0)
    num_racing = 0
    for _ in range(400):
        call = scene.call()
        plan = scene.planner.plan(call)
        first = scene.outcome(plan.targets[0], attempt_id=f"{call.call_id}-1")
        scene.planner.note(first)
        if plan.max_runners > 1:
            num_racing += 1
            scene.planner.note(
                scene.outcome(plan.targets[1], attempt_id=f"{call.call_id}-2", cause="hedge")
            )
    assert 95 <= num_racing <= 105


def test_plan_race_that_needs_no_second_runner_is_not_counted() -> None:
    """The share is of runners that were started, not of those that might have been."""
    scene = Scene(THREE, strategy="race", race_share=0.1)
    for _ in range(200):
        call = scene.call()
        assert scene.planner.plan(call).max_runners == 2 or call.call_id < "call-2"
        scene.planner.note(scene.outcome(target("a/m"), attempt_id=f"{call.call_id}-1"))


def test_plan_race_takes_only_runners_that_it_can_afford() -> None:
    """Their expected cost is bounded together; who has no price does not run."""
    names = ("a/m", "b/m", "c/m", "d/m")
    prices = {"a/m": price(1), "b/m": price(9), "d/m": price(1)}
    scene = Scene(
        names, strategy="race", prices=prices, max_runners=4, race_max_usd_pico=500 * 10**6
    )
    for number, name in enumerate(names):
        scene.answer(name, first_s=0.2, total_s=1.0 + 2.0 * number, times=30)
    scene.now_s += 10.0
    plan = scene.plan()
    assert names_of(plan) == ["a/m", "d/m", "b/m", "c/m"]
    assert plan.max_runners == 2
