"""Tests of slipstream.engine.turns."""

import itertools

from slipstream.engine.prefix import Chain
from slipstream.engine.sequence import Sequence
from slipstream.engine.turns import Ticket, Turns

_numbers = itertools.count()


def ticket(tenant: str) -> Ticket:
    """Return a ticket of a tenant."""
    return Ticket(Sequence([0], 9, tenant=tenant), (next(_numbers), 0), 0, 1, 1.0, Chain(tenant))


def test_join_idle_tenant_is_lifted_to_the_least() -> None:
    """Time without requests saves up nothing: it begins where the least served stands."""
    turns = Turns()
    turns.join(ticket("busy"))
    turns.join(ticket("quiet"))
    turns.charge("busy", 900)
    turns.charge("quiet", 300)
    turns.join(ticket("late"))

    assert [turns.served(tenant) for tenant in ("busy", "quiet", "late")] == [900, 300, 300]


def test_join_tenant_that_takes_part_keeps_its_counter() -> None:
    """Nobody is lifted who is here already, nor lowered when coming back."""
    turns = Turns()
    first, heavy = ticket("first"), ticket("heavy")
    turns.join(first)
    turns.join(heavy)
    turns.charge("heavy", 500)
    turns.join(ticket("first"))
    turns.leave(heavy)
    turns.join(heavy)

    assert (turns.served("first"), turns.served("heavy")) == (0, 500)


def test_join_after_all_left_begins_where_the_last_stood() -> None:
    """Yesterday's use weighs on nobody when all begin anew."""
    turns = Turns()
    heavy = ticket("heavy")
    turns.join(heavy)
    turns.charge("heavy", 10**9)
    turns.leave(heavy)
    turns.join(ticket("new"))
    turns.join(heavy)

    assert turns.served("new") == turns.served("heavy") == 10**9


def test_owe_admitted_prompt_counts_until_it_is_read() -> None:
    """What was admitted lets others be admitted before its tenant's next, and not be read later."""
    turns = Turns()
    one, two = ticket("a"), ticket("a")
    turns.join(one)
    turns.join(two)
    turns.owe(one, 100)
    turns.owe(two, 50)
    turns.charge("a", 60)
    turns.owe(one, 40)
    assert (turns.served("a"), turns.promised("a")) == (60, 60 + 40 + 50)
    turns.check_integrity([one, two])

    turns.leave(one)
    turns.leave(one)
    assert turns.promised("a") == 60 + 50
    turns.check_integrity([one, two])


def test_charge_tenant_that_is_unknown_is_remembered() -> None:
    """Answers are charged too, to tenants that take part no more."""
    turns = Turns()
    turns.charge("a", 10)

    assert turns.served("a") == 10


def test_charge_many_tenants_forgets_those_that_take_no_part() -> None:
    """The table of accounts has a bound, and who takes part keeps its own."""
    turns = Turns()
    stays = ticket("stays")
    turns.join(stays)
    turns.owe(stays, 5)
    for number in range(25_000):
        turns.charge(f"tenant {number}", 7)
    turns.charge("stays", 3)

    assert turns.promised("stays") == 8
    assert turns.served("tenant 0") == 0
    assert turns.served("tenant 24999") == 7
    turns.check_integrity([stays])
