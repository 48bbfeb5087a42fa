"""Counters of attempts and the state of breakers, as metric families.

Labels are bounded: outcomes are words of ours, never a provider's, and of targets so many have
series of their own; the rest is counted together.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from slipstream.call import Outcome
from slipstream.choice import Cause
from slipstream.routing.standings import Standing, State

# A target has a few outcomes, each a line; this many lines take some 5 ms to render.
_MAX_SERIES: Final = 2000
_MAX_TARGETS: Final = 500
_OTHER: Final = "other"
_STATES: Final[dict[State, int]] = {"closed": 0, "half_open": 1, "open": 2}

ReadStandings = Callable[[], Iterable[Standing]]


class AttemptCounts:
    """Counts every attempt once, when it is settled."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, Cause, str], int] = {}

    def note(self, outcome: Outcome) -> None:
        """Count one attempt."""
        attempt = outcome.attempt
        target, error = attempt.target, outcome.error
        word = outcome.state if error is None else _word(error)
        key = (target.provider, target.model, attempt.cause, word)
        counts = self._counts
        if key not in counts and len(counts) >= _MAX_SERIES:
            key = (_OTHER, "", attempt.cause, word)
        counts[key] = counts.get(key, 0) + 1

    def family(self) -> Metric:
        """Return all of them."""
        family = CounterMetricFamily(
            "slipstream_attempts",
            "Attempts, by why they were made and what came of them",
            labels=("target", "cause", "outcome"),
        )
        for (provider, model, cause, word), count in self._counts.items():
            target = f"{provider}/{model}" if model else provider
            family.add_metric((target, cause, word), count)
        return family


def routing_families(counts: AttemptCounts, standings: ReadStandings) -> Iterator[Metric]:
    """Yield what there is to say of attempts, and of how targets stand now."""
    yield counts.family()
    breakers = GaugeMetricFamily(
        "slipstream_breaker_state",
        "Whether a target takes requests: 0 closed, 1 half-open, 2 open",
        labels=("target",),
    )
    # Clients name targets, too: those that are in trouble or in use go before what was only named.
    for standing in nsmallest(_MAX_TARGETS, standings(), key=_rank):
        breakers.add_metric((standing.target,), _STATES[standing.state])
    yield breakers


def _rank(standing: Standing) -> tuple[bool, float]:
    return standing.state == "closed", -standing.samples


def _word(error: Exception) -> str:
    """Return the code of an error's class: an error's own code may be any word of a provider's."""
    return getattr(type(error), "code", None) or "error"
