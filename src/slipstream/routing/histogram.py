"""Times in buckets that grow in proportion: quantiles of 1 ms and of 10 minutes are as good.

Weights are the caller's: newer samples are given larger ones, which is how old ones are forgotten.
"""

from math import exp2, log2
from typing import Final

_PER_DOUBLING: Final = 6  # buckets are 12% wide; inside them quantiles are interpolated
_LEAST_LOG2: Final = -10  # 1 ms
_MOST_LOG2: Final = 12  # 68 minutes: longer than any deadline that can be set
_LEAST: Final = 2.0**_LEAST_LOG2
_MOST: Final = 2.0**_MOST_LOG2
_NUM_BUCKETS: Final = (_MOST_LOG2 - _LEAST_LOG2) * _PER_DOUBLING


class Histogram:
    """A weighted distribution of positive numbers; what is out of range counts at its end."""

    __slots__ = ("_weights", "total")

    def __init__(self) -> None:
        self._weights = [0.0] * _NUM_BUCKETS
        self.total = 0.0

    def add(self, value: float, weight: float) -> None:
        """Add one sample."""
        self._weights[_bucket_of(value)] += weight
        self.total += weight

    def scale(self, factor: float) -> None:
        """Multiply all weights."""
        self._weights = [weight * factor for weight in self._weights]
        self.total = sum(self._weights)

    def quantile(self, share: float) -> float | None:
        """Return the value that `share` of the weight is below; None: there is no weight."""
        wanted = share * self.total
        if self.total <= 0.0:
            return None
        seen = 0.0
        for bucket, weight in enumerate(self._weights):
            if weight > 0.0 and seen + weight >= wanted:
                return _value_at(bucket + (wanted - seen) / weight)
            seen += weight
        return _value_at(_NUM_BUCKETS)

    def share_below(self, value: float) -> float:
        """Return the share of the weight in buckets below that of a value."""
        if self.total <= 0.0:
            return 0.0
        return sum(self._weights[: _bucket_of(value)]) / self.total

    def add_longer_than(self, value: float, weight: float) -> float:
        """Add a sample of which only the least that it can be is known; return its likely value.

        It is spread over what is known to be longer, in the proportions seen, so that races, whose
        losers are closed early, do not bend the distribution.

        Source: Efron 1967, "The two sample problem with censored data": redistribution to the
            right.
        """
        start = _bucket_of(value)
        longer = sum(self._weights[start:])
        if longer <= 0.0:  # longer than anything before
            self.add(value, weight)
            return value
        added = weight / longer
        likely = 0.0
        for bucket in range(start, _NUM_BUCKETS):
            share = self._weights[bucket]
            if share > 0.0:
                likely += share * _value_at(bucket + 0.5)
                self._weights[bucket] = share * (1.0 + added)
        self.total += weight
        return max(value, likely / longer)


def _bucket_of(value: float) -> int:
    if value >= _MOST:
        return _NUM_BUCKETS - 1
    if not value > _LEAST:
        return 0
    return int((log2(value) - _LEAST_LOG2) * _PER_DOUBLING)


def _value_at(bucket: float) -> float:
    return exp2(bucket / _PER_DOUBLING + _LEAST_LOG2)
