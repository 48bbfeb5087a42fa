"""Several targets at once: whoever says something first is the answer.

Theory of operation

    start 1 ─────────────────────── ✗ or late
         ╰ hedge_s ─▶ start 2 ──── SILENT CONTENT    the win: claimed before the loop turns again
                   ╰ hedge_s ─▶ 3 ──── ✕             cancelled at the win, closed at once

Rules
 1. Each runner is a task that pulls its answer up to its commit point. Nothing is handed on here.
 2. The next one starts when hedge_s has passed since the last start, or at once when one has
    failed; never more at a time than the plan has room for, nor in all than the call may cost.
 3. The first commit claims the race in the same step of its task in which the frame came, so there
    is one winner, whatever else happens in that turn of the loop. Metering reads the claim: the
    row of everybody else says `outraced`.
 4. Losers are cancelled at the claim. They close their connections while the winner's answer is
    handed on; the Run owns their tasks and does not end before they have.
 5. A failure that no other target could mend stops further starts. Those that run may still win:
    what is asked of them is paid for.
"""

import asyncio

from slipstream.choice import Race, Target
from slipstream.dispatch.runners import Runner
from slipstream.dispatch.runs import Run


async def first_to_speak(run: Run, hedge_s: float) -> Runner:
    """Return the runner that has committed first; the others are being closed.

    Args:
        hedge_s: How long the last runner may say nothing before the next one starts.

    Raises:
        GatewayError: None has committed, and nobody is left to ask.
    """
    heat = _Heat(run, hedge_s)
    while heat.winner is None:
        heat.start_due()
        if heat.running:
            await heat.step()
        elif not await run.comes_back():
            return run.last_resort()
    return heat.winner


class _Heat:
    """The runners of one race; `running` are those whose answer has not begun."""

    __slots__ = (
        "_due_s",
        "_hedge_s",
        "_is_dry",
        "_num_missing",
        "_race",
        "_run",
        "running",
        "winner",
    )

    def __init__(self, run: Run, hedge_s: float) -> None:
        self._run, self._hedge_s = run, hedge_s
        self._race = Race()
        self._due_s = 0.0  # when the next one starts beside those that run
        self._num_missing = 1  # how many start at once, in place of those that failed
        self._is_dry = False  # nobody is left to start, as it was last asked
        self.winner: Runner | None = None
        self.running: list[asyncio.Task[Runner | None]] = []

    def start_due(self) -> None:
        """Start those for whom it is time."""
        run, max_runners = self._run, self._run.plan.max_runners
        while len(self.running) < max_runners:
            is_beside = not self._num_missing
            if is_beside and run.means.now_s() < self._due_s:
                return
            target = run.next_target()
            self._is_dry = target is None
            if target is None:
                return
            self._num_missing = max(0, self._num_missing - 1)
            task = asyncio.ensure_future(self._pull(target, is_beside=is_beside))
            run.tasks.append(task)
            self.running.append(task)
            self._due_s = run.means.now_s() + self._hedge_s

    async def step(self) -> None:
        """Wait until something has come of a runner, or another one is due."""
        has_room = len(self.running) < self._run.plan.max_runners and not self._is_dry
        wait_s = max(0.0, self._due_s - self._run.means.now_s()) if has_room else None
        await asyncio.wait(self.running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        for task in [each for each in self.running if each.done()]:
            self.running.remove(task)
            # A loser may have ended in the very turn of the loop in which it was cancelled.
            if not task.cancelled() and task.result() is None:
                self._num_missing += 1
                self._is_dry = False

    async def _pull(self, target: Target, *, is_beside: bool) -> Runner | None:
        """Run one attempt up to its commit point; None: it came to nothing."""
        run, race = self._run, self._race
        runner = await run.begin_in_turn(target, is_beside=is_beside, race=race)
        if runner is None:
            return None
        try:
            if await run.has_committed(runner) and self.winner is None:
                self._claim(runner)
        finally:
            if self.winner is not runner:
                await run.close(runner)
        return runner if self.winner is runner else None

    def _claim(self, runner: Runner) -> None:
        self.winner = runner
        self._race.winner_id = runner.attempt.attempt_id
        if self._run.is_told:
            self._run.tell(runner)
        winning = asyncio.current_task()
        for task in self.running:
            if task is not winning:
                task.cancel()
