"""Keys of a provider, and what each has left for one model: which one a request should use.

Rules
 1. A key that was refused is left alone with all its models; one that is out of quota, with one.
 2. What headers told of the room is counted down by each attempt since, and forgotten at its reset.
 3. The key with the largest part of its room left; of those that are alike, the least busy.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from slipstream.choice import Room
from slipstream.routing.breaker import Breaker

_UNTOLD_RESET_S: Final = 60.0  # most limits are of a minute


class Key:
    """One credential of a provider.

    `worked_s` is when it was last accepted.
    """

    __slots__ = ("breaker", "credential", "in_flight", "worked_s")

    def __init__(self, credential: str, breaker: Breaker) -> None:
        self.credential = credential
        self.breaker = breaker
        self.in_flight = 0
        self.worked_s = -inf

    def shift(self, by_s: float) -> None:
        """Move all moments; the clock was set."""
        self.worked_s += by_s
        self.breaker.shift(by_s)


class Left:
    """What is left of one limit, of requests or of tokens."""

    __slots__ = ("limit", "remaining", "until_s")

    def __init__(self) -> None:
        self.remaining = inf
        self.limit = 0.0
        self.until_s = 0.0

    def tell(self, remaining: int, reset_s: float | None, now_s: float, max_s: float) -> None:
        """Take what headers say; the most that they ever said is taken for the limit."""
        self.remaining = float(max(remaining, 0))
        self.limit = max(self.limit, self.remaining, 1.0)
        wait_s = _UNTOLD_RESET_S if reset_s is None or not reset_s >= 0.0 else reset_s
        self.until_s = now_s + min(wait_s, max_s)

    def at(self, now_s: float) -> float:
        """Return what is left; inf where nobody knows, as after the reset."""
        if now_s >= self.until_s:
            self.remaining = inf
        return self.remaining

    def share(self, now_s: float) -> float:
        """Return the part of the limit that is left; 1.0 where nobody knows."""
        left = self.at(now_s)
        return 1.0 if left == inf else left / self.limit


class Quota:
    """One model with one key: its attempts in flight, its breaker and its room.

    `is_clear` says that nothing is in the way of an attempt and nothing has to be counted down: its
    own breaker and those around it are closed, and its room is not known.
    """

    __slots__ = ("breaker", "has_room_told", "in_flight", "is_clear", "key", "requests", "tokens")

    def __init__(self, key: Key, breaker: Breaker) -> None:
        self.key = key
        self.breaker = breaker
        self.in_flight = 0
        self.requests, self.tokens = Left(), Left()
        self.has_room_told = False
        self.is_clear = True

    @property
    def blocked_until_s(self) -> float:
        """When its breakers let an attempt through; 0.0: now; inf: when a probe has ended."""
        return max(self.breaker.blocked_until_s, self.key.breaker.blocked_until_s)

    def tell(self, room: Room, now_s: float, max_s: float) -> None:
        """Take what the headers of an answer say; it is believed for `max_s` at most."""
        if room.requests is not None:
            self.requests.tell(room.requests, room.requests_reset_s, now_s, max_s)
        if room.tokens is not None:
            self.tokens.tell(room.tokens, room.tokens_reset_s, now_s, max_s)
        self.has_room_told = self.requests.remaining != inf or self.tokens.remaining != inf

    def take(self, tokens: float, now_s: float) -> None:
        """Count an attempt of about so many tokens down."""
        requests, left = self.requests.at(now_s), self.tokens.at(now_s)
        self.requests.remaining = max(requests - 1.0, 0.0)
        self.tokens.remaining = max(left - tokens, 0.0)
        self.has_room_told = requests != inf or left != inf

    def shift(self, by_s: float) -> None:
        """Move all moments but the key's; the clock was set."""
        self.breaker.shift(by_s)
        self.requests.until_s += by_s
        self.tokens.until_s += by_s

    def room_until_s(self, tokens: float, now_s: float) -> float:
        """Return when there is room for a request of so many tokens; 0.0: now, as far as is known.

        What is larger than nearly all that there ever was needs that much only, or it never went.
        """
        until_s = 0.0
        if self.requests.at(now_s) < 1.0:
            until_s = self.requests.until_s
        if self.tokens.at(now_s) < min(max(tokens, 1.0), 0.9 * self.tokens.limit):
            until_s = max(until_s, self.tokens.until_s)
        return until_s

    def share(self, now_s: float) -> float:
        """Return the part of its limits that is left, of the one of which there is less."""
        return min(self.requests.share(now_s), self.tokens.share(now_s))


def roomiest(
    quotas: Sequence[Quota], now_s: float, tokens: float, random: Callable[[], float]
) -> Quota:
    """Return the key to use: one that is left alone, or has no room, only where all are so.

    Args:
        quotas: At least one.
        tokens: About how many the request needs.
        random: Uniform in [0, 1); decides between those that are alike.
    """

    def order(quota: Quota) -> tuple[float, bool, float, int, float]:
        blocked_until_s = max(quota.blocked_until_s, quota.room_until_s(tokens, now_s))
        # Shares are compared roughly, so that between equal keys it is the load that decides.
        roughly = -round(quota.share(now_s) * 20.0)
        is_short = quota.tokens.at(now_s) < tokens
        return max(blocked_until_s, now_s), is_short, roughly, quota.in_flight, random()

    return min(quotas, key=order)
