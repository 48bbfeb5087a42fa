"""Limits as rows: their order, and what has none."""

from slipstream.limits.plan import Limit, LimitPlan, limit_plan
from slipstream.limits.settings import LimitSettings


def test_plan_of_settings_without_a_limit_is_none() -> None:
    """What limits nothing costs nothing."""
    assert limit_plan(LimitSettings()) is None
    assert limit_plan(LimitSettings(per="key")) is None


def test_plan_has_a_row_for_each_limit_that_is_set() -> None:
    """By kind, the shortest period first; each keeps what it is called."""
    plan = limit_plan(
        LimitSettings(
            requests_per_day=2400,
            requests_per_minute=5,
            uncached_tokens_per_minute=30_000,
            tokens_per_hour=90_000,
            per="key",
        )
    )
    assert plan == LimitPlan(
        (Limit("requests", "requests", "minute", 5), Limit("requests", "requests", "day", 2400)),
        (Limit("tokens", "uncached tokens", "minute", 30_000),),
        (Limit("tokens", "tokens", "hour", 90_000),),
        is_per_model=False,
    )
