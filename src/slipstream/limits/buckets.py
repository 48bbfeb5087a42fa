"""One token bucket in whole numbers, whose charges can be corrected after the fact; pure.

Theory of operation

A bucket holds `limit` tokens, and refills as many in each period, continuously. What is missing
from it is its backlog: the charges that refill has not made up for yet, oldest first.

    [ held 0 │ held 1 │ … │ loose ]      held: of admissions that are open; loose: of ended ones
       ◀── given back from one's own      that are newer than all open ones
                        refill ──▶ from this end

Rules
 1. The charges add up to the backlog.
 2. Refill makes up for the newest charge first.
 3. What an admission did not need is given back from its own charge, then from older ones.
 4. The charge of an ended admission joins the next newer one.

So a correction leaves the backlog that would be there had the right amount been charged in the
first place: what is there to give back is the least backlog since the charge was made, which is
what the charges up to it add up to. Without that, a request that ended late would give back what
refill had made up for long ago, and a window could see more than limit and refill together.

One token is `period_us` grains, so that a microsecond refills `limit` of them: nothing is rounded.
A bucket that was full forgets what its open admissions hold: `_num_void` of the oldest are void.
"""


class Bucket:
    """A token bucket that corrects itself. Times are microseconds of one clock.

    A clock that stands still or goes back refills nothing.
    """

    __slots__ = (
        "_at_us",
        "_backlog",
        "_held",
        "_loose",
        "_num_void",
        "_size",
        "limit",
        "period_us",
    )

    def __init__(self, limit: int, period_us: int, now_us: int) -> None:
        self.limit = limit
        self.period_us = period_us
        self._size = limit * period_us
        self._at_us = now_us
        self._backlog = 0
        self._held: list[int] = []
        self._num_void = 0
        self._loose = 0

    def wait_us(self, num_tokens: int, now_us: int) -> int:
        """Refill; return how long it takes until so many are there: 0 if they are.

        They must be no more than `limit`.
        """
        if now_us > self._at_us:
            self._refill(now_us)
        missing = self._backlog + num_tokens * self.period_us - self._size
        return 0 if missing <= 0 else -(-missing // self.limit)

    def take(self, num_tokens: int) -> None:
        """Charge for good what `wait_us` found to be there."""
        grains = num_tokens * self.period_us
        self._backlog += grains
        self._loose += grains

    def hold(self, num_tokens: int) -> None:
        """Charge what `wait_us` found to be there for one more open admission, the newest."""
        grains = num_tokens * self.period_us
        self._backlog += grains
        self._held.append(grains + self._loose)
        self._loose = 0

    def settle(self, index: int, num_held: int, num_used: int, now_us: int) -> None:
        """End an open admission: correct its charge to what was used.

        What was used beyond it is charged now, also where the bucket then owes tokens.

        Args:
            index: Of the admission among the open ones, oldest first.
        """
        if now_us > self._at_us:
            self._refill(now_us)
        held = self._held
        if index < self._num_void:
            del held[index]
            self._num_void -= 1
        else:
            if num_used < num_held:
                self._give_back(index, (num_held - num_used) * self.period_us)
            charge = held.pop(index)
            if index < len(held):
                held[index] += charge
            else:
                self._loose += charge
        if num_used > num_held:
            self.take(num_used - num_held)

    def reset_us(self, now_us: int) -> int:
        """Return how long it takes until the bucket is full; 0 if it is."""
        return -(-self._backlog_at(now_us) // self.limit)

    def remaining(self, now_us: int) -> int:
        """Return the whole tokens that are there; 0 also where the bucket owes some."""
        return max(0, (self._size - self._backlog_at(now_us)) // self.period_us)

    def _backlog_at(self, now_us: int) -> int:
        elapsed_us = max(0, now_us - self._at_us)
        return max(0, self._backlog - elapsed_us * self.limit)

    def _refill(self, now_us: int) -> None:
        grains = (now_us - self._at_us) * self.limit
        self._at_us = now_us
        if grains < self._backlog:
            self._backlog -= grains
            if grains <= self._loose:
                self._loose -= grains
            else:
                self._make_up(len(self._held), grains - self._loose)
                self._loose = 0
        elif self._backlog:
            self._backlog = self._loose = 0
            self._num_void = len(self._held)

    def _give_back(self, index: int, grains: int) -> None:
        self._backlog -= grains - self._make_up(index + 1, grains)

    def _make_up(self, end: int, grains: int) -> int:
        """Take so much from the charges before `end`, newest first; return what is left to take."""
        held, start = self._held, self._num_void
        while grains and end > start:
            end -= 1
            part = held[end]
            if part > grains:
                held[end] = part - grains
                return 0
            held[end] = 0
            grains -= part
        return grains
