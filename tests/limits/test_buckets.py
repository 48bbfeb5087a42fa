"""One bucket, against one that replays its whole history, and at the values that matter."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.limits.buckets import Bucket
from tests.limits.replayed_bucket import ReplayedBucket

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

# Long enough for a bucket to be full now and then, short enough for it to be empty most times.
_PERIODS = st.sampled_from([7, 1_000, MINUTE_US, HOUR_US, DAY_US])
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "hold", "settle", "settle", "take", "wait"]),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    max_size=60,
)


class _Pair:
    """A bucket and its model, to which the same happens."""

    def __init__(self, limit: int, period_us: int) -> None:
        self.now_us = 0
        self.bucket = Bucket(limit, period_us, 0)
        self.model = ReplayedBucket(limit, period_us)
        self.open: list[tuple[int, int]] = []  # (number in the model, tokens held)

    def hold(self, size: float, how_long: float) -> None:
        tokens = round(size * self.model.limit)
        wait_us = self.bucket.wait_us(tokens, self.now_us)
        assert wait_us == self.model.wait_us(tokens, self.now_us)
        if wait_us and how_long < 0.5:
            return
        self.now_us += wait_us
        assert self.bucket.wait_us(tokens, self.now_us) == 0, "the wait was long enough"
        self.bucket.hold(tokens)
        self.open.append((self.model.charge(tokens, self.now_us), tokens))

    def take(self, size: float, _: float) -> None:
        tokens = round(size * self.model.limit)
        if self.bucket.wait_us(tokens, self.now_us) == 0:
            self.bucket.take(tokens)
            self.model.charge(tokens, self.now_us)

    def settle(self, which: float, share: float) -> None:
        if not self.open:
            return
        index = min(int(which * len(self.open)), len(self.open) - 1)
        number, held = self.open.pop(index)
        used = round(held * share * 1.25)  # a fifth of them used more than they held
        self.bucket.settle(index, held, used, self.now_us)
        self.model.settle(number, used, self.now_us)

    def wait(self, share: float, power: float) -> None:
        self.now_us += int(share * 10 ** (4 * power - 3) * self.bucket.period_us)

    def compare(self) -> None:
        level = self.model.level(self.now_us)
        assert self.bucket.remaining(self.now_us) == max(0, level // 1)
        assert self.bucket.reset_us(self.now_us) == self.model.wait_us(
            self.model.limit, self.now_us
        )


@settings(max_examples=500, deadline=None)
@given(limit=st.integers(1, 1000), period_us=_PERIODS, steps=_STEPS)
def test_bucket_is_what_its_corrected_history_would_have_made_of_it(
    limit: int, period_us: int, steps: list[tuple[str, float, float]]
) -> None:
    """Waits, levels and resets are exact, whatever was held, used, given back or waited for."""
    pair = _Pair(limit, period_us)
    for name, first, second in steps:
        getattr(pair, name)(first, second)
        pair.compare()


@settings(max_examples=300, deadline=None)
@given(limit=st.integers(1, 1000), period_us=_PERIODS, steps=_STEPS)
def test_bucket_lets_no_window_have_more_than_limit_and_refill(
    limit: int, period_us: int, steps: list[tuple[str, float, float]]
) -> None:
    """From any admission to any later one, no more is used than a full bucket and its refill."""
    pair = _Pair(limit, period_us)
    for name, first, second in steps:
        getattr(pair, name)(first, 0.8 * second if name == "settle" else second)
    charges = pair.model.charges  # (moment, what was used; of those still open, what is held)
    sums = [0, *accumulate(tokens for _, tokens in charges)]
    for end, (end_us, _) in enumerate(charges, 1):
        for start, (start_us, _) in enumerate(charges[:end]):
            most = limit + pair.model.per_us * (end_us - start_us)
            assert sums[end] - sums[start] <= most


def test_bucket_refills_continuously() -> None:
    """60 in a minute is one in each second, not 60 at its end."""
    bucket = Bucket(60, MINUTE_US, 0)
    assert bucket.wait_us(60, 0) == 0
    bucket.take(60)
    assert bucket.remaining(0) == 0
    assert bucket.wait_us(1, 0) == 1_000_000
    assert bucket.remaining(999_999) == 0
    assert bucket.remaining(1_000_000) == 1
    assert bucket.remaining(59_999_999) == 59
    assert bucket.reset_us(15_000_000) == 45_000_000
    assert bucket.remaining(MINUTE_US) == 60
    assert bucket.remaining(10 * MINUTE_US) == 60, "it never holds more than its limit"


@pytest.mark.parametrize(
    ("limit", "period_us", "each_us"),
    [(150, HOUR_US, 24_000_000), (2400, DAY_US, 36_000_000), (7, DAY_US, 12_342_857_143)],
)
def test_bucket_of_an_hour_or_a_day_refills_at_its_own_pace(
    limit: int, period_us: int, each_us: int
) -> None:
    """A token comes back after period / limit, rounded up to the microsecond."""
    bucket = Bucket(limit, period_us, 0)
    assert bucket.wait_us(limit, 0) == 0
    bucket.take(limit)
    assert bucket.reset_us(0) == period_us
    assert bucket.wait_us(1, 0) == each_us
    assert bucket.remaining(each_us - 1) == 0
    assert bucket.remaining(each_us) == 1
    assert bucket.wait_us(1, each_us - 1) == 1
    assert bucket.wait_us(limit, period_us) == 0


def test_bucket_whose_clock_stands_still_or_goes_back_refills_nothing() -> None:
    """Time that does not pass brings nothing, and takes nothing away."""
    bucket = Bucket(10, MINUTE_US, 500)
    assert bucket.wait_us(10, 500) == 0
    bucket.take(10)
    for now_us in (500, 500, 100, 0):
        assert bucket.wait_us(1, now_us) == MINUTE_US // 10
        assert bucket.remaining(now_us) == 0
    assert bucket.remaining(500 + MINUTE_US // 10) == 1


def test_bucket_gives_back_what_was_not_used() -> None:
    """A correction at once leaves exactly what was used."""
    bucket = Bucket(100, MINUTE_US, 0)
    bucket.hold(80)
    assert bucket.remaining(0) == 20
    bucket.settle(0, 80, 5, 0)
    assert bucket.remaining(0) == 95


def test_bucket_owes_what_was_used_beyond_what_was_held() -> None:
    """More than was held is charged at the end, and must refill before anyone gets anything."""
    bucket = Bucket(60, MINUTE_US, 0)
    bucket.hold(50)
    bucket.settle(0, 50, 90, 0)
    assert bucket.remaining(0) == 0
    assert bucket.wait_us(1, 0) == 31_000_000
    assert bucket.reset_us(0) == 90_000_000


def test_bucket_gives_nothing_back_twice_that_refill_made_up_for() -> None:
    """A late correction is no second refill.

    It once would have been: 80 of 100 held, refilled while the answer ran, held by another
    request, and 70 of the first given back on top, let 170 be used at once.
    """
    bucket = Bucket(100, MINUTE_US, 0)
    bucket.hold(80)
    later_us = 2 * MINUTE_US
    assert bucket.wait_us(80, later_us) == 0
    bucket.hold(80)
    bucket.settle(0, 80, 10, later_us)
    assert bucket.remaining(later_us) == 20
    bucket.settle(0, 80, 10, later_us)
    assert bucket.remaining(later_us) == 90


def test_bucket_gives_an_old_request_back_what_newer_ones_left() -> None:
    """Short requests that come and go while a long one runs cost it nothing of its own."""
    bucket = Bucket(100, MINUTE_US, 0)
    bucket.hold(50)
    for now_us in range(0, MINUTE_US, 1_000_000):
        assert bucket.wait_us(10, now_us) == 0
        bucket.hold(10)
        bucket.settle(1, 10, 2, now_us)  # 2 each second: more than the 1.67 that come
    before = bucket.remaining(MINUTE_US)
    assert before < 50
    bucket.settle(0, 50, 0, MINUTE_US)
    assert bucket.remaining(MINUTE_US) == before + 50
