"""The blocks of each sequence: taken, shared, copied before they are written, sealed, let go.

    0 ...... sealed ...... num_computed ........ known ........ guessed
    |  full, maybe shared  | last one half full  |  the sequence's own   |

Rules
 1. A step writes from `num_computed` on. Blocks that end before it are full, and only such blocks
    are sealed, or found in the cache; so no sealed block is ever written.
 2. Copy before write. One block can be shared and have room: the half full one of a prompt that
    was forked. Each of its holders takes a copy before it writes, but the last one left.
 3. Full blocks are sealed when a step is recorded and when a table is let go: those of a prompt,
    and those of an answer where the sequence is exact. Others hold the bits of the kernel for
    single tokens, which a prompt would not have. Guesses are sealed when they are known tokens.
"""

from collections.abc import Iterable
from typing import Final

from slipstream.engine.blocks import BLOCK_TOKENS, BlockPool, blocks_for
from slipstream.engine.prefix import PrefixCache
from slipstream.engine.sequence import LEAST_PIECE, Sequence
from slipstream.engine.turns import Ticket

Copies = list[tuple[int, int]]
"""(from, to) blocks, in order."""


class Tables:
    """Accounts for the `block_ids` of all sequences; decides about nobody's place."""

    __slots__ = ("pool", "prefixes")

    def __init__(self, pool: BlockPool) -> None:
        self.pool: Final = pool
        self.prefixes: Final = PrefixCache(pool)

    def open(self, ticket: Ticket, now_s: float) -> bool:
        """Take what the cache has of a sequence and blocks for the rest; False takes nothing."""
        sequence, pool = ticket.sequence, self.pool
        num_known = len(sequence.token_ids)
        found: list[int] = []
        if sequence.shares_prefix:
            most = num_known - LEAST_PIECE
            found = self.prefixes.match(ticket.chain, sequence.token_ids, most, now_s)
        taken = pool.allocate(blocks_for(num_known) - len(found))
        if taken is None:
            pool.free(found, now_s)
            ticket.chain.num_sealed = 0
            return False
        sequence.block_ids = found + taken
        sequence.num_computed = len(found) * BLOCK_TOKENS
        return True

    def grow(self, sequence: Sequence, end: int, copies: Copies, now_s: float) -> bool:
        """Make all blocks up to `end` writable; False, and nothing taken, if there are too few."""
        table, pool = sequence.block_ids, self.pool
        written = sequence.num_computed // BLOCK_TOKENS
        must_copy = written < len(table) and pool.count(table[written]) > 1
        num_missing = max(blocks_for(end) - len(table), 0) + must_copy
        if num_missing == 0:
            return True
        taken = pool.allocate(num_missing)
        if taken is None:
            return False
        if must_copy:
            copies.append((table[written], taken[0]))
            pool.free((table[written],), now_s)
            table[written] = taken.pop(0)
        table += taken
        return True

    def stretch(self, sequence: Sequence, end: int) -> int:
        """Add free blocks up to `end` as far as there are any; return how far the table reaches."""
        num_missing = blocks_for(end) - len(sequence.block_ids)
        if num_missing > 0:
            sequence.block_ids += self.pool.allocate(min(num_missing, self.pool.num_free)) or ()
        return len(sequence.block_ids) * BLOCK_TOKENS

    def share(self, parent: Sequence, child: Sequence) -> None:
        """Give a child all that its parent has computed."""
        table = parent.block_ids[: blocks_for(parent.num_computed)]
        self.pool.share(table)
        child.block_ids = table
        child.num_computed, child.num_to_read = parent.num_computed, parent.num_to_read

    def settle(self, ticket: Ticket, now_s: float) -> None:
        """After a step: seal what is full, and give back what was taken for guesses in vain."""
        self._seal(ticket, now_s)
        sequence = ticket.sequence
        num_needed = blocks_for(max(len(sequence.token_ids), sequence.num_computed + 1))
        if len(sequence.block_ids) > num_needed:
            self.pool.free(sequence.block_ids[num_needed:], now_s)
            del sequence.block_ids[num_needed:]

    def close(self, ticket: Ticket, now_s: float) -> None:
        """Let all blocks of a sequence go; what is sealed may be found again."""
        sequence = ticket.sequence
        self._seal(ticket, now_s)
        self.pool.free(sequence.block_ids, now_s)
        sequence.block_ids = []
        sequence.num_computed = ticket.chain.num_sealed = 0

    def check_integrity(self, running: Iterable[Ticket]) -> None:
        """Assert that pool, tables and keys agree."""
        tickets = list(running)
        self.pool.check_integrity(ticket.sequence.block_ids for ticket in tickets)
        for ticket in tickets:
            self.prefixes.check_integrity(ticket.chain, ticket.sequence.block_ids)

    def _seal(self, ticket: Ticket, now_s: float) -> None:
        sequence = ticket.sequence
        if not sequence.shares_prefix:
            return
        num_known = len(sequence.token_ids) if sequence.is_exact else sequence.num_prompt
        # Accepted guesses are computed before the engine has appended them.
        num_blocks = min(sequence.num_computed, num_known) // BLOCK_TOKENS
        if num_blocks > ticket.chain.num_sealed:
            self.prefixes.seal(
                ticket.chain, sequence.token_ids, sequence.block_ids, num_blocks, now_s
            )
