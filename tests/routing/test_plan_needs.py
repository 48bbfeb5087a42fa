"""The planner: what a request needs, and what quality and promises it asks for."""

from typing import Any, get_args

import pytest

from slipstream.choice import (
    CHAT,
    DataPolicy,
    Needs,
    Strategy,
    Wishes,
)
from slipstream.errors import BadRequest, Busy, NoTarget
from slipstream.routing import plan as plan_module
from slipstream.routing.routes import Route
from tests.routing.scenes import DEADLINES, Scene, names_of, price, target

STRATEGIES = get_args(Strategy)
THREE = ("a/m", "b/m", "c/m")
PRICES = {"a/m": price(3), "b/m": price(1), "c/m": price(2)}


def _refused(scene: Scene, model: str = "all", **fields: Any) -> NoTarget:
    with pytest.raises(NoTarget) as caught:
        scene.plan(model, **fields)
    return caught.value


def test_plan_leaves_who_cannot_what_is_needed() -> None:
    """A target without an ability never sees the request that needs it."""
    scene = Scene(THREE, facts={"a/m": {"abilities": CHAT}}, needs=Needs(abilities=CHAT | 1))
    assert names_of(scene.plan()) == ["b/m", "c/m"]


@pytest.mark.parametrize("asked", [None, 100, 4000])
def test_plan_leaves_whose_context_is_too_small(asked: int | None) -> None:
    """Input and what is asked of output must fit; an output limit counts likewise."""
    facts = {"a/m": {"context_tokens": 1000}, "b/m": {"max_output_tokens": 2000}}
    scene = Scene(THREE, facts=facts, needs=Needs(input_bytes=3700))
    expected = {None: list(THREE), 100: ["b/m", "c/m"], 4000: ["c/m"]}[asked]
    assert names_of(scene.plan(max_output_tokens=asked)) == expected


def test_plan_counted_input_stands_over_the_estimate() -> None:
    """Who counted the tokens knows better than the number of bytes."""
    facts = {"a/m": {"context_tokens": 1000}}
    scene = Scene(THREE, facts=facts, needs=Needs(input_bytes=40_000, input_tokens=900))
    assert names_of(scene.plan()) == list(THREE)


def test_plan_pictures_count_as_tokens() -> None:
    """A picture fills a context although its text is short."""
    facts = {"a/m": {"context_tokens": 2000}}
    scene = Scene(THREE, facts=facts, needs=Needs(input_bytes=40, media_tokens=3000))
    assert names_of(scene.plan()) == ["b/m", "c/m"]


def test_plan_stays_with_the_vendor_of_opaque_reasoning() -> None:
    """What only one vendor can read goes to others when it fails, or when they are far better."""
    sealed = Needs(sealed_by=frozenset({"c"}))
    for strategy in ("ordered", "cheapest", "fastest", "balanced", "weighted"):
        scene = Scene(THREE, strategy=strategy, prices=PRICES, needs=sealed)
        assert names_of(scene.plan())[0] == "c/m"
    scene = Scene(THREE, strategy="fastest", needs=sealed)
    scene.answer("c/m", first_s=5.0, total_s=50.0, times=30)
    scene.answer("a/m", first_s=0.3, total_s=2.0, times=30)
    assert names_of(scene.plan())[0] == "a/m"


def test_plan_stays_with_the_provider_that_keeps_the_answer_before() -> None:
    """It is told by its name, which need not be that of its row."""
    kept = Needs(sealed_by=frozenset({"c"}))
    scene = Scene(THREE, strategy="ordered", facts={"c/m": {"vendor": "openai"}}, needs=kept)
    assert names_of(scene.plan())[0] == "c/m"


def test_plan_who_cannot_be_used_is_left() -> None:
    """A model that is not installed is no candidate, and is one as soon as it is."""
    scene = Scene(THREE, facts={"a/m": {"is_usable": False}})
    assert names_of(scene.plan()) == ["b/m", "c/m"]
    scene.say("a/m", is_usable=True)
    scene.now_s += plan_module.KEEP_S
    assert names_of(scene.plan()) == list(THREE)


def test_plan_quality_leaves_lesser_and_unknown_targets() -> None:
    """A tier that is asked for is kept to, for the task that is named."""
    facts = {
        "a/m": {"qualities": {"general": 3, "code": 1}},
        "b/m": {"qualities": {"general": 2}},
    }
    scene = Scene(THREE, facts=facts)
    assert names_of(scene.wish(quality=2)) == ["a/m", "b/m"]
    assert names_of(scene.wish(quality=2, task="code")) == ["b/m"]
    assert names_of(Scene(THREE, facts=facts, quality=3).plan()) == ["a/m"]


def _auto(tiers: dict[str, int], **fields: Any) -> Scene:
    facts = {name: {"qualities": {"general": tier}} for name, tier in tiers.items()}
    auto = tuple(target(name) for name in THREE)
    prices = {"a/m": price(1), "b/m": price(2), "c/m": price(3)}
    return Scene(THREE, facts=facts, prices=prices, catalogue={"auto": auto}, **fields)


def test_plan_auto_keeps_to_good_targets() -> None:
    """Without a word on quality a toy is not chosen while something good is there."""
    scene = _auto({"a/m": 0, "b/m": 2, "c/m": 4})
    assert names_of(scene.plan("auto:cheapest")) == ["b/m", "c/m"]
    assert names_of(scene.wish("auto:cheapest", quality=0)) == ["a/m", "b/m", "c/m"]


def test_plan_route_that_is_called_auto_something_is_a_route() -> None:
    """What the operator lists is not judged for its quality."""
    own = Route(name="auto:mine", strategy="ordered", targets=(target("a/m"), target("b/m")))
    scene = _auto({"a/m": 0, "b/m": 4}, routes=[own])
    assert names_of(scene.plan("auto:mine")) == ["a/m", "b/m"]


def test_plan_auto_takes_the_best_tier_that_there_is() -> None:
    """Where nothing is good the best of it answers, and unknown quality is the last resort."""
    assert names_of(_auto({"a/m": 0, "b/m": 1}).plan("auto")) == ["b/m"]
    assert names_of(_auto({"b/m": 0}).plan("auto")) == ["b/m"]
    assert sorted(names_of(_auto({}).plan("auto"))) == list(THREE)


def test_plan_auto_takes_lesser_targets_before_it_fails() -> None:
    """What nobody asked for is no reason to refuse: neither while others cool, nor by size."""
    scene = _auto({"a/m": 1, "b/m": 2, "c/m": 2})
    for name in ("b/m", "c/m"):
        scene.fail(name, Busy("later", retry_after_s=100.0))
    assert names_of(scene.plan("auto"))[0] == "a/m"
    small = {"b/m": {"context_tokens": 10}, "c/m": {"context_tokens": 10}}
    scene = _auto({"a/m": 1, "b/m": 2, "c/m": 2})
    for name, said in small.items():
        scene.say(name, **said)
    assert names_of(scene.plan("auto")) == ["a/m"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("any", ["a/m", "b/m", "c/m"]),
        ("no_training", ["b/m", "c/m"]),
        ("no_retention", ["c/m"]),
    ],
)
def test_plan_data_policy_leaves_who_promises_less(asked: DataPolicy, expected: list[str]) -> None:
    """Each promise includes those before it."""
    facts = {"b/m": {"data": "no_training"}, "c/m": {"data": "local"}}
    assert names_of(Scene(THREE, facts=facts).wish(data=asked)) == expected
    assert names_of(Scene(THREE, facts=facts, data=asked).plan()) == expected


def test_plan_wish_cannot_loosen_the_routes_data_policy() -> None:
    """The operator's promise to whom it may concern is not the caller's to take back."""
    scene = Scene(THREE, facts={"c/m": {"data": "no_training"}}, data="no_training")
    assert names_of(scene.wish(data="any")) == ["c/m"]


def test_plan_pinned_target_has_to_keep_what_is_wished() -> None:
    """A name that leaves no choice is no way around a policy."""
    scene = Scene(THREE)
    assert _refused(scene, "a/m", wishes=Wishes(data="no_training")).status == 400


def test_plan_wished_strategy_replaces_the_routes() -> None:
    """The same targets in another order, for this one request."""
    scene = Scene(THREE, prices=PRICES)
    assert names_of(scene.wish(strategy="cheapest")) == ["b/m", "c/m", "a/m"]
    assert names_of(scene.plan()) == list(THREE)


def test_plan_wished_targets_are_a_fallback_chain() -> None:
    """Names of any kind, each once, in their order; a name of several targets is one link."""
    scene = Scene(
        THREE,
        prices=PRICES,
        catalogue={"models": {"m": (target("c/m"), target("b/m")), "x": (target("d/x"),)}},
    )
    plan = scene.wish("a/m", targets=("a/m", "m", "b/m", "x"))
    assert names_of(plan) == ["a/m", "b/m", "c/m", "d/x"]
    assert (plan.strategy, plan.max_attempts, plan.route) == ("ordered", 4, "a/m")


def test_plan_wished_targets_under_a_strategy_are_its_candidates() -> None:
    """A route's own strategy is kept for the caller's list, unless the list is a chain from it."""
    scene = Scene(THREE, strategy="cheapest", prices=PRICES)
    assert names_of(scene.wish(targets=("a/m", "b/m"))) == ["b/m", "a/m"]
    assert names_of(scene.wish("a/m", targets=("a/m", "b/m"), strategy="cheapest")) == [
        "b/m",
        "a/m",
    ]
    assert names_of(scene.wish(targets=("a/m", "b/m"), strategy="pinned")) == ["a/m"]


def test_plan_wished_target_that_does_not_exist_is_refused() -> None:
    """As clearly as an unknown model is, and as the caller's fault."""
    with pytest.raises(BadRequest, match="Did you mean 'all'") as caught:
        Scene(THREE).wish(targets=("al",))
    assert caught.value.param == "targets"


def test_plan_wishes_lower_what_the_route_allows_and_never_raise_it() -> None:
    """Time and attempts are the operator's to give."""
    scene = Scene(THREE, max_attempts=3)
    plan = scene.wish(timeout_s=7.0, max_attempts=2)
    assert (plan.deadlines.total_s, plan.max_attempts) == (7.0, 2)
    assert plan.deadlines.first_token_s == DEADLINES.first_token_s
    plan = scene.wish(timeout_s=700.0, max_attempts=20)
    assert (plan.deadlines, plan.max_attempts) == (DEADLINES, 3)


def test_plan_max_cost_leaves_who_costs_more_or_nobody_knows() -> None:
    """An unknown price is not a price of nothing."""
    scene = Scene((*THREE, "d/m"), prices=PRICES)
    # 100 tokens of input and 300 of output, at 1, 2 and 3 USD a million.
    assert names_of(scene.wish(max_cost_usd_pico=800 * 10**6)) == ["b/m", "c/m"]
    error = _refused(scene, wishes=Wishes(max_cost_usd_pico=1))
    assert error.status == 400
    assert "its price is not known" in dict(error.left)["d/m"]
