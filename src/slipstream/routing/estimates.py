"""What is learned of one quantity from samples that are forgotten with time; pure, no clock.

Theory of operation

    add(y, x₁, x₂, weight)      weights grow with time, so that old samples weigh less and less
      │ u = ln(y / expected)    u far from 0: an outlier, or a change
      ├─ y is cut where it is absurd against the spread of u: one outlier moves little
      ├─ u leans to one side for long: a change; from now on samples weigh several times as much
      ╰─ sums ──▶ refresh ──▶ y ≈ base + slope1·x₁ + slope2·x₂

Rules
 1. A slope is believed as far as it stands out of its noise: what does not depend, does not.
 2. A slope is never negative: more work and more company make nothing faster.
 3. Values that no clock can have measured are passed over.
"""

from math import exp, log
from typing import Final

from slipstream.routing.histogram import Histogram

_LEAST_VALUE: Final = 1e-7
_MAX_VALUE: Final = 86_400.0
_MAX_SURPRISE: Final = 3.0  # in ln: twenty times as much says no more than a hundred times
# The moving mean of u over about the last dozen samples. In a steady process it stays within one
# third of u's spread; five times that is a change. A false alarm costs precision, not truth.
_DRIFT_RATE: Final = 0.15
_DRIFT_LIMIT: Final = 1.4
_LEAST_SPREAD: Final = 0.2
_FAR: Final = 3.0  # spreads; what is further off says no more, so that no outlier is a change
_GAIN_OF_CHANGE: Final = 4.0
_WORTH_OF_OLD: Final = 12.0  # samples, after a change, at most
_MAX_GAIN: Final = 1e9
_PRIOR_SPREAD: Final = 0.5  # of times to the first token within a minute, at most providers
_PRIOR_SAMPLES: Final = 4.0  # what the prior is worth, of spread and of slopes
_CUT_SPREADS: Final = 4.0
_BELIEF: Final = 4.0  # squared: a slope below two standard errors is none
_UNSEEN: Final = 2.0  # times what was assumed: of what has never come to an end
_NEW_SHARE: Final = 50.0  # figures are made anew when 1 of so many samples is new
_LEAST_BASE: Final = 0.05  # of the mean: a line through a curve may start below nothing


class Gauge:
    """One quantity y that may grow with x₁ and x₂, such as a time with input and load.

    Args:
        base: Expected of y before anything is known.
        units: Steps of x₁ and x₂ that make a difference: so much spread of them is needed before a
            slope is believed.
        lean: The slope by x₁ that is assumed until samples say otherwise.
        times: Where the samples' distribution is kept, if it is.

    `mean` is that of the samples, `usual1` that of their x₁, `spread` the standard deviation of
    ln(y / expected).
    """

    __slots__ = (
        "_bias",
        "_drift",
        "_gain",
        "_lean",
        "_num_new",
        "_u",
        "_units",
        "_uu",
        "_w",
        "_x1",
        "_x1y",
        "_x2",
        "_x2y",
        "_x11",
        "_x12",
        "_x22",
        "_y",
        "_yy",
        "base",
        "mean",
        "slope1",
        "slope2",
        "spread",
        "times",
        "usual1",
    )

    def __init__(
        self,
        base: float,
        *,
        units: tuple[float, float] = (1.0, 1.0),
        lean: float = 0.0,
        times: Histogram | None = None,
    ) -> None:
        self.base = self.mean = base
        self.slope1, self.slope2 = lean, 0.0
        self.usual1 = 0.0
        self.spread = _PRIOR_SPREAD
        self.times = times
        self._lean, self._units = lean, units
        self._gain = 1.0
        self._num_new = 0
        self._drift = 0.0
        self._bias = 0.0
        self._w = self._x1 = self._x2 = self._y = self._u = self._uu = 0.0
        self._x11 = self._x12 = self._x22 = self._x1y = self._x2y = self._yy = 0.0

    def add(self, y: float, x1: float, x2: float, weight: float) -> bool:
        """Take a sample.

        Args:
            weight: What a sample of now weighs; grows with time.

        Returns:
            Whether the figures have changed enough to be read again.
        """
        if not _LEAST_VALUE <= y <= _MAX_VALUE:
            return False
        weight *= self._gain
        if self.times is not None:
            self.times.add(y, weight)
        return self._learn(y, x1, x2, weight)

    def add_longer_than(self, y: float, x2: float, weight: float) -> bool:
        """Take a sample of which only the least that it can be is known.

        One that ended sooner than any before tells nothing, and is passed over.
        """
        times = self.times
        if times is None or not _LEAST_VALUE <= y <= _MAX_VALUE:
            return False
        if times.total <= 0.0:
            return self.add(max(y, _UNSEEN * self.base), self.usual1, x2, weight)
        if times.share_below(y) <= 0.0:
            return False
        weight *= self._gain
        return self._learn(times.add_longer_than(y, weight), self.usual1, x2, weight)

    def samples(self, weight: float) -> float:
        """Return how many samples of now all that is known is worth."""
        return self._w / (weight * self._gain)

    def rebase(self, weight: float) -> None:
        """Let a sample of now weigh 1 from here on; the caller's weights have become too large."""
        factor = 1.0 / (weight * self._gain)
        self._gain = 1.0
        self._w *= factor
        self._y *= factor
        self._yy *= factor
        self._u *= factor
        self._uu *= factor
        self._x1 *= factor
        self._x2 *= factor
        self._x11 *= factor
        self._x12 *= factor
        self._x22 *= factor
        self._x1y *= factor
        self._x2y *= factor
        if self.times is not None:
            self.times.scale(factor)

    # ---- inside ----------------------------------------------------------------------------------

    def _learn(self, y: float, x1: float, x2: float, weight: float) -> bool:
        expected = self.base + self.slope1 * x1 + self.slope2 * x2
        surprise = log(y / expected)
        spread = self.spread
        if surprise > 1.0 + _CUT_SPREADS * spread:
            y = expected * exp(1.0 + _CUT_SPREADS * spread)
        if self._w <= 0.0:  # what was assumed is no process that could have changed
            surprise = 0.0
        elif surprise > _MAX_SURPRISE:
            surprise = _MAX_SURPRISE
        elif surprise < -_MAX_SURPRISE:
            surprise = -_MAX_SURPRISE
        spread = max(spread, _LEAST_SPREAD)
        off = surprise - self._bias
        if off > _FAR * spread:
            off = _FAR * spread
        elif off < -_FAR * spread:
            off = -_FAR * spread
        surprise = self._bias + off
        heavy = weight * y
        self._w += weight
        self._y += heavy
        self._yy += heavy * y
        self._u += weight * surprise
        self._uu += weight * off * off
        if x1:
            self._x1 += weight * x1
            self._x11 += weight * x1 * x1
            self._x1y += heavy * x1
        if x2:
            self._x2 += weight * x2
            self._x22 += weight * x2 * x2
            self._x2y += heavy * x2
            self._x12 += weight * x1 * x2
        self._drift += _DRIFT_RATE * (surprise - self._drift)
        self._num_new += 1
        limit = _DRIFT_LIMIT * spread
        # The mean of a skewed quantity is above most of it: by half the square of its spread in ln.
        has_changed = not -limit - 0.5 * spread * spread < self._drift < limit
        if not has_changed and self._num_new * _NEW_SHARE * weight < self._w:
            return False
        self._refresh(weight)
        if has_changed:
            self._let_go(self._w / weight)
        return True

    def _let_go(self, samples: float) -> None:
        """Let new samples weigh more, since the old ones are of something that is no more."""
        self._drift = 0.0
        self._gain *= max(_GAIN_OF_CHANGE, samples / _WORTH_OF_OLD)
        if self._gain > _MAX_GAIN:
            self.rebase(1.0)

    def _refresh(self, weight: float) -> None:
        """Make the figures of the sums."""
        self._num_new = 0
        w = self._w
        samples = w / weight
        self.mean = mean = self._y / w
        self._bias = self._u / w
        prior = _PRIOR_SAMPLES * _PRIOR_SPREAD * _PRIOR_SPREAD
        self.spread = ((prior + self._uu / weight) / (_PRIOR_SAMPLES + samples)) ** 0.5
        self.usual1 = m1 = self._x1 / w
        m2 = self._x2 / w
        slope1, slope2 = self._slopes(mean, m1, m2, samples)
        by_slopes = slope1 * m1 + slope2 * m2
        most = (1.0 - _LEAST_BASE) * mean
        if by_slopes > most:
            slope1, slope2, by_slopes = slope1 * most / by_slopes, slope2 * most / by_slopes, most
        self.slope1, self.slope2 = slope1, slope2
        self.base = mean - by_slopes

    def _slopes(self, mean: float, m1: float, m2: float, samples: float) -> tuple[float, float]:
        """Return what stands out of the noise: least squares, with a prior that there are none."""
        w = self._w
        # What is assumed explains half of the mean at most: there are providers ten times as fast.
        lean = min(self._lean, 0.5 * mean / m1) if m1 > 0.0 else self._lean
        unit1, unit2 = self._units
        v1, v2 = max(self._x11 / w - m1 * m1, 0.0), max(self._x22 / w - m2 * m2, 0.0)
        v12 = self._x12 / w - m1 * m2
        c1 = self._x1y / w - m1 * mean - lean * v1
        c2 = self._x2y / w - m2 * mean - lean * v12
        prior = _PRIOR_SAMPLES / samples
        r1, r2 = v1 + prior * unit1 * unit1, v2 + prior * unit2 * unit2
        determinant = max(r1 * r2 - v12 * v12, 1e-9 * r1 * r2)
        slope1 = (c1 * r2 - c2 * v12) / determinant
        slope2 = (c2 * r1 - c1 * v12) / determinant
        if slope2 < 0.0:  # then there is none, and the other one explains what it can alone
            slope1, slope2 = c1 / r1, 0.0
        elif slope1 < -lean:
            slope1, slope2 = -lean, (c2 + lean * v12) / r2
        explained = lean * (2.0 * c1 + lean * v1) + slope1 * c1 + slope2 * c2
        noise = max(self._yy / w - mean * mean - explained, 0.0) / samples
        slope1 = _believed(slope1, noise * r2 / determinant)
        slope2 = _believed(slope2, noise * r1 / determinant)
        return max(lean + slope1, 0.0), max(slope2, 0.0)


def _believed(slope: float, variance: float) -> float:
    """Return what of a slope is left when its noise is taken off."""
    square = slope * slope
    return slope * (1.0 - _BELIEF * variance / square) if square > _BELIEF * variance else 0.0


class Ratio:
    """A mean of a/b over all samples together, forgotten with time.

    Args:
        value: What it starts at.
        worth: As much as samples whose b is this.
    """

    __slots__ = ("_over", "_under", "value")

    def __init__(self, value: float, worth: float) -> None:
        self.value = value
        self._over, self._under = value * worth, worth

    def add(self, over: float, under: float, weight: float) -> None:
        """Take a sample of a = `over` and b = `under`, which is more than 0."""
        self._over += weight * over
        self._under += weight * under
        self.value = self._over / self._under

    def rebase(self, weight: float) -> None:
        """Let a sample of now weigh 1 from here on."""
        self._over /= weight
        self._under /= weight
