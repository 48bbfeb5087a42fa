"""Says when a process that nobody needs has been idle for long enough; ends nothing itself.

Looks at intervals, since what a process does is known by others. It errs on the late side only:
by an interval, an eighth of the limit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOOKS: Final = 8  # in one limit


class Idleness:
    """Since when nobody needs a process. Seconds are those of the caller's clock."""

    def __init__(self, limit_s: float) -> None:
        """Nothing is idle before the first look."""
        self._limit_s = limit_s
        self._idle_since_s: float | None = None
        self._num_users = 0
        self._was_used = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Count someone who needs the process, while the context is open."""
        self._num_users += 1
        try:
            yield
        finally:
            self._num_users -= 1
            self._was_used = True

    def look(self, is_busy: bool, now_s: float) -> float:
        """Return how long to wait until the next look; 0 if the limit is reached.

        Args:
            is_busy: Whether it works for someone of whom `used` knows nothing.
        """
        was_used, self._was_used = self._was_used, False
        if is_busy or was_used or self._num_users or self._idle_since_s is None:
            self._idle_since_s = now_s
        left_s = self._idle_since_s + self._limit_s - now_s
        return min(max(left_s, 0.0), self._limit_s / _LOOKS)
