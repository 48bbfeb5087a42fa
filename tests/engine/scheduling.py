"""What the tests of scheduling share: small schedulers, prompts, and a step carried out."""

import math

from slipstream.engine.blocks import BlockPool
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.sequence import Sequence, Step

LIMITS = Limits(max_running=4, max_queued=8, max_batch_tokens=64, mixed_prompt_tokens=16)


def make(
    num_blocks: int = 32, limits: Limits = LIMITS, ttl_s: float = math.inf
) -> tuple[Scheduler, BlockPool]:
    """Return a scheduler and its pool."""
    pool = BlockPool(num_blocks, ttl_s=ttl_s)
    return Scheduler(pool, limits), pool


def prompt(
    num_tokens: int,
    limit_tokens: int | None = None,
    *,
    tenant: str = "",
    priority: int = 0,
    is_exact: bool = False,
    num_choices: int = 1,
    shares_prefix: bool = True,
    first: int = 0,
) -> Sequence:
    """Return a sequence with this many prompt tokens; `first` makes them others."""
    return Sequence(
        list(range(first, first + num_tokens)),
        limit_tokens or num_tokens + 8,
        tenant=tenant,
        priority=priority,
        is_exact=is_exact,
        num_choices=num_choices,
        shares_prefix=shares_prefix,
    )


def add(scheduler: Scheduler, *sequences: Sequence, now_s: float = 0.0) -> None:
    """Let sequences wait."""
    for sequence in sequences:
        scheduler.add(sequence, now_s)


def carry_out(scheduler: Scheduler, step: Step, token: int = 0) -> None:
    """Record a step and add a token wherever one was wanted."""
    scheduler.advance(step)
    for chunk in step.chunks:
        if chunk.num_wanted:
            chunk.sequence.token_ids.append(token)


def plan(scheduler: Scheduler, now_s: float = 0.0) -> Step:
    """Return the next step, which there must be, and carry it out."""
    step = scheduler.plan(now_s)
    assert step is not None
    carry_out(scheduler, step)
    return step


def shape(step: Step) -> list[tuple[int, int, int]]:
    """Return (start, end, wanted) of each chunk."""
    return [(chunk.start, chunk.end, chunk.num_wanted) for chunk in step.chunks]


def planned(step: Step) -> list[Sequence]:
    """Return the sequences of a step, in its order."""
    return [chunk.sequence for chunk in step.chunks]
