"""What the strategies claim, each as a figure and its bound; held or not, it is printed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.routing.measures import Measured

Row = Mapping[str, Measured]
"""The strategies of one world, by name."""

HINDSIGHT: Final = "hindsight of time"
HINDSIGHT_COST: Final = "hindsight of cost"


@dataclass(frozen=True, slots=True)
class Claim:
    """A bound on a figure of one world.

    Args:
        worlds: In which it is claimed; empty: in all.
        figure: What is bounded; None where the strategies that it needs were not run.
    """

    text: str
    most: float
    figure: Callable[[Row], float]
    needs: tuple[str, ...]
    worlds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim in one world."""

    world: str
    text: str
    figure: float
    most: float

    @property
    def is_held(self) -> bool:
        """Whether the figure is within its bound."""
        return self.figure <= self.most


def _ratio(one: str, other: str, field: str) -> Callable[[Row], float]:
    def figure(row: Row) -> float:
        mine: float = getattr(row[one], field)
        theirs: float = getattr(row[other], field)
        return mine / theirs

    return figure


def _swing(name: str) -> Callable[[Row], float]:
    return lambda row: row[name].swing


def _failures(name: str) -> Callable[[Row], float]:
    return lambda row: 1000 * row[name].failures / row[name].num_requests


def _between(field: str, low: str, high: str) -> Callable[[Row], float]:
    """Return where balanced stands: 0 at `low`, 1 at `high`; equal ends are 0."""

    def figure(row: Row) -> float:
        least, most = (float(getattr(row[name], field)) for name in (low, high))
        mine = float(getattr(row["balanced"], field))
        return (mine - least) / (most - least) if most > 1.02 * least else 0.0

    return figure


CLAIMS: Final = (
    Claim(
        "fastest: mean time, of the best single target's in hindsight",
        1.10,
        _ratio("fastest", HINDSIGHT, "mean_s"),
        ("fastest", HINDSIGHT),
    ),
    Claim(
        "fastest: p95 time, of the best single target's in hindsight",
        1.10,
        _ratio("fastest", HINDSIGHT, "p95_s"),
        ("fastest", HINDSIGHT),
    ),
    Claim(
        "cheapest: cost, of what an oracle pays",
        1.05,
        _ratio("cheapest", "oracle of cost", "cost_usd"),
        ("cheapest", "oracle of cost"),
    ),
    Claim(
        "balanced: cost, 0 as cheapest and 1 as fastest",
        1.05,
        _between("cost_usd", "cheapest", "fastest"),
        ("balanced", "cheapest", "fastest"),
    ),
    Claim(
        "balanced: mean time, 0 as fastest and 1 as cheapest",
        1.05,
        _between("mean_s", "fastest", "cheapest"),
        ("balanced", "cheapest", "fastest"),
    ),
    Claim(
        "race: p99 time, of the best single target's in hindsight",
        0.5,
        _ratio("race", HINDSIGHT, "p99_s"),
        ("race", HINDSIGHT),
        ("tails",),
    ),
    Claim(
        "race: cost, of the best single target's in hindsight",
        1.10,
        _ratio("race", HINDSIGHT, "cost_usd"),
        ("race", HINDSIGHT),
        ("tails",),
    ),
    *(
        Claim(
            f"{name}: swing of its shares from minute to minute",
            0.1,
            _swing(name),
            (name,),
        )
        for name in ("cheapest", "fastest", "balanced", "race")
    ),
    *(
        Claim(
            f"{name}: crowding, of random's",
            1.1,
            _ratio(name, "random", "herd"),
            (name, "random"),
            ("queues",),
        )
        for name in ("cheapest", "fastest", "balanced", "race")
    ),
    *(
        Claim(
            f"{name}: requests that fail, of a thousand",
            0.5,
            _failures(name),
            (name,),
        )
        for name in ("cheapest", "fastest", "balanced", "race", "weighted")
    ),
)


def verdicts(world: str, row: Row, claims: Iterable[Claim] = CLAIMS) -> list[Verdict]:
    """Return how the claims that can be looked at fared in a world."""
    return [
        Verdict(world, claim.text, claim.figure(row), claim.most)
        for claim in claims
        if (not claim.worlds or world in claim.worlds) and all(n in row for n in claim.needs)
    ]
