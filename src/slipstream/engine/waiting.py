"""Who gets the next place: sequences that wait, by class, tenant and arrival.

    class 2    (nobody)
    class 1    tenant a: 7 9      tenant c: 4        the highest class goes first,
    class 0    tenant a: 3 5 8    tenant b: 6        in it the tenant that was served least,
                                                     of that one the first to arrive

Rules
 1. A line is what one tenant has waiting in one class, in order of arrival. A sequence that was
    preempted comes back to the place in it that its arrival gives it.
 2. Whoever has been first of a line for `patience_s` rises by one class, and again after the next
    `patience_s`. Only the first of a line: every line moves, so nothing starves, and a thousand
    requests of one tenant do not grow old together and pass everybody else.
 3. All of this is worked out when something comes or goes; between that a step costs nothing.
"""

import math
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from slipstream.engine.turns import Ticket, Turns

_ORDER: Final = attrgetter("order")


@dataclass(slots=True, eq=False)
class _Line:
    """Tickets of one tenant in one class, by arrival; never empty between two calls."""

    rank: int
    tenant: str
    due_s: float = math.inf  # when its first one rises
    tickets: list[Ticket] = field(default_factory=list)

    def stop_clock(self, now_s: float) -> None:
        """Note on the first one how much patience it has left: another may be first now."""
        if self.tickets:
            self.tickets[0].patience_s = max(self.due_s - now_s, 0.0)

    def start_clock(self, now_s: float) -> None:
        """Count the time of whoever is first."""
        self.due_s = now_s + self.tickets[0].patience_s if self.tickets else math.inf


_DUE: Final = attrgetter("due_s")


class WaitingRoom:
    """Chooses the next of those that wait. Knows no block; no clock but `now_s`."""

    def __init__(self, turns: Turns, patience_s: float) -> None:
        assert patience_s > 0, "rising at once would leave no classes"
        self._turns = turns
        self._patience_s = patience_s
        self._lines: dict[tuple[int, str], _Line] = {}
        self._head: Ticket | None = None  # the answer of `peek`, while it holds
        self._next_due_s = math.inf
        self.num_waiting = 0
        self.num_prompt_tokens = 0  # to be read before they answer
        self.num_answer_tokens = 0  # that they may then write, as far as their limits go

    def add(self, ticket: Ticket, now_s: float) -> None:
        """Let a ticket wait, new or preempted."""
        self._turns.join(ticket)
        self._enter(ticket, now_s)
        self._count(ticket, 1)
        self._settle()

    def remove(self, ticket: Ticket, now_s: float) -> None:
        """Take out a ticket that waits: it has a place now, or was cancelled."""
        self._leave(ticket, now_s)
        self._count(ticket, -1)
        self._settle()

    def peek(self, now_s: float) -> Ticket | None:
        """Return whose turn it is; it goes on waiting."""
        while self._next_due_s <= now_s:
            self._raise_first_due()
        if self._head is None and self._lines:
            self._head = self._choose()
        return self._head

    def check_integrity(self) -> None:
        """Assert that lines and counts agree, and that nobody who waits holds a block."""
        tickets = [ticket for line in self._lines.values() for ticket in line.tickets]
        assert len(tickets) == self.num_waiting, "the lines differ from the count"
        assert all(line.tickets for line in self._lines.values()), "an empty line"
        prompt = sum(len(ticket.sequence.token_ids) for ticket in tickets)
        assert prompt == self.num_prompt_tokens, "waiting tokens are miscounted"
        for (rank, tenant), line in self._lines.items():
            assert line.tickets == sorted(line.tickets, key=_ORDER), "a line is out of order"
            for ticket in line.tickets:
                assert (ticket.rank, ticket.sequence.tenant) == (rank, tenant), "in a wrong line"
                assert not ticket.is_running, "a running sequence waits"
                assert ticket.takes_part, "a waiting sequence takes no part"
                assert ticket.num_owed == 0, "a waiting sequence owes what it was to read"
                assert not ticket.sequence.block_ids, "a waiting sequence holds blocks"
                assert ticket.sequence.num_computed == 0, "a waiting sequence is said computed"

    def _choose(self) -> Ticket:
        rank = max(rank for rank, _ in self._lines)
        lines = [line for line in self._lines.values() if line.rank == rank]
        promised = self._turns.promised
        first = min(lines, key=lambda line: (promised(line.tenant), line.tickets[0].order))
        return first.tickets[0]

    def _enter(self, ticket: Ticket, now_s: float) -> None:
        place = (ticket.rank, ticket.sequence.tenant)
        line = self._lines.setdefault(place, _Line(*place))
        line.stop_clock(now_s)
        insort(line.tickets, ticket, key=_ORDER)
        line.start_clock(now_s)

    def _leave(self, ticket: Ticket, now_s: float) -> None:
        place = (ticket.rank, ticket.sequence.tenant)
        line = self._lines[place]
        index = bisect_left(line.tickets, ticket.order, key=_ORDER)
        assert line.tickets[index] is ticket, "it does not wait"
        line.stop_clock(now_s)
        del line.tickets[index]
        line.start_clock(now_s)
        if not line.tickets:
            del self._lines[place]

    def _raise_first_due(self) -> None:
        """Move the first of the line that is due longest into the next class."""
        line = min(self._lines.values(), key=_DUE)
        ticket, at_s = line.tickets[0], line.due_s
        self._leave(ticket, at_s)
        ticket.rank += 1
        ticket.patience_s = self._patience_s
        self._enter(ticket, at_s)
        self._settle()

    def _count(self, ticket: Ticket, sign: int) -> None:
        sequence = ticket.sequence
        num_known = len(sequence.token_ids)
        self.num_waiting += sign
        self.num_prompt_tokens += sign * num_known
        self.num_answer_tokens += sign * (sequence.limit_tokens - num_known) * ticket.num_places

    def _settle(self) -> None:
        """Forget whose turn it was, and note when the next one rises."""
        self._head = None
        self._next_due_s = min(map(_DUE, self._lines.values()), default=math.inf)
