"""From an order to a plan: keys, patience, runners and probes."""

import pytest

from slipstream.errors import Busy, Rejected
from slipstream.routing.affinity import Warm
from slipstream.routing.expect import Size
from slipstream.routing.field import Field, part
from slipstream.routing.ordering import Chance, order, plan_from
from slipstream.routing.terms import terms_of
from tests.routing.scenes import DEADLINES, Scene, names_of, target
from tests.routing.test_field import candidate_of

NAMES = ("a/m", "b/m", "c/m")


def test_patience_is_less_where_another_is_left_and_much_is_known() -> None:
    """A target that has stopped does not cost its caller a minute; an unknown one may."""
    scene = Scene(NAMES)
    scene.answer("a/m", first_s=0.4, times=60)
    plan = scene.plan()
    assert plan.patience_s == (5.0, DEADLINES.first_token_s, DEADLINES.first_token_s)
    assert scene.plan(is_stream=False).patience_s == ()
    assert Scene(NAMES).plan().patience_s == ()


def test_patience_grows_with_the_input() -> None:
    """A long prompt takes its time before the first token."""
    scene = Scene(NAMES)
    scene.answer("a/m", first_s=0.4, times=60)
    scene.board.lane(target("a/m")).first_input_s = 0.001
    few, many = scene.plan(body=b"x" * 400), scene.plan(body=b"y" * 4_000)
    assert many.patience_s[0] > few.patience_s[0] + 3.0
    assert scene.plan(body=b"z" * 400_000).patience_s == ()  # as long as the deadlines say


def test_patience_is_one_for_each_target_keys_included() -> None:
    """Whatever dispatch comes to next has its own."""
    scene = Scene(NAMES, facts={"a/m": {"credentials": ("k1", "k2", "k3")}}, max_attempts=2)
    scene.answer("a/m", first_s=0.4, times=60)
    scene.answer("c/m", first_s=0.4, times=60)
    plan = scene.plan()
    most_s = DEADLINES.first_token_s
    assert plan.patience_s == (5.0, 5.0, 5.0, most_s, most_s)
    assert len(plan.targets) == 5


@pytest.mark.parametrize(("hedge_s", "expected"), [(0.0, 0.0), (1.5, 1.5)])
def test_race_starts_when_its_route_says(hedge_s: float, expected: float) -> None:
    """A fixed delay is kept, and none means all at once."""
    plan = Scene(NAMES, strategy="race", hedge_s=hedge_s, max_runners=3).plan()
    assert (plan.hedge_s, plan.max_runners) == (expected, 3)


def test_race_never_has_more_runners_than_attempts_or_targets() -> None:
    """What a request may cost bounds what may run."""
    assert Scene(NAMES, strategy="race", max_runners=8).plan().max_runners == 3
    scene = Scene(NAMES, strategy="race", max_runners=8, max_attempts=2)
    assert scene.plan().max_runners == 2
    assert scene.wish(max_attempts=1).max_runners == 1
    assert scene.wish(max_attempts=1).hedge_s is None


def test_race_runs_on_those_that_are_ready() -> None:
    """A cooling target is no runner, and stays the last resort."""
    scene = Scene(NAMES, strategy="race", max_runners=3)
    scene.fail("a/m", Busy("later", retry_after_s=20.0))
    plan = scene.plan()
    assert (names_of(plan)[2], plan.max_runners) == ("a/m", 2)


def test_probe_needs_a_second_attempt() -> None:
    """A request with a single try goes where it is safe."""
    scene = Scene(NAMES)
    scene.fail("a/m", Rejected("oh", upstream_status=500), times=5)
    scene.now_s += 60.0
    assert names_of(scene.plan())[0] == "a/m"
    safe = scene.wish(max_attempts=1)
    assert (names_of(safe)[0], safe.probes, safe.hedge_s) == ("b/m", frozenset(), None)


def test_probe_of_all_is_none() -> None:
    """Where all failed lately they are tried as they stand."""
    scene = Scene(NAMES)
    for name in NAMES:
        scene.fail(name, Rejected("oh", upstream_status=500), times=5)
    scene.now_s += 60.0
    plan = scene.plan()
    assert (names_of(plan), plan.probes) == (list(NAMES), frozenset())


def test_probe_of_a_later_target_waits_until_it_is_needed() -> None:
    """Who stands behind a healthy one is not looked at for its own sake."""
    scene = Scene(NAMES)
    scene.fail("b/m", Rejected("oh", upstream_status=500), times=5)
    scene.now_s += 60.0
    plan = scene.plan()
    assert (names_of(plan), plan.probes) == (["a/m", "c/m", "b/m"], frozenset())


def test_key_with_a_warm_cache_comes_first_while_it_has_room() -> None:
    """Providers keep a cache for each account."""
    keys = ("k1", "k2")
    scene = Scene(("a/m", "b/m"), facts={"a/m": {"credentials": keys}})
    field = Field((candidate_of(scene, "a/m"),))
    terms = terms_of(scene.catalogue.routes["all"], "all", is_auto=False)
    chosen = []
    for credential in keys:
        size = Size(num_bytes=9_000, warm={("a", "m"): Warm(credential, 1e9, 9_000)})
        parted = part(field, size, scene.now_s)
        found = order(terms, parted, size, Chance(None, 0.0, may_race=False), scene.now_s)
        plan = plan_from(terms, found, size, scene.now_s, has_keys=True)
        chosen.append([each.credential for each in plan.targets])
    assert chosen == [["k1", "k2"], ["k2", "k1"]]
