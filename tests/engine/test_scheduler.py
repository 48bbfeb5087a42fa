"""Tests of slipstream.engine.scheduler: decisions only, no model."""

from slipstream.engine.blocks import BlockPool, blocks_for
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.sequence import Sequence, Step

LIMITS = Limits(max_running=4, max_queued=8, max_batch_tokens=64, mixed_prompt_tokens=16)


def make(num_blocks: int = 32, limits: Limits = LIMITS) -> tuple[Scheduler, BlockPool]:
    """Return a scheduler and its pool."""
    pool = BlockPool(num_blocks)
    return Scheduler(pool, limits), pool


def prompt(num_tokens: int, limit_tokens: int | None = None) -> Sequence:
    """Return a sequence with this many prompt tokens."""
    return Sequence(list(range(num_tokens)), limit_tokens or num_tokens + 8)


def carry_out(scheduler: Scheduler, step: Step) -> None:
    """Record a step and add a token wherever one was wanted."""
    scheduler.advance(step)
    for chunk in step.chunks:
        if chunk.num_wanted:
            chunk.sequence.token_ids.append(0)


def plan(scheduler: Scheduler) -> Step:
    """Return the next step, which there must be, and carry it out."""
    step = scheduler.plan()
    assert step is not None
    carry_out(scheduler, step)
    return step


def shape(step: Step) -> list[tuple[int, int, int]]:
    """Return (start, end, wanted) of each chunk."""
    return [(chunk.start, chunk.end, chunk.num_wanted) for chunk in step.chunks]


def test_plan_nothing_to_do_is_none() -> None:
    """An idle scheduler has no step."""
    scheduler, _ = make()

    assert scheduler.plan() is None
    assert scheduler.is_idle


def test_plan_long_prompt_is_read_in_pieces() -> None:
    """A prompt over the budget takes several steps; only the last wants a token."""
    scheduler, _ = make()
    scheduler.add(prompt(150))

    assert [shape(plan(scheduler))[0] for _ in range(4)] == [
        (0, 64, 0),
        (64, 128, 0),
        (128, 150, 1),
        (150, 151, 1),
    ]


def test_plan_piece_never_leaves_one_token() -> None:
    """Pieces of one token would take another kernel: 65 tokens are read as 63 and 2."""
    scheduler, _ = make()
    scheduler.add(prompt(65))

    assert shape(plan(scheduler)) == [(0, 63, 0)]
    assert shape(plan(scheduler)) == [(63, 65, 1)]


def test_plan_one_token_prompt_beside_full_budget_is_read_once() -> None:
    """A prompt of one token is a prompt until it was computed, and then an answer."""
    scheduler, _ = make()
    scheduler.add(prompt(64))
    scheduler.add(prompt(1))

    assert shape(plan(scheduler)) == [(0, 64, 1)]
    assert shape(plan(scheduler)) == [(64, 65, 1), (0, 1, 1)]
    assert shape(plan(scheduler)) == [(65, 66, 1), (1, 2, 1)]


def test_plan_prompt_beside_answers_keeps_to_the_smaller_budget() -> None:
    """Running answers get their token in every step, and a long prompt cannot stretch it."""
    scheduler, _ = make()
    scheduler.add(prompt(10, 40))
    plan(scheduler)
    scheduler.add(prompt(100))

    assert shape(plan(scheduler)) == [(10, 11, 1), (0, 16, 0)]
    assert shape(plan(scheduler)) == [(11, 12, 1), (16, 32, 0)]


def test_plan_places_are_given_in_order_of_arrival() -> None:
    """With every place taken the next waits, and gets the first that is free."""
    scheduler, pool = make()
    sequences = [prompt(4) for _ in range(6)]
    for sequence in sequences:
        scheduler.add(sequence)

    assert [chunk.sequence for chunk in plan(scheduler).chunks] == sequences[:4]
    scheduler.remove(sequences[1])
    assert [chunk.sequence for chunk in plan(scheduler).chunks] == [
        sequences[0],
        sequences[2],
        sequences[3],
        sequences[4],
    ]
    assert (scheduler.num_running, scheduler.num_waiting) == (4, 1)
    assert pool.num_free == 32 - 4


def test_plan_no_block_left_preempts_the_youngest() -> None:
    """The oldest goes on; the youngest loses its blocks, waits in front and is computed anew."""
    scheduler, _ = make(num_blocks=2)
    old, young, next_one = prompt(32, 60), prompt(20, 40), prompt(4)
    for sequence in (old, young, next_one):
        scheduler.add(sequence)
    plan(scheduler)
    assert scheduler.num_running == 2

    step = plan(scheduler)  # `old` writes its 33rd token, which needs a second block
    assert [chunk.sequence for chunk in step.chunks] == [old]
    assert (young.block_ids, young.num_computed) == ([], 0)
    scheduler.remove(old)
    step = plan(scheduler)
    assert [chunk.sequence for chunk in step.chunks] == [young, next_one]
    assert shape(step) == [(0, 21, 1), (0, 4, 1)]
    scheduler.check_integrity()


def test_plan_sequence_that_is_youngest_preempts_itself() -> None:
    """A growing answer takes no blocks from those that came before it."""
    scheduler, _ = make(num_blocks=2)
    old, young = prompt(8, 60), prompt(32, 60)
    scheduler.add(old)
    scheduler.add(young)
    plan(scheduler)

    step = plan(scheduler)
    assert [chunk.sequence for chunk in step.chunks] == [old]
    assert young.block_ids == []
    scheduler.check_integrity()


def test_remove_in_any_state_frees_blocks() -> None:
    """A waiting, a running and an unknown sequence can each be removed, at once."""
    limits = Limits(max_running=1, max_queued=8, max_batch_tokens=64, mixed_prompt_tokens=16)
    scheduler, pool = make(limits=limits)
    running, waiting = prompt(100), prompt(5)
    scheduler.add(running)
    scheduler.add(waiting)
    plan(scheduler)
    assert pool.num_free == 32 - blocks_for(100)

    for sequence in (running, waiting, prompt(3)):
        scheduler.remove(sequence)
    assert pool.num_free == 32
    assert scheduler.is_idle


def test_has_room_full_queue_is_false() -> None:
    """The queue has a bound."""
    scheduler, _ = make()
    for _ in range(8):
        assert scheduler.has_room
        scheduler.add(prompt(3))

    assert not scheduler.has_room
