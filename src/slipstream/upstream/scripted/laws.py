"""Numbers that differ from request to request: `lognormal:0.05:1.2`, drawn alike in every run.

What is drawn follows from a seed, the request's serial number and the name of what is drawn, so
that neither another process nor the order of draws within a request changes it.
"""

import math
import random
from collections.abc import Callable
from typing import Final, NamedTuple

_MOST_NUMBER = 1e6


class Law(NamedTuple):
    """A distribution: its name and its two parameters, or one."""

    name: str
    numbers: tuple[float, ...]


class _Kind(NamedTuple):
    written: str
    draw: Callable[[random.Random, tuple[float, ...]], float]


_KINDS: Final[dict[str, _Kind]] = {
    "lognormal": _Kind(
        "lognormal:MEDIAN:SIGMA", lambda rng, n: n[0] * math.exp(n[1] * rng.gauss(0.0, 1.0))
    ),
    "pareto": _Kind("pareto:LEAST:SHAPE", lambda rng, n: n[0] * rng.paretovariate(n[1])),
    "exp": _Kind("exp:MEAN", lambda rng, n: n[0] * rng.expovariate(1.0)),
    "uniform": _Kind("uniform:LEAST:MOST", lambda rng, n: rng.uniform(n[0], n[1])),
}

ACCEPTED: Final = ", ".join(kind.written for kind in _KINDS.values())
"""What `parse_law` reads, for people."""


def parse_law(text: str) -> Law | None:
    """Return the law that a text names, or None if it names none."""
    name, *rest = text.split(":")
    kind = _KINDS.get(name)
    if kind is None or len(rest) != kind.written.count(":"):
        return None
    try:
        numbers = tuple(float(part) for part in rest)
    except ValueError:
        return None
    if not all(0 <= number <= _MOST_NUMBER for number in numbers):  # False for NaN
        return None
    if name == "pareto" and numbers[1] == 0:  # its shape divides
        return None
    return Law(name, numbers)


def draw(law: Law, seed: int, serial: int, name: str) -> float:
    """Return what a law gives the request of this serial number; finite and not negative."""
    try:
        return _KINDS[law.name].draw(_rng(seed, serial, name), law.numbers)
    except OverflowError:
        return _MOST_NUMBER


def is_chosen(share: float, seed: int, serial: int) -> bool:
    """Tell whether the request of this serial number is of a share of all requests."""
    return _rng(seed, serial, "share").random() < share


def _rng(seed: int, serial: int, name: str) -> random.Random:
    return random.Random(f"{seed}/{serial}/{name}")  # noqa: S311 -- no secret
