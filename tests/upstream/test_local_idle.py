"""Tests of slipstream.upstream.local_idle: when a process has been idle for long enough."""

import random

from slipstream.upstream.local_idle import Idleness


def test_look_without_any_use_counts_from_the_first() -> None:
    """What nobody ever needed is idle for as long as someone has looked."""
    idleness = Idleness(8.0)
    assert idleness.look(False, 100.0) == 1.0
    assert idleness.look(False, 107.5) == 0.5
    assert idleness.look(False, 108.0) == 0.0


def test_look_at_a_busy_process_begins_anew() -> None:
    """Work of which `used` knows nothing keeps a process, however long it lasts."""
    idleness = Idleness(8.0)
    for now_s in (0.0, 50.0, 100.0):
        assert idleness.look(True, now_s) == 1.0
    assert idleness.look(False, 107.0) == 1.0
    assert idleness.look(False, 108.0) == 0.0


def test_used_keeps_it_and_is_noticed_when_it_is_over() -> None:
    """A use between two looks counts as late as the second: never too early."""
    idleness = Idleness(8.0)
    idleness.look(False, 0.0)
    with idleness.used():
        assert idleness.look(False, 20.0) == 1.0
    with idleness.used():
        pass
    assert idleness.look(False, 30.0) == 1.0
    assert idleness.look(False, 38.0) == 0.0


def test_used_that_fails_ends_too() -> None:
    """An error of who uses it does not keep it for ever."""
    idleness = Idleness(8.0)
    try:
        with idleness.used():
            raise TimeoutError
    except TimeoutError:
        pass
    idleness.look(False, 0.0)
    assert idleness.look(False, 8.0) == 0.0


def test_look_whenever_it_says_ends_between_the_limit_and_an_eighth_more() -> None:
    """Who looks as often as told ends the process after the limit, and not much later."""
    rng = random.Random(5)
    for _ in range(200):
        limit_s, last_use_s = rng.uniform(1.0, 100.0), rng.uniform(0.0, 300.0)
        idleness, now_s, has_used = Idleness(limit_s), 0.0, False
        while True:
            if not has_used and now_s >= last_use_s:
                with idleness.used():
                    has_used = True
                last_use_s = now_s
            wait_s = idleness.look(not has_used, now_s)
            if wait_s == 0:
                break
            assert wait_s <= limit_s / 8
            now_s += wait_s
        assert limit_s - 1e-6 <= now_s - last_use_s <= limit_s * 9 / 8 + 1e-6


def test_look_without_a_limit_is_never_over() -> None:
    """A process without the setting stays, whoever looks."""
    idleness = Idleness(float("inf"))
    idleness.look(False, 0.0)
    assert idleness.look(False, 1e9) > 0
