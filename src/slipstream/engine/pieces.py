"""What one step holds: pieces of sequences, cut to a budget of rows, and guesses behind them.

An exact sequence is never computed one token at a time: its newest token has a guess beside it.
Prompts are read in pieces of two tokens or more, exact or not (see `LEAST_PIECE`).
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from slipstream.engine.sequence import LEAST_PIECE, Chunk, Sequence
from slipstream.engine.tables import Tables
from slipstream.engine.turns import Ticket

LEAST_BUDGET: Final = 2 * LEAST_PIECE - 1
"""Rows for prompts with which one is always read: with less, a piece might leave one token."""


class Piece(NamedTuple):
    """Tokens [start, end) that a step computes, and how many guesses must stand beside them."""

    ticket: Ticket
    start: int
    end: int
    num_beside: int

    @property
    def num_rows(self) -> int:
        """Rows that it computes at least."""
        return self.end - self.start + self.num_beside


def num_beside(sequence: Sequence) -> int:
    """Return how many guesses a sequence must have behind its last known token."""
    return int(sequence.is_exact and sequence.num_pending < LEAST_PIECE)


def cut_prompts(reading: Iterable[Ticket], budget: int) -> Iterator[Piece]:
    """Give the first prompts as much of the budget as they can use, until it is spent."""
    for ticket in reading:
        sequence = ticket.sequence
        pending, start, beside = sequence.num_pending, sequence.num_computed, num_beside(sequence)
        num_tokens = _cut(pending, budget - beside)
        if num_tokens == 0:
            return
        yield Piece(ticket, start, start + num_tokens, beside)
        budget -= num_tokens + beside


def add_guesses(pieces: Iterable[Piece], num_spare: int, tables: Tables) -> Iterator[Chunk]:
    """Make chunks of pieces, with guesses as far as rows are to spare and blocks are free."""
    for piece in pieces:
        ticket, start, end, beside = piece
        sequence = ticket.sequence
        if end < len(sequence.token_ids):
            yield Chunk(sequence, start, end, 0)
        elif beside or sequence.guesses:
            guesses = _fit(ticket, beside, num_spare + beside, tables)
            num_spare -= len(guesses) - beside
            yield Chunk(sequence, start, end, 1 + len(guesses), guesses)
        else:
            yield Chunk(sequence, start, end, 1)


def _cut(pending: int, budget: int) -> int:
    """Return how much of a prompt to read: 0, all of it, or at least 2 leaving at least 2."""
    if pending <= budget:
        return pending
    num_tokens = min(budget, pending - LEAST_PIECE)
    return num_tokens if num_tokens >= LEAST_PIECE else 0


def _fit(ticket: Ticket, least: int, most: int, tables: Tables) -> tuple[int, ...]:
    """Return the guesses of a sequence that there is room for, and take their blocks."""
    sequence = ticket.sequence
    num_known = len(sequence.token_ids)
    # Behind the last place of an answer, and of a prompt that will be forked, no guess helps.
    num_useful = sequence.limit_tokens - 1 - num_known if ticket.num_places == 1 else 0
    guesses = sequence.guesses[: max(min(most, num_useful), least)]
    if len(guesses) < least:  # nobody guessed: any token makes it two rows
        guesses = (sequence.token_ids[-1],)
    reached = tables.stretch(sequence, num_known + len(guesses))
    return guesses[: reached - num_known]
