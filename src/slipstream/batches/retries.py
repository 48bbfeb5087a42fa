"""Whether a line is asked again, and when: pure.

    answer                              again?
    429 that says when to come back     always: the batch's window bounds it
    429 that does not, 502, 503, 504    up to a number of tries
    any other                           never: it is the line's result

Nothing is asked again sooner than the answer says.
"""

import random
from typing import Final

from slipstream.batches.records import Answered

_PASSING: Final = frozenset({429, 502, 503, 504})


class Retries:
    """How patient batches are.

    Args:
        max_tries: Of a line that a passing fault answers, the first try included.
        backoff_s: First and longest wait where the answer does not say when to come back; also
            the least wait after a fault.
        rng: For the jitter, so that lines that failed together do not come back together.
    """

    __slots__ = ("_backoff_s", "_max_tries", "_rng")

    def __init__(
        self,
        *,
        max_tries: int = 10,
        backoff_s: tuple[float, float] = (1.0, 60.0),
        rng: random.Random | None = None,
    ) -> None:
        self._max_tries = max_tries
        self._backoff_s = backoff_s
        self._rng = rng or random.Random()  # noqa: S311 -- spreads load, keeps no secret

    def wait_s(self, answered: Answered, num_tries: int) -> float | None:
        """Return how long to wait before a line is asked again; None if the answer stands."""
        if answered.status not in _PASSING:
            return None
        told_s = answered.retry_after_s
        if answered.status == 429 and told_s is not None:
            return told_s * self._rng.uniform(1.0, 1.25)
        if num_tries >= self._max_tries:
            return None
        first_s, longest_s = self._backoff_s
        full_s = min(longest_s, first_s * 2.0 ** min(num_tries - 1, 32))
        return max(told_s or 0.0, full_s * self._rng.uniform(0.5, 1.0))
