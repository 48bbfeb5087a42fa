"""The course over a plan's targets: whom each failure crosses out, and who is waited for."""

import random

import pytest

from slipstream.choice import Deadlines, Plan, Target
from slipstream.dispatch.fallback import Course
from slipstream.errors import (
    BadRequest,
    Busy,
    ConnectFailed,
    ContextTooLong,
    GatewayError,
    Refused,
    Rejected,
    Unsupported,
)
from tests.dispatch.scene import Watch

A1, A2, A3 = (Target("a", "m", key) for key in ("k1", "k2", "k3"))
AN = Target("a", "n", "k1")
B1, C1 = Target("b", "m"), Target("c", "m")
NOW_S = 1000.0


def course(
    *targets: Target, retries_refusals: bool = False, health: Watch | None = None, seed: int = 1
) -> Course:
    """Make a course of which the first target has been taken."""
    plan = Plan(
        route="r",
        strategy="ordered",
        targets=targets,
        deadlines=Deadlines(),
        max_attempts=9,
        retries_refusals=retries_refusals,
    )
    return Course(plan, 1, health or Watch(), random.Random(seed))


def left(found: Course, now_s: float = NOW_S) -> list[Target]:
    """Take all that is left."""
    targets = []
    while (target := found.next(now_s)) is not None:
        targets.append(target)
    return targets


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Rejected("m", upstream_status=500), [B1, AN]),
        (ConnectFailed("m"), [B1, AN]),
        (Unsupported("m"), [B1, AN]),
        (Busy("m"), [A2, A3, B1, AN]),
        (Rejected("m", upstream_status=401), [A2, A3, B1, AN]),
        (BadRequest("m"), []),
        (ContextTooLong("m"), [AN]),
    ],
    ids=["status 500", "no connection", "unsupported", "quota", "key", "client", "context"],
)
def test_failure_leaves_whom_it_says_nothing_about(
    error: GatewayError, expected: list[Target]
) -> None:
    """The same model with another key is asked first or not at all; the rest keeps its order."""
    health = Watch()
    health.context = {"a/m": 10, "a/n": 20, "b/m": 10}
    found = course(A1, B1, A2, AN, A3, health=health)
    found.fail(A1, error, NOW_S)
    assert left(found) == expected


@pytest.mark.parametrize("retries", [True, False], ids=["retried", "not retried"])
def test_refusal_leaves_other_providers_if_the_plan_retries_it(retries: bool) -> None:
    """The same provider has the same policy for all its models."""
    found = course(A1, A2, AN, B1, retries_refusals=retries)
    found.fail(A1, Refused("m"), NOW_S)
    assert left(found) == ([B1] if retries else [])


def test_same_target_that_is_named_twice_is_asked_twice() -> None:
    """Whoever writes it twice wants a retry; another key of it is crossed out all the same."""
    found = course(A1, A1, A2)
    found.fail(A1, Rejected("m", upstream_status=500), NOW_S)
    assert left(found) == [A1]


def test_larger_context_has_to_be_larger_than_each_that_was_too_small() -> None:
    """Two that were too small: only what holds more than both is left."""
    health = Watch()
    health.context = {"a/m": 10, "b/m": 20, "c/m": 20, "d/m": 30}
    found = course(A1, B1, C1, Target("d", "m"), health=health)
    found.fail(A1, ContextTooLong("m"), NOW_S)
    assert found.next(NOW_S) == B1
    found.fail(B1, ContextTooLong("m"), NOW_S)
    assert left(found) == [Target("d", "m")]


def test_target_that_is_left_alone_is_passed_over_and_waited_for() -> None:
    """It is asked in the next round, when its breaker lets somebody through."""
    health = Watch()
    health.open_until_s = {"b/m": NOW_S + 3.0}
    found = course(A1, B1, C1, health=health)
    assert left(found) == [C1]
    wait_s = found.wait_s(NOW_S)
    assert wait_s is not None
    assert 3.0 <= wait_s <= 3.05
    assert found.told_wait_s(NOW_S) == 3.0
    found.resume(NOW_S + wait_s)
    assert left(found, NOW_S + wait_s) == [B1]


def test_retry_after_is_kept_and_told() -> None:
    """What the target said, less the time that has passed since."""
    found = course(A1)
    found.fail(A1, Busy("m", retry_after_s=7.0), NOW_S)
    assert found.told_wait_s(NOW_S + 2.0) == 5.0
    found.resume(NOW_S + 6.9)
    assert left(found) == []
    found.resume(NOW_S + 7.0)
    assert left(found) == [A1]


def test_breaker_that_asks_for_more_than_retry_after_is_heeded() -> None:
    """The later of both."""
    health = Watch()
    found = course(A1, health=health)
    found.fail(A1, Busy("m", retry_after_s=1.0), NOW_S)
    health.open_until_s = {"a/m": NOW_S + 30.0}
    assert found.told_wait_s(NOW_S) == 30.0


def test_back_off_is_full_jitter_that_grows_with_the_rounds_and_is_not_told() -> None:
    """Who did not say when is asked again soon, at random, and later each time."""
    spans = []
    for num_rounds in range(4):
        waits = []
        for seed in range(200):
            found = course(A1, seed=seed)
            for _ in range(num_rounds):
                found.resume(NOW_S)
            found.fail(A1, ConnectFailed("m"), NOW_S)
            assert found.told_wait_s(NOW_S) is None
            assert not found.is_all_cooling(NOW_S)
            wait_s = found.wait_s(NOW_S)
            assert wait_s is not None
            waits.append(wait_s)
        spans.append((min(waits), max(waits)))
    assert all(low < 0.1 for low, _ in spans)
    assert all(0.2 * 2**n < high <= 0.25 * 2**n + 0.05 for n, (_, high) in enumerate(spans))


def test_waits_of_many_for_the_same_moment_are_spread() -> None:
    """Not everybody comes at once."""
    waits = set()
    for seed in range(50):
        found = course(A1, seed=seed)
        found.fail(A1, Busy("m", retry_after_s=2.0), NOW_S)
        waits.add(found.wait_s(NOW_S))
    assert len(waits) == 50


@pytest.mark.parametrize(
    "error", [BadRequest("m"), Rejected("m", upstream_status=404)], ids=["client", "not there"]
)
def test_what_time_does_not_mend_is_not_waited_for(error: GatewayError) -> None:
    """Nothing is left."""
    found = course(A1)
    found.fail(A1, error, NOW_S)
    assert found.wait_s(NOW_S) is None
    assert found.told_wait_s(NOW_S) is None


def test_all_that_is_left_cools_only_if_everybody_says_so() -> None:
    """One that may be asked at any moment is not cooling."""
    health = Watch()
    found = course(A1, B1, health=health)
    found.fail(A1, Busy("m", retry_after_s=9.0), NOW_S)
    assert not found.is_all_cooling(NOW_S)
    assert found.next(NOW_S) == B1
    assert found.is_all_cooling(NOW_S)
    found.fail(B1, ConnectFailed("m"), NOW_S)
    assert not found.is_all_cooling(NOW_S)
    health.open_until_s = {"b/m": NOW_S + 4.0}
    assert found.is_all_cooling(NOW_S)
    assert found.told_wait_s(NOW_S) == 4.0


def test_other_is_another_model_that_takes_requests() -> None:
    """Another key of the same model is none, nor one that is left alone."""
    health = Watch()
    found = course(A1, A2, B1, health=health)
    assert found.has_other(A1, NOW_S)
    health.open_until_s = {"b/m": NOW_S + 1.0}
    assert not found.has_other(A1, NOW_S)
