"""Tests of slipstream.engine.scheduler: who runs, who waits; no model."""

from dataclasses import replace

import pytest

from slipstream.engine.blocks import blocks_for
from tests.engine.scheduling import LIMITS, add, make, plan, planned, prompt, shape


def test_plan_nothing_to_do_is_none() -> None:
    """An idle scheduler has no step."""
    scheduler, _ = make()

    assert scheduler.plan(0.0) is None
    assert scheduler.is_idle


def test_plan_prompt_beside_answers_keeps_to_the_smaller_budget() -> None:
    """Running answers get their token in every step, and a long prompt cannot stretch it."""
    scheduler, _ = make()
    add(scheduler, prompt(10, 40))
    plan(scheduler)
    add(scheduler, prompt(100, first=500))

    assert shape(plan(scheduler)) == [(10, 11, 1), (0, 16, 0)]
    assert shape(plan(scheduler)) == [(11, 12, 1), (16, 32, 0)]


@pytest.mark.parametrize(("given", "read"), [(30, 30), (500, 63), (0, 3)])
def test_plan_budget_for_one_step_replaces_the_limit(given: int, read: int) -> None:
    """Whoever knows what a step costs may say how much of a prompt it bears, if it goes on."""
    scheduler, _ = make()
    add(scheduler, prompt(10, 40))
    plan(scheduler)
    add(scheduler, prompt(100, first=500))

    step = scheduler.plan(0.0, mixed_prompt_tokens=given)
    assert step is not None
    assert step.chunks[1].num_tokens == read


def test_plan_places_are_given_in_order_of_arrival() -> None:
    """With every place taken the next waits, and gets the first that is free."""
    scheduler, pool = make()
    sequences = [prompt(4) for _ in range(6)]
    add(scheduler, *sequences)

    assert planned(plan(scheduler)) == sequences[:4]
    scheduler.remove(sequences[1])
    assert planned(plan(scheduler)) == [sequences[0], *sequences[2:5]]
    assert (scheduler.num_running, scheduler.num_waiting) == (4, 1)
    assert pool.num_free == 32 - 4


def test_plan_tenants_take_turns() -> None:
    """Another's long queue does not keep a tenant waiting."""
    scheduler, _ = make()
    crowd = [prompt(20, tenant="crowd", first=100 * n) for n in range(5)]
    single = prompt(20, tenant="single")
    add(scheduler, *crowd, single)
    plan(scheduler)

    assert single.block_ids
    assert [bool(sequence.block_ids) for sequence in crowd] == [True, True, True, False, False]


def test_plan_prompts_of_tenants_are_read_in_turns() -> None:
    """A long prompt does not keep another tenant's waiting, though it came first."""
    scheduler, _ = make()
    one, two = prompt(300, tenant="a"), prompt(300, tenant="a", first=500)
    add(scheduler, one, two)
    for _ in range(2):
        plan(scheduler)
    late = prompt(200, tenant="b")
    add(scheduler, late)

    assert [planned(plan(scheduler))[0] for _ in range(4)] == [one, late, one, late]


def test_plan_prompt_of_a_higher_class_is_read_first() -> None:
    """A class counts also among those that have their places."""
    scheduler, _ = make()
    low, high = prompt(200), prompt(200, priority=1, first=500)
    add(scheduler, low)
    plan(scheduler)
    add(scheduler, high)

    assert planned(plan(scheduler)) == [high]


def test_plan_low_prompt_passed_over_rises_until_it_is_read() -> None:
    """A prompt that has its place does not starve there beside an endless row of higher ones."""
    scheduler, _ = make(num_blocks=64, limits=replace(LIMITS, patience_s=10.0))
    low = prompt(128, 150, priority=-1)
    add(scheduler, low, *(prompt(400, 402, priority=1, first=n * 999) for n in range(3)))
    for turn in range(100):
        step = plan(scheduler, turn)
        for sequence in planned(step):
            if sequence.is_full:
                scheduler.remove(sequence)
                add(scheduler, prompt(400, 402, priority=1, first=turn * 999), now_s=turn)
        if low.is_answering:
            break
    assert low.is_answering
    assert turn >= 20, "it went before a class above its own"
    scheduler.check_integrity()


def test_plan_cached_prompt_costs_its_tenant_little() -> None:
    """A tenant is charged for what is computed, not for what it sends."""
    scheduler, _ = make(limits=replace(LIMITS, max_running=1, max_batch_tokens=512))
    first = prompt(200, tenant="a")
    add(scheduler, first)
    plan(scheduler)
    scheduler.remove(first)
    add(scheduler, *(prompt(200, tenant="a") for _ in range(3)), prompt(100, tenant="b"))
    add(scheduler, prompt(100, tenant="b", first=500))

    order = []
    for _ in range(5):
        order.append(planned(plan(scheduler))[0])
        scheduler.remove(order[-1])
    assert [sequence.tenant for sequence in order] == ["a", "b", "a", "a", "b"]


def test_plan_refused_for_blocks_is_admitted_when_they_are_free() -> None:
    """Who found too few blocks is asked again when there are more, though others still run."""
    scheduler, _ = make(num_blocks=4)
    first, second, large = prompt(30, 60), prompt(60, first=500), prompt(90, first=900)
    add(scheduler, first, second, large)
    for _ in range(2):
        plan(scheduler)
    assert not large.block_ids
    scheduler.remove(second)

    assert large in planned(plan(scheduler))


def test_plan_high_class_goes_before_those_that_came_earlier() -> None:
    """A priority decides among what waits, until patience is over."""
    scheduler, _ = make(limits=replace(LIMITS, max_running=1, patience_s=10.0))
    running, low, high = prompt(4), prompt(4, priority=-1), prompt(4, priority=1)
    add(scheduler, running)
    plan(scheduler)
    add(scheduler, low, high)
    scheduler.remove(running)
    assert planned(plan(scheduler, 19.0)) == [high]
    scheduler.remove(high)
    high = prompt(4, priority=1)
    add(scheduler, high, now_s=19.0)

    assert planned(plan(scheduler, 20.0)) == [low]


def test_plan_no_block_left_preempts_the_youngest() -> None:
    """The oldest goes on; the youngest loses its blocks, waits in front and is computed anew."""
    scheduler, _ = make(num_blocks=2)
    old, young, next_one = prompt(32, 60), prompt(20, 40, first=500), prompt(4)
    add(scheduler, old, young, next_one)
    plan(scheduler)
    assert scheduler.num_running == 2

    step = plan(scheduler)  # `old` writes its 33rd token, which needs a second block
    assert planned(step) == [old]
    assert (young.block_ids, young.num_computed) == ([], 0)
    assert scheduler.num_preemptions == 1
    scheduler.remove(old)
    step = plan(scheduler)
    assert planned(step) == [young, next_one]
    assert shape(step) == [(0, 21, 1), (0, 4, 1)]
    scheduler.check_integrity()


def test_plan_sequence_that_is_youngest_preempts_itself() -> None:
    """A growing answer takes no blocks from those that came before it."""
    scheduler, _ = make(num_blocks=2)
    old, young = prompt(8, 60), prompt(32, 60)
    add(scheduler, old, young)
    plan(scheduler)

    step = plan(scheduler)
    assert planned(step) == [old]
    assert young.block_ids == []
    scheduler.check_integrity()


def test_plan_no_block_left_preempts_the_lowest_class() -> None:
    """A low class gives way to a younger one of a higher class."""
    scheduler, _ = make(num_blocks=2)
    low, high = prompt(8, 60, priority=-1), prompt(32, 60, priority=1)
    add(scheduler, low)
    plan(scheduler)
    add(scheduler, high)
    while not high.is_answering:
        plan(scheduler)

    assert planned(plan(scheduler)) == [high]
    assert low.block_ids == []
    scheduler.check_integrity()


def test_plan_choices_count_as_places() -> None:
    """A prompt with three answers is admitted when three places are free, not before."""
    scheduler, _ = make()
    two, three, single = prompt(10, num_choices=2), prompt(11, num_choices=3), prompt(12)
    add(scheduler, two, three, single)

    assert planned(plan(scheduler)) == [two]
    scheduler.remove(two)
    assert planned(plan(scheduler)) == [three, single]
    scheduler.check_integrity()


def test_remove_in_any_state_frees_blocks() -> None:
    """A waiting, a running and an unknown sequence can each be removed, at once."""
    limits = replace(LIMITS, max_running=1)
    scheduler, pool = make(limits=limits)
    running, waiting = prompt(100), prompt(5)
    add(scheduler, running, waiting)
    plan(scheduler)
    assert pool.num_free == 32 - blocks_for(100)

    for sequence in (running, waiting, prompt(3)):
        scheduler.remove(sequence)
    assert pool.num_free == 32
    assert scheduler.is_idle


def test_remove_between_plan_and_advance_is_passed_over() -> None:
    """A client may leave while its step is computed."""
    scheduler, pool = make()
    one, two = prompt(40), prompt(33, first=500)
    add(scheduler, one, two)
    step = scheduler.plan(0.0)
    assert step is not None
    scheduler.remove(one)
    scheduler.advance(step, [0, 0])

    assert (one.num_computed, two.num_computed) == (0, 24)
    assert pool.num_free == 32 - 2
    scheduler.check_integrity()


def test_has_room_full_queue_is_false() -> None:
    """The queue has a bound."""
    scheduler, _ = make()
    for _ in range(8):
        assert scheduler.has_room
        add(scheduler, prompt(3))

    assert not scheduler.has_room


def test_has_place_counts_places_and_those_that_wait() -> None:
    """Who comes now waits for nobody's end, as long as nobody waits and a place is free."""
    scheduler, _ = make()
    assert scheduler.has_place
    add(scheduler, prompt(3, num_choices=3))
    assert not scheduler.has_place
    plan(scheduler)
    assert scheduler.has_place
    add(scheduler, prompt(3))
    plan(scheduler)
    assert not scheduler.has_place


def test_num_waiting_tokens_counts_prompts_and_possible_answers() -> None:
    """From these the waiting time of the next request is estimated."""
    scheduler, _ = make(limits=replace(LIMITS, max_running=2))
    first = prompt(10, 50)
    add(scheduler, first, prompt(20, 60, num_choices=2))
    assert scheduler.num_waiting_tokens == 150

    plan(scheduler)
    assert scheduler.num_waiting_tokens == 100


def test_low_class_beside_endless_high_traffic_ends() -> None:
    """Nothing starves, although every block is fought for and higher ones keep coming."""
    scheduler, _ = make(num_blocks=4, limits=replace(LIMITS, patience_s=1.0))
    low = prompt(20, 60, priority=-1)
    add(scheduler, low)
    for turn in range(3000):
        now_s = turn * 0.05
        if turn % 5 == 0 and scheduler.has_room:
            add(scheduler, prompt(40, 90, priority=1, first=turn * 100), now_s=now_s)
        step = plan(scheduler, now_s)
        for sequence in planned(step):
            if sequence.is_full:
                scheduler.remove(sequence)
        if low.is_full:
            return
    pytest.fail("it starved")
