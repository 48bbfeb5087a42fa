"""What a run is judged by: cost, times, failures, attempts, shares, swings and herding."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import pi, sqrt
from typing import Final

from bench.routing.sites import Site
from bench.routing.traffic import Request

WINDOW_S: Final = 60.0
_PICO: Final = 1e12


@dataclass(frozen=True, slots=True)
class Measured:
    """One strategy on one day.

    Args:
        mean_s, p50_s, p95_s, p99_s: To the end of the answer or of the failure, with all attempts
            and all waiting.
        failures: Requests whose client got an error.
        attempts: Per request.
        shares: Of the attempts, by target.
        swing: How much the shares change from one minute to the next: 0 not at all, 1 wholly; the
            mean over the day, in excess of what chance alone would do with the day's shares.
        herd: How many more attempts for each server the chosen target had than the least loaded
            one that could have answered; the mean over all attempts.
    """

    cost_usd: float
    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    failures: int
    attempts: float
    shares: dict[str, float]
    swing: float
    herd: float
    num_requests: int


@dataclass
class Tally:
    """Collects while a day runs."""

    sites: Sequence[Site]
    took_s: list[float] = field(default_factory=list)
    failures: int = 0
    attempts: int = 0
    cost_usd_pico: int = 0
    herd: float = 0.0
    windows: dict[int, Counter[int]] = field(default_factory=dict)

    def began(self, site: Site, request: Request, now_s: float) -> None:
        """Count an attempt and how crowded its target was."""
        self.attempts += 1
        self.windows.setdefault(int(now_s / WINDOW_S), Counter())[site.number] += 1
        if site.spec.servers is not None:
            able = [s.load for s in self.sites if s.can_serve(request)]
            self.herd += site.load - min(able, default=site.load)

    def measured(self) -> Measured:
        """Return what it comes to."""
        times = sorted(self.took_s)
        totals: Counter[int] = Counter()
        for window in self.windows.values():
            totals.update(window)
        num = max(totals.total(), 1)
        names = {site.number: site.spec.name for site in self.sites}
        return Measured(
            cost_usd=self.cost_usd_pico / _PICO,
            mean_s=sum(times) / len(times),
            p50_s=quantile(times, 0.50),
            p95_s=quantile(times, 0.95),
            p99_s=quantile(times, 0.99),
            failures=self.failures,
            attempts=self.attempts / len(times),
            shares={names[key]: totals[key] / num for key in sorted(names)},
            swing=_swing(self.windows),
            herd=self.herd / max(self.attempts, 1),
            num_requests=len(times),
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share of the ordered values is."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _swing(windows: dict[int, Counter[int]]) -> float:
    """Return the mean distance of the shares of a window and the next one, less chance's part.

    With shares p and n requests a window, chance alone makes each share differ by about
    √(4 p (1 - p) / (π n)) from one window to the next.
    """
    swings = []
    for key, now in windows.items():
        following = windows.get(key + 1)
        if following is None or min(now.total(), following.total()) < _LEAST_IN_WINDOW:
            continue
        swings.append(_distance(now, following) - _by_chance(now, following))
    return max(sum(swings) / len(swings), 0.0) if swings else 0.0


_LEAST_IN_WINDOW: Final = 20


def _distance(one: Counter[int], other: Counter[int]) -> float:
    n, m = one.total(), other.total()
    return sum(abs(one[key] / n - other[key] / m) for key in one.keys() | other.keys()) / 2


def _by_chance(one: Counter[int], other: Counter[int]) -> float:
    n, m = one.total(), other.total()
    both = one + other
    shares = [count / (n + m) for count in both.values()]
    # The mean of |X| is √(2/π) times the deviation, and two windows differ by both of theirs.
    return sum(sqrt(2 / pi * p * (1 - p) * (1 / n + 1 / m)) for p in shares) / 2
