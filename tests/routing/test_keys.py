"""Which key a request uses: by room where it is known, by load where it is not."""

import random
from collections import Counter

import pytest

from slipstream.choice import Room
from slipstream.routing.breaker import OF_KEY, OF_QUOTA, Breaker
from slipstream.routing.keys import Key, Left, Quota, roomiest

MAX_S = 300.0


def _quota(label: str) -> Quota:
    def breaker(scope: str) -> Breaker:
        return Breaker(scope, OF_KEY if scope == "key" else OF_QUOTA, MAX_S, lambda: 0.5)

    return Quota(Key(label, breaker("key")), breaker("lane"))


def _quotas(num: int) -> list[Quota]:
    return [_quota(str(number)) for number in range(num)]


def _chosen(quotas: list[Quota], now_s: float = 100.0, tokens: float = 0.0) -> str:
    return roomiest(quotas, now_s, tokens, random.Random(3).random).key.credential


def test_left_counts_down_and_is_forgotten_at_its_reset() -> None:
    """What was told holds until then; after it, nobody knows."""
    left = Left()
    assert left.share(100.0) == 1.0
    left.tell(80, 10.0, 100.0, MAX_S)
    left.tell(20, 10.0, 100.0, MAX_S)
    assert left.share(105.0) == 0.25
    assert left.at(109.9) == 20.0
    assert left.share(110.0) == 1.0


@pytest.mark.parametrize(
    ("reset_s", "until_s"), [(None, 160.0), (-3.0, 160.0), (5.0, 105.0), (86_400.0, 400.0)]
)
def test_left_believes_a_reset_within_bounds(reset_s: float | None, until_s: float) -> None:
    """A reset that is not told is a minute away, and none is further than a cooldown."""
    left = Left()
    left.tell(5, reset_s, 100.0, MAX_S)
    assert left.until_s == until_s


def test_roomiest_takes_the_larger_part_that_is_left() -> None:
    """In proportion to each key's own limit, not in numbers."""
    small, large = _quotas(2)
    for quota, most, now in ((small, 10, 9), (large, 1000, 300)):
        quota.tell(Room(requests=most, requests_reset_s=60.0), 100.0, MAX_S)
        quota.tell(Room(requests=now, requests_reset_s=60.0), 100.0, MAX_S)
    assert _chosen([small, large]) == "0"
    for _ in range(8):
        small.take(100.0, 100.0)
    assert _chosen([small, large]) == "1"
    assert _chosen([small, large], now_s=161.0) in ("0", "1")


def test_roomiest_looks_at_the_scarcer_of_requests_and_tokens() -> None:
    """Many requests are no use without tokens."""
    quotas = _quotas(2)
    for quota, tokens in zip(quotas, (1_000, 60_000), strict=True):
        quota.tell(Room(requests=90, tokens=100_000), 100.0, MAX_S)
        quota.tell(Room(requests=90, tokens=tokens), 100.0, MAX_S)
    assert _chosen(quotas) == "1"


def test_roomiest_needs_the_tokens_of_this_request() -> None:
    """A key that has room for small requests only gets no large one."""
    quotas = _quotas(2)
    quotas[0].tell(Room(tokens=5_000), 100.0, MAX_S)
    quotas[1].tell(Room(tokens=50_000), 100.0, MAX_S)
    quotas[1].tell(Room(tokens=20_000), 100.0, MAX_S)
    assert _chosen(quotas, tokens=1_000.0) == "0"
    assert _chosen(quotas, tokens=10_000.0) == "1"


def test_roomiest_spreads_evenly_where_nothing_is_known() -> None:
    """By what is in flight, and by chance between equals."""
    quotas, rng = _quotas(4), random.Random(5)
    counts = Counter[str]()
    for number in range(400):
        quota = roomiest(quotas, 100.0, 0.0, rng.random)
        quota.in_flight += 1
        counts[quota.key.credential] += 1
        if number % 2:
            quota.in_flight -= 1
    assert max(counts.values()) - min(counts.values()) < 40


def test_roomiest_takes_a_cooling_key_only_where_all_are() -> None:
    """Then the one that comes back first."""
    quotas = _quotas(3)
    quotas[0].key.breaker.refuse(99.0, 100.0, "key refused")
    quotas[1].breaker.refuse(99.0, 100.0, "out of quota", wait_s=20.0)
    quotas[2].in_flight = 50
    assert _chosen(quotas) == "2"
    quotas[2].tell(Room(requests=0, requests_reset_s=30.0), 100.0, MAX_S)
    assert _chosen(quotas) == "1"
    assert _chosen(quotas, now_s=131.0) == "1"


def test_room_of_a_request_larger_than_all_room_is_nearly_all_of_it() -> None:
    """Whatever was told, a request that never fits is let through when there is most room."""
    quota = _quota("0")
    quota.tell(Room(tokens=1_000, tokens_reset_s=30.0), 100.0, MAX_S)
    assert quota.room_until_s(50_000.0, 100.0) == 0.0
    quota.take(500.0, 100.0)
    assert quota.room_until_s(50_000.0, 100.0) == 130.0
    assert quota.room_until_s(400.0, 100.0) == 0.0


def test_take_counts_down_to_nothing_and_no_further() -> None:
    """More attempts than there was room for leave no debt after the reset."""
    quota = _quota("0")
    quota.tell(Room(requests=2, requests_reset_s=30.0), 100.0, MAX_S)
    for _ in range(5):
        quota.take(10.0, 101.0)
    assert quota.has_room_told
    assert quota.room_until_s(1.0, 101.0) == 130.0
    quota.take(10.0, 131.0)
    assert not quota.has_room_told
    assert quota.room_until_s(1.0, 131.0) == 0.0
