"""Draws one token from a row of logits: temperature, min_p, top_k and top_p, and few passes.

Theory. A row of 49,152 float32 is read in 3 to 5 µs, raised to e in 23, and sorted in 1,000: so
 1. Where top_k, min_p or a mask leave few tokens these are taken by themselves. Otherwise one is
    drawn from the whole softmax. If it is allowed and in the nucleus, it is the answer. That is
    sure where its probability is above 1 - top_p: what is likelier then falls short of top_p.
 2. If not, a token is drawn once more, from the allowed nucleus. A token x of it, of probability
    p(x), is then the answer with probability p(x) + (1 - M) p(x) / M = p(x) / M, where M is what
    the whole nucleus has: exactly its share.
 3. The two random numbers are a function of seed and position alone. So an answer repeats whatever
    runs beside it, and guesses change no token: a guess is accepted exactly if it is what would
    have been drawn, which happens with the guess's own probability. That is rejection sampling
    (Leviathan et al. 2023, arXiv:2211.17192, for a draft that is certain of its token), and here it
    keeps not only the distribution but the answer.
"""

import math
import struct
import sys
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from slipstream.engine.masks import Mask, allowed, allows, forbid, num_allowed
from slipstream.engine.sampling import Sampling

Row = npt.NDArray[np.float32]  # (vocabulary,)
Ids = npt.NDArray[np.intp]  # (tokens,)
Weights = npt.NDArray[np.floating]  # (tokens,), not normalised

_COLUMNS: Final = 512  # that a row is summed in, and searched for its largest
_UNSHIFTED_FROM: Final = 0.5  # temperatures at which e to the usual logits stays within float32
_SAFE_TOTALS: Final = (1e-13, 1e30)  # nothing has overflowed, nor vanished that counts
_LEVELS: Final = (1e-2, 1e-4, 1e-6, 0.0)  # of the likeliest token's weight
_BUCKETS: Final = 256
_FEW: Final = 512  # tokens that are quicker taken by themselves, and ranked at once
_NONE: Final[Ids] = np.zeros(0, np.intp)

_KEY: Final = struct.Struct("<Qq")
_POINTS: Final = struct.Struct("<QQ")


class Points(NamedTuple):
    """Two independent numbers in [0, 1)."""

    first: float
    second: float


def points(seed: int, position: int) -> Points:
    """Return the random numbers that belong to this seed and position.

    BLAKE2 as a counter-based generator: statistically flawless, and quicker from Python than
    setting up a generator of NumPy's for a single number (0.6 µs against 9).
    """
    key = _KEY.pack(seed & 0xFFFF_FFFF_FFFF_FFFF, position)
    first, second = _POINTS.unpack(blake2b(key, digest_size=_POINTS.size).digest())
    return Points((first >> 11) * 2.0**-53, (second >> 11) * 2.0**-53)


class Softmax(NamedTuple):
    """A row's weights: e to its logits, up to a common factor."""

    columns: npt.NDArray[np.float32]  # (ceil(vocabulary / 512), 512), zeros at the end
    sums: npt.NDArray[np.float64]  # (512,) running sums of the columns' sums
    log_scale: float  # log of the factor that makes e to the logits of them

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self.sums[-1])

    @property
    def weights(self) -> Row:
        """One for each token, with zeros behind the last."""
        return self.columns.reshape(-1)

    def masked(self, mask: Mask) -> "Softmax":
        """Return the weights of what a mask allows; at least one of them is not 0."""
        bits = allowed(mask, self.columns.size).reshape(self.columns.shape)
        return _summed(self.columns * bits, self.log_scale)


def softmax(row: Row, temperature: float) -> Softmax:
    """Weigh all tokens of a row; its largest logit is finite."""
    size = -(-len(row) // _COLUMNS) * _COLUMNS
    buffer = np.empty(size, np.float32)
    buffer[len(row) :] = 0
    weights = buffer[: len(row)]
    columns = buffer.reshape(-1, _COLUMNS)
    if temperature >= _UNSHIFTED_FROM:  # saves two passes, and mostly suffices
        scaled = row if temperature == 1 else np.multiply(row, 1 / temperature, out=weights)
        with np.errstate(over="ignore"):
            np.exp(scaled, out=weights)
            whole = _summed(columns, 0.0)
        if _SAFE_TOTALS[0] < whole.total < _SAFE_TOTALS[1]:
            return whole
    top = row.max()
    np.subtract(row, top, out=weights)
    weights *= np.float32(1 / temperature)
    np.exp(weights, out=weights)
    return _summed(columns, float(top) / temperature)


def _summed(columns: npt.NDArray[np.float32], log_scale: float) -> Softmax:
    return Softmax(columns, np.add.reduce(columns).cumsum(dtype=np.float64), log_scale)


def draw(row: Row, sampling: Sampling, at: Points, mask: Mask | None = None) -> int:
    """Choose a token of a row whose largest logit is finite, of a token that the mask allows."""
    if mask is not None and num_allowed(mask) <= _FEW:
        allowed_ids = np.flatnonzero(allowed(mask, len(row)))
        ids, weights = _few(row[allowed_ids], sampling)
        return int(allowed_ids[ids[_at_point(weights, at.first)]])
    if 0 < sampling.top_k < len(row) or sampling.min_p > 0:
        ids, weights = _few(row if mask is None else forbid(row, mask), sampling)
        return int(ids[_at_point(weights, at.first)])
    whole = softmax(row, sampling.temperature)
    token_id = _at_point_of_whole(whole, at.first)
    is_allowed = mask is None or allows(mask, token_id)
    surely_kept = (1 - sampling.top_p) * whole.total
    if is_allowed and (sampling.top_p >= 1 or whole.weights[token_id] > surely_kept):
        return token_id
    if mask is not None:
        whole = whole.masked(mask)
    if sampling.top_p >= 1:
        return _at_point_of_whole(whole, at.second)
    wanted = sampling.top_p * whole.total
    if is_allowed and _mass_before(whole.weights, token_id) < wanted:
        return token_id
    ids = nucleus(whole.weights, wanted)
    return int(ids[_at_point(whole.weights[ids], at.second)])


def _mass_before(weights: Weights, token_id: int) -> float:
    """Return what all likelier tokens weigh together."""
    weight = weights[token_id]
    ids = np.flatnonzero(weights >= weight)
    inside = weights[ids]
    num_not_before = np.count_nonzero(inside[ids.searchsorted(token_id) :] == weight)
    return float(inside.sum(dtype=np.float64)) - num_not_before * float(weight)


def _few(row: Row, sampling: Sampling) -> tuple[Ids, Weights]:
    """Return the places that min_p and top_k keep, less what top_p cuts, and their weights."""
    top = float(row.max())
    least = np.float32(top - sampling.min_logit_gap)
    if 0 < sampling.top_k < len(row):
        ids = largest(row, sampling.top_k)
        ids = ids[row[ids] >= least]
    else:
        ids = np.flatnonzero(row >= least)
    weights = np.exp((row[ids].astype(np.float64) - top) / sampling.temperature)
    if sampling.top_p < 1:
        kept = nucleus(weights, sampling.top_p * float(weights.sum()))
        ids, weights = ids[kept], weights[kept]
    return ids, weights


def nucleus(weights: Weights, wanted: float) -> Ids:
    """Return the places of the fewest largest weights, one at least, that reach `wanted`."""
    wanted = max(wanted, sys.float_info.min)
    kept, mass, ids = _NONE, 0.0, np.arange(len(weights))
    if len(weights) > _FEW:
        kept, mass, ids = _narrowed(weights, wanted)
    ids = ids[np.argsort(-weights[ids], kind="stable")]
    sums = mass + np.cumsum(weights[ids], dtype=np.float64)
    return np.concatenate((kept, ids[: int(np.searchsorted(sums, wanted)) + 1]))


def _narrowed(weights: Weights, wanted: float) -> tuple[Ids, float, Ids]:
    """Return places that are surely kept, their mass, and those of which some are to be added.

    Goes down by levels until the weights above are enough. If these are many, those of the last
    level are divided into buckets: a sort of them all could take milliseconds.
    """
    high = peak = float(weights.max())
    for level in _LEVELS:
        low = level * peak
        ids = np.flatnonzero(weights >= low)
        inside = weights[ids]
        mass = float(inside.sum(dtype=np.float64))
        if mass >= wanted:
            break
        high = low
    else:  # rounding: all the weights do not reach what is wanted
        return ids, mass, _NONE
    if len(ids) <= _FEW:
        return _NONE, 0.0, ids
    buckets = ((inside - low) * (_BUCKETS / (high - low))).astype(np.intp)
    np.minimum(buckets, _BUCKETS, out=buckets)  # what lies above the last level
    masses = np.cumsum(np.bincount(buckets, inside, _BUCKETS + 1)[::-1])
    bucket = _BUCKETS - int(np.searchsorted(masses, wanted))
    is_above = buckets > bucket
    mass = float(inside[is_above].sum(dtype=np.float64))
    return ids[is_above], mass, ids[buckets == bucket]


def largest(row: Row, count: int) -> Ids:
    """Return the tokens of the `count` largest logits, the largest first, lower ids before ties."""
    ids = np.flatnonzero(row >= _bound(row, count))
    ranked: Ids = ids[np.argsort(-row[ids], kind="stable")[:count]]
    return ranked


def _bound(row: Row, count: int) -> float:
    """Return a logit that at least `count` tokens reach, and not many more."""
    if count >= len(row):
        return -math.inf
    num_rows = len(row) // _COLUMNS
    if count > _COLUMNS or num_rows < 2:
        return float(np.partition(row, -count)[-count])
    # Each column's largest is a token of its own: `count` of them reach the count-th of these.
    peaks = row[: num_rows * _COLUMNS].reshape(num_rows, _COLUMNS).max(axis=0)
    return float(np.partition(peaks, -count)[-count])


def _at_point(weights: Weights, point: float) -> int:
    """Return the place whose share of all weights, laid end to end, covers a point in [0, 1)."""
    sums = np.cumsum(weights, dtype=np.float64)
    return _covering(sums, point * float(sums[-1]))


def _at_point_of_whole(whole: Softmax, point: float) -> int:
    """Do the same column by column: a running sum over a vocabulary costs more than the rest."""
    target = point * whole.total
    column = _covering(whole.sums, target)
    sums = np.cumsum(whole.columns[:, column], dtype=np.float64)
    below = float(whole.sums[column - 1]) if column else 0.0
    return _covering(sums, target - below) * _COLUMNS + column


def _covering(sums: npt.NDArray[np.float64], target: float) -> int:
    """Return the first place whose running sum is above the target.

    Rounding must not lead beyond the last weight that is not 0: that is where the sum is complete.
    """
    place = int(sums.searchsorted(target, side="right"))
    return place if place < len(sums) else int(sums.searchsorted(sums[-1]))
