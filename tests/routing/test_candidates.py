"""Who can serve a kind of requests at all, and the reason why another cannot."""

from typing import Any

import pytest

from slipstream.choice import ABILITIES, CHAT, IMAGES, TOOLS
from slipstream.routing.candidates import Ask, sieve, tier_of, why_left, why_spared
from slipstream.routing.facts import TargetFacts
from tests.routing.scenes import Scene, target
from tests.routing.test_field import candidate_of

ALL = sum(ABILITIES.values())


def _facts(**fields: Any) -> TargetFacts:
    return TargetFacts(target=target("a/m"), **fields)


def _ask(**fields: Any) -> Ask:
    return Ask(**{"abilities": CHAT, **fields})


@pytest.mark.parametrize(
    ("facts", "ask", "reason"),
    [
        (_facts(), _ask(), None),
        (_facts(is_usable=False), _ask(), "it cannot answer now, whatever it is asked"),
        (
            _facts(abilities=CHAT),
            _ask(abilities=CHAT | TOOLS | IMAGES),
            "it does not offer tools, images",
        ),
        (_facts(abilities=ALL), _ask(abilities=ALL), None),
        (
            _facts(data="no_training"),
            _ask(data="no_retention"),
            "its data policy is 'no_training', and 'no_retention' is asked for",
        ),
        (_facts(data="local"), _ask(data="no_training"), None),
        (_facts(data="any"), _ask(data="any"), None),
        (
            _facts(),
            _ask(quality=3),
            "its quality is not known, and 3 (strong) is asked for",
        ),
        (
            _facts(qualities={"general": 4, "code": 1}),
            _ask(quality=2, task="code"),
            "its quality for 'code' is 1 (small), below 2 (good)",
        ),
        (_facts(qualities={"general": 4}), _ask(quality=4, task="math"), None),
        (_facts(qualities={"general": 0}), _ask(quality=0), None),
    ],
)
def test_why_left_names_what_is_missing(facts: TargetFacts, ask: Ask, reason: str | None) -> None:
    """In words that say what to change, in the request or in the configuration."""
    assert why_left(facts, ask) == reason


def test_tier_of_a_task_falls_back_to_the_general_one() -> None:
    """A task that nobody judged a model for is judged as everything is."""
    facts = _facts(qualities={"general": 2, "code": 3})
    assert (tier_of(facts, "code"), tier_of(facts, "math")) == (3, 2)
    assert tier_of(_facts(), "code") is None


@pytest.mark.parametrize(
    ("tiers", "kept", "spare"),
    [
        ((4, 2, 1, None), [0, 1], [2, 3]),
        ((1, 0, None), [0], [1, 2]),
        ((0, 0, None), [0, 1], [2]),
        ((None, None), [0, 1], []),
        ((), [], []),
    ],
)
def test_sieve_auto_keeps_the_best_that_there_is(
    tiers: tuple[int | None, ...], kept: list[int], spare: list[int]
) -> None:
    """Good ones, or else the best tier; the others wait until these cannot."""
    scene = Scene(("a/m",))
    all_facts = [_facts(qualities={} if tier is None else {"general": tier}) for tier in tiers]

    def make(number: int, facts: TargetFacts) -> Any:
        return candidate_of(scene, "a/m", index=number, tier=tier_of(facts, "general"))

    sieved = sieve(all_facts, _ask(is_auto=True), make)
    assert [each.index for each in sieved.candidates] == kept
    assert [each.index for each in sieved.spare] == spare
    plain = sieve(all_facts, _ask(), make)
    assert [each.index for each in plain.candidates] == list(range(len(tiers)))


def test_sieve_parts_the_targets() -> None:
    """Each is a candidate or left, and it is known whether any could serve anything."""
    scene = Scene(("a/m",))

    def make(number: int, facts: TargetFacts) -> Any:
        return candidate_of(scene, "a/m", index=number)

    gone = _facts(is_usable=False)
    sieved = sieve([gone, _facts(), gone], _ask(), make)
    assert [each.index for each in sieved.candidates] == [1]
    assert len(sieved.left) == 2
    assert sieved.has_usable
    assert not sieve([gone], _ask(), make).has_usable
    assert sieve([_facts(abilities=0)], _ask(), make).has_usable


def test_why_spared_says_what_others_have() -> None:
    """A lesser target that is not needed is told of, too."""
    scene = Scene(("a/m",))
    assert "is 1 (small)" in why_spared(candidate_of(scene, "a/m", tier=1), "general")
    assert "is not known" in why_spared(candidate_of(scene, "a/m"), "general")


def test_candidate_has_a_target_for_each_key() -> None:
    """The preferred key first."""
    scene = Scene(("a/m",), facts={"a/m": {"credentials": ("a#1", "a#2")}})
    candidate = candidate_of(scene, "a/m")
    assert candidate.keys == (target("a/m", "a#1"), target("a/m", "a#2"))
    assert candidate.target == candidate.keys[0]
