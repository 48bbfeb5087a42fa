"""Strategies that other gateways publish, and two that nobody can have: hindsight and an oracle.

Each only orders the candidates; which are open, and what happens after a failure, is the same for
all. Where a publication leaves something open, it is decided in the peer's favour.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import Final, Literal, Protocol

from bench.routing.sites import Site
from bench.routing.traffic import Request
from slipstream.call import Outcome


class Peer(Protocol):
    """Orders the candidates of a request, and hears what came of each attempt."""

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return the candidates, the first choice first; `sites` is not empty."""
        ...

    def ended(self, site: Site, outcome: Outcome, now_s: float) -> None:
        """Learn from an attempt."""
        ...


class _Deaf:
    """What the peers have in common that learn from nothing."""

    def ended(self, site: Site, outcome: Outcome, now_s: float) -> None:
        """Pass it by."""


@dataclass
class Shuffle(_Deaf):
    """Any of them, by chance: LiteLLM's simple-shuffle without weights."""

    rng: random.Random

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return them shuffled."""
        return self.rng.sample(sites, len(sites))


@dataclass
class RoundRobin(_Deaf):
    """Each in turn."""

    turn: int = 0

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return them in their order, beginning with the next one."""
        self.turn += 1
        start = self.turn % len(sites)
        return [*sites[start:], *sites[:start]]


@dataclass
class LowestLatency:
    """LiteLLM's latency-based-routing, for streams.

    The mean of the last ten latencies of a target decides; those within `buffer` of the least are
    chosen from by chance; one that was never measured counts as 0; a timeout counts as 1,000 s. A
    latency is the time to the end over the tokens of the answer, and is forgotten after an hour.
    """

    rng: random.Random
    buffer: float = 0.0
    seen: dict[int, deque[tuple[float, float]]] = field(default_factory=dict)

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return one of the fastest, then the others by their latency."""
        ranked = sorted(self.rng.sample(sites, len(sites)), key=lambda s: self._mean(s, now_s))
        limit = self._mean(ranked[0], now_s) * (1 + self.buffer)
        near = [site for site in ranked if self._mean(site, now_s) <= limit]
        first = self.rng.choice(near)
        return [first, *(site for site in ranked if site is not first)]

    def ended(self, site: Site, outcome: Outcome, now_s: float) -> None:
        """Note how long a token took, or that there was a timeout; other failures say nothing."""
        if outcome.state == "complete":
            latency = outcome.total_s / max(outcome.usage.output_tokens, 1)
        elif getattr(outcome.error, "phase", None) is not None:
            latency = 1_000.0
        else:
            return
        self.seen.setdefault(site.number, deque(maxlen=10)).append((now_s, latency))

    def _mean(self, site: Site, now_s: float) -> float:
        seen = self.seen.get(site.number, ())
        fresh = [latency for at_s, latency in seen if now_s - at_s < _HOUR_S]
        return sum(fresh) / len(fresh) if fresh else 0.0


@dataclass
class LeastBusy(_Deaf):
    """LiteLLM's least-busy: who has the fewest in flight; equals are shuffled."""

    rng: random.Random

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return them by what they have in flight."""
        return sorted(self.rng.sample(sites, len(sites)), key=lambda site: site.in_flight)


@dataclass
class UsageBased:
    """LiteLLM's usage-based-routing: who has used the fewest tokens in this minute."""

    rng: random.Random
    minute: int = -1
    used: dict[int, int] = field(default_factory=dict)

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return them by the tokens of their answers that ended in this minute."""
        self._turn_over(now_s)
        shuffled = self.rng.sample(sites, len(sites))
        return sorted(shuffled, key=lambda site: self.used.get(site.number, 0))

    def ended(self, site: Site, outcome: Outcome, now_s: float) -> None:
        """Add an answer's tokens."""
        self._turn_over(now_s)
        usage = outcome.usage
        tokens = usage.total_input_tokens + usage.total_output_tokens
        self.used[site.number] = self.used.get(site.number, 0) + tokens

    def _turn_over(self, now_s: float) -> None:
        if self.minute != (minute := int(now_s / 60)):
            self.minute = minute
            self.used.clear()


@dataclass
class PeakEwma:
    """Power of two choices by peak EWMA, as in Finagle, tower and Helicone.

    Of two by chance, the one with the lower product of latency and requests in flight plus one. A
    latency above the average replaces it, one below draws it down with a time constant of 10 s;
    failures are latencies, too; one that was never measured has 1 s.
    """

    rng: random.Random
    means: dict[int, tuple[float, float]] = field(default_factory=dict)  # (latency s, when)

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return the better of two, the other one, then the rest by chance."""
        drawn = self.rng.sample(sites, len(sites))
        drawn[:2] = sorted(drawn[:2], key=lambda site: self._cost(site, now_s))
        return drawn

    def ended(self, site: Site, outcome: Outcome, now_s: float) -> None:
        """Average an attempt's whole time."""
        if outcome.state in ("cancelled", "outraced"):
            return
        mean, at_s = self.means.get(site.number, (0.0, now_s))
        took_s = outcome.total_s
        weight = exp(-(now_s - at_s) / _EWMA_S)
        mean = took_s if took_s > mean else mean * weight + took_s * (1 - weight)
        self.means[site.number] = (mean, now_s)

    def _cost(self, site: Site, now_s: float) -> float:
        mean, at_s = self.means.get(site.number, (1.0, now_s))
        # Without news the average sinks, so that one which was slow is asked again.
        return mean * exp(-(now_s - at_s) / _EWMA_S) * (site.in_flight + 1)


@dataclass
class Always(_Deaf):
    """One target for the whole day; the others, in the world's order, only when it fails."""

    best: int

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return that one first."""
        return sorted(sites, key=lambda site: site.number != self.best)


@dataclass
class Oracle(_Deaf):
    """Knows beforehand what each target would make of this very request, if it were sent now."""

    by: Literal["total_s", "cost_usd_pico"]

    def order(self, request: Request, sites: Sequence[Site], now_s: float) -> list[Site]:
        """Return those that would answer, the fastest or cheapest first; failures last."""

        def rank(site: Site) -> tuple[bool, float]:
            forecast = site.forecast(request)
            return forecast.is_failure, getattr(forecast, self.by)

        return sorted(sites, key=rank)


_HOUR_S: Final = 3600.0
_EWMA_S: Final = 10.0

PEERS: Final[dict[str, Callable[[random.Random], Peer]]] = {
    "random": Shuffle,
    "round robin": lambda rng: RoundRobin(),
    "lowest latency": LowestLatency,
    "least busy": LeastBusy,
    "usage based": UsageBased,
    "P2C peak EWMA": PeakEwma,
    "oracle of time": lambda rng: Oracle("total_s"),
    "oracle of cost": lambda rng: Oracle("cost_usd_pico"),
}
"""By name; what they draw lots with is theirs alone."""
