"""What a choice says of itself."""

from typing import Any

import pytest

from slipstream.choice import Needs, Wishes
from slipstream.errors import Busy, NoTarget, Rejected
from tests.routing.scenes import Scene, target

NAMES = ("a/m", "b/m", "c/m")


def _reasons(scene: Scene, **wishes: Any) -> dict[str, str]:
    plan = scene.wish(is_explained=True, **wishes)
    return {each.target.name: each.reason for each in plan.weighed}


def test_weighed_reason_of_the_first_is_the_strategys() -> None:
    """One look says why the request went where it did."""
    scene = Scene(NAMES)
    assert _reasons(scene) == {
        "a/m": "the first of those that can",
        "b/m": "choice 2, if those before it fail",
        "c/m": "choice 3, if those before it fail",
    }
    assert _reasons(scene, strategy="pinned") == {"a/m": "the one that was asked for"}
    assert "done first" in next(iter(_reasons(scene, strategy="fastest").values()))


def test_weighed_reason_of_runners_and_probes() -> None:
    """Who runs beside whom, and who is only tried out."""
    scene = Scene(NAMES)
    raced = list(_reasons(scene, strategy="race").values())
    assert raced[1] == "runs beside the one before it, if that is late"
    scene.fail("a/m", Rejected("oh", upstream_status=500), times=5)
    scene.now_s += 60.0
    assert _reasons(scene)["a/m"].startswith("to find out whether it is well again")
    assert "perhaps is well again" in _reasons(scene, max_attempts=1)["a/m"]
    assert scene.board.begin(target("a/m"), scene.now_s)
    assert _reasons(scene)["a/m"].startswith("it failed; another request is finding out")


def test_weighed_reason_of_a_foreign_target_says_so() -> None:
    """The caller's opaque reasoning is lost there."""
    scene = Scene(NAMES, needs=Needs(sealed_by=frozenset({"a"})))
    reasons = _reasons(scene)
    assert reasons["b/m"].endswith("it cannot read the reasoning that the request holds")
    assert "cannot read" not in reasons["a/m"]


def test_weighed_reason_of_a_lesser_target_under_auto() -> None:
    """Others are better, which the caller may see otherwise."""
    tiers = {"a/m": 0, "b/m": 3, "c/m": 2}
    facts = {name: {"qualities": {"general": tier}} for name, tier in tiers.items()}
    scene = Scene(NAMES, facts=facts, catalogue={"auto": tuple(map(target, NAMES))})
    plan = scene.wish("auto", is_explained=True)
    left = [each for each in plan.weighed if not each.is_taken]
    assert [(each.target.name, each.reason) for each in left] == [
        ("a/m", "its quality for 'general' is 0 (toy), and others are better")
    ]


def test_refusal_carries_a_plan_that_tells_of_all() -> None:
    """Headers of the error tell as much as those of an answer would."""
    scene = Scene(NAMES, facts={"c/m": {"is_usable": False}})
    for name in NAMES[:2]:
        scene.fail(name, Busy("later", retry_after_s=60.0))
    with pytest.raises(NoTarget) as caught:
        scene.plan(wishes=Wishes(is_explained=True))
    plan = caught.value.plan
    assert plan is not None
    assert plan.targets == ()
    assert [(each.target.name, each.is_taken) for each in plan.weighed] == [
        ("a/m", False),
        ("b/m", False),
        ("c/m", False),
    ]
    assert "now: a/m: it failed or has no room left" in caught.value.message
