"""Carries a Plan out: one attempt after another until one commits.

Theory of operation

    plan ── target 1 ──▶ SILENT SILENT ✗      held back, dropped: the client saw nothing
         └─ target 2 ──▶ SILENT CONTENT …     the commit point: hand on what was held, then all
                         ╰── from here on this answer is the only one

Rules
 1. Nothing is handed on before the commit point, the first frame with meaning.
 2. Before it, a failure that is `retryable` goes to the next target; any other ends the call.
 3. After it, nothing is retried: the error goes up as it is.
 4. What is held back is bounded; an upstream that sends more silence than that is committed to.
 5. A leaf's frames are closed in every ending, which closes its connection and settles its row.
 6. An answer that ends without its END frame was cut, whatever was sent before.
"""

from collections.abc import Callable, Mapping

import msgspec

from slipstream.call import Call, Frame, Frames, Meaning, Serve
from slipstream.choice import Attempt, Plan
from slipstream.errors import Exhausted, GatewayError, StreamCut

MAX_HELD_FRAMES = 64  # the bounds of the one peer that has a commit point, too
MAX_HELD_BYTES = 256 * 1024


def dispatch(
    plan_for: Callable[[Call], Plan],
    leaves: Mapping[str, Serve],
    *,
    now_s: Callable[[], float],
    wall_ns: Callable[[], int],
) -> Serve:
    """Return the `Serve` that tries the targets of each call's plan.

    Args:
        plan_for: The pure choice.
        leaves: A metered leaf for each provider name that a plan may contain.
        now_s: The event loop's clock, for deadlines.
        wall_ns: Wall clock, for the ledger.

    Raises:
        Exhausted: From the iteration, when no target answered.
        GatewayError: Likewise, when an answer broke after the commit point.
    """

    async def first_to_commit(call: Call) -> tuple[list[Frame], Frames]:
        plan = plan_for(call)
        total_deadline_s = now_s() + plan.deadlines.total_s
        failures: list[tuple[str, GatewayError]] = []
        for number, target in enumerate(plan.targets[: plan.max_attempts], 1):
            attempt = Attempt(
                attempt_id=f"{call.call_id}-{number}",
                number=number,
                route=plan.route,
                target=target,
                deadlines=plan.deadlines,
                started_at_ns=wall_ns(),
                total_deadline_s=total_deadline_s,
            )
            frames = leaves[target.provider](msgspec.structs.replace(call, attempt=attempt))
            try:
                return await _until_commit(frames), frames
            except GatewayError as error:
                failures.append((target.name, error))
                if not error.retryable or now_s() >= total_deadline_s:
                    break
        raise Exhausted(tuple(failures)) from failures[-1][1]

    async def serve(call: Call) -> Frames:
        held, frames = await first_to_commit(call)
        try:
            for frame in held:
                yield frame
            if frame.meaning is not Meaning.END:
                async for frame in frames:
                    yield frame
            if frame.meaning is not Meaning.END:
                raise StreamCut("the answer ended before its terminal event")
        finally:
            await frames.aclose()

    return serve


async def _until_commit(frames: Frames) -> list[Frame]:
    """Pull frames until one carries meaning; return all of them, that one last.

    Raises:
        StreamCut: They ended first. (The generator has then ended, too.)
        GatewayError: What the leaf raised.
    """
    held: list[Frame] = []
    held_bytes = 0
    async for frame in frames:
        held.append(frame)
        held_bytes += len(frame.data)
        has_meaning = frame.meaning is Meaning.CONTENT or frame.meaning is Meaning.END
        if has_meaning or len(held) >= MAX_HELD_FRAMES or held_bytes >= MAX_HELD_BYTES:
            return held
    raise StreamCut("the answer ended before it said anything")
