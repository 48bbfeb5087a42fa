"""Chooses tokens from logits: greedy, or at a temperature within a nucleus, for a whole batch.

The random number of a token is a function of the request's seed and the token's position alone,
so an answer repeats whatever runs beside it, and also after it was preempted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]  # (rows, vocabulary)
Row = npt.NDArray[np.float32]  # (vocabulary,)

_SPAN: Final = 256  # tokens summed together on the first of two levels
_GREEDY_BELOW: Final = 1e-4  # temperatures at which float32 has one candidate left anyway
_LIKELY: Final = 1e-3  # of the likeliest token's weight: what is sorted first, mostly enough


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one request chooses its tokens.

    Args:
        temperature: 0 takes the likeliest token; checked by whoever made the request.
        top_p: Keep the likeliest tokens that together reach this probability, in (0, 1].
        seed: 64 bits; the same seed gives the same answer.
    """

    temperature: float
    top_p: float
    seed: int


@dataclass(frozen=True, slots=True)
class Draw:
    """What is chosen from one row of logits: the token at `position` of a sequence."""

    sampling: Sampling
    position: int


def choose(logits: Rows, draws: Sequence[Draw]) -> list[int]:
    """Choose one token for each row; `logits` is left as it is."""
    assert len(logits) == len(draws), "one draw for each row"
    tokens: list[int] = np.argmax(logits, axis=1).tolist()
    for row, draw in enumerate(draws):
        # Row by row: the numbers of one row stay in the processor's cache, those of all do not.
        if draw.sampling.temperature >= _GREEDY_BELOW:
            tokens[row] = _sample(logits[row], tokens[row], draw)
    return tokens


def _sample(logits: Row, likeliest: int, draw: Draw) -> int:
    weights = logits - logits[likeliest]  # (vocabulary,), at most 0
    weights *= np.float32(1 / draw.sampling.temperature)
    np.exp(weights, out=weights)
    if draw.sampling.top_p >= 1:
        return _at_point(weights, _uniform(draw))
    token_ids = _nucleus(weights, draw.sampling.top_p)
    return int(token_ids[_at_point(weights[token_ids], _uniform(draw))])


def _uniform(draw: Draw) -> float:
    """Return the number in [0, 1) that belongs to this seed and position."""
    key = np.array([draw.sampling.seed & 0xFFFF_FFFF_FFFF_FFFF, draw.position], np.uint64)
    return float(np.random.Generator(np.random.Philox(key=key)).random())


def _nucleus(weights: Row, top_p: float) -> npt.NDArray[np.intp]:
    """Return the fewest likeliest tokens that reach top_p, and those that tie with the last.

    In the order of their ids: a tie that falls the other way must not move all that follow.
    """
    wanted = top_p * float(weights.sum())
    for least in (_LIKELY, 0.0):
        token_ids = np.flatnonzero(weights >= least)
        likely = weights[token_ids]
        falling = np.sort(likely)[::-1]
        sums = np.cumsum(falling, dtype=np.float64)
        if sums[-1] >= wanted:
            kept: npt.NDArray[np.intp] = token_ids[likely >= falling[np.searchsorted(sums, wanted)]]
            return kept
    return token_ids  # rounding: the nucleus is everything


def _at_point(weights: Row, point: float) -> int:
    """Return the index whose share of all weights, laid end to end, covers a point in [0, 1).

    Sums spans first and looks into one span only: a running sum over a whole vocabulary would
    cost more than the rest of the sampler.
    """
    num_spans = -(-len(weights) // _SPAN)
    starts = np.arange(num_spans) * _SPAN
    sums = np.cumsum(np.add.reduceat(weights, starts), dtype=np.float64)  # (spans,)
    target = point * sums[-1]
    # Rounding must not lead beyond the last weight that is not 0, in the row or in the span.
    last_span = int(np.searchsorted(sums, sums[-1]))
    span = min(int(np.searchsorted(sums, target, side="right")), last_span)
    inside = weights[span * _SPAN : (span + 1) * _SPAN]
    inner = np.cumsum(inside, dtype=np.float64)
    target -= sums[span - 1] if span else 0.0
    index = min(int(np.searchsorted(inner, target, side="right")), len(inside) - 1)
    if inside[index] == 0:
        index = int(np.flatnonzero(inside)[-1])
    return span * _SPAN + index
