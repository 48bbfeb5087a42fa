"""Which tokens are computed next: continuous batching with chunked prompts.

Decides and accounts for blocks; it computes nothing and knows no text, sampling or OpenVINO.

    waiting (waiting.py) ──admit──▶ running, best protected first ──finish, cancel──▶ gone
            ▲────────── preempt, worst protected first ────┘   └─fork─▶ running

Rules
 1. Every running answer gets all its known tokens computed in every step. Prompts share what is
    left of the budget, by class, then the tenant that was served least, then arrival; one that
    gets nothing for `patience_s` rises by a class. Guesses share what is left after that.
 2. A sequence is admitted with the blocks of everything that it has to compute, so a prompt never
    waits half read; only a growing answer asks for more.
 3. Running sequences are ordered by class, and in it by arrival. Where a growing answer finds no
    block, the last of them gives up all of its own and waits, to be computed again; what it has
    sealed it may find again. The first is never preempted, so every request ends.
 4. Guesses never cost another sequence anything: they take free blocks and spare rows, and their
    blocks go back when the step is done. But the one guess that an exact sequence needs beside
    its newest token (pieces.py) counts like a known token.

Which blocks a step may write, and when they are sealed, is the matter of tables.py.

A turn is: plan, compute, `advance`, `fork` where a prompt with several choices was read, append
the chosen tokens, `remove` what has ended. `remove` may also come between plan and `advance`.
"""

from bisect import insort
from collections.abc import Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass

from slipstream.engine.blocks import BlockPool, blocks_for
from slipstream.engine.pieces import LEAST_BUDGET, Piece, add_guesses, cut_prompts, num_beside
from slipstream.engine.prefix import Chain, PrefixCache
from slipstream.engine.sequence import Sequence, Step
from slipstream.engine.tables import Copies, Tables
from slipstream.engine.turns import Ticket, Turns
from slipstream.engine.waiting import WaitingRoom


@dataclass(frozen=True, slots=True)
class Limits:
    """What one step and the two queues may hold; see `EngineSettings` for each."""

    max_running: int
    max_queued: int
    max_batch_tokens: int
    mixed_prompt_tokens: int
    patience_s: float = 10.0


class Scheduler:
    """What waits and what runs, over one pool of blocks. One thread at a time."""

    def __init__(self, pool: BlockPool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits
        self._tables = Tables(pool)
        self._tickets: dict[Sequence, Ticket] = {}
        self._turns = Turns()
        self._waiting = WaitingRoom(self._turns, limits.patience_s)
        self._running: list[Ticket] = []  # best protected first
        self._num_places = self._num_added = 0  # places: that the running ones take
        self._now_s = 0.0
        self.num_preemptions = 0  # since the start
        self._refused: tuple[Ticket, int] | None = None  # who found too few of how many blocks

    @property
    def prefixes(self) -> PrefixCache:
        """The cache of prompts, for its counts."""
        return self._tables.prefixes

    @property
    def num_waiting(self) -> int:
        """Sequences without a place, new or preempted."""
        return self._waiting.num_waiting

    @property
    def num_waiting_tokens(self) -> int:
        """Tokens that those have to read and may write, as far as their limits go."""
        return self._waiting.num_prompt_tokens + self._waiting.num_answer_tokens

    @property
    def num_running(self) -> int:
        """Sequences that hold blocks."""
        return len(self._running)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self._tickets

    @property
    def has_room(self) -> bool:
        """Whether `add` would be accepted."""
        return self._waiting.num_waiting < self._limits.max_queued

    @property
    def has_place(self) -> bool:
        """Whether what is added now need not wait for another's end, if blocks are free."""
        return self.num_waiting == 0 and self._num_places < self._limits.max_running

    def add(self, sequence: Sequence, now_s: float) -> None:
        """Let a sequence wait for its turn. It must fit the pool and the places when empty."""
        assert blocks_for(sequence.limit_tokens) <= self._pool.num_blocks, "it can never finish"
        assert sequence.num_choices <= self._limits.max_running, "it can never be admitted"
        assert sequence not in self._tickets, "it is here already"
        self._pass_time(now_s)
        order, chain = (self._num_added, 0), Chain(f"{sequence.tenant}\0{sequence.cache_key}")
        patience_s = self._limits.patience_s
        ticket = Ticket(sequence, order, sequence.priority, sequence.num_choices, patience_s, chain)
        self._num_added += 1
        self._tickets[sequence] = ticket
        self._waiting.add(ticket, self._now_s)

    def fork(self, sequence: Sequence, children: Items[Sequence]) -> None:
        """Let the other answers to a prompt run beside it, on the same blocks.

        The prompt was read in the step just recorded, and `sequence.fork()` made each child.
        """
        parent = self._tickets[sequence]
        assert parent.is_running, "its prompt is read"
        assert len(children) < parent.num_places, "it was admitted with places for all"
        for number, child in enumerate(children, 1):
            assert child.token_ids == sequence.token_ids, "an answer to the same prompt"
            self._tables.share(sequence, child)
            ticket = parent.fork(child, number)
            self._tickets[child] = ticket
            insort(self._running, ticket, key=_protection)
        self._num_places -= parent.num_places - 1 - len(children)
        parent.num_places = 1

    def remove(self, sequence: Sequence) -> None:
        """Drop a sequence in any state, finished or cancelled; its blocks are free at once."""
        ticket = self._tickets.pop(sequence, None)
        if ticket is None:
            return
        if ticket.is_running:
            self._running.remove(ticket)
            self._release(ticket)
        else:
            self._waiting.remove(ticket, self._now_s)
        self._turns.leave(ticket)

    def plan(self, now_s: float, *, mixed_prompt_tokens: int | None = None) -> Step | None:
        """Choose the next step and take the blocks that it writes to; None when idle.

        Args:
            mixed_prompt_tokens: In place of the limit of that name, for this step.
        """
        self._pass_time(now_s)
        copies: Copies = []
        num_before = len(self._running)
        pieces = list(self._plan_answers(copies))
        if len(self._running) == num_before:  # nobody was preempted: there is room to admit
            self._admit()
        if mixed_prompt_tokens is None:
            mixed_prompt_tokens = self._limits.mixed_prompt_tokens
        num_rows = sum([piece.num_rows for piece in pieces])
        pieces += self._plan_prompts(num_rows, mixed_prompt_tokens)
        num_spare = self._limits.max_batch_tokens - sum([piece.num_rows for piece in pieces])
        chunks = tuple(add_guesses(pieces, max(num_spare, 0), self._tables))
        return Step(chunks, tuple(copies)) if chunks else None

    def advance(self, step: Step, accepted: Items[int] = ()) -> None:
        """Record that a step was computed. What was removed meanwhile is passed over.

        Args:
            accepted: Of each chunk, how many of its guesses, from the first on, turned out to be
                the answer's next tokens; left out: none anywhere.
        """
        assert len(accepted) in (0, len(step.chunks)), "one number for each chunk"
        for index, chunk in enumerate(step.chunks):
            sequence = chunk.sequence
            ticket = self._tickets.get(sequence)
            if ticket is None or not ticket.is_running:
                continue
            num_accepted = accepted[index] if accepted else 0
            assert 0 <= num_accepted <= len(chunk.guesses), "more accepted than guessed"
            self._turns.record(ticket, chunk, num_accepted)
            sequence.num_computed = chunk.end + num_accepted
            self._tables.settle(ticket, self._now_s)

    def check_integrity(self) -> None:
        """Assert that blocks and queues agree; cheap enough to run when idle."""
        self._tables.check_integrity(self._running)
        self._waiting.check_integrity()
        self._turns.check_integrity(list(self._tickets.values()))
        assert self._running == sorted(self._running, key=_protection), "running out of order"
        assert all(ticket.is_running for ticket in self._running), "it waits and runs"
        assert len(self._tickets) == self.num_running + self.num_waiting, "a ticket is lost"
        num_places = sum(ticket.num_places for ticket in self._running)
        assert num_places == self._num_places <= self._limits.max_running, "places are miscounted"

    def _pass_time(self, now_s: float) -> None:
        self._now_s = max(self._now_s, now_s)  # the pool relies on time never going back

    def _plan_answers(self, copies: Copies) -> Iterator[Piece]:
        """What is known of each answer, best protected first: so none of these is preempted."""
        index = 0
        while index < len(self._running):  # it gets shorter at its end
            ticket = self._running[index]
            index += 1
            sequence = ticket.sequence
            if not sequence.is_answering:
                continue
            start, end = sequence.num_computed, len(sequence.token_ids)
            assert start < end, "an answer has a token to go on from"
            beside = num_beside(sequence)
            if not self._grow(ticket, end + beside, copies):
                return
            if end - start > self._limits.mixed_prompt_tokens:  # its grammar forced a long text
                sequence.num_to_read = end  # read like a prompt, so that nobody waits for it
                ticket.read_s = self._now_s
            else:
                yield Piece(ticket, start, end, beside)

    def _grow(self, ticket: Ticket, end: int, copies: Copies) -> bool:
        """Let an answer write up to `end`, whoever must give way; False: it had to itself."""
        while not self._tables.grow(ticket.sequence, end, copies, self._now_s):
            last = self._running.pop()
            self._preempt(last)
            if last is ticket:
                return False
        return True

    def _admit(self) -> None:
        """Give places to those whose turn it is, as far as blocks and places go."""
        while (ticket := self._waiting.peek(self._now_s)) is not None:
            num_places = self._num_places + ticket.num_places
            if num_places > self._limits.max_running or not self._give_blocks(ticket):
                return
            self._waiting.remove(ticket, self._now_s)
            self._num_places = num_places
            ticket.is_running = True
            insort(self._running, ticket, key=_protection)
            self._begin(ticket)

    def _give_blocks(self, ticket: Ticket) -> bool:
        """Give a sequence all blocks that it needs to be read; False takes nothing."""
        if self._refused == (ticket, self._pool.num_free) and self._running:
            return False  # nothing has changed since
        is_given = self._tables.open(ticket, self._now_s)
        self._refused = None if is_given else (ticket, self._pool.num_free)
        return is_given

    def _begin(self, ticket: Ticket) -> None:
        """Note what a sequence has to read; at its first admission also what was found of it."""
        sequence = ticket.sequence
        sequence.num_to_read = len(sequence.token_ids)
        ticket.read_s = self._now_s
        self._turns.owe(ticket, sequence.num_pending)
        if not ticket.was_admitted and sequence.shares_prefix:
            sequence.num_cached = sequence.num_computed
            self.prefixes.count(sequence.num_prompt, sequence.num_cached)
        ticket.was_admitted = True

    def _plan_prompts(self, num_answer_rows: int, mixed_prompt_tokens: int) -> list[Piece]:
        """Pieces of prompts, within the budget of this step."""
        budget = self._limits.max_batch_tokens
        if num_answer_rows:
            budget = max(min(budget - num_answer_rows, mixed_prompt_tokens), LEAST_BUDGET)
        pieces = list(cut_prompts(self._reading_in_turn(), budget))
        for piece in pieces:
            piece.ticket.read_s = self._now_s
        return pieces

    def _reading_in_turn(self) -> list[Ticket]:
        """Return whose prompts are to be read; who was passed over for too long rises."""
        reading = [ticket for ticket in self._running if not ticket.sequence.is_answering]
        if len(reading) < 2:
            return reading
        late = [t for t in reading if self._now_s - t.read_s >= self._limits.patience_s]
        for ticket in late:
            ticket.rank += 1
            ticket.read_s = self._now_s
        if late:
            self._running.sort(key=_protection)
        served = self._turns.served
        return sorted(reading, key=lambda t: (-t.rank, served(t.sequence.tenant), t.order))

    def _preempt(self, ticket: Ticket) -> None:
        self.num_preemptions += 1
        self._release(ticket)
        if ticket.takes_part:
            self._turns.owe(ticket, 0)
        self._waiting.add(ticket, self._now_s)

    def _release(self, ticket: Ticket) -> None:
        """Take all blocks of a running sequence, which is on no list at the moment."""
        self._tables.close(ticket, self._now_s)
        ticket.is_running = False
        self._num_places -= ticket.num_places


def _protection(ticket: Ticket) -> tuple[int, tuple[int, int]]:
    return -ticket.rank, ticket.order
