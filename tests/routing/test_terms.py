"""What holds for a request: its route, and its wishes over it."""

from typing import Any

import pytest

from slipstream.choice import DataPolicy, Target, Wishes
from slipstream.errors import BadRequest
from slipstream.routing import terms as terms_module
from slipstream.routing.routes import Route
from slipstream.routing.terms import Terms, terms_of, wished
from tests.routing.scenes import DEADLINES, Scene, target

SCENE = Scene(
    ("a/m", "b/m", "c/m"),
    catalogue={"models": {"m": (target("c/m"), target("b/m")), "solo": (target("a/m"),)}},
)
ROUTE = Route(
    name="r",
    strategy="cheapest",
    targets=(target("a/m"), target("b/m")),
    weights=(1.0, 2.0),
    deadlines=DEADLINES,
    max_attempts=3,
    hedge_s=0.5,
    max_runners=3,
    quality=1,
    task="code",
    data="no_training",
)
TERMS = terms_of(ROUTE, "r", is_auto=False)


def _wished(terms: Terms = TERMS, **wishes: Any) -> Terms:
    return wished(terms, Wishes(**wishes), SCENE.catalogue)


def test_wished_nothing_is_what_the_route_says() -> None:
    """Empty wishes change nothing."""
    assert _wished() == TERMS
    assert TERMS.places == ((0, target("a/m")), (1, target("b/m")))


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({"strategy": "fastest"}, {"strategy": "fastest"}),
        ({"quality": 0}, {"quality": 0}),
        ({"task": "math"}, {"task": "math"}),
        ({"hedge_s": 0.0}, {"hedge_s": 0.0}),
        ({"max_runners": 2}, {"max_runners": 2}),
        ({"max_attempts": 1}, {"max_attempts": 1}),
        ({"max_attempts": 9}, {"max_attempts": 3}),
        ({"max_cost_usd_pico": 0}, {"max_cost_usd_pico": 0}),
        ({"is_explained": True}, {"is_explained": True}),
        ({"data": "local"}, {"data": "local"}),
        ({"data": "any"}, {"data": "no_training"}),
    ],
)
def test_wished_takes_the_routes_place(wishes: dict[str, Any], expected: dict[str, Any]) -> None:
    """One wish, one field; what the operator bounds stays bounded."""
    terms = _wished(**wishes)
    changed = {
        name: getattr(terms, name)
        for name in Terms.__struct_fields__
        if getattr(terms, name) != getattr(TERMS, name)
    }
    assert changed == {name: value for name, value in expected.items() if name in changed}
    for name, value in expected.items():
        assert getattr(terms, name) == value


@pytest.mark.parametrize(
    ("route", "wish", "expected"),
    [
        ("any", "local", "local"),
        ("local", "no_training", "local"),
        ("no_training", "no_retention", "no_retention"),
    ],
)
def test_wished_data_is_the_stricter_one(
    route: DataPolicy, wish: DataPolicy, expected: DataPolicy
) -> None:
    """A promise is never taken back by the other side."""
    terms = terms_of(
        Route(name="r", strategy="ordered", targets=(), data=route), "r", is_auto=False
    )
    assert _wished(terms, data=wish).data == expected


def test_wished_targets_of_any_kind_each_once() -> None:
    """Names keep their places, and their targets the place of the first name that has them."""
    terms = _wished(targets=("m", "solo", "b/m", "c/x:free"))
    assert terms.places == (
        (0, target("c/m")),
        (0, target("b/m")),
        (1, target("a/m")),
        (3, target("c/x:free")),
    )
    assert (terms.weights, terms.is_grouped) == ((), True)


def test_wished_targets_are_no_part_of_auto() -> None:
    """Whoever names targets has judged their quality."""
    auto = terms_of(ROUTE, "auto", is_auto=True)
    assert not _wished(auto, targets=("a/m",)).is_auto


def test_wished_targets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's list does not make planning long."""
    monkeypatch.setattr(terms_module, "MAX_CANDIDATES", 2)
    assert len(_wished(targets=("a/m", "b/m", "c/m")).places) == 2


def test_wished_unknown_target_is_the_callers_fault() -> None:
    """With the nearest that exists."""
    with pytest.raises(BadRequest, match="does not exist here"):
        _wished(targets=("nothing",))


def test_terms_of_a_pinned_route_has_one_place() -> None:
    """Only ever the one that is named."""
    route = Route(name="r", strategy="pinned", targets=(Target("a", "m"), Target("b", "m")))
    assert terms_of(route, "r", is_auto=False).places == ((0, Target("a", "m")),)
    assert _wished(strategy="pinned").places == ((0, target("a/m")),)
