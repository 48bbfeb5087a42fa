"""Circuit breakers: when they open, for how long, and who gets through."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.routing.breaker import OF_KEY, OF_PROVIDER, OF_QUOTA, OF_TARGET, Breaker, Policy

MAX_S = 300.0


def _breaker(policy: Policy = OF_TARGET, random_of: Callable[[], float] = lambda: 0.5) -> Breaker:
    return Breaker("target groq/m", policy, MAX_S, random_of)


def _opened(at_s: float = 100.0) -> Breaker:
    """Return a breaker that five failures opened for a second."""
    breaker = _breaker()
    for _ in range(5):
        breaker.fail(at_s - 1.0, at_s, "status 500")
    return breaker


@pytest.mark.parametrize(
    ("policy", "num"), [(OF_TARGET, 5), (OF_PROVIDER, 3), (OF_KEY, 1), (OF_QUOTA, 1)]
)
def test_fail_opens_after_so_many_in_a_row(policy: Policy, num: int) -> None:
    """What fails by what is asked needs more failures than what cannot even be reached."""
    breaker = _breaker(policy)
    told = [breaker.fail(n, n + 0.5, "status 500") for n in range(num)]
    assert told[:-1] == [None] * (num - 1)
    assert told[-1] == pytest.approx(policy.first_s)
    assert not breaker.is_closed
    assert breaker.reason == "status 500"


def test_fail_between_successes_opens_nothing() -> None:
    """A target that fails one request in five is dearer, not gone: see failing_s of lanes."""
    breaker = _breaker()
    for number in range(1000):
        if number % 5 == 4:
            breaker.fail(number, number + 0.5, "status 500")
        else:
            breaker.succeed(number, number + 0.5)
    assert breaker.is_closed


def test_fail_of_half_of_many_opens() -> None:
    """Half of twenty within the window is an outage, though no five are in a row."""
    breaker, opened_at = _breaker(), []
    for number in range(20):
        now_s = number * 0.1
        if number % 2 == 0:
            breaker.succeed(now_s - 0.05, now_s)
        elif breaker.fail(now_s - 0.05, now_s, "status 502"):
            opened_at.append(number)
    assert opened_at == [19]


def test_fail_long_ago_does_not_count_any_more() -> None:
    """The window is of seconds: what failed a minute ago is no share of now."""
    breaker = _breaker()
    for number in range(9):
        breaker.fail(number * 0.01, number * 0.01, "status 502")
        breaker.succeed(number * 0.01, number * 0.01)
    for number in range(3):
        breaker.fail(60.0 + number, 60.0 + number, "status 502")
        breaker.succeed(60.0 + number, 60.0 + number)
    assert breaker.is_closed


def test_open_then_half_open_lets_one_probe_through() -> None:
    """Nobody while it is open; then one, and nobody beside it."""
    breaker = _opened(100.0)
    assert not breaker.allows(100.9)
    assert breaker.blocked_until_s == pytest.approx(101.0)
    assert breaker.allows(101.0)
    breaker.begin()
    assert not breaker.allows(200.0)
    assert breaker.blocked_until_s == math.inf


def test_succeed_of_the_probe_closes() -> None:
    """One good answer, and everybody may come."""
    breaker = _opened(100.0)
    breaker.begin()
    assert breaker.succeed(101.5, 102.0)
    assert breaker.is_closed
    assert breaker.allows(102.0)
    assert breaker.blocked_until_s == 0.0


def test_succeed_of_an_older_attempt_closes_nothing() -> None:
    """An answer that began before the trouble says nothing about its end."""
    breaker = _opened(100.0)
    assert not breaker.succeed(99.5, 101.5)
    assert not breaker.is_closed


def test_fail_of_the_probe_doubles_up_to_the_bound() -> None:
    """1, 2, 4, … seconds, and never more than is configured."""
    breaker, now_s, cooldowns = _opened(100.0), 100.0, []
    for _ in range(12):
        now_s = breaker.until_s + 1.0
        breaker.begin()
        cooldown_s = breaker.fail(now_s, now_s + 0.5, "status 500")
        assert cooldown_s is not None
        cooldowns.append(round(cooldown_s))
        now_s += 0.5
    assert cooldowns == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]


def test_fail_of_requests_in_flight_together_is_one_step() -> None:
    """A hundred requests that fail together ask for one second, not for a hundred doublings."""
    breaker = _breaker()
    told = [breaker.fail(99.0, 100.0 + n / 1000, "status 500") for n in range(100)]
    assert [each for each in told if each is not None] == [pytest.approx(1.0)]
    assert breaker.until_s == pytest.approx(101.004)


def test_back_off_is_remembered_by_what_flaps() -> None:
    """A target that answers its probe and fails again is left alone for longer each time."""
    breaker, now_s, cooldowns = _breaker(), 100.0, []
    for _ in range(4):
        for _ in range(5):
            now_s += 0.1
            cooldown_s = breaker.fail(now_s - 0.05, now_s, "status 500")
        assert cooldown_s is not None
        cooldowns.append(round(cooldown_s))
        now_s = breaker.until_s + 0.1
        breaker.begin()
        breaker.succeed(now_s, now_s + 0.1)
        now_s += 0.1
    assert cooldowns == [1, 2, 4, 8]
    for number in range(5):
        cooldown_s = breaker.fail(now_s + 60.0 + number, now_s + 61.0 + number, "status 500")
    assert cooldown_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("wait_s", "least", "most"),
    [(30.0, 30.0, 33.0), (0.0, 0.5, 0.6), (1e9, 300.0, 300.0), (299.0, 299.0, 300.0)],
)
def test_refuse_honours_a_wait_within_bounds(wait_s: float, least: float, most: float) -> None:
    """Never sooner than asked for, a little later for the sake of those who asked together."""
    for jitter in (0.0, 0.999):
        breaker = _breaker(OF_QUOTA, lambda jitter=jitter: jitter)  # type: ignore[misc]
        cooldown_s = breaker.refuse(99.0, 100.0, "out of quota", wait_s=wait_s)
        assert cooldown_s is not None
        assert least <= cooldown_s <= most


def test_refuse_of_an_older_attempt_can_prolong_and_not_double() -> None:
    """Of several waits that are asked for at once, the longest is kept."""
    breaker = _breaker(OF_QUOTA)
    breaker.refuse(99.0, 100.0, "out of quota", wait_s=10.0)
    first_s = breaker.until_s
    assert breaker.refuse(99.0, 100.1, "out of quota", wait_s=2.0) is None
    assert breaker.until_s == first_s
    assert breaker.refuse(99.0, 100.2, "out of quota", wait_s=20.0) is not None
    assert breaker.until_s > 120.0
    assert breaker.refuse(99.0, 100.3, "out of quota") is None


def test_cooldowns_have_jitter() -> None:
    """Gateways that were refused together do not come back together."""
    rng = random.Random(1)
    untils = set()
    for _ in range(20):
        breaker = _breaker(OF_QUOTA, rng.random)
        breaker.refuse(99.0, 100.0, "out of quota")
        untils.add(breaker.until_s)
    assert len(untils) == 20
    assert 101.6 <= min(untils) < max(untils) <= 102.4


def test_pass_over_frees_the_probes_place_and_nobody_elses() -> None:
    """A probe that was cancelled makes room for the next one; older attempts do not."""
    breaker = _opened(100.0)
    breaker.begin()
    breaker.pass_over(99.0)
    assert not breaker.allows(102.0)
    breaker.pass_over(101.5)
    assert breaker.allows(102.0)
    breaker.begin()
    breaker.free()
    assert breaker.allows(102.0)


def test_cool_is_never_shorter_than_what_is() -> None:
    """What another gateway says can only add to what is known here, within bounds."""
    breaker = _opened(100.0)
    breaker.cool(50.0, 100.0, "told")
    assert breaker.until_s == 150.0
    breaker.cool(1.0, 100.0, "told")
    breaker.cool(-5.0, 100.0, "told")
    breaker.cool(math.nan, 100.0, "told")
    assert breaker.until_s == 150.0
    breaker.cool(math.inf, 100.0, "told")
    assert breaker.until_s == 400.0


def test_wake_lets_a_probe_through_at_a_sign_of_health() -> None:
    """Sooner than the back-off of ours, never sooner than a wait that was asked for."""
    breaker = _opened(100.0)
    assert breaker.wake(100.2)
    assert not breaker.wake(100.3)
    assert breaker.allows(100.2)
    asked = _breaker(OF_QUOTA)
    asked.refuse(99.0, 100.0, "out of quota", wait_s=10.0)
    assert not asked.wake(101.0)
    asked.refuse(99.0, 101.0, "out of quota", wait_s=60.0)
    assert not asked.wake(102.0)
    assert not asked.allows(160.0)
    assert not _breaker().wake(100.0)


def test_shift_moves_a_cooldown_with_the_clock() -> None:
    """A clock that is set back by an hour does not make a second of cooldown an hour."""
    breaker = _opened(10_000.0)
    breaker.shift(-3600.0)
    assert not breaker.allows(6400.5)
    assert breaker.allows(6401.0)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "fail", "refuse", "wait", "succeed", "leave", "cool"]),
        st.floats(0.0, 20.0),
        st.floats(0.0, 1000.0),
        st.integers(0, 5),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_breaker_keeps_its_promises_in_any_order(
    events: list[tuple[str, float, float, int]], rng: random.Random
) -> None:
    """Never shortened but by a success, bounded, one probe at a time, and never shut for ever."""
    breaker = Breaker("target groq/m", OF_TARGET, MAX_S, rng.random)
    now_s = 1000.0
    running: list[tuple[float, bool]] = []  # when each began, and whether it is a probe
    for kind, step_s, wait_s, index in events:
        now_s += step_s
        until_s = breaker.until_s
        if kind == "begin":
            if breaker.allows(now_s):
                is_probe = not breaker.is_closed
                breaker.begin()
                running.append((now_s, is_probe))
        elif kind == "cool":
            breaker.cool(wait_s, now_s, "told")
        elif running:
            began_s, _ = running.pop(index % len(running))
            now_s += 0.01
            _tell(breaker, kind, began_s, now_s, wait_s)
        assert breaker.until_s >= until_s or breaker.is_closed
        assert breaker.until_s <= now_s + MAX_S
        assert sum(is_probe for _, is_probe in running) <= 1
    while running:
        began_s, _ = running.pop()
        breaker.pass_over(began_s)
    if not breaker.is_closed and breaker.is_probed:
        breaker.free()  # as the board does when nobody is left
    assert breaker.allows(now_s + MAX_S)
    breaker.begin()
    breaker.succeed(now_s + MAX_S, now_s + MAX_S + 1.0)
    assert breaker.is_closed


def _tell(breaker: Breaker, kind: str, began_s: float, now_s: float, wait_s: float) -> None:
    match kind:
        case "fail":
            breaker.fail(began_s, now_s, "status 500")
        case "refuse":
            breaker.refuse(began_s, now_s, "status 404", first_s=60.0)
        case "wait":
            breaker.refuse(began_s, now_s, "overloaded", wait_s=wait_s)
        case "succeed":
            breaker.succeed(began_s, now_s)
        case _:
            breaker.pass_over(began_s)
