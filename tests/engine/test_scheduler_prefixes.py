"""Tests of slipstream.engine.scheduler: what it finds in the cache, and what it forks."""

from dataclasses import replace

import pytest

from tests.engine.scheduling import LIMITS, add, make, plan, planned, prompt, shape


def test_plan_preempted_sequence_finds_what_it_had_sealed() -> None:
    """To be computed again costs little where the blocks were not needed meanwhile."""
    scheduler, _ = make(num_blocks=6)
    old, young = prompt(50, 150), prompt(100, 150, first=500)
    add(scheduler, old, young)
    while not young.is_answering:
        plan(scheduler)
    while young.block_ids:
        plan(scheduler)
    num_known = len(young.token_ids)
    scheduler.remove(old)

    step = plan(scheduler)
    assert step.chunks[0].sequence is young
    assert (step.chunks[0].start, step.chunks[0].end) == (96, num_known)
    assert (young.num_cached, young.num_to_read) == (0, num_known)
    assert scheduler.prefixes.num_looked_up_tokens == 150


def test_plan_known_prefix_is_not_computed_again() -> None:
    """What an earlier prompt left in the cache is found, up to the last two tokens."""
    scheduler, pool = make(limits=replace(LIMITS, max_batch_tokens=512))
    first = prompt(96)
    add(scheduler, first)
    plan(scheduler)
    scheduler.remove(first)
    same, longer, other = prompt(96), prompt(98), prompt(98, tenant="other")
    add(scheduler, same, longer, other)

    assert shape(plan(scheduler)) == [(64, 96, 1), (96, 98, 1), (0, 98, 1)]
    assert (same.num_cached, longer.num_cached, other.num_cached) == (64, 96, 0)
    assert same.block_ids[:3] == longer.block_ids[:3]
    assert scheduler.prefixes.num_found_tokens == 160
    pool.check_integrity([same.block_ids, longer.block_ids, other.block_ids])


def test_plan_sequence_that_shares_nothing_leaves_nothing() -> None:
    """Who asks for it neither uses the cache nor leaves a trace there."""
    scheduler, pool = make()
    for _ in range(2):
        private = prompt(64, shares_prefix=False)
        add(scheduler, private)
        assert shape(plan(scheduler)) == [(0, 64, 1)]
        scheduler.remove(private)

    assert pool.num_kept == 0
    assert scheduler.prefixes.num_looked_up_tokens == 0


def test_plan_prefix_after_its_time_to_live_is_computed_again() -> None:
    """The cache forgets what nobody used for its time to live."""
    scheduler, _ = make(ttl_s=60.0)
    for now_s, start in ((0.0, 0), (50.0, 32), (105.0, 32), (170.0, 0)):
        one = prompt(40)
        add(scheduler, one, now_s=now_s)
        assert plan(scheduler, now_s).chunks[0].start == start
        scheduler.remove(one)


def test_plan_time_that_goes_back_stands_still() -> None:
    """What is kept stays in order, whatever the clock says."""
    scheduler, pool = make(ttl_s=60.0)
    for now_s in (10.0, 5.0):
        one = prompt(64, first=int(now_s) * 100)
        add(scheduler, one, now_s=now_s)
        plan(scheduler, now_s)
        scheduler.remove(one)

    scheduler.check_integrity()
    assert pool.num_kept == 4


@pytest.mark.parametrize(("is_exact", "found"), [(True, 64), (False, 32)])
def test_plan_next_turn_finds_the_answer_only_of_an_exact_sequence(
    is_exact: bool, found: int
) -> None:
    """An answer computed one token at a time holds other bits than a prompt would."""
    scheduler, _ = make()
    first = prompt(40, 90, is_exact=is_exact)
    add(scheduler, first)
    while first.num_computed < 64:
        plan(scheduler)
    turn = prompt(100, is_exact=True)
    turn.token_ids[:80] = [*first.token_ids[:64], *range(900, 916)]
    add(scheduler, turn)
    plan(scheduler)

    assert turn.num_cached == found


def test_advance_full_block_is_sealed_at_once() -> None:
    """A prompt that is still being read can be found already."""
    scheduler, _ = make()
    add(scheduler, prompt(150))
    plan(scheduler)
    late = prompt(150, tenant="")
    add(scheduler, late)
    plan(scheduler)

    assert late.num_cached == 64


def test_plan_same_prompts_at_once_end_on_the_same_blocks() -> None:
    """Two that read the same side by side hold it once when it is read."""
    scheduler, pool = make(limits=replace(LIMITS, max_batch_tokens=512))
    one, two = prompt(70), prompt(70)
    add(scheduler, one, two)
    plan(scheduler)

    assert one.block_ids[:2] == two.block_ids[:2]
    assert one.block_ids[2] != two.block_ids[2]
    assert pool.num_free == 32 - 4
    scheduler.check_integrity()


def test_fork_answers_share_the_prompt_and_copy_before_they_write() -> None:
    """All but the last of them take a copy of the half full block."""
    scheduler, pool = make()
    one = prompt(40, 90, num_choices=3)
    add(scheduler, one)
    step = scheduler.plan(0.0)
    assert step is not None
    scheduler.advance(step)
    children = [one.fork(), one.fork()]
    scheduler.fork(one, children)
    family = [one, *children]
    assert len({tuple(sequence.block_ids) for sequence in family}) == 1
    shared = one.block_ids[1]
    for sequence in family:
        sequence.token_ids.append(3)

    step = plan(scheduler)
    assert planned(step) == family
    assert step.copies == ((shared, one.block_ids[1]), (shared, children[0].block_ids[1]))
    assert children[1].block_ids[1] == shared
    assert pool.num_free == 32 - 4
    assert plan(scheduler).copies == ()
    scheduler.check_integrity()


def test_fork_no_block_for_a_copy_preempts_the_last() -> None:
    """Where copies do not fit, siblings wait and are computed again; all of them end."""
    scheduler, _ = make(num_blocks=2)
    one = prompt(40, 44, num_choices=2)
    add(scheduler, one)
    step = scheduler.plan(0.0)
    assert step is not None
    scheduler.advance(step)
    child = one.fork()
    scheduler.fork(one, [child])
    one.token_ids.append(3)
    child.token_ids.append(4)

    step = plan(scheduler)
    assert (planned(step), step.copies) == ([one], ())
    assert scheduler.num_waiting == 1
    scheduler.remove(one)
    step = plan(scheduler)
    assert (planned(step), child.num_to_read) == ([child], 41)
    assert step.chunks[0].start == 32
    scheduler.check_integrity()
