"""The course of one call over the targets of its plan: which is next, and when none is.

    left    in the plan's order; a failure may cross some out, or put another key first
    later   failed in a way that time may mend, or left alone now: for another round

Pure but for asking Health; it waits for nothing. A plan of one entry has no course: that target is
asked once, whatever is known of it, since clients retry by themselves.
"""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

from slipstream.choice import Plan, Target
from slipstream.dispatch.faults import Lead, consequence_of
from slipstream.dispatch.health import Health
from slipstream.errors import GatewayError

# Back-off before a target is asked again that did not say when: anything up to these, doubled.
_FIRST_BACKOFF_S: Final = 0.25
_MAX_BACKOFF_S: Final = 8.0
# Beside what was said: not everybody who waits for the same moment comes at it.
_JITTER_S: Final = 0.05
_LEAST_WAIT_S: Final = 0.005


class _Later(NamedTuple):
    """A target for another round.

    Args:
        ready_s: When it may be asked again, as far as this call knows.
        is_told: That is what the target said, and no back-off of ours.
    """

    target: Target
    ready_s: float
    is_told: bool


class Course:
    """What is left of one plan.

    Args:
        start: Index of the first target that has not been taken yet.
        rng: For back-off.
    """

    __slots__ = ("_health", "_later", "_left", "_num_rounds", "_plan", "_rng")

    def __init__(self, plan: Plan, start: int, health: Health, rng: random.Random) -> None:
        self._plan, self._health, self._rng = plan, health, rng
        self._left = list(plan.targets[start:])
        self._later: list[_Later] = []
        self._num_rounds = 0

    def next(self, now_s: float) -> Target | None:
        """Take the next target that is not left alone; None: there is none now."""
        while self._left:
            target = self._left.pop(0)
            if not self._health.is_open(target, now_s):
                return target
            self.pass_over(target, now_s)
        return None

    def has_other(self, target: Target, now_s: float) -> bool:
        """Tell whether another model than this one would be next after a failure of it."""
        return any(
            not _is_same_model(each, target) and not self._health.is_open(each, now_s)
            for each in self._left
        )

    def pass_over(self, target: Target, now_s: float) -> None:
        """Leave a target for another round, since it is not to be asked now."""
        wait_s = self._health.wait_s(target, now_s) or self._backoff_s()
        self._later.append(_Later(target, now_s + wait_s, is_told=True))

    def fail(self, target: Target, error: GatewayError, now_s: float) -> bool:
        """Cross out what this failure leaves no hope for; return whether that is everybody."""
        found = consequence_of(error, retries_refusals=self._plan.retries_refusals)
        self._cross_out(found.lead, target)
        if found.may_mend:
            wait_s = error.retry_after_s
            ready_s = now_s + (self._backoff_s() if wait_s is None else wait_s)
            self._later.append(_Later(target, ready_s, wait_s is not None))
        return found.lead is Lead.NOWHERE

    def wait_s(self, now_s: float) -> float | None:
        """Return how long until the first target may be asked again; None: none ever."""
        waits = [self._until_s(each, now_s) for each in self._later]
        return max(min(waits), _LEAST_WAIT_S) + self._rng.uniform(0, _JITTER_S) if waits else None

    def told_wait_s(self, now_s: float) -> float | None:
        """Return the same for the client: what is known, without a back-off of ours.

        None: nothing is known of any, or nothing is left at all.
        """
        waits = [w for each in self._later if (w := self._told_s(each, now_s)) is not None]
        return min(waits, default=None)

    def is_all_cooling(self, now_s: float) -> bool:
        """Tell whether all that is left is known to want to be left alone for a while."""
        waits = [self._told_s(each, now_s) for each in self._later]
        return bool(waits) and None not in waits and not self._left

    def resume(self, now_s: float) -> None:
        """Begin another round, with those that may be asked again by now, in the plan's order."""
        ready = [each.target for each in self._later if self._until_s(each, now_s) <= 0]
        self._later = [each for each in self._later if each.target not in ready]
        self._left = sorted(dict.fromkeys([*self._left, *ready]), key=self._plan.targets.index)
        self._num_rounds += 1

    def _until_s(self, each: _Later, now_s: float) -> float:
        return max(each.ready_s - now_s, self._health.wait_s(each.target, now_s))

    def _told_s(self, each: _Later, now_s: float) -> float | None:
        wait_s = self._health.wait_s(each.target, now_s)
        return max(wait_s, each.ready_s - now_s) if each.is_told else wait_s or None

    def _backoff_s(self) -> float:
        """Return a back-off with full jitter."""
        return self._rng.uniform(0, min(_FIRST_BACKOFF_S * 2**self._num_rounds, _MAX_BACKOFF_S))

    def _cross_out(self, lead: Lead, failed: Target) -> None:
        match lead:
            case Lead.NEXT:
                pass
            case Lead.ELSEWHERE:
                # Whoever names the very same target twice wants it asked twice.
                self._left = [e for e in self._left if e == failed or not _is_same_model(e, failed)]
            case Lead.OTHER_KEY:
                self._left.sort(key=lambda each: not _is_same_model(each, failed))
            case Lead.ROOMIER:
                self._keep(lambda each: self._health.is_roomier(each, failed))
            case Lead.OTHER_PROVIDER:
                self._keep(lambda each: each.provider != failed.provider)
            case Lead.NOWHERE:
                self._keep(lambda each: False)

    def _keep(self, fits: Callable[[Target], bool]) -> None:
        self._left = [each for each in self._left if fits(each)]
        self._later = [each for each in self._later if fits(each.target)]


def _is_same_model(one: Target, other: Target) -> bool:
    return one.model == other.model and one.provider == other.provider
