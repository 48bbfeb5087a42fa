"""What the admin API tells of the choice: a plan with all its candidates, and how targets stand.

The document of the API, the API itself and `slipstream explain` share these records. Money is exact
decimal dollars, as text; null is what nobody knows.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Literal

from msgspec import Raw, Struct

from slipstream.choice import Plan, Target, Weighed
from slipstream.ledger.cost import usd_text
from slipstream.routing.standings import BreakerStanding, KeyStanding, Standing, State


class ExplainRequest(Struct, forbid_unknown_fields=True):
    """A request whose plan is wanted, as it would be sent: where to, what, and with which headers.

    Of headers, those count that a request is read by, such as `x-slipstream` and `user-agent`.
    """

    body: Raw
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = {}


class Candidate(Struct, frozen=True, kw_only=True):
    """A target that was considered; `reason` says in words why it is tried there, or left."""

    target: str
    credential: str
    is_taken: bool
    reason: str
    expected_cost_usd: str | None
    expected_first_token_s: float | None
    expected_total_s: float | None
    expected_input_tokens: int | None
    expected_output_tokens: int | None


class PlannedTry(Struct, frozen=True):
    """One try, in its place."""

    target: str
    credential: str


class PlannedDeadlines(Struct, frozen=True):
    """How long each phase may take; `total_s` is for all attempts together."""

    connect_s: float
    first_token_s: float
    idle_s: float
    total_s: float


class PlannedCall(Struct, frozen=True, kw_only=True):
    """What would be tried for a request; `problem` says why nothing would, where that is so.

    `hedge_s` is null where one target is tried after another; else the next one starts beside
    those that run when so much time has passed without a sign of meaning.
    """

    object: Literal["slipstream.plan"] = "slipstream.plan"
    model: str
    route: str
    strategy: str
    problem: str | None
    tries: list[PlannedTry]
    candidates: list[Candidate]
    max_attempts: int
    max_runners: int
    hedge_s: float | None
    max_wait_s: float
    least_tokens_per_s: float | None
    retries_refusals: bool
    deadlines: PlannedDeadlines


def planned_call(model: str, plan: Plan, problem: str | None = None) -> PlannedCall:
    """Return what is told of a plan for a request that names this model."""
    limits = plan.deadlines
    return PlannedCall(
        model=model,
        route=plan.route,
        strategy=plan.strategy,
        problem=problem,
        tries=[_try(target) for target in plan.targets],
        candidates=[_candidate(weighed) for weighed in plan.weighed],
        max_attempts=plan.max_attempts,
        max_runners=plan.max_runners,
        hedge_s=plan.hedge_s,
        max_wait_s=plan.max_wait_s,
        least_tokens_per_s=plan.least_tokens_per_s,
        retries_refusals=plan.retries_refusals,
        deadlines=PlannedDeadlines(
            limits.connect_s, limits.first_token_s, limits.idle_s, limits.total_s
        ),
    )


def _try(target: Target) -> PlannedTry:
    return PlannedTry(target.name, target.credential)


def _candidate(weighed: Weighed) -> Candidate:
    cost = weighed.cost_usd_pico
    return Candidate(
        target=weighed.target.name,
        credential=weighed.target.credential,
        is_taken=weighed.is_taken,
        reason=weighed.reason,
        expected_cost_usd=None if cost is None else usd_text(cost),
        expected_first_token_s=_rounded(weighed.first_token_s),
        expected_total_s=_rounded(weighed.total_s),
        expected_input_tokens=weighed.input_tokens,
        expected_output_tokens=weighed.output_tokens,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


# ---- targets -------------------------------------------------------------------------------------


class BreakerState(Struct, frozen=True):
    """A circuit breaker; `half_open` lets one request through, which finds out.

    `reason` is null while it is closed. `wait_s` is until it lets something through; null: until
    the one request has ended.
    """

    scope: str
    state: State
    reason: str | None
    wait_s: float | None


class KeyState(Struct, frozen=True):
    """One of a target's keys, by its label; what is left of its rate limits is null if unknown."""

    credential: str
    in_flight: int
    requests_left: float | None
    tokens_left: float | None
    breakers: list[BreakerState]


class TargetState(Struct, frozen=True, kw_only=True):
    """What is known of a target.

    `state`, `reason` and `wait_s` are those of the worst of its breakers, among which is its
    provider's. Measures are null where nothing is known; `samples` says how much they are worth.
    """

    target: str
    state: State
    reason: str | None
    wait_s: float | None
    in_flight: int
    samples: float
    first_token_p50_s: float | None
    first_token_p95_s: float | None
    tokens_per_s: float | None
    failure_share: float
    keys: list[KeyState]
    breakers: list[BreakerState]


class TargetList(Struct, frozen=True, kw_only=True):
    """Every target that was asked or thought of lately."""

    object: Literal["list"] = "list"
    data: list[TargetState]


def target_list(standings: Iterable[Standing]) -> TargetList:
    """Return what is told of targets, by their names."""
    told = [_target_state(standing) for standing in standings]
    return TargetList(data=sorted(told, key=lambda state: state.target))


def _target_state(standing: Standing) -> TargetState:
    return TargetState(
        target=standing.target,
        state=standing.state,
        reason=standing.reason or None,
        wait_s=_wait(standing.wait_s),
        in_flight=standing.in_flight,
        samples=round(standing.samples, 1),
        first_token_p50_s=_rounded(standing.first_token_p50_s),
        first_token_p95_s=_rounded(standing.first_token_p95_s),
        tokens_per_s=_rounded(standing.tokens_per_s),
        failure_share=round(standing.failure_share, 4),
        keys=[_key_state(key) for key in standing.keys],
        breakers=[_breaker_state(breaker) for breaker in standing.breakers],
    )


def _key_state(key: KeyStanding) -> KeyState:
    return KeyState(
        key.credential,
        key.in_flight,
        key.requests_left,
        key.tokens_left,
        [_breaker_state(breaker) for breaker in key.breakers],
    )


def _breaker_state(breaker: BreakerStanding) -> BreakerState:
    return BreakerState(breaker.scope, breaker.state, breaker.reason or None, _wait(breaker.wait_s))


def _wait(seconds: float) -> float | None:
    return round(seconds, 3) if isfinite(seconds) else None
