"""The limits of a key as rows that are walked through, made once from its settings; pure."""

from typing import Final, Literal, NamedTuple

from slipstream.limits.settings import LimitSettings

Unit = Literal["minute", "hour", "day"]
What = Literal["requests", "tokens"]

PERIOD_US: Final[dict[Unit, int]] = {
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
}


class Limit(NamedTuple):
    """One limit.

    Args:
        words: How people call what it counts.
    """

    what: What
    words: str
    unit: Unit
    size: int


class LimitPlan(NamedTuple):
    """All limits of a key, each kind from the shortest period to the longest.

    Args:
        uncached: Of tokens without those of a prompt that were cached.
        total: Of all tokens.
        is_per_model: Each public model name has all of them to itself.
    """

    requests: tuple[Limit, ...]
    uncached: tuple[Limit, ...]
    total: tuple[Limit, ...]
    is_per_model: bool


def limit_plan(settings: LimitSettings) -> LimitPlan | None:
    """Return the limits that settings set; None where they set none."""
    plan = LimitPlan(
        _limits(settings, "requests", "requests", "requests"),
        _limits(settings, "tokens", "uncached tokens", "uncached_tokens"),
        _limits(settings, "tokens", "tokens", "tokens"),
        settings.per == "model",
    )
    return plan if plan.requests or plan.uncached or plan.total else None


def _limits(settings: LimitSettings, what: What, words: str, field: str) -> tuple[Limit, ...]:
    sizes = ((unit, getattr(settings, f"{field}_per_{unit}")) for unit in PERIOD_US)
    return tuple(Limit(what, words, unit, size) for unit, size in sizes if size is not None)
