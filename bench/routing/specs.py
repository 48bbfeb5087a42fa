"""What a simulated target is like: prices, speed, faults and limits, all as plain values.

Moments are shares of the day (0.5 is noon), so that a short day has the same events.
"""

from dataclasses import dataclass
from typing import Literal

from slipstream.call import Price, Rates, Tier
from slipstream.choice import ALL_ABILITIES, Target

FaultKind = Literal["refuses", "errors", "stalls", "cuts"]
Curve = tuple[tuple[float, float], ...]
"""(moment, value) in order; between two moments the value goes straight from one to the other."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A time in which a target fails.

    Args:
        kind: `refuses` the connection, answers with `errors` of 500, `stalls` without a byte, or
            `cuts` the answer before it says anything.
        share: Of the requests.
        after_s: How soon the failure shows; a stall never ends by itself.
    """

    start: float
    end: float
    kind: FaultKind
    share: float = 1.0
    after_s: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One target.

    Args:
        input_usd, output_usd: Per million tokens.
        cached_share: What a token costs that is in the prompt cache, of one that is not.
        cache_s: How long a conversation stays in the prompt cache; 0: there is none.
        dearer: By how much prices are multiplied from which moment on.
        tier: From how many input tokens on, and by how much, everything is dearer.
        first_s, first_sigma: Lognormal time to the first token of an empty prompt.
        tail_share, tail_times: That share of first tokens takes so many times as long at least, by
            Pareto's law with exponent 1.5.
        read_per_s: Tokens of the prompt.
        write_per_s, write_sigma: Lognormal speed of the answer, tokens per second.
        slowness: Multiplies every time, over the day.
        servers: How many requests it works at; others wait in one queue. None: no bound.
        max_queue: How many may wait; others are told 503.
        error_share: Of requests that fail with a 500 at any time.
        requests_per_min, tokens_per_min: Limits, as buckets that fill evenly and hold a minute's.
    """

    name: str
    input_usd: float
    output_usd: float
    cached_share: float = 0.25
    cache_s: float = 300.0
    dearer: tuple[tuple[float, float], ...] = ()
    tier: tuple[int, float] | None = None
    first_s: float = 0.4
    first_sigma: float = 0.3
    tail_share: float = 0.0
    tail_times: float = 1.0
    read_per_s: float = 8_000.0
    write_per_s: float = 100.0
    write_sigma: float = 0.2
    slowness: Curve = ((0.0, 1.0),)
    servers: int | None = None
    max_queue: int = 1_000
    error_share: float = 0.001
    faults: tuple[Fault, ...] = ()
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    context_tokens: int = 131_072
    abilities: int = ALL_ABILITIES

    @property
    def target(self) -> Target:
        """What routes call it."""
        return Target(self.name, "m")


def value_at(curve: Curve, moment: float) -> float:
    """Return a curve's value; before its first moment and after its last it is level."""
    before = curve[0]
    for point in curve:
        if point[0] > moment:
            share = (moment - before[0]) / (point[0] - before[0]) if point is not before else 0.0
            return before[1] + share * (point[1] - before[1])
        before = point
    return before[1]


def prices_of(spec: Spec) -> tuple[tuple[float, Price], ...]:
    """Return (from which moment, price) in order."""
    return tuple((start, _price(spec, times)) for start, times in ((0.0, 1.0), *spec.dearer))


def _price(spec: Spec, times: float) -> Price:
    tiers: tuple[Tier, ...] = ()
    if spec.tier is not None:
        start_tokens, dearer = spec.tier
        tiers = (Tier(start_tokens, _rates(spec, times * dearer)),)
    return Price(rates=_rates(spec, times), tiers=tiers, source="scripted")


def _rates(spec: Spec, times: float) -> Rates:
    micro_usd = 1_000_000 * times
    output = round(spec.output_usd * micro_usd)
    return Rates(
        input_tokens=round(spec.input_usd * micro_usd),
        cache_read_tokens=round(spec.input_usd * spec.cached_share * micro_usd),
        output_tokens=output,
        output_reasoning_tokens=output,
    )
