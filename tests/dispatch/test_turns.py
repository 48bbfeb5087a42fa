"""Turns at a target: fair between keys, bounded, and gone with whoever went away."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.choice import Target
from slipstream.dispatch.turns import Turns
from slipstream.errors import Overloaded
from tests.dispatch.virtual_time import run_virtual

HERE, THERE = Target("a", "m"), Target("b", "m")
LONG_S = 1e6


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_targets_without_a_bound_have_no_places() -> None:
    """Nobody asks for one there."""
    turns = Turns(lambda target: 1 if target == HERE else None, 5)
    assert turns.has_bound(HERE)
    assert not turns.has_bound(THERE)


def test_keys_take_turns_and_each_keeps_its_order() -> None:
    """One with a hundred requests does not hold up one with a single one."""

    async def play() -> list[str]:
        turns, order = Turns(lambda target: 1, 99), []

        async def ask(name: str) -> None:
            await turns.take(HERE, name[0], LONG_S)
            order.append(name)
            await asyncio.sleep(1)
            turns.give_back(HERE)

        async with asyncio.TaskGroup() as group:
            for name in ("A1", "A2", "A3", "A4", "B1", "C1", "B2"):
                group.create_task(ask(name))
                await _settle()
        return order

    assert run_virtual(play()) == ["A1", "A2", "B1", "C1", "A3", "B2", "A4"]


def test_nobody_overtakes_whoever_waits() -> None:
    """A place that is given back is taken at once by whoever is next, not by who comes then."""

    async def play() -> None:
        turns = Turns(lambda target: 1, 5)
        await turns.take(HERE, "a", LONG_S)
        waiting = asyncio.ensure_future(turns.take(HERE, "b", LONG_S))
        await _settle()
        turns.give_back(HERE)
        with pytest.raises(Overloaded):
            await turns.take(HERE, "c", 0.0)
        await waiting

    run_virtual(play())


def test_places_of_all_keys_of_a_target_are_one_number() -> None:
    """The bound is the target's; another target has its own."""

    async def play() -> None:
        turns = Turns(lambda target: 2, 0)
        await turns.take(Target("a", "m", "k1"), "x", LONG_S)
        await turns.take(Target("a", "m", "k2"), "x", LONG_S)
        with pytest.raises(Overloaded):
            await turns.take(Target("a", "m", "k3"), "x", LONG_S)
        await turns.take(THERE, "x", LONG_S)

    run_virtual(play())


def test_full_queue_refuses_and_says_when_to_come_back() -> None:
    """No more wait than may."""

    async def play() -> None:
        turns = Turns(lambda target: 1, 1)
        await turns.take(HERE, "a", LONG_S)
        waiting = asyncio.ensure_future(turns.take(HERE, "a", LONG_S))
        await _settle()
        with pytest.raises(Overloaded, match="1 requests already wait for a/m") as caught:
            await turns.take(HERE, "b", LONG_S)
        assert caught.value.retry_after_s == 1.0
        turns.give_back(HERE)
        await waiting

    run_virtual(play())


def test_wait_ends_at_its_limit() -> None:
    """And leaves no one in the queue."""

    async def play() -> float:
        turns = Turns(lambda target: 1, 5)
        await turns.take(HERE, "a", LONG_S)
        with pytest.raises(Overloaded, match=r"no turn at a/m within 2\.5 s"):
            await turns.take(HERE, "b", 2.5)
        assert turns.num_waiting(HERE) == 0
        return asyncio.get_running_loop().time()

    assert run_virtual(play()) == 1002.5


def test_place_of_one_that_is_cancelled_as_it_gets_it_goes_on() -> None:
    """Its turn came and it left in the same moment: the next one has the place."""

    async def play() -> None:
        turns = Turns(lambda target: 1, 5)
        await turns.take(HERE, "a", LONG_S)
        leaving = asyncio.ensure_future(turns.take(HERE, "b", LONG_S))
        staying = asyncio.ensure_future(turns.take(HERE, "c", LONG_S))
        await _settle()
        turns.give_back(HERE)
        leaving.cancel()
        await staying
        with suppress(asyncio.CancelledError):
            await leaving
        assert turns.num_waiting(HERE) == 0

    run_virtual(play())


_moves = st.lists(
    st.tuples(
        st.sampled_from("abc"),  # whose
        st.integers(0, 3),  # when it comes
        st.integers(0, 4),  # how long it stays
        st.none() | st.integers(0, 5),  # when it goes away, if it has not its turn by then
        st.integers(0, 6),  # how long it is willing to wait
    ),
    max_size=12,
)


@settings(deadline=None)
@given(moves=_moves, bound=st.integers(1, 3), max_queued=st.integers(0, 4))
def test_any_coming_and_going_keeps_the_bounds_and_loses_no_place(
    moves: list[tuple[str, int, int, int | None, int]], bound: int, max_queued: int
) -> None:
    """Never more at once or waiting than may be, and all places are free at the end."""

    async def play() -> None:
        turns, inside = Turns(lambda target: bound, max_queued), 0

        async def visit(key: str, at_s: int, stay_s: int, limit_s: int) -> None:
            nonlocal inside
            await asyncio.sleep(at_s)
            try:
                await turns.take(HERE, key, float(limit_s))
            except Overloaded:
                return
            inside += 1
            assert inside <= bound
            assert turns.num_waiting(HERE) <= max_queued
            try:
                await asyncio.sleep(stay_s)
            finally:
                inside -= 1
                turns.give_back(HERE)

        loop = asyncio.get_running_loop()
        tasks = []
        for key, at_s, stay_s, gone_s, limit_s in moves:
            tasks.append(asyncio.ensure_future(visit(key, at_s, stay_s, limit_s)))
            if gone_s is not None:
                loop.call_later(gone_s, tasks[-1].cancel)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [
            e for e in found if e is not None and not isinstance(e, asyncio.CancelledError)
        ] == []
        assert turns.num_waiting(HERE) == 0
        for _ in range(bound):
            await turns.take(HERE, "z", 0.0)

    run_virtual(play())
