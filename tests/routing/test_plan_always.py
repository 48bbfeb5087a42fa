"""The planner: what it tells, and what holds whatever is asked."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.call import Call, Tier, Usage
from slipstream.choice import (
    ABILITIES,
    CHAT,
    REASONING,
    Needs,
    Plan,
    Strategy,
    Target,
    Wishes,
)
from slipstream.errors import Busy, NoTarget
from slipstream.ledger.cost import cost_usd_pico
from slipstream.routing.routes import Route
from tests.routing.scenes import Scene, names_of, price, target

STRATEGIES = get_args(Strategy)
THREE = ("a/m", "b/m", "c/m")
PRICES = {"a/m": price(3), "b/m": price(1), "c/m": price(2)}


def _refused(scene: Scene, model: str = "all", **fields: Any) -> NoTarget:
    with pytest.raises(NoTarget) as caught:
        scene.plan(model, **fields)
    return caught.value


def test_explain_tells_of_every_candidate() -> None:
    """Each is there once, taken or left, with a reason, what it costs and how long it takes."""
    facts = {"d/m": {"abilities": CHAT}, "e/m": {"context_tokens": 10}}
    scene = Scene((*THREE, "d/m", "e/m"), strategy="cheapest", prices=PRICES, facts=facts)
    scene.needs = Needs(abilities=CHAT | 1, input_bytes=400)
    scene.answer("b/m", times=3)
    scene.fail("c/m", Busy("later", retry_after_s=20.0))
    weighed = scene.planner.explain(scene.call()).weighed
    assert [(each.target.name, each.is_taken) for each in weighed] == [
        ("b/m", True),
        ("a/m", True),
        ("c/m", True),
        ("e/m", False),
        ("d/m", False),
    ]
    reasons = {each.target.name: each.reason for each in weighed}
    assert reasons["b/m"].startswith("expected to cost least")
    assert reasons["a/m"].startswith("choice 2")
    assert reasons["c/m"].startswith("it failed or has no room left")
    assert reasons["d/m"] == "it does not offer tools"
    assert reasons["e/m"].startswith("its context holds 10 tokens")
    assert weighed[0].cost_usd_pico is not None
    assert weighed[0].total_s is not None
    assert weighed[1].total_s is None  # of what was never measured no time is told


def test_explain_leaves_everything_as_it_was() -> None:
    """No draw, no share of a race, no probe: the plans after it are those without it."""
    scenes = [Scene(THREE, strategy="race", race_share=0.5, explore=0.3, seed=7) for _ in range(2)]
    for scene in scenes:
        for name in THREE:
            scene.answer(name, times=3)
    asked = scenes[0]
    for _ in range(50):
        told = asked.planner.explain(asked.call())
        assert told.probes == frozenset()
    assert [asked.plan() for _ in range(50)] == [scenes[1].plan() for _ in range(50)]


def test_plan_explained_by_wish_tells_what_it_did() -> None:
    """The same plan as without the wish, and all that was considered."""
    scene = Scene(THREE, prices=PRICES, strategy="cheapest")
    plan = scene.wish(is_explained=True)
    assert [each.target for each in plan.weighed] == list(plan.targets)
    assert scene.plan().weighed == ()


_FACTS = st.fixed_dictionaries(
    {},
    optional={
        "abilities": st.integers(0, 4095),
        "context_tokens": st.integers(1, 3000),
        "max_output_tokens": st.integers(1, 600),
        "qualities": st.dictionaries(st.sampled_from(["general", "code"]), st.integers(0, 5)),
        "data": st.sampled_from(["any", "no_training", "no_retention", "local"]),
        "is_usable": st.booleans(),
        "vendor": st.sampled_from(["x", "y"]),
        "credentials": st.sampled_from([("k1",), ("k1", "k2")]),
    },
)
_WISHES = st.fixed_dictionaries(
    {},
    optional={
        "strategy": st.sampled_from(STRATEGIES),
        "quality": st.integers(0, 5),
        "task": st.sampled_from(["general", "code"]),
        "data": st.sampled_from(["any", "no_training", "local"]),
        "max_cost_usd_pico": st.integers(0, 10**10),
        "max_attempts": st.integers(1, 6),
        "is_explained": st.booleans(),
    },
)
_NEEDS = st.builds(
    Needs,
    abilities=st.sampled_from([0, CHAT, CHAT | 1, CHAT | 6]),
    input_bytes=st.integers(0, 10_000),
    media_tokens=st.sampled_from([0, 500]),
    input_tokens=st.none() | st.integers(0, 2000),
    sealed_by=st.sampled_from([frozenset[str](), frozenset({"x"})]),
)


def _plan_or_error(scene: Scene, call: Call) -> tuple[Plan | None, NoTarget | None]:
    try:
        return scene.planner.plan(call), None
    except NoTarget as error:
        return None, error


def _hard_reason(scene: Scene, at: Target, call: Call, needs: Needs) -> bool:
    facts, wishes = scene.facts_of(at), call.wishes
    assert wishes is not None
    tier = facts.qualities.get(wishes.task or "general", facts.qualities.get("general"))
    ranks = ("any", "no_training", "no_retention", "local")
    return (
        not facts.is_usable
        or bool(needs.abilities & ~facts.abilities)
        or (wishes.quality is not None and (tier is None or tier < wishes.quality))
        or ranks.index(facts.data) < ranks.index(wishes.data or "any")
        or (call.max_output_tokens or 1) > (facts.max_output_tokens or 10**9)
    )


@settings(max_examples=150, deadline=None)
@given(
    facts=st.lists(_FACTS, min_size=1, max_size=6),
    wishes=_WISHES,
    needs=_NEEDS,
    most=st.none() | st.integers(1, 700),
    failed=st.sets(st.integers(0, 5), max_size=6),
    strategy=st.sampled_from(STRATEGIES[1:]),  # a pinned route has one target
    is_stream=st.booleans(),
)
def test_plan_whatever_is_asked_keeps_its_promises(
    facts: list[dict[str, Any]],
    wishes: dict[str, Any],
    needs: Needs,
    most: int | None,
    failed: set[int],
    strategy: Strategy,
    is_stream: bool,
) -> None:
    """None that is left for a hard reason, one at least or NoTarget, each accounted for."""
    names = [f"p{n}/m" for n in range(len(facts))]
    prices = {name: price(1 + n) for n, name in enumerate(names) if n % 3}

    def made() -> tuple[Scene, Call]:
        scene = Scene(
            names,
            facts=dict(zip(names, facts, strict=True)),
            prices=prices,
            needs=needs,
            strategy=strategy,
            explore=0.2,
        )
        for number in sorted(failed):
            if number < len(names):
                scene.fail(names[number], Busy("later", retry_after_s=3.0 + 4 * number))
        call = scene.call(wishes=Wishes(**wishes), max_output_tokens=most, is_stream=is_stream)
        return scene, call

    scene, call = made()
    considered = names[:1] if wishes.get("strategy") == "pinned" else names
    plan, error = _plan_or_error(scene, call)
    if plan is None:
        assert error is not None
        assert {name for name, _ in error.left} == set(considered)
        assert len(error.message) < 3000
        return
    assert plan.targets
    assert not [each for each in plan.targets if _hard_reason(scene, each, call, needs)]
    assert not plan.patience_s or len(plan.patience_s) == len(plan.targets)
    assert plan.max_runners <= max(plan.max_attempts, 2)
    if plan.weighed:
        assert sorted(each.target.name for each in plan.weighed) == sorted(considered)
        taken = {each.target.name for each in plan.weighed if each.is_taken}
        assert taken == {each.name for each in plan.targets}
    other, same = made()
    assert other.planner.plan(same) == plan


@settings(max_examples=100, deadline=None)
@given(
    tokens=st.integers(0, 300_000),
    most=st.integers(1, 5000),
    start=st.integers(1, 200_000),
    denominator=st.sampled_from([1, 3, 7]),
    fee=st.integers(0, 10**9),
)
def test_plan_expects_what_the_ledger_would_bill(
    tokens: int, most: int, start: int, denominator: int, fee: int
) -> None:
    """The expected cost is that of the same usage, with tiers, fractions and fees, to the pico."""
    base = price(3, 11, denominator=denominator, request_usd_pico=fee)
    dear = msgspec.structs.replace(price(7, 23).rates, output_tokens=22 * 10**6)
    tiered = msgspec.structs.replace(base, tiers=(Tier(start, dear),))
    scene = Scene(("a/m",), prices={"a/m": tiered}, needs=Needs(input_tokens=tokens))
    weighed = scene.planner.explain(scene.call(max_output_tokens=most)).weighed[0]
    assert weighed.input_tokens == tokens
    assert weighed.output_tokens is not None
    usage = Usage(input_tokens=tokens, output_tokens=weighed.output_tokens)
    assert weighed.cost_usd_pico == cost_usd_pico(usage, tiered)[0]


def test_plan_thousand_routes_do_no_harm() -> None:
    """Each route's plan is its own, and tables stay bounded."""
    routes = [
        Route(name=f"r{n}", strategy="fastest", targets=(target(f"p{n}/m"), target("z/m")))
        for n in range(1000)
    ]
    scene = Scene(("z/m",), routes=routes)
    for number in range(1000):
        assert sorted(names_of(scene.plan(f"r{number}"))) == sorted([f"p{number}/m", "z/m"])


def test_abilities_are_named_in_the_reason() -> None:
    """Each missing ability is told by the name that the configuration has for it."""
    for name, bit in ABILITIES.items():
        if bit == REASONING:  # which is advice
            continue
        scene = Scene(("a/m",), facts={"a/m": {"abilities": 0}}, needs=Needs(abilities=bit))
        assert dict(_refused(scene, "all", wishes=Wishes(is_explained=True)).left)["a/m"] == (
            f"it does not offer {name}"
        )
