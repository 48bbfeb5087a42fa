"""What planning remembers of calls until their attempts have ended, and learns from how they did.

plan ──▶ pending, by call: its digests, what should have been warm, whether a race is paid for
note ──▶ answers by route and target · who has which prefix · what races have spent
"""

from collections.abc import Callable
from typing import Final

import msgspec

from slipstream.call import Call, Outcome
from slipstream.choice import Target
from slipstream.routing.affinity import Affinity, TargetKey, Warm, digests_of, lifetime_s
from slipstream.routing.facts import TargetFacts
from slipstream.routing.learned import AnswerHistory
from slipstream.routing.racing import RaceShares

MAX_PENDING: Final = 2048
"""Calls that are remembered; the oldest goes."""


class Start(msgspec.Struct, frozen=True, gc=False):
    """How a call begins.

    Args:
        digests: None where it is too short to be in any cache.
        size: Of its body, in bytes.
        warm: What its targets should have of it in their caches.
    """

    digests: tuple[int, ...]
    size: int
    warm: dict[TargetKey, Warm]


class _Pending(msgspec.Struct, gc=False):
    """A call whose attempts have not ended.

    Args:
        is_paid: A further runner is paid for, which may not be started.
    """

    start: Start
    is_paid: bool


_NO_WARMTH: Final[dict[TargetKey, Warm]] = {}


class Memory:
    """Everything that a planner learns.

    Args:
        facts_of: Says of a target whose row it has, which decides how long its cache keeps things.
    """

    def __init__(self, facts_of: Callable[[Target], TargetFacts]) -> None:
        self.history = AnswerHistory()
        self.shares = RaceShares()
        self._affinity = Affinity()
        self._facts_of = facts_of
        self._pending: dict[str, _Pending] = {}

    def start_of(self, call: Call, now_s: float) -> Start:
        """Return how a call begins, and who knows that already."""
        digests, size = digests_of(call.body), len(call.body)
        warm = self._affinity.find(digests, size, now_s) if digests else _NO_WARMTH
        return Start(digests, size, warm)

    def expect(self, call_id: str, start: Start, *, is_paid: bool) -> None:
        """Remember a call that was planned, if something is to be learned from its attempts."""
        if not start.digests and not is_paid:
            return
        pending = self._pending
        while len(pending) >= MAX_PENDING:
            del pending[next(iter(pending))]
        pending[call_id] = _Pending(start, is_paid)

    def note(self, outcome: Outcome, now_s: float) -> None:
        """Learn from an attempt of a plan that was weighed."""
        attempt, usage = outcome.attempt, outcome.usage
        target = attempt.target
        answers = None
        if outcome.state == "complete" and usage.total_output_tokens:
            answers = self.history.note(attempt.route, target.name, usage)
        # Dispatch makes an attempt's id of the call's, a hyphen and a number.
        pending = self._pending.get(attempt.attempt_id.rpartition("-")[0])
        if attempt.cause == "hedge":
            self.shares.spend(attempt.route)
        if pending is None:
            return
        if pending.is_paid and attempt.cause != "hedge":
            pending.is_paid = False
            self.shares.give_back(attempt.route)
        start, key = pending.start, (target.provider, target.model)
        if not start.digests or outcome.first_token_s is None:
            return
        sent = start.warm.get(key)
        if answers is not None and sent is not None and not usage.is_estimate:
            expected = usage.total_input_tokens * sent.num_bytes / start.size
            answers.note_hit(usage.cache_read_tokens / max(expected, 1.0))
        until_s = now_s + lifetime_s(self._facts_of(target).vendor)
        self._affinity.note(start.digests, key, Warm(target.credential, until_s, start.size))
