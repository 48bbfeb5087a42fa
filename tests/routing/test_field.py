"""The candidates of a kind of requests: who can take one now, and what a glance says of them."""

from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.call import Tier, Usage
from slipstream.errors import Busy
from slipstream.routing.affinity import Warm
from slipstream.routing.candidates import Candidate
from slipstream.routing.expect import Size, glance_at, look_at_quantiles, rate
from slipstream.routing.field import Field, can_serve, part, together
from slipstream.routing.glances import FRESH_S
from slipstream.routing.learned import AnswerHistory
from slipstream.routing.strategies import RANKINGS, measured
from tests.routing.scenes import Scene, price, target


def candidate_of(scene: Scene, name: str, **fields: Any) -> Candidate:
    """Return a candidate as the planner of a scene would make it."""
    at = target(name)
    return Candidate(
        scene.facts_of(at),
        scene.board.lane(at),
        fields.pop("answers", AnswerHistory().answers("all", name)),
        scene.prices.get(name),
        **{"index": 0, "weight": 1.0, "is_foreign": False, "tier": None, **fields},
    )


def _field(scene: Scene) -> Field:
    return Field(tuple(candidate_of(scene, name, index=n) for n, name in enumerate(scene.targets)))


def test_part_ready_cooling_and_left() -> None:
    """Each candidate is in one place."""
    scene = Scene(("a/m", "b/m", "c/m"), facts={"c/m": {"context_tokens": 50}})
    scene.fail("b/m", Busy("later", retry_after_s=9.0))
    parted = part(_field(scene), Size(num_bytes=400), scene.now_s)
    assert [each.target.name for each in parted.ready] == ["a/m"]
    assert [each.target.name for each in parted.cooling] == ["b/m"]
    assert [each.target.name for each, _ in parted.left] == ["c/m"]
    assert (parted.num_trials, parted.is_plain) == (0, False)


def test_part_of_what_may_be_well_again_is_on_trial() -> None:
    """After its time a target is ready, perhaps."""
    scene = Scene(("a/m", "b/m"))
    scene.fail("b/m", Busy("later", retry_after_s=9.0))
    scene.now_s += 20.0
    parted = part(_field(scene), Size(num_bytes=400), scene.now_s)
    assert (len(parted.ready), parted.num_trials, parted.is_plain) == (2, 1, True)


def test_can_serve_waits_for_as_long_as_is_allowed() -> None:
    """Who is all alone with cooling targets may wait for the first of them."""
    scene = Scene(("a/m", "b/m"))
    scene.fail("a/m", Busy("later", retry_after_s=9.0))
    scene.fail("b/m", Busy("later", retry_after_s=4.0))
    parted = part(_field(scene), Size(num_bytes=400), scene.now_s)
    assert can_serve(parted, 6.0, scene.now_s)
    assert not can_serve(parted, 2.0, scene.now_s)
    nobody = part(Field(()), Size(num_bytes=400), scene.now_s)
    assert not can_serve(nobody, inf, scene.now_s)
    assert can_serve(together(nobody, parted), 6.0, scene.now_s)


def test_look_is_not_taken_for_every_request() -> None:
    """What is learned moves slowly; a clock that is set back does no harm."""
    scene = Scene(("a/m",))
    field = _field(scene)
    field.look(scene.now_s)
    before = field.candidates[0].glance.total_s
    scene.board.lane(target("a/m")).first_base_s = 9.0
    field.look(scene.now_s + 0.5 * FRESH_S)
    assert field.candidates[0].glance.total_s == before
    field.look(scene.now_s + FRESH_S)
    assert field.candidates[0].glance.total_s > before
    scene.board.lane(target("a/m")).first_base_s = 0.6
    field.look(scene.now_s - 1000.0)
    assert field.candidates[0].glance.total_s == before


@pytest.mark.parametrize(
    "size",
    [
        Size(num_bytes=400, media_tokens=5),
        Size(num_bytes=400, input_tokens=100),
        Size(num_bytes=400, max_output_tokens=5),
        Size(num_bytes=400, max_output_tokens=5000),
        Size(num_bytes=400, max_cost_usd_pico=10**12),
        Size(num_bytes=400, warm={("a", "m"): Warm("default", inf, 400)}),
        Size(num_bytes=40_000),
        Size(num_bytes=9_000),
    ],
    ids=["media", "counted", "short", "long", "budget", "warm", "context", "tier"],
)
def test_glance_is_not_asked_about_what_it_does_not_know(size: Size) -> None:
    """Whatever is no plain request is rated one by one."""
    facts = {"a/m": {"context_tokens": 8000, "max_output_tokens": 4000}}
    tiered = price(1, tiers=(Tier(2_000, price(2).rates),))
    scene = Scene(("a/m", "b/m"), facts=facts, prices={"b/m": tiered})
    field = _field(scene)
    field.look(scene.now_s)
    assert field.is_plain(Size(num_bytes=400))
    assert not field.is_plain(size)


_TIMES = st.tuples(st.floats(0.05, 3.0), st.floats(0.1, 30.0))


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(_TIMES, min_size=2, max_size=6),
    prices=st.lists(st.none() | st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=6),
    num_bytes=st.integers(0, 3_000),
    in_flight=st.lists(st.integers(0, 3), min_size=6, max_size=6),
    strategy=st.sampled_from(["cheapest", "fastest", "balanced", "race"]),
    written=st.integers(0, 200),
)
def test_glance_measures_what_rating_does(
    times: list[tuple[float, float]],
    prices: list[tuple[int, int] | None],
    num_bytes: int,
    in_flight: list[int],
    strategy: Any,
    written: int,
) -> None:
    """Fast and exact are the same figures, but for parts of a token."""
    names = [f"p{n}/m" for n in range(len(times))]
    known = {name: price(*usd) for name, usd in zip(names, prices, strict=False) if usd}
    scene = Scene(names, prices=known)
    for name, (first_s, rest_s) in zip(names, times, strict=True):
        scene.answer(name, first_s=first_s, total_s=first_s + rest_s, times=5)
    for name, num in zip(names, in_flight, strict=False):
        for _ in range(num):
            scene.board.begin(target(name), scene.now_s)
    history = AnswerHistory()
    answers = history.note(
        "all", names[0], Usage(input_tokens=100, cache_write_5m_tokens=written, output_tokens=250)
    )
    field = Field(tuple(candidate_of(scene, name, answers=answers) for name in names))
    size = Size(num_bytes=num_bytes)
    field.look(scene.now_s)
    assert field.is_plain(size)
    ranking = RANKINGS[strategy]
    fast = {each.key: measure for measure, _, each in ranking.glance(field.candidates, num_bytes)}
    exact = measured(ranking, [rate(each, size) for each in field.candidates])
    for measure, _, each in exact:
        of_a_token = 100 * 10**6 * (31.0 if strategy == "balanced" else 1.0) * 3
        tolerance = of_a_token if strategy in ("cheapest", "balanced") else 1.0
        assert fast[each.key] == pytest.approx(measure, rel=0.02, abs=tolerance)


def test_glance_of_a_known_target_says_how_long_it_may_be_silent() -> None:
    """Some seconds, or several times what it usually takes; nothing while little is known."""
    scene = Scene(("a/m", "b/m"))
    scene.answer("a/m", first_s=0.5, times=100)
    scene.answer("b/m", first_s=4.0, total_s=6.0, times=100)
    glances = {}
    for name in ("a/m", "b/m", "c/m"):
        candidate = candidate_of(scene, name)
        look_at_quantiles(candidate)
        glance_at(candidate)
        glances[name] = candidate.glance
    assert glances["a/m"].patience_s == 5.0
    assert 12.0 < glances["b/m"].patience_s < 30.0
    assert glances["c/m"].patience_s == inf
