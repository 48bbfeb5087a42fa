"""All keys: who has which limits, who shares them, and that nothing piles up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.errors import OverLimit
from slipstream.limits.accounts import FREE, Admission
from slipstream.limits.plan import PERIOD_US
from slipstream.limits.rates import (
    MAX_MODEL_CHARS,
    MAX_MODELS_PER_KEY,
    SWEEP_AT_KEYS,
    RateLimits,
    reserved_output_tokens,
)
from slipstream.limits.settings import LimitSettings
from slipstream.limits.standing import cerebras_headers
from tests.limits.clock import Clock
from tests.limits.replayed_bucket import ReplayedBucket

_NAMES = {"key-1": "anna", "key-2": "bob", "key-3": "free"}
_ONE = LimitSettings(requests_per_minute=1)


def _limits(clock: Clock, **tables: LimitSettings) -> RateLimits:
    return RateLimits(tables, _NAMES.get, clock)


def _asked(
    limits: RateLimits, key_id: str, model: str, input_tokens: int, output_tokens: int
) -> Admission | float | None:
    """Return the admission, or when to come back."""
    try:
        return limits.admit(key_id, model, input_tokens, output_tokens)
    except OverLimit as error:
        return error.retry_after_s


def _is_let_in(limits: RateLimits, key_id: str, model: str = "m") -> bool:
    answer = _asked(limits, key_id, model, 1, 1)
    if isinstance(answer, Admission):
        answer.settle(1, 0, 1)
    return isinstance(answer, Admission)


@pytest.mark.parametrize(
    ("asked", "num_choices", "reserved"),
    [
        (None, 1, 16_384),
        (-1, 1, 16_384),
        (0, 1, 0),
        (100, 1, 100),
        (16_384, 1, 16_384),
        (40_960, 1, 16_384),
        (100, 3, 300),
        (None, 2, 32_768),
    ],
)
def test_output_is_reserved_as_asked_up_to_a_bound(
    asked: int | None, num_choices: int, reserved: int
) -> None:
    """max_completion_tokens, at most 16,384 for each choice; all of them where it is absent."""
    assert reserved_output_tokens(asked, num_choices) == reserved


def test_key_without_limits_is_always_let_in() -> None:
    """No table, or one that sets nothing: no account, no clock, no header."""

    def no_clock() -> float:
        raise AssertionError("nothing is computed where nothing is limited")

    for tables in ({}, {"anna": _ONE}, {"default": _ONE, "bob": LimitSettings()}):
        limits = RateLimits(tables, _NAMES.get, no_clock)
        assert limits.admit("key-2", "m", 10**9, 10**9) is FREE
        assert limits.standing("key-2", "m") == []
        assert len(limits.standing("key-2", "m", cerebras_headers)) == 18
        assert limits.num_accounts == 0


def test_key_has_the_table_of_its_name_or_the_default() -> None:
    """Of its name, not of its id; a key that is not known has the default."""
    limits = _limits(
        Clock(),
        anna=LimitSettings(requests_per_minute=2),
        default=_ONE,
        free=LimitSettings(),
    )
    let_in = {
        key: [_is_let_in(limits, key) for _ in range(3)]
        for key in ("key-1", "key-2", "key-3", "none")
    }
    assert let_in == {
        "key-1": [True, True, False],
        "key-2": [True, False, False],
        "key-3": [True, True, True],
        "none": [True, False, False],
    }


def test_models_have_limits_of_their_own_unless_the_key_has_them_for_all() -> None:
    """`per` decides; keys never share."""
    limits = _limits(
        Clock(), anna=_ONE, bob=LimitSettings(requests_per_minute=1, per="key"), default=_ONE
    )
    assert [_is_let_in(limits, "key-1", model) for model in "aabb"] == [True, False, True, False]
    assert [_is_let_in(limits, "key-2", model) for model in "aabb"] == [True, False, False, False]
    assert _is_let_in(limits, "key-3", "a")
    told = dict(limits.standing("key-2", "never-asked"))
    assert told[b"x-ratelimit-remaining-requests-minute"] == b"0"


def test_standing_is_told_without_using_anything() -> None:
    """What was never asked is full; asking for it makes no account."""
    clock = Clock()
    limits = _limits(clock, anna=LimitSettings(requests_per_minute=5, tokens_per_day=1000))
    fresh = limits.standing("key-1", "m")
    assert limits.num_accounts == 0
    assert dict(fresh)[b"x-ratelimit-remaining-requests-minute"] == b"5"
    limits.admit("key-1", "m", 100, 300)
    assert limits.standing("key-1", "other") == fresh
    assert limits.num_accounts == 1
    told = dict(limits.standing("key-1", "m", cerebras_headers))
    assert told[b"x-ratelimit-remaining-requests-minute"] == b"4"
    assert told[b"x-ratelimit-reset-requests-minute"] == b"12.0"
    assert told[b"x-ratelimit-remaining-tokens-day"] == b"600"
    assert told[b"x-ratelimit-reset-tokens-day"] == b"34560.0"
    assert told[b"x-ratelimit-limit-tokens-minute"] == b"1000000000"
    clock.wait(12)
    told = dict(limits.standing("key-1", "m"))
    assert told[b"x-ratelimit-remaining-requests-minute"] == b"5"
    assert told[b"x-ratelimit-reset-requests"] == b"0s"
    assert told[b"x-ratelimit-reset-tokens"] == b"9h35m48s"


# ---- nothing piles up ---------------------------------------------------------------------------


def test_models_that_are_idle_again_make_room() -> None:
    """A million names, one after the other, leave no more accounts than the bound."""
    clock = Clock()
    limits = _limits(clock, anna=LimitSettings(requests_per_minute=60))
    for number in range(20_000):
        assert _is_let_in(limits, "key-1", f"model-{number}")
        clock.wait(0.01)
        assert limits.num_accounts <= MAX_MODELS_PER_KEY + 1


def test_models_beyond_the_bound_share_one_account() -> None:
    """Names made up faster than they become idle get no bucket each; known ones keep theirs."""
    clock = Clock()
    limits = _limits(clock, anna=LimitSettings(requests_per_day=2))
    for number in range(MAX_MODELS_PER_KEY):
        assert _is_let_in(limits, "key-1", f"model-{number}")
    let_in = sum(_is_let_in(limits, "key-1", f"more-{number}") for number in range(5000))
    assert let_in == 2
    assert limits.num_accounts == MAX_MODELS_PER_KEY + 1
    assert _is_let_in(limits, "key-1", "model-7")
    assert not _is_let_in(limits, "key-1", "model-7")
    told = dict(limits.standing("key-1", "never-asked"))
    assert told[b"x-ratelimit-remaining-requests-day"] == b"0"


def test_model_leaves_the_shared_account_only_when_that_is_full() -> None:
    """Otherwise it would have a full bucket while what it used is still missing elsewhere."""
    clock = Clock()
    limits = _limits(clock, anna=LimitSettings(requests_per_day=2))
    for number in range(MAX_MODELS_PER_KEY):
        limits.admit("key-1", f"model-{number}", 1, 1)
    clock.wait(43_000)
    assert [_is_let_in(limits, "key-1", "late") for _ in range(3)] == [True, True, False]
    clock.wait(43_200)  # everybody else is idle since 43,000 s, and one of two is back
    assert [_is_let_in(limits, "key-1", "late") for _ in range(2)] == [True, False]
    clock.wait(86_400)
    assert [_is_let_in(limits, "key-1", "late") for _ in range(3)] == [True, True, False]
    assert limits.num_accounts == 1


def test_model_of_a_very_long_name_has_no_account_of_its_own() -> None:
    """Bodies of megabytes leave nothing of that size behind."""
    limits = _limits(Clock(), anna=LimitSettings(requests_per_day=2))
    long = [f"{number}" * MAX_MODEL_CHARS for number in range(10, 14)]
    assert [_is_let_in(limits, "key-1", model) for model in long] == [True, True, False, False]
    assert limits.num_accounts == 1


def test_open_admission_survives_every_sweep() -> None:
    """An account with somebody inside is not idle, however long that takes."""
    clock = Clock()
    limits = _limits(clock, default=LimitSettings(tokens_per_minute=100))
    admission = limits.admit("key-1", "m", 50, 50)
    clock.wait(120)
    for number in range(3 * SWEEP_AT_KEYS):
        limits.admit(f"other-{number}", "m", 1, 1).cancel()
    for number in range(3 * MAX_MODELS_PER_KEY):
        limits.admit("key-1", f"model-{number}", 1, 1).cancel()
    admission.settle(50, 0, 100)
    told = dict(limits.standing("key-1", "m"))
    assert told[b"x-ratelimit-remaining-tokens-minute"] == b"50"


def test_keys_that_are_idle_again_are_forgotten() -> None:
    """Keys that come and go leave no more accounts than twice those in use."""
    clock = Clock()
    limits = _limits(clock, default=LimitSettings(requests_per_minute=60))
    for number in range(10 * SWEEP_AT_KEYS):
        assert _is_let_in(limits, f"key-{number}")
        clock.wait(0.01)
        if number % 97 == 0:
            assert limits.num_accounts <= SWEEP_AT_KEYS
    for number in range(3 * SWEEP_AT_KEYS):  # at one moment: none is idle
        assert _is_let_in(limits, f"busy-{number}")
    for number in (0, SWEEP_AT_KEYS, 3 * SWEEP_AT_KEYS - 1):
        told = dict(limits.standing(f"busy-{number}", "m"))
        assert told[b"x-ratelimit-remaining-requests-minute"] == b"59", "none is forgotten"


# ---- against the replayed history ---------------------------------------------------------------

_SIZES = {
    "requests_per_minute": 20,
    "requests_per_hour": 150,
    "requests_per_day": 400,
    "uncached_tokens_per_minute": 3_000,
    "uncached_tokens_per_hour": 50_000,
    "uncached_tokens_per_day": 90_000,
    "tokens_per_minute": 9_000,
    "tokens_per_hour": 60_000,
    "tokens_per_day": 100_000,
}
_REQUESTS = st.tuples(
    st.integers(0, 900_000_000),  # microseconds since the one before
    st.integers(0, 2_000),
    st.integers(0, 1_000),
    st.integers(0, 1_000),  # of the input, cached
    st.integers(0, 1_500),
    st.integers(0, 3),  # how many of the open ones, from the oldest, end after it
)


class _Model:
    """Each limit of a key as a bucket that replays its history."""

    def __init__(self, sizes: dict[str, int], now_us: int) -> None:
        self.start_us = now_us
        self.buckets = {
            name: ReplayedBucket(size, PERIOD_US[name.rpartition("_")[2]])  # type: ignore[index]
            for name, size in sizes.items()
        }

    def admit(self, tokens: int, now_us: int) -> int | dict[str, int]:
        now_us -= self.start_us
        wants = {name: 1 if name.startswith("requests") else tokens for name in self.buckets}
        wait_us = max(each.wait_us(wants[name], now_us) for name, each in self.buckets.items())
        if wait_us:
            return wait_us
        return {name: each.charge(wants[name], now_us) for name, each in self.buckets.items()}

    def settle(self, charges: dict[str, int], uncached: int, total: int, now_us: int) -> None:
        for name, number in charges.items():
            if not name.startswith("requests"):
                used = uncached if name.startswith("uncached") else total
                self.buckets[name].settle(number, used, now_us - self.start_us)

    def left(self, now_us: int) -> dict[bytes, int]:
        told: dict[bytes, int] = {}
        for name, bucket in self.buckets.items():
            what = name.removeprefix("uncached_").replace("_per_", "-")
            key = f"x-ratelimit-remaining-{what}".encode()
            left = max(0, bucket.level(now_us - self.start_us) // 1)
            told[key] = min(told.get(key, left), left)
        return told


@settings(max_examples=60, deadline=None)
@given(
    names=st.sets(st.sampled_from(sorted(_SIZES)), min_size=1),
    requests=st.lists(_REQUESTS, max_size=40),
)
def test_limits_let_in_what_the_replayed_history_lets_in(
    names: set[str], requests: list[tuple[int, int, int, int, int, int]]
) -> None:
    """All limits together: who is let in, for how long not, and what is told, exactly."""
    clock = Clock()
    sizes = {name: _SIZES[name] for name in names}
    limits = _limits(clock, anna=LimitSettings(**sizes))  # type: ignore[arg-type]
    model = _Model(sizes, clock.now_us)
    inside: list[tuple[Admission, dict[str, int], tuple[int, int, int]]] = []
    for pause_us, num_input, num_output, num_cached, num_used, num_ending in requests:
        clock.now_us += pause_us
        expected = model.admit(num_input + num_output, clock.now_us)
        answer = _asked(limits, "key-1", "m", num_input, num_output)
        if isinstance(expected, int):
            assert answer == expected / 1e6
        else:
            assert isinstance(answer, Admission)
            used = (num_input, min(num_cached, num_input), num_used)
            inside.append((answer, expected, used))
        for admission, charges, used in inside[:num_ending]:
            admission.settle(*used)
            total = used[0] + used[2]
            model.settle(charges, total - used[1], total, clock.now_us)
        del inside[:num_ending]
        told = dict(limits.standing("key-1", "m"))
        for name, left in model.left(clock.now_us).items():
            assert told[name] == b"%d" % left


def test_waiting_as_told_is_enough_and_no_more_than_needed() -> None:
    """At any moment of any clock, the request is let in at the end of the wait, not before."""
    clock = Clock()
    limits = _limits(clock, anna=LimitSettings(requests_per_minute=7, tokens_per_hour=9_973))
    num_refused = 0
    for number in range(400):
        clock.now_us += number * 7919 % 1_000_003
        answer = _asked(limits, "key-1", "m", 40, 3)
        if isinstance(answer, Admission):
            answer.settle(40, 0, number % 50)
            continue
        assert answer is not None
        num_refused += 1
        clock.now_us += round(answer * 1e6) - 1
        assert _asked(limits, "key-1", "m", 40, 3) == 1e-6
        clock.now_us += 1
        assert isinstance(_asked(limits, "key-1", "m", 40, 3), Admission)
    assert num_refused > 100
