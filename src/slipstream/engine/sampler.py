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
    tokens = np.argmax(logits, axis=1)  # (rows,)
    warm = [row for row, draw in enumerate(draws) if draw.sampling.temperature >= _GREEDY_BELOW]
    if warm:
        tokens[warm] = _sample(logits[warm], [draws[row] for row in warm])
    chosen: list[int] = tokens.tolist()
    return chosen


def _sample(logits: Rows, draws: Sequence[Draw]) -> npt.NDArray[np.int64]:
    temperatures = np.array([draw.sampling.temperature for draw in draws], np.float32)[:, None]
    weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperatures)
    for row, draw in enumerate(draws):
        if draw.sampling.top_p < 1:
            weights[row][weights[row] < _nucleus_floor(weights[row], draw.sampling.top_p)] = 0
    points = np.array([_uniform(draw) for draw in draws])
    return _at_points(weights, points)


def _uniform(draw: Draw) -> float:
    """Return the number in [0, 1) that belongs to this seed and position."""
    key = np.array([draw.sampling.seed & 0xFFFF_FFFF_FFFF_FFFF, draw.position], np.uint64)
    return float(np.random.Generator(np.random.Philox(key=key)).random())


def _nucleus_floor(weights: npt.NDArray[np.float32], top_p: float) -> float:
    """Return the weight of the last token inside the nucleus; tokens that tie with it are kept."""
    wanted = top_p * float(weights.sum(dtype=np.float64))
    for least in (_LIKELY, 0.0):
        falling = np.sort(weights[weights >= least])[::-1]
        sums = np.cumsum(falling, dtype=np.float64)
        if sums[-1] >= wanted:
            return float(falling[int(np.searchsorted(sums, wanted))])
    return 0.0  # rounding: the nucleus is everything


def _at_points(weights: Rows, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return for each row the token whose share of the row's total covers its point.

    Sums spans of tokens first and looks into one span only: a running sum over the whole
    vocabulary would cost more than the rest of the sampler.
    """
    rows, vocabulary = weights.shape
    num_spans = -(-vocabulary // _SPAN)
    padded = np.zeros((rows, num_spans * _SPAN), np.float32)
    padded[:, :vocabulary] = weights
    spans = padded.reshape(rows, num_spans, _SPAN)
    sums = np.cumsum(spans.sum(axis=2, dtype=np.float64), axis=1)  # (rows, spans)
    targets = points * sums[:, -1]
    tokens = np.empty(rows, np.int64)
    for row, target in enumerate(targets):
        last_span = int(np.searchsorted(sums[row], sums[row, -1]))  # the last one with a weight
        span = min(int(np.searchsorted(sums[row], target, side="right")), last_span)
        before = sums[row, span - 1] if span else 0.0
        inside = np.cumsum(spans[row, span], dtype=np.float64)
        token = int(np.searchsorted(inside, target - before, side="right"))
        # Rounding may lead past the span's last weight: take the last token that has one.
        if token >= _SPAN or spans[row, span, token] == 0:
            token = int(np.flatnonzero(spans[row, span])[-1])
        tokens[row] = span * _SPAN + token
    return tokens
