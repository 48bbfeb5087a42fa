"""The planner: names, strategies, keys and looking at what is not known."""

from typing import Any, get_args

import pytest

from slipstream.call import Usage
from slipstream.choice import (
    CHAT,
    REASONING,
    Needs,
    Plan,
    Strategy,
    Target,
)
from slipstream.errors import ConnectFailed, NoTarget, Rejected, UnknownModel
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


def test_plan_name_of_one_target_reads_nothing_and_is_made_once() -> None:
    """A pinned target costs one look-up: no needs, no lane, the same plan for every call."""
    scene = Scene(THREE)
    first = scene.plan("a/x")
    assert first is scene.plan("a/x")
    assert first == Plan(
        route="a/x",
        strategy="pinned",
        targets=(Target("a", "x"),),
        deadlines=DEADLINES,
        max_attempts=1,
    )
    assert scene.num_needs == 0


def test_plan_route_of_one_target_keeps_what_was_said_of_it() -> None:
    """A route without a choice is as quick, and its own settings hold."""
    route = Route(
        name="one",
        strategy="ordered",
        targets=(target("a/m"),),
        max_attempts=3,
        max_wait_s=9.0,
        least_tokens_per_s=5.0,
        rate_window_s=2.0,
        retries_refusals=True,
    )
    scene = Scene(THREE, routes=[route])
    plan = scene.plan("one")
    assert plan is scene.plan("one")
    assert (plan.max_attempts, plan.max_wait_s, plan.retries_refusals) == (3, 9.0, True)
    assert (plan.least_tokens_per_s, plan.rate_window_s, plan.is_weighed) == (5.0, 2.0, False)
    assert scene.num_needs == 0


def test_plan_unknown_name_is_refused() -> None:
    """The error is a 404 that names what there is."""
    with pytest.raises(UnknownModel) as caught:
        Scene(THREE).plan("al")
    assert (caught.value.status, caught.value.param) == (404, "model")
    assert "Did you mean 'all'" in caught.value.message


def test_plan_of_gives_all_targets_of_a_name_as_they_stand() -> None:
    """What lists and counts need of a name, no call has to be made up for."""
    scene = Scene(THREE, strategy="cheapest", prices=PRICES)
    plan = scene.planner.plan_of("all")
    assert names_of(plan) == list(THREE)
    assert plan is scene.planner.plan_of("all")
    with pytest.raises(UnknownModel):
        scene.planner.plan_of("nothing")


def test_plan_thousands_of_names_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers may make up model names; what is remembered of them has a bound."""
    monkeypatch.setattr(plan_module, "MAX_NAMES", 4)
    scene = Scene(THREE)
    plans = [scene.plan(f"a/{n}") for n in range(10)]
    assert scene.plan("a/9") is plans[9]
    assert scene.plan("a/0") is not plans[0]
    assert scene.plan("a/0") == plans[0]


def test_plan_ordered_keeps_the_order() -> None:
    """The first that works is taken, whatever the others cost."""
    assert names_of(Scene(THREE, prices=PRICES).plan()) == list(THREE)


def test_plan_advice_on_reasoning_leaves_nobody_out_where_nobody_takes_it() -> None:
    """Those that take it are preferred; a route without any answers all the same."""
    needs = Needs(abilities=CHAT | REASONING)
    plain = {"abilities": CHAT}
    scene = Scene(THREE, needs=needs, facts={"a/m": plain, "b/m": plain})
    assert names_of(scene.plan()) == ["c/m"]
    scene = Scene(THREE, needs=needs, facts=dict.fromkeys(THREE, plain))
    assert names_of(scene.plan()) == list(THREE)


def test_plan_cheapest_orders_by_expected_cost() -> None:
    """Everything else being equal the price per token decides; unknown prices come last."""
    scene = Scene((*THREE, "d/m"), strategy="cheapest", prices=PRICES)
    assert names_of(scene.plan()) == ["b/m", "c/m", "a/m", "d/m"]


def test_plan_cheapest_counts_how_long_each_ones_answers_are() -> None:
    """A low price for a model that thinks for long is none."""
    scene = Scene(("a/m", "b/m"), strategy="cheapest", prices={"a/m": price(2), "b/m": price(1)})
    scene.answer("a/m", times=60, usage=Usage(input_tokens=100, output_tokens=100))
    thought = Usage(input_tokens=100, output_tokens=100, output_reasoning_tokens=400)
    scene.answer("b/m", times=60, usage=thought)
    scene.now_s += 10.0
    assert names_of(scene.plan()) == ["a/m", "b/m"]


def test_plan_fastest_orders_by_time_to_the_end() -> None:
    """A quick first token is no help where the rest is slow."""
    scene = Scene(THREE, strategy="fastest")
    scene.answer("a/m", first_s=0.1, total_s=9.0, times=30)
    scene.answer("b/m", first_s=1.0, total_s=2.0, times=30)
    scene.answer("c/m", first_s=0.5, total_s=5.0, times=30)
    assert names_of(scene.plan()) == ["b/m", "c/m", "a/m"]


def test_plan_balanced_weighs_cost_and_time() -> None:
    """Twice as fast at the same price wins, and so does half the price at the same speed."""
    prices = {"a/m": price(20), "b/m": price(10), "c/m": price(10)}
    scene = Scene(THREE, strategy="balanced", prices=prices)
    for name, total_s in (("a/m", 3.0), ("b/m", 3.0), ("c/m", 9.0)):
        scene.answer(name, total_s=total_s, times=40)
    assert names_of(scene.plan())[0] == "b/m"
    assert names_of(scene.plan())[2] == "c/m"


def test_plan_race_begins_with_who_is_done_first() -> None:
    """Hedging is for the late first token; who would be slow to the end does not begin."""
    scene = Scene(THREE, strategy="race")
    scene.answer("a/m", first_s=2.0, total_s=2.5, times=30)
    scene.answer("b/m", first_s=0.2, total_s=6.0, times=30)
    scene.answer("c/m", first_s=0.9, total_s=4.0, times=30)
    plan = scene.plan()
    assert names_of(plan) == ["a/m", "c/m", "b/m"]
    assert plan.max_runners == 2


def test_plan_weighted_follows_the_shares() -> None:
    """Requests are spread as the weights say, and a weight of nothing is a last resort."""
    scene = Scene(THREE, strategy="weighted", weights=(3.0, 1.0, 0.0))
    firsts = [names_of(scene.plan())[0] for _ in range(2000)]
    assert 0.71 < firsts.count("a/m") / 2000 < 0.79
    assert firsts.count("c/m") == 0
    assert all(names_of(scene.plan())[2] == "c/m" for _ in range(20))


def test_plan_weighted_shares_of_a_failed_target_go_to_the_others() -> None:
    """What one cannot take is parted between the others in their proportion."""
    scene = Scene(THREE, strategy="weighted", weights=(2.0, 3.0, 1.0))
    scene.fail("a/m", ConnectFailed("down"), times=5)
    firsts = [names_of(scene.plan())[0] for _ in range(2000)]
    assert firsts.count("a/m") == 0
    assert 0.70 < firsts.count("b/m") / 2000 < 0.80


@pytest.mark.parametrize("strategy", ["fastest", "balanced", "race"])
def test_plan_candidates_that_are_alike_share_the_requests(strategy: Strategy) -> None:
    """No herd: who is a hair better does not get everything."""
    scene = Scene(THREE, strategy=strategy, prices=dict.fromkeys(THREE, price(1)))
    for number, name in enumerate(THREE):
        scene.answer(name, first_s=0.5 + 0.001 * number, total_s=2.0 + 0.01 * number, times=30)
    firsts = [names_of(scene.plan())[0] for _ in range(600)]
    assert all(firsts.count(name) > 100 for name in THREE)


def test_plan_equal_prices_go_to_the_faster_ones_mostly() -> None:
    """Where cheapest leaves it open, time decides, softly."""
    scene = Scene(
        ("a/m", "b/m"), strategy="cheapest", prices=dict.fromkeys(("a/m", "b/m"), price(1))
    )
    scene.answer("a/m", first_s=0.5, total_s=2.0, times=30)
    scene.answer("b/m", first_s=1.0, total_s=4.0, times=30)
    firsts = [names_of(scene.plan())[0] for _ in range(1000)]
    assert 0.7 < firsts.count("a/m") / 1000 < 0.9


def test_plan_target_with_attempts_in_flight_becomes_less_attractive() -> None:
    """Who slows down under load is not sent all that arrives before the first answer is back."""
    scene = Scene(("a/m", "b/m"), strategy="fastest")
    at = target("a/m")
    for load in (0, 8) * 30:
        for _ in range(load):
            scene.board.begin(at, scene.now_s)
        scene.answer("a/m", first_s=0.2 + 0.2 * load, total_s=1.0 + 0.2 * load)
        for _ in range(load):
            scene.board.end(at)
    scene.answer("b/m", first_s=0.8, total_s=1.8, times=30)
    scene.now_s += 1.0
    assert names_of(scene.plan())[0] == "a/m"
    for _ in range(8):
        scene.board.begin(at, scene.now_s)
    assert names_of(scene.plan())[0] == "b/m"


def test_plan_looks_at_what_it_knows_too_little_of() -> None:
    """A target that was slow once is found again when it no longer is."""
    scene = Scene(("a/m", "b/m"), strategy="fastest", explore=0.1)
    scene.answer("b/m", first_s=1.0, total_s=8.0, times=3)
    scene.now_s += 600.0
    scene.answer("a/m", first_s=0.3, total_s=2.0, times=40)
    firsts = [names_of(scene.plan())[0] for _ in range(1000)]
    assert 10 < firsts.count("b/m") < 150


def test_plan_does_not_explore_what_is_far_worse() -> None:
    """Knowing is not worth ten times the time, nor more than a few per cent of the cost."""
    scene = Scene(("a/m", "b/m"), strategy="fastest", explore=0.5)
    scene.answer("b/m", first_s=3.0, total_s=60.0, times=3)
    scene.answer("a/m", first_s=0.3, total_s=2.0, times=40)
    assert {names_of(scene.plan())[0] for _ in range(300)} == {"a/m"}
    dear = {"a/m": price(100), "b/m": price(110)}
    scene = Scene(("a/m", "b/m"), strategy="cheapest", prices=dear, explore=0.5)
    assert {names_of(scene.plan())[0] for _ in range(300)} == {"a/m"}


def test_plan_keys_of_a_provider_stand_right_behind_one_another() -> None:
    """The next key of the same model is another try, for when the key is at fault."""
    scene = Scene(THREE, facts={"a/m": {"credentials": ("a#1", "a#2")}})
    plan = scene.plan()
    assert names_of(plan) == ["a/m", "a/m", "b/m", "c/m"]
    assert {each.credential for each in plan.targets[:2]} == {"a#1", "a#2"}


def test_plan_uses_the_key_that_is_not_cooling() -> None:
    """A refused key does not take its provider out."""
    keys = ("a#1", "a#2")
    scene = Scene(THREE, facts={"a/m": {"credentials": keys}})
    refused = scene.outcome(
        target("a/m", "a#1"),
        state="failed",
        error=Rejected("no", upstream_status=401),
        first_s=None,
        total_s=0.1,
    )
    scene.tell(refused)
    for model in ("all", "a/m"):
        assert [each.credential for each in scene.plan(model).targets[:2]] == ["a#2", "a#1"]


def test_plan_pinned_target_with_keys_reads_nothing_either() -> None:
    """Which key has most room is looked up without a look into the request."""
    scene = Scene(THREE, facts={"a/m": {"credentials": ("a#1", "a#2")}})
    plan = scene.plan("a/m")
    assert (plan.strategy, plan.max_attempts, plan.is_weighed) == ("pinned", 2, True)
    assert scene.num_needs == 0
