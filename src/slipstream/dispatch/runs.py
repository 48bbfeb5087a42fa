"""One call while it is carried out: whom it asks, what became of each attempt, what still runs.

Rules
 1. A Run ends every Runner and every task that it began, in every ending of the call.
 2. An attempt counts from the moment at which its leaf is asked. A target that is passed over, or
    at which there is no turn, cost nothing.
 3. Attempts and time are the call's: no target, round or runner has a budget of its own.
"""

import asyncio
from typing import Final

import msgspec

from slipstream.call import Call, Meaning
from slipstream.choice import Attempt, Cause, Deadlines, Plan, Race, Target
from slipstream.dispatch import owned
from slipstream.dispatch.commit import until_commit, until_proven
from slipstream.dispatch.fallback import Course
from slipstream.dispatch.history import History, none_asked
from slipstream.dispatch.runners import Means, Place, Runner
from slipstream.errors import EmptyAnswer, GatewayError, Overloaded, Refused

_GRACE_S: Final = 1.0  # for the client's own end of patience, which it tells in its own words
_LEAST_PHASE_S: Final = 0.001  # what is left of a phase that waiting for a turn has used up


class Run:
    """The state of one call.

    `open` are the runners that were begun and not closed, `tasks` those that were started for them.
    """

    __slots__ = (
        "_course",
        "_history",
        "_num_taken",
        "_spare",
        "_turned_away",
        "_waited_s",
        "call",
        "deadline_s",
        "means",
        "num_attempts",
        "open",
        "plan",
        "tasks",
    )

    def __init__(self, means: Means, call: Call, plan: Plan) -> None:
        self.means, self.call, self.plan = means, call, plan
        if call.patience_s is not None and call.patience_s + _GRACE_S < plan.deadlines.total_s:
            self.plan = plan = _within(plan, call.patience_s + _GRACE_S)
        self.deadline_s = means.now_s() + plan.deadlines.total_s
        self.num_attempts = 0
        self._num_taken = 0
        self.open: list[Runner] = []
        self.tasks: list[asyncio.Task[Runner | None]] = []
        self._course: Course | None = None
        self._history: History | None = None
        self._spare: Runner | None = None  # whose answer says nothing, if no other is found
        self._turned_away: Overloaded | None = None
        self._waited_s = 0.0

    # ---- whom to ask ----------------------------------------------------------------------------

    @property
    def course(self) -> Course:
        """What is left after the first target."""
        if self._course is None:
            self._course = Course(self.plan, 1, self.means.health, self.means.rng)
        return self._course

    @property
    def history(self) -> History:
        """What came of the attempts that are over."""
        if self._history is None:
            self._history = History(self.means.now_s)
        return self._history

    @property
    def may_begin(self) -> bool:
        """Whether budget and time allow another attempt."""
        return self._num_taken < self.plan.max_attempts and self.means.now_s() < self.deadline_s

    def next_target(self) -> Target | None:
        """Take whom to ask next, for `begin`; None: nobody, as it is now."""
        target: Target | None
        if self._course is None and not self._num_taken:
            target = self.plan.targets[0]
        else:
            target = self.course.next(self.means.now_s()) if self.may_begin else None
        if target is not None:
            self._num_taken += 1
        return target

    async def comes_back(self) -> bool:
        """Wait for the first target that may be asked again; False: none, or not in time."""
        plan, now_s = self.plan, self.means.now_s()
        if len(plan.targets) == 1 or self._spare is not None or not self.may_begin:
            return False
        wait_s = self.course.wait_s(now_s)
        if wait_s is None or self._waited_s + wait_s > plan.max_wait_s:
            return False
        if now_s + wait_s >= self.deadline_s:
            return False
        self._waited_s += wait_s
        await self.means.sleep(wait_s)
        self.course.resume(self.means.now_s())
        return True

    # ---- one attempt ----------------------------------------------------------------------------

    async def begin_in_turn(
        self, target: Target, *, is_beside: bool = False, race: Race | None = None
    ) -> Runner | None:
        """Begin an attempt as soon as its target has a place for it; None: not in time, or not now.

        Where no target has a bound, `begin` does the same at once.
        """
        turns, now_s = self.means.turns, self.means.now_s
        if turns is None or not turns.has_bound(target):
            return self.begin(target, is_beside=is_beside, race=race)
        began_s = now_s()
        limit_s = min(self.plan.deadlines.first_token_s, self.deadline_s - began_s)
        try:
            await turns.take(target, self.call.key_id, limit_s)
        except Overloaded as error:
            self._num_taken -= 1
            self._turned_away = error
            self.course.fail(target, error, now_s())
            return None
        place = Place(turns, target, now_s() - began_s)
        return self.begin(target, place, is_beside=is_beside, race=race)

    def begin(
        self,
        target: Target,
        place: Place | None = None,
        *,
        is_beside: bool = False,
        race: Race | None = None,
    ) -> Runner | None:
        """Begin an attempt; None: the target is to be left alone now, and the place is given back.

        Args:
            place: At the target, if it has a bound.
            is_beside: It runs beside another that did not fail.
        """
        means = self.means
        now_s = means.now_s()
        is_counted = means.health.begin(target, now_s)
        # The only target is asked whatever is known of it: nobody else can answer.
        if not is_counted and len(self.plan.targets) > 1:
            if place is not None:
                place.give_back()
            self._num_taken -= 1
            self.course.pass_over(target, now_s)
            return None
        attempt = self._attempt(target, place, race, is_beside=is_beside)
        runner = Runner(means, self.call, attempt, now_s, place, is_counted)
        self.open.append(runner)
        return runner

    def _attempt(
        self, target: Target, place: Place | None, race: Race | None, *, is_beside: bool
    ) -> Attempt:
        plan = self.plan
        self.num_attempts = number = self.num_attempts + 1
        cause: Cause = "first" if number == 1 else "hedge" if is_beside else "fallback"
        if plan.probes and target in plan.probes:
            cause = "probe"
        if race is None and plan.least_tokens_per_s is not None:
            race = Race()  # in which it learns that it was too slow
        deadlines = plan.deadlines
        if place is not None or plan.patience_s:
            deadlines = self._deadlines(target, 0.0 if place is None else place.waited_s)
        return Attempt(
            attempt_id=f"{self.call.call_id}-{number}",
            number=number,
            route=plan.route,
            target=target,
            deadlines=deadlines,
            started_at_ns=self.means.wall_ns(),
            total_deadline_s=self.deadline_s,
            cause=cause,
            is_weighed=plan.is_weighed,
            race=race,
        )

    def _deadlines(self, target: Target, waited_s: float) -> Deadlines:
        """Return the plan's, or less where time is used up or better spent at another target."""
        plan, deadlines = self.plan, self.plan.deadlines
        first_token_s = deadlines.first_token_s - waited_s
        if plan.patience_s and self._has_other(target):
            first_token_s = min(first_token_s, plan.patience_s[plan.targets.index(target)])
        first_token_s = max(first_token_s, _LEAST_PHASE_S)
        return msgspec.structs.replace(deadlines, first_token_s=first_token_s)

    def _has_other(self, target: Target) -> bool:
        """Tell whether another model would be asked after a failure of this one."""
        return self.may_begin and self.course.has_other(target, self.means.now_s())

    async def has_committed(self, runner: Runner) -> bool:
        """Pull a runner's answer up to its commit point; False: it failed, and is closed."""
        try:
            await until_commit(runner.frames, runner.held, is_stream=self.call.is_stream)
            if self.plan.least_tokens_per_s is not None:
                await self._prove(runner, self.plan.least_tokens_per_s)
        except GatewayError as error:
            if isinstance(error, EmptyAnswer | Refused) and runner.held:
                self._spare = runner
            await self._fail(runner, error)
            return False
        return True

    async def _prove(self, runner: Runner, least_tokens_per_s: float) -> None:
        if runner.held[-1].meaning is not Meaning.CONTENT:
            return

        def may_leave(slow: GatewayError) -> bool:
            attempt = runner.attempt
            if len(self.open) == 1 and not self._has_other(attempt.target):
                return False
            if attempt.race is not None:
                attempt.race.give_up(attempt.attempt_id, slow)
            return True

        await until_proven(
            runner.frames,
            runner.held,
            least_tokens_per_s=least_tokens_per_s,
            window_s=self.plan.rate_window_s,
            may_leave=may_leave,
        )

    async def _fail(self, runner: Runner, error: GatewayError) -> None:
        await self.close(runner)
        is_verdict = self.course.fail(runner.attempt.target, error, self.means.now_s())
        self.history.fail(runner, error, is_verdict=is_verdict)

    async def close(self, runner: Runner) -> None:
        """Close a runner of this call, if it is not closed."""
        if runner in self.open:
            self.open.remove(runner)
        await runner.close()

    # ---- what came of it ------------------------------------------------------------------------

    @property
    def is_told(self) -> bool:
        """Whether somebody wants to know what was tried."""
        wishes = self.call.wishes
        is_explained = wishes is not None and wishes.is_explained
        return self.plan.is_weighed or self.num_attempts > 1 or is_explained

    def tell(self, winner: Runner) -> None:
        """Tell with the winner's first frame what was tried."""
        self.history.tell(self.plan, winner, self.open)

    def last_resort(self) -> Runner:
        """Return whose answer is handed on when nobody is left to ask: one that says nothing.

        Raises:
            GatewayError: There is none.
        """
        if self._spare is not None:
            if self.is_told:
                self.tell(self._spare)
            return self._spare
        now_s = self.means.now_s()
        wait_s = self.course.told_wait_s(now_s)
        if not self.history.failures:
            raise none_asked(self.plan, self._turned_away, wait_s)
        is_all_cooling = len(self.plan.targets) > 1 and self.course.is_all_cooling(now_s)
        raise self.history.exhausted(self.plan, wait_s, is_all_cooling=is_all_cooling)

    async def end(self) -> None:
        """End whatever still runs: losers of a race, and whoever was the answer."""
        try:
            await owned.end(self.tasks)
        finally:
            for runner in self.open:
                await runner.close()


def _within(plan: Plan, total_s: float) -> Plan:
    deadlines = msgspec.structs.replace(plan.deadlines, total_s=total_s)
    return msgspec.structs.replace(plan, deadlines=deadlines)
