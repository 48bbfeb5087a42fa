"""Plans and standings that tests of the admin API and of `slipstream explain` share."""

from math import inf

from slipstream.choice import Deadlines, Plan, Target, Weighed
from slipstream.routing.standings import BreakerStanding, KeyStanding, Standing, State

QUICK = Target("groq", "openai/gpt-oss-20b")
CHEAP = Target("deepinfra", "openai/gpt-oss-120b", "2")
BLIND = Target("cerebras", "gpt-oss-120b")

RACE = Plan(
    route="auto",
    strategy="race",
    targets=(QUICK, CHEAP),
    deadlines=Deadlines(connect_s=2.0, first_token_s=30.0, idle_s=20.0, total_s=600.0),
    max_attempts=4,
    hedge_s=0.25,
    max_runners=2,
    max_wait_s=5.0,
    least_tokens_per_s=20.0,
    weighed=(
        Weighed(target=BLIND, reason="it does not offer images", is_taken=False),
        Weighed(
            target=QUICK,
            reason="expected to say something first",
            is_taken=True,
            cost_usd_pico=123_456_789_012,
            first_token_s=0.123056,
            total_s=1.5,
            input_tokens=1200,
            output_tokens=300,
        ),
        Weighed(
            target=CHEAP,
            reason="runs beside the first if that is late",
            is_taken=True,
            cost_usd_pico=1,
            input_tokens=1250,
            output_tokens=280,
        ),
    ),
)
"""Of three candidates two are tried; of one the price and the times are not known."""


def breaker(scope: str, state: State = "closed", wait_s: float = 0.0) -> BreakerStanding:
    """Return how a breaker stands."""
    reason = "" if state == "closed" else "upstream_timeout"
    return BreakerStanding(scope=scope, state=state, reason=reason, wait_s=wait_s)


def key(credential: str, *breakers: BreakerStanding, requests: float | None = None) -> KeyStanding:
    """Return how a key stands."""
    return KeyStanding(
        credential=credential,
        in_flight=1,
        requests_left=requests,
        tokens_left=None,
        breakers=breakers,
    )


def standing(target: Target, state: State = "closed", wait_s: float = 0.0) -> Standing:
    """Return how a target stands that was measured twice."""
    return Standing(
        target=target.name,
        state=state,
        reason="" if state == "closed" else "upstream_timeout",
        wait_s=wait_s,
        in_flight=2,
        samples=2.04,
        first_token_p50_s=0.2,
        first_token_p95_s=1.25,
        tokens_per_s=98.7654,
        failure_share=0.25,
        keys=(key("default", breaker(f"key {target.provider}#default"), requests=17.0),),
        breakers=(breaker(f"target {target.name}", state, wait_s),),
    )


STANDINGS = [
    standing(QUICK),
    standing(BLIND, "open", 12.3456),
    standing(CHEAP, "half_open", inf),
]
"""One that is well, one that is left alone, and one on trial; not in the order of their names."""
