"""A token bucket that remembers every charge and computes each answer from all of them.

Slow, in fractions, and right by its looks: what `Bucket` is held against.
"""

from fractions import Fraction
from math import ceil


class ReplayedBucket:
    """A bucket whose charges may be changed: its level is what they would have made of it."""

    def __init__(self, limit: int, period_us: int) -> None:
        self.limit = limit
        self.per_us = Fraction(limit, period_us)
        self.charges: list[tuple[int, int]] = []  # (moment, tokens)

    def level(self, now_us: int) -> Fraction:
        """Return what is there, from a full bucket and all charges."""
        full = Fraction(self.limit)
        level, at_us = full, 0
        for moment_us, tokens in self.charges:
            level = min(full, level + self.per_us * (moment_us - at_us)) - tokens
            at_us = moment_us
        return min(full, level + self.per_us * (now_us - at_us))

    def wait_us(self, tokens: int, now_us: int) -> int:
        """Return the whole microseconds until so many tokens are there."""
        return max(0, ceil((tokens - self.level(now_us)) / self.per_us))

    def charge(self, tokens: int, now_us: int) -> int:
        """Charge; return the number of the charge."""
        self.charges.append((now_us, tokens))
        return len(self.charges) - 1

    def settle(self, number: int, used: int, now_us: int) -> None:
        """Charge less at that moment; or the rest, now."""
        moment_us, held = self.charges[number]
        self.charges[number] = (moment_us, min(held, used))
        if used > held:
            self.charges.append((now_us, used - held))
