"""Who there is: made when first asked for, bounded, and found by the names of scopes."""

import random

import pytest

from slipstream.choice import Target
from slipstream.routing.roster import MAX_LANES, Roster
from slipstream.routing.settings import RoutingSettings
from tests.routing.outcomes import facts_of


def _roster(**keys: tuple[str, ...]) -> Roster:
    return Roster(facts_of(keys), RoutingSettings(), random.Random(0).random)


def test_lane_is_the_same_for_all_keys() -> None:
    """A target's times do not depend on who pays."""
    roster = _roster(groq=("a", "b"))
    lane = roster.lane(Target("groq", "m", "a"))
    assert roster.lane(Target("groq", "m", "b")) is lane
    assert [quota.key.credential for quota in lane.quotas] == ["a", "b"]
    assert roster.lane(Target("groq", "n")).quotas[0].key is lane.quotas[0].key
    assert roster.lane(Target("groq", "n")).around is lane.around


def test_lane_of_a_key_that_nobody_knows_is_the_first_ones() -> None:
    """A pinned target names no key."""
    lane = _roster(groq=("a", "b")).lane(Target("groq", "m"))
    assert lane.quota("default").key.credential == "a"
    assert lane.quota("b").key.credential == "b"


@pytest.mark.parametrize(
    "scope",
    ["target groq/openai/m", "provider groq", "key groq#b", "lane groq/openai/m#b"],
)
def test_breaker_is_found_by_its_scope(scope: str) -> None:
    """What one gateway is told, another one finds."""
    roster = _roster(groq=("a", "b"))
    roster.lane(Target("groq", "openai/m"))
    breaker = roster.breaker(scope)
    assert breaker is not None
    assert breaker.scope == scope


@pytest.mark.parametrize(
    "scope",
    [
        "lane groq/m#z",
        "lane groq#a",
        "target groq",
        "groq",
        "",
        "moon groq/m",
    ],
)
def test_breaker_of_what_makes_no_sense_is_none(scope: str) -> None:
    """What another version of us may say, or nobody would, is passed over."""
    roster = _roster(groq=("a", "b"))
    roster.lane(Target("groq", "m"))
    assert roster.breaker(scope) is None


@pytest.mark.parametrize("scope", ["target groq/m", "provider groq", "key groq#a", "lane groq/m#a"])
def test_breaker_before_any_request_is_that_of_the_first_one(scope: str) -> None:
    """What another gateway found failing is left alone from the first request on."""
    roster = _roster(groq=("a",))
    breaker = roster.breaker(scope)
    assert breaker is not None
    breaker.cool(30.0, 100.0, "told")
    lane = roster.lane(Target("groq", "m"))
    lane.watch(100.0)
    assert lane.blocked_until_s == 130.0


def test_lanes_are_bounded_and_the_idle_oldest_go() -> None:
    """Clients that invent models drive out idle lanes, never those with attempts in flight."""
    roster = _roster()
    busy = roster.lane(Target("groq", "busy"))
    busy.begin(0.0)
    used = roster.lane(Target("groq", "used"))
    used.begin(1e6)
    used.end()
    for number in range(3 * MAX_LANES):
        roster.lane(Target("groq", f"invented-{number}")).used_s = float(number)
        assert sum(1 for _ in roster.lanes()) <= MAX_LANES
    assert roster.lane(Target("groq", "busy")) is busy
    assert roster.lane(Target("groq", "used")) is used
    assert roster.epoch > 1
