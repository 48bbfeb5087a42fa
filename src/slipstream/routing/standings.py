"""What is known of targets, for people: the records of the admin API."""

from math import isfinite
from typing import Final, Literal

import msgspec

from slipstream.routing.breaker import Breaker
from slipstream.routing.keys import Quota
from slipstream.routing.lanes import Lane

State = Literal["closed", "half_open", "open"]
_STATES: Final[tuple[State, ...]] = ("closed", "half_open", "open")  # from good to bad
_MEDIAN: Final = 0.5
_NEARLY_ALL: Final = 0.95


class BreakerStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One circuit breaker.

    Args:
        state: `half_open` lets a single probe through.
        reason: Why it opened; empty while it is closed.
        wait_s: Until it lets something through.
    """

    scope: str
    state: State
    reason: str
    wait_s: float


class KeyStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One key, for one model.

    Args:
        requests_left: Of its rate limit; None: nobody knows.
        breakers: The key's own, and that of its quota for this model.
    """

    credential: str
    in_flight: int
    requests_left: float | None
    tokens_left: float | None
    breakers: tuple[BreakerStanding, ...]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One target.

    Args:
        state: The worst of its breakers': `closed`, `half_open` or `open`.
        reason: Why it is left alone; empty where it is not.
        wait_s: Until it takes requests again.
        samples: How many of now all that is known of its times is worth.
        first_token_p50_s: None: nothing is known. So are the others.
        tokens_per_s: While it answers.
        breakers: Its own, and its provider's.
    """

    target: str
    state: State
    reason: str
    wait_s: float
    in_flight: int
    samples: float
    first_token_p50_s: float | None
    first_token_p95_s: float | None
    tokens_per_s: float | None
    failure_share: float
    keys: tuple[KeyStanding, ...]
    breakers: tuple[BreakerStanding, ...]


def standing_of(lane: Lane, now_s: float) -> Standing:
    """Return what is known of one target."""
    shared = tuple(_breaker(breaker, now_s) for breaker in (lane.breaker, lane.around))
    keys = tuple(_key(quota, now_s) for quota in lane.quotas)
    # Any key that is well will do; a breaker of the target or its provider is in everybody's way.
    best = min((_worst(key.breakers) for key in keys), key=_weight)
    worst = max((_worst(shared), best), key=_weight)
    samples = lane.samples_at(now_s)
    is_known = lane.samples > 0.0
    return Standing(
        target=lane.target.name,
        state=worst.state,
        reason=worst.reason,
        wait_s=worst.wait_s,
        in_flight=lane.in_flight,
        samples=samples,
        first_token_p50_s=lane.observed_first_token_s(_MEDIAN),
        first_token_p95_s=lane.observed_first_token_s(_NEARLY_ALL),
        tokens_per_s=lane.tokens_per_s if is_known else None,
        failure_share=lane.failure_share,
        keys=keys,
        breakers=shared,
    )


def _key(quota: Quota, now_s: float) -> KeyStanding:
    return KeyStanding(
        credential=quota.key.credential,
        in_flight=quota.in_flight,
        requests_left=_known(quota.requests.at(now_s)),
        tokens_left=_known(quota.tokens.at(now_s)),
        breakers=(_breaker(quota.key.breaker, now_s), _breaker(quota.breaker, now_s)),
    )


def _breaker(breaker: Breaker, now_s: float) -> BreakerStanding:
    if breaker.is_closed:
        return BreakerStanding(scope=breaker.scope, state="closed", reason="", wait_s=0.0)
    wait_s = max(breaker.until_s - now_s, 0.0)
    state: State = "open" if wait_s > 0.0 else "half_open"
    return BreakerStanding(scope=breaker.scope, state=state, reason=breaker.reason, wait_s=wait_s)


def _worst(breakers: tuple[BreakerStanding, ...]) -> BreakerStanding:
    return max(breakers, key=_weight)


def _weight(breaker: BreakerStanding) -> tuple[int, float]:
    return _STATES.index(breaker.state), breaker.wait_s


def _known(left: float) -> float | None:
    return left if isfinite(left) else None
