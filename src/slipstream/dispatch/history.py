"""What came of the attempts of one call, for its first frame or for the error that it ends with."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from slipstream.choice import Plan, Tried
from slipstream.dispatch.runners import Runner
from slipstream.errors import Cooling, Exhausted, GatewayError, Overloaded

_TOO_MANY_REQUESTS: Final = 429
_UNAVAILABLE: Final = 503
_RETRY_AFTER_S: Final = 1.0  # where nobody knows how long


class History:
    """The attempts that are over; `failures` are (target name, error) in the order of their ends.

    Verdicts stand last in it.

    Args:
        now_s: The event loop's clock.
    """

    __slots__ = ("_now_s", "_num_verdicts", "_tried", "failures")

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._num_verdicts = 0
        self._tried: list[tuple[int, Tried]] = []
        self.failures: list[tuple[str, GatewayError]] = []

    @property
    def tried(self) -> tuple[Tried, ...]:
        """What came of each attempt, in the order of their beginnings."""
        return tuple(tried for _, tried in sorted(self._tried, key=lambda each: each[0]))

    def fail(self, runner: Runner, error: GatewayError, *, is_verdict: bool) -> None:
        """Note a failure.

        Args:
            is_verdict: No other target could mend it. It speaks for itself, so it stands last,
                though in a race others may fail after it.
        """
        at = len(self.failures) - self._num_verdicts * (not is_verdict)
        self.failures.insert(at, (runner.attempt.target.name, error))
        self._num_verdicts += is_verdict
        self._note(runner, error.code or "error")

    def tell(self, plan: Plan, winner: Runner, running: Sequence[Runner]) -> None:
        """Put plan and tries on the first frame of the winner, if it has a receipt.

        Args:
            running: All that run at this moment; those that are not the winner have lost.
        """
        for runner in running:
            self._note(runner, "ok" if runner is winner else "outraced")
        first = winner.held[0]
        if first.receipt is not None:
            tried = self.tried
            receipt = msgspec.structs.replace(
                first.receipt, num_attempts=len(tried), plan=plan, tried=tried
            )
            winner.held[0] = msgspec.structs.replace(first, receipt=receipt)

    def exhausted(self, plan: Plan, wait_s: float | None, *, is_all_cooling: bool) -> Exhausted:
        """Return the error of a call whose attempts have all failed.

        Args:
            wait_s: After which a target is known to be worth another try.
            is_all_cooling: That is all that is left.
        """
        error = Exhausted(tuple(self.failures), plan=plan, tried=self.tried)
        error.__cause__ = self.failures[-1][1]
        if wait_s is not None:
            told_s = error.retry_after_s  # which is exact, while ours has jitter
            error.retry_after_s = wait_s if told_s is None else min(told_s, wait_s)
            if is_all_cooling and error.status != _TOO_MANY_REQUESTS:
                error.status = _UNAVAILABLE
        return error

    def _note(self, runner: Runner, outcome: str) -> None:
        attempt = runner.attempt
        tried = Tried(
            target=attempt.target,
            cause=attempt.cause,
            outcome=outcome,
            took_s=self._now_s() - runner.began_s,
        )
        self._tried.append((attempt.number, tried))


def none_asked(plan: Plan, refusal: Overloaded | None, wait_s: float | None) -> GatewayError:
    """Return the error of a call for which nobody was asked.

    Args:
        refusal: There was no turn at a target.
        wait_s: After which a target is known to be worth a try.
    """
    error: GatewayError = refusal or Cooling(
        f"Every target of '{plan.route}' has failed a moment ago and is left alone for a while.",
        retry_after_s=_RETRY_AFTER_S if wait_s is None else wait_s,
    )
    error.plan = plan
    return error
