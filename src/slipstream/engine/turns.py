"""Tenants take turns: a counter each of what was computed for it, and the least served is next.

A tenant takes part while it has a sequence that waits or whose prompt is being read. Whoever
begins to take part is lifted to the least of those that do (or to where the last of them left
off), so time without requests saves up nothing, and yesterday's use weighs on nobody.
"""

from dataclasses import dataclass
from typing import Final

from slipstream.engine.prefix import Chain
from slipstream.engine.sequence import Chunk, Sequence

ANSWER_WEIGHT: Final = 2  # of a prompt token: 1.2 ms in a batch of 16, against 0.6 ms
_MOST_TENANTS: Final = 10_000  # accounts that are remembered; 2 MB


@dataclass(slots=True, eq=False)
class Ticket:
    """What the scheduler knows of a sequence from `add` to `remove`.

    Args:
        order: Unique; by arrival, and among the answers to one prompt by their number.
        rank: Its class: the priority it came with, and what waiting has added.
        num_places: Of the running ones that it takes: one for each answer that it will fork.
        patience_s: How much longer it will be first of its line before it rises.
        read_s: When a piece of its prompt was read last, or could have been first.
    """

    sequence: Sequence
    order: tuple[int, int]
    rank: int
    num_places: int
    patience_s: float
    chain: Chain
    read_s: float = 0.0
    is_running: bool = False
    was_admitted: bool = False
    takes_part: bool = False  # kept by Turns, and so is the next
    num_owed: int = 0

    def fork(self, child: Sequence, number: int) -> "Ticket":
        """Return the ticket of another answer to the same prompt, which runs already."""
        order, chain = (self.order[0], number), self.chain.fork()
        return Ticket(
            child, order, self.rank, 1, self.patience_s, chain, is_running=True, was_admitted=True
        )


@dataclass(slots=True)
class _Account:
    """Of one tenant: what was computed, what admitted prompts will cost, who takes part."""

    num_served: int = 0
    num_owed: int = 0
    num_parts: int = 0


class Turns:
    """The accounts of all tenants."""

    __slots__ = ("_accounts", "_floor", "_parting")

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._parting: dict[str, _Account] = {}  # those that take part
        self._floor = 0  # counter of the last that took part, while nobody does

    def join(self, ticket: Ticket) -> None:
        """Note that a sequence waits; nothing changes if it took part already."""
        if ticket.takes_part:
            return
        ticket.takes_part = True
        tenant = ticket.sequence.tenant
        account = self._account(tenant)
        if account.num_parts == 0:
            least = min((other.num_served for other in self._parting.values()), default=self._floor)
            account.num_served = max(account.num_served, least)
            self._parting[tenant] = account
        account.num_parts += 1

    def leave(self, ticket: Ticket) -> None:
        """Note that a sequence answers, or is gone; it owes nothing more."""
        if not ticket.takes_part:
            return
        ticket.takes_part = False
        self.owe(ticket, 0)
        tenant = ticket.sequence.tenant
        account = self._parting[tenant]
        account.num_parts -= 1
        if account.num_parts == 0:
            self._floor = account.num_served
            del self._parting[tenant]

    def record(self, ticket: Ticket, chunk: Chunk, num_accepted: int) -> None:
        """Charge what is about to be recorded: as prompt what was read, the rest as answer."""
        num_answer, num_read = num_accepted, chunk.end - chunk.start
        if ticket.sequence.is_answering:
            num_answer, num_read = num_answer + num_read, 0
        self.charge(ticket.sequence.tenant, num_read + ANSWER_WEIGHT * num_answer)
        if chunk.num_wanted:
            self.leave(ticket)
        elif ticket.takes_part:
            self.owe(ticket, len(ticket.sequence.token_ids) - chunk.end)

    def charge(self, tenant: str, num_tokens: int) -> None:
        """Note what was computed for a tenant."""
        self._account(tenant).num_served += num_tokens

    def owe(self, ticket: Ticket, num_tokens: int) -> None:
        """Note how much an admitted sequence has yet to read: others go before its tenant's next.

        Only for a ticket that takes part.
        """
        self._parting[ticket.sequence.tenant].num_owed += num_tokens - ticket.num_owed
        ticket.num_owed = num_tokens

    def served(self, tenant: str) -> int:
        """Return what decides whose prompt is read next: what was computed."""
        return self._account(tenant).num_served

    def promised(self, tenant: str) -> int:
        """Return what decides who is admitted next: what was computed and what is yet to be."""
        account = self._account(tenant)
        return account.num_served + account.num_owed

    def check_integrity(self, tickets: list[Ticket]) -> None:
        """Assert that the accounts agree with all tickets there are."""
        for tenant, account in self._parting.items():
            assert self._accounts[tenant] is account, "a tenant has two accounts"
            own = [t for t in tickets if t.takes_part and t.sequence.tenant == tenant]
            assert account.num_parts == len(own) > 0, "those that take part are miscounted"
            assert account.num_owed == sum(t.num_owed for t in own), "what is owed is miscounted"
        for ticket in tickets:
            assert ticket.takes_part or ticket.num_owed == 0, "it owes and takes no part"
            assert not ticket.takes_part or ticket.sequence.tenant in self._parting, "unnoticed"

    def _account(self, tenant: str) -> _Account:
        account = self._accounts.get(tenant)
        if account is None:
            if len(self._accounts) >= _MOST_TENANTS:
                self._accounts = dict(self._parting)
            account = self._accounts[tenant] = _Account()
        return account
