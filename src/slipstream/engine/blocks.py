"""The pool of cache blocks: who holds which block, counted.

A block keeps the keys and values of 32 tokens in every layer. A block is free, or held once for
each sequence whose table names it. The pool counts; it knows no tensor and no token.

Rules
 1. A block is on the free list exactly when its count is 0.
 2. `allocate` gives all that was asked or nothing.
 3. The block that was freed last is handed out first: its memory is warm, and memory that no
    request ever needed is never touched.
"""

from collections.abc import Iterable
from typing import Final

BLOCK_TOKENS: Final = 32  # what OpenVINO's paged attention uses on a CPU


def blocks_for(num_tokens: int) -> int:
    """Return how many blocks hold this many tokens."""
    return -(-num_tokens // BLOCK_TOKENS)


class BlockPool:
    """A fixed number of blocks with a reference count each."""

    __slots__ = ("_counts", "_free")

    def __init__(self, num_blocks: int) -> None:
        self._counts = [0] * num_blocks
        self._free = list(range(num_blocks - 1, -1, -1))

    @property
    def num_blocks(self) -> int:
        """All blocks, free or held."""
        return len(self._counts)

    @property
    def num_free(self) -> int:
        """Blocks that `allocate` can give now."""
        return len(self._free)

    def allocate(self, num_blocks: int) -> list[int] | None:
        """Take blocks, each held once; None, and nothing taken, if there are too few."""
        if num_blocks > len(self._free):
            return None
        taken = [self._free.pop() for _ in range(num_blocks)]
        for block_id in taken:
            self._counts[block_id] = 1
        return taken

    def share(self, block_ids: Iterable[int]) -> None:
        """Hold blocks once more that somebody holds already."""
        for block_id in block_ids:
            assert self._counts[block_id] > 0, f"block {block_id} is free"
            self._counts[block_id] += 1

    def free(self, block_ids: Iterable[int]) -> None:
        """Let go of blocks; those that nobody else holds become free."""
        for block_id in block_ids:
            assert self._counts[block_id] > 0, f"block {block_id} is freed twice"
            self._counts[block_id] -= 1
            if self._counts[block_id] == 0:
                self._free.append(block_id)

    def check_integrity(self, tables: Iterable[list[int]]) -> None:
        """Assert the rules against the tables of all sequences that hold blocks.

        Raises:
            AssertionError: A block leaked, or is held by more or fewer than its count says.
        """
        held = [0] * self.num_blocks
        for table in tables:
            assert len(set(table)) == len(table), f"a table names a block twice: {table}"
            for block_id in table:
                held[block_id] += 1
        assert held == self._counts, "counts differ from the tables"
        free = [block_id for block_id, count in enumerate(held) if count == 0]
        assert sorted(self._free) == free, "the free list differs from the counts"
