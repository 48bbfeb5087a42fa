"""Tests of slipstream.engine.waiting."""

import itertools
import random

import pytest

from slipstream.engine.prefix import Chain
from slipstream.engine.sequence import Sequence
from slipstream.engine.turns import Ticket, Turns
from slipstream.engine.waiting import WaitingRoom

PATIENCE_S = 10.0
_numbers = itertools.count()


def make(patience_s: float = PATIENCE_S) -> tuple[WaitingRoom, Turns]:
    """Return an empty room and the accounts of its tenants."""
    turns = Turns()
    return WaitingRoom(turns, patience_s), turns


def ticket(tenant: str = "a", priority: int = 0, *, num_prompt: int = 3, places: int = 1) -> Ticket:
    """Return a ticket that arrived after all before."""
    sequence = Sequence([0] * num_prompt, num_prompt + 10, tenant=tenant, priority=priority)
    return Ticket(sequence, (next(_numbers), 0), priority, places, PATIENCE_S, Chain(tenant))


def wait(room: WaitingRoom, *tickets: Ticket, now_s: float = 0.0) -> None:
    """Let tickets wait."""
    for one in tickets:
        room.add(one, now_s)


def take(room: WaitingRoom, now_s: float = 0.0) -> Ticket:
    """Return the next, which there must be, and give it a place; it goes on taking part."""
    found = room.peek(now_s)
    assert found is not None
    room.remove(found, now_s)
    room.check_integrity()
    return found


def test_peek_nobody_waits_is_none() -> None:
    """An empty room has no next one."""
    room, _ = make()

    assert room.peek(0.0) is None


def test_peek_one_tenant_goes_by_arrival() -> None:
    """First come, first served, also where one comes back that was here before."""
    room, _ = make()
    first, second, third = (ticket() for _ in range(3))
    wait(room, second, third, first)

    assert [take(room) for _ in range(3)] == [first, second, third]


def test_peek_higher_class_goes_first() -> None:
    """Classes are strict."""
    room, _ = make()
    low, usual, high = ticket(priority=-1), ticket(), ticket(priority=1)
    wait(room, low, usual, high)

    assert [take(room) for _ in range(3)] == [high, usual, low]


def test_peek_tenant_served_least_goes_first() -> None:
    """Of equals the one for whom least was computed is next, however much another asks for."""
    room, turns = make()
    many, few = [ticket("many") for _ in range(6)], [ticket("few") for _ in range(2)]
    wait(room, *many, *few)
    order = []
    for _ in range(8):
        order.append(take(room))
        turns.charge(order[-1].sequence.tenant, 100)

    assert [one.sequence.tenant for one in order[:4]] == ["many", "few", "many", "few"]
    assert [one for one in order if one in many] == many


def test_charge_large_work_lets_others_pass_more_often() -> None:
    """Tokens are shared, not requests."""
    room, turns = make()
    wait(room, *(ticket("large") for _ in range(9)), *(ticket("small") for _ in range(9)))
    served = {"large": 0, "small": 0}
    for _ in range(8):
        tenant = take(room).sequence.tenant
        served[tenant] += 1
        turns.charge(tenant, 300 if tenant == "large" else 100)

    assert served == {"large": 2, "small": 6}


def test_peek_patience_over_raises_the_first_of_a_line() -> None:
    """Waiting long enough is as good as a class, and twice as long as two."""
    room, _ = make()
    low = ticket(priority=-1)
    wait(room, low)
    assert room.peek(9.9) is low
    assert low.rank == -1
    assert room.peek(10.0) is low
    assert low.rank == 0

    usual, high = ticket(), ticket(priority=1)
    wait(room, usual, high, now_s=11)
    assert room.peek(19) is high
    assert [take(room, 20.0) for _ in range(3)] == [low, high, usual]


def test_peek_long_line_does_not_grow_old_together() -> None:
    """A thousand requests of one tenant pass no other: only the first of them rises."""
    room, turns = make()
    wait(room, *(ticket("flood") for _ in range(1000)))
    wait(room, ticket("other"), now_s=25.0)
    for _ in range(4):
        tenant = take(room, 26.0).sequence.tenant
        turns.charge(tenant, 1000)
        if tenant == "other":
            return
    pytest.fail("others wait behind the whole flood")


def test_add_back_patience_goes_on_where_it_was() -> None:
    """Who is preempted again and again still rises: its time as the first adds up."""
    room, _ = make()
    low = ticket(priority=-1)
    for now_s in range(0, 40, 10):
        wait(room, low, now_s=now_s)
        assert take(room, now_s + 4.0) is low

    assert low.rank == 0


def test_remove_last_of_a_class_leaves_no_trace() -> None:
    """Cancelled while it waits: counts and lines are as if it had never come."""
    room, _ = make()
    one, two = ticket(num_prompt=7, places=3), ticket("b", 1)
    wait(room, one)
    before = (room.num_waiting, room.num_prompt_tokens, room.num_answer_tokens)
    assert before == (1, 7, 30)
    wait(room, two)
    assert room.peek(0.0) is two

    room.remove(two, 0.0)
    assert (room.num_waiting, room.num_prompt_tokens, room.num_answer_tokens) == before
    assert room.peek(0.0) is one
    room.check_integrity()


def test_peek_low_class_under_endless_high_traffic_is_served() -> None:
    """Nothing starves: each low request is served although a higher one always waits."""
    draw = random.Random(7)
    room, turns = make(1.0)
    low = [ticket("low", priority=-1) for _ in range(5)]
    wait(room, *low)
    waiting = set(low)
    for turn in range(2000):
        now_s = turn * 0.1
        wait(room, *(ticket(f"high {draw.randrange(3)}", 1) for _ in range(2)), now_s=now_s)
        found = take(room, now_s)
        turns.charge(found.sequence.tenant, draw.randrange(1, 100))
        waiting.discard(found)
    assert not waiting
