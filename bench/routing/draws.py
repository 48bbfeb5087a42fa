"""Chance that is the same for every strategy: one number for each request, target and purpose.

What a target does to a request must not depend on who asked it what before, or strategies would
meet different days. So each draw is looked up by what it is for, in a table made from the seed.
"""

import random
from array import array
from typing import Final

_BITS: Final = 18
_MASK: Final = (1 << _BITS) - 1
_WORD: Final = (1 << 64) - 1


class Draws:
    """Normal and uniform numbers by (request, target, purpose)."""

    __slots__ = ("_normals", "_uniforms")

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self._normals = array("d", (rng.gauss(0.0, 1.0) for _ in range(_MASK + 1)))
        self._uniforms = array("d", (rng.random() for _ in range(_MASK + 1)))

    def normal(self, request: int, target: int, purpose: int) -> float:
        """Return a standard normal number."""
        return self._normals[_place(request, target, purpose)]

    def uniform(self, request: int, target: int, purpose: int) -> float:
        """Return a number of [0, 1)."""
        return self._uniforms[_place(request, target, purpose)]


def _place(request: int, target: int, purpose: int) -> int:
    """Return where a draw stands: the three numbers, thoroughly mixed."""
    word = (request * 0x9E3779B97F4A7C15 + target * 0xBF58476D1CE4E5B9 + purpose) & _WORD
    word = ((word ^ (word >> 29)) * 0x94D049BB133111EB) & _WORD
    return (word ^ (word >> 32)) & _MASK
