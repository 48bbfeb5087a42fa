"""Carries a Plan out: one attempt after another, or several at once, until one commits.

Theory of operation

    plan ── target 1 ──▶ SILENT SILENT ✗      held back, dropped: the client saw nothing
         └─ target 2 ──▶ SILENT CONTENT …     the commit point: hand on what was held, then all
                         ╰── from here on this answer is the only one

Rules
 1. Nothing is handed on before the commit point: the first frame with meaning, or where a route
    asks for a speed, the one that proves it (commit.py).
 2. Before it, a failure goes where faults.py says; fallback.py keeps who is left.
 3. After it, nothing is retried: the error goes up as it is.
 4. An upstream's frames are closed in every ending, which closes its connection and settles its
    row; a race's losers are closed while the winner is handed on (race.py).
 5. An answer that ends without its END frame was cut, whatever was sent before.
 6. An answer that says nothing fails as long as another target is left; then it is an answer.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

from slipstream.call import Call, Frames, Meaning, Serve
from slipstream.choice import Plan, Target
from slipstream.dispatch.health import UNMEASURED, Health
from slipstream.dispatch.race import first_to_speak
from slipstream.dispatch.runners import Means, Runner
from slipstream.dispatch.runs import Run
from slipstream.dispatch.turns import Turns
from slipstream.errors import StreamCut

_CUT = "the answer ended before its terminal event"


def dispatch(
    plan_for: Callable[[Call], Plan],
    leaves: Mapping[str, Serve],
    health: Health = UNMEASURED,
    *,
    now_s: Callable[[], float],
    wall_ns: Callable[[], int],
    rng: random.Random | None = None,
    max_concurrent: Callable[[Target], int | None] | None = None,
    max_queued: int = 1000,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Serve:
    """Return the `Serve` that tries the targets of each call's plan.

    Args:
        plan_for: The pure choice.
        leaves: A metered leaf for each provider name that a plan may contain.
        health: Knows how targets have fared; told of each attempt's beginning and end.
        now_s: The event loop's clock, for deadlines.
        wall_ns: Wall clock, for the ledger.
        rng: For back-off.
        max_concurrent: How many attempts a target takes at the same time; None: no target has a
            bound.
        max_queued: How many requests may wait for their turn at one target.

    Raises:
        Exhausted: From the iteration, when no target answered.
        Cooling: Likewise, when none was asked, since all are left alone.
        Overloaded: Likewise, when none was asked, since there was no turn.
        GatewayError: Likewise, when an answer broke after the commit point.
    """
    turns = None if max_concurrent is None else Turns(max_concurrent, max_queued)
    means = Means(leaves, health, turns, now_s, wall_ns, rng or random.Random(), sleep)  # noqa: S311

    async def serve(call: Call) -> Frames:
        plan = plan_for(call)
        run = Run(means, call, plan)
        try:
            if plan.hedge_s is None:
                runner = await _one_after_another(run)
            else:
                runner = await first_to_speak(run, plan.hedge_s)
            for frame in runner.held:
                yield frame
            if frame.meaning is not Meaning.END:
                async for frame in runner.frames:
                    yield frame
            if frame.meaning is not Meaning.END:
                raise StreamCut(_CUT)
        finally:
            if run.tasks:
                await run.end()
            else:  # the same, without the cost of a race
                for runner in run.open:
                    await runner.close()

    return serve


async def _one_after_another(run: Run) -> Runner:
    """Return the first runner that commits."""
    has_no_bounds = run.means.turns is None
    while True:
        target = run.next_target()
        if target is None:
            if await run.comes_back():
                continue
            return run.last_resort()
        runner = run.begin(target) if has_no_bounds else await run.begin_in_turn(target)
        if runner is not None and await run.has_committed(runner):
            if run.is_told:
                run.tell(runner)
            return runner
