"""Which answers are asked for again, and when."""

import random

import pytest

from slipstream.batches.retries import Retries
from tests.batches.world import good, refused


def patient() -> Retries:
    """Return retries with a seed."""
    return Retries(max_tries=4, backoff_s=(1.0, 5.0), rng=random.Random(3))


def test_answer_stands_at_once() -> None:
    """What is no passing fault is the line's result."""
    for status in (200, 201, 400, 401, 403, 404, 413, 422, 500, 501):
        assert patient().wait_s(refused(status, 1.0), 1) is None
    assert patient().wait_s(good("a"), 1) is None


def test_limit_that_says_when_is_obeyed_without_end() -> None:
    """A rate limit is no fault: its wait is never cut short, nor much longer."""
    retries = patient()
    for num_tries in (1, 4, 1000):
        wait_s = retries.wait_s(refused(429, 30.0), num_tries)
        assert wait_s is not None
        assert 30.0 <= wait_s <= 37.5


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_passing_fault_is_tried_so_many_times(status: int) -> None:
    """Waits double up to a bound, with jitter, and then the fault is the result."""
    retries = patient()
    waits_s = [retries.wait_s(refused(status), n) for n in (1, 2, 3)]
    for wait_s, full_s in zip(waits_s, (1.0, 2.0, 4.0), strict=True):
        assert wait_s is not None
        assert full_s / 2 <= wait_s <= full_s
    assert retries.wait_s(refused(status), 4) is None


def test_fault_that_says_when_is_not_asked_sooner() -> None:
    """A Retry-After is the least; our own wait is, too."""
    retries = patient()
    told_s = retries.wait_s(refused(503, 20.0), 1)
    assert told_s == 20.0
    own_s = retries.wait_s(refused(503, 0.1), 3)
    assert own_s is not None
    assert own_s >= 2.0


def test_many_tries_do_not_overflow_the_wait() -> None:
    """The bound holds for any number of tries."""
    retries = Retries(max_tries=10**6, backoff_s=(1.0, 60.0), rng=random.Random(1))
    wait_s = retries.wait_s(refused(502), 10**5)
    assert wait_s is not None
    assert wait_s <= 60.0
