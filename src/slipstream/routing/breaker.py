"""Circuit breakers: when something that fails is left alone, and for how long; pure, no clock.

Theory of operation

    closed ── failures ──▶ open until `until_s` ── time ──▶ half-open ── one probe ──▶ closed
       ▲                    ▲                                   │
       ╰──── success ───────┼───────────────────────────────────┤
                            ╰────── failure: twice as long ─────╯

Rules
 1. A cooldown is never shortened: max(what is, what is new). Only a success, or another sign of
    health where no wait was asked for, ends it early.
 2. An attempt that began before the breaker opened says nothing about what has been since: its
    failure is part of the same step of back-off, and its success closes nothing.
 3. While it is half-open, one attempt at a time is let through; whatever ends that one frees its
    place.
 4. Back-off is forgotten only after a time of health, so that what flaps is left alone for longer.
"""

from collections.abc import Callable
from math import inf
from typing import Final

import msgspec

_LEAST_S: Final = 0.5  # asking to come back in no time is not an answer
_JITTER: Final = 0.2  # so that gateways which were refused together do not come back together
_WINDOW_S: Final = 10.0
# Half of twenty: where a tenth fails, that happens in one window of 100,000, and what
# fails less often costs less as a retry than as a target that is missing.
_OPENING_SHARE: Final = 0.5
_LEAST_COUNTED: Final = 20
_HEALTH_S: Final = 10.0  # closed for this long, or for two cooldowns, and back-off begins anew


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of breaker behaves.

    Args:
        in_row: Failures without a success between them that open it.
        first_s: Its first cooldown; each further one is twice as long.
    """

    in_row: int
    first_s: float


# Five in a row: a target that fails one request in ten does that every 100,000 requests.
OF_TARGET: Final = Policy(in_row=5, first_s=1.0)
# Connections do not fail by what is asked: three are enough.
OF_PROVIDER: Final = Policy(in_row=3, first_s=1.0)
OF_KEY: Final = Policy(in_row=1, first_s=60.0)  # a person has to mend it
OF_QUOTA: Final = Policy(in_row=1, first_s=2.0)

OnCooled = Callable[[str, float, str], None]
"""Told scope, seconds and reason when something starts to cool, or cools for longer."""


class Breaker:
    """One thing that may be left alone, by the name of its scope.

    Args:
        max_s: The longest cooldown.
        random: Uniform in [0, 1); for jitter.
    """

    __slots__ = (
        "_asked_until_s",
        "_bad",
        "_closed_s",
        "_good",
        "_in_row",
        "_last_bad",
        "_last_good",
        "_max_s",
        "_opened_s",
        "_policy",
        "_random",
        "_step",
        "_window_s",
        "is_closed",
        "is_probed",
        "reason",
        "scope",
        "until_s",
    )

    def __init__(
        self, scope: str, policy: Policy, max_s: float, random: Callable[[], float]
    ) -> None:
        self.scope = scope
        self._policy, self._max_s, self._random = policy, max_s, random
        self.is_closed = True
        self.is_probed = False
        self.until_s = 0.0
        self.reason = ""
        self._step = self._in_row = 0
        self._opened_s = self._closed_s = self._asked_until_s = -inf
        self._window_s = -inf
        self._good = self._bad = self._last_good = self._last_bad = 0

    @property
    def blocked_until_s(self) -> float:
        """When it lets an attempt through: 0.0 where it is closed, inf while a probe is out."""
        if self.is_closed:
            return 0.0
        return inf if self.is_probed else self.until_s

    def allows(self, now_s: float) -> bool:
        """Tell whether an attempt may be made now."""
        return self.is_closed or (not self.is_probed and now_s >= self.until_s)

    def begin(self) -> None:
        """Take the probe's place with an attempt that it allows, if it is half-open."""
        self.is_probed = not self.is_closed

    def free(self) -> None:
        """Give the probe's place back: whoever had it is gone."""
        self.is_probed = False

    def pass_over(self, began_s: float) -> None:
        """Note an ending that tells neither good nor bad; the probe's makes its place free."""
        if began_s > self._opened_s:
            self.is_probed = False

    def succeed(self, began_s: float, now_s: float) -> bool:
        """Note a success of an attempt that began at a moment; return whether that closed it."""
        if self.is_closed:
            self._in_row = 0
            if now_s >= self._window_s:
                self._turn(now_s)
            self._good += 1
            return False
        if began_s <= self._opened_s:
            return False
        self.is_closed, self.is_probed = True, False
        self.until_s = 0.0
        self._closed_s = now_s
        self._in_row = 0
        self._good = self._bad = self._last_good = self._last_bad = 0
        return True

    def fail(self, began_s: float, now_s: float, reason: str, count: int = 1) -> float | None:
        """Note a failure; return for how long it cools if that opened it, or kept it open.

        Args:
            count: As how many failures in a row it counts.
        """
        if not self.is_closed:
            return self._fail_again(began_s, now_s, reason, None)
        if now_s >= self._window_s:
            self._turn(now_s)
        self._in_row += count
        self._bad += 1
        bad = self._bad + self._last_bad
        num_counted = bad + self._good + self._last_good
        is_bad = num_counted >= _LEAST_COUNTED and bad >= _OPENING_SHARE * num_counted
        if self._in_row < self._policy.in_row and not is_bad:
            return None
        return self._open(now_s, reason, None, self._policy.first_s)

    def refuse(
        self,
        began_s: float,
        now_s: float,
        reason: str,
        *,
        wait_s: float | None = None,
        first_s: float | None = None,
    ) -> float | None:
        """Note a failure that opens it at once; return for how long it cools, if that is news.

        Args:
            wait_s: As long as it was asked for; bounded.
            first_s: The first cooldown, in place of the policy's.
        """
        if not self.is_closed:
            return self._fail_again(began_s, now_s, reason, wait_s)
        return self._open(now_s, reason, wait_s, first_s or self._policy.first_s)

    def cool(self, seconds: float, now_s: float, reason: str) -> None:
        """Leave it alone for so long at least, as somebody else has found out."""
        if not seconds > 0.0:
            return
        until_s = now_s + min(seconds, self._max_s)
        if until_s > self.until_s:
            self.reason = reason
        if self.is_closed:
            self.is_closed, self._opened_s = False, now_s
        self.until_s = max(self.until_s, until_s)
        self._asked_until_s = self.until_s

    def wake(self, now_s: float) -> bool:
        """Let a probe through now, since there is a sign of health; return whether that is news.

        Not before the end of a wait that was asked for.
        """
        until_s = max(now_s, self._asked_until_s)
        if self.is_closed or self.until_s <= until_s:
            return False
        self.until_s = until_s
        return True

    def shift(self, by_s: float) -> None:
        """Move all moments; the clock was set."""
        self._opened_s += by_s
        self._closed_s += by_s
        self._window_s += by_s
        self._asked_until_s += by_s
        if not self.is_closed:
            self.until_s += by_s

    # ---- inside ----------------------------------------------------------------------------------

    def _fail_again(
        self, began_s: float, now_s: float, reason: str, wait_s: float | None
    ) -> float | None:
        """Note a failure while it is not closed: its probe's, or an older attempt's."""
        is_probe = began_s > self._opened_s
        if is_probe:
            self.is_probed = False
            if now_s >= self.until_s:
                return self._open(now_s, reason, wait_s, self._policy.first_s)
        return None if wait_s is None else self._prolong(now_s, reason, self._waiting(wait_s))

    def _open(self, now_s: float, reason: str, wait_s: float | None, first_s: float) -> float:
        if self.is_closed and now_s - self._closed_s > max(
            _HEALTH_S, 2.0 * self._cooldown(first_s)
        ):
            self._step = 0
        if wait_s is None:
            cooldown_s = self._jittered(self._cooldown(first_s))
            self._step += 1
        else:
            cooldown_s = self._waiting(wait_s)
            self._asked_until_s = now_s + cooldown_s
        self.is_closed, self.is_probed = False, False
        self._opened_s = now_s
        self.until_s = max(self.until_s, now_s + cooldown_s)
        self.reason = reason
        return self.until_s - now_s

    def _prolong(self, now_s: float, reason: str, cooldown_s: float) -> float | None:
        if now_s + cooldown_s <= self.until_s:
            return None
        self.until_s = self._asked_until_s = now_s + cooldown_s
        self.reason = reason
        return cooldown_s

    def _cooldown(self, first_s: float) -> float:
        return min(first_s * 2.0 ** min(self._step, 32), self._max_s)

    def _jittered(self, cooldown_s: float) -> float:
        around = 1.0 + _JITTER * (2.0 * self._random() - 1.0)
        return min(cooldown_s * around, self._max_s)

    def _waiting(self, wait_s: float) -> float:
        """Return a wait that was asked for, never less of it, within bounds."""
        longer = 1.0 + 0.5 * _JITTER * self._random()
        return min(max(wait_s, _LEAST_S) * longer, self._max_s)

    def _turn(self, now_s: float) -> None:
        """Begin the next window of counts; the last one still counts."""
        is_next = now_s < self._window_s + _WINDOW_S
        self._last_good, self._last_bad = (self._good, self._bad) if is_next else (0, 0)
        self._good = self._bad = 0
        self._window_s = now_s + _WINDOW_S
