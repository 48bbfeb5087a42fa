"""The pool of cache blocks: who holds which block, counted, and which are kept for later.

A block keeps the keys and values of 32 tokens in every layer. The pool knows no tensor and no
token; what prefix.py computes from tokens is to it a key that a block may be sealed under.

    free ──allocate──▶ held, count ≥ 1 ──last free──▶ free, or, where it is sealed, kept
      ▲                     ▲──────────share───────────────────────────────────┤
      └──────────────────── evicted (allocate) or expired ─────────────────────┘

Rules
 1. A block is free, held or kept. Its count is the number of tables that name it.
 2. A sealed block is full and is never written again. One key names one block, and one block has
    one key at most; only sealed blocks are kept.
 3. `allocate` gives all that was asked or nothing. It takes free blocks first, and then those
    kept blocks that were used least recently.
 4. A table is let go from its end. Whoever holds a block of a prefix holds all blocks before it,
    so the end of a kept prefix is older than its beginning and goes first: no kept block is ever
    out of reach because one before it is gone.
 5. The block that was freed last is handed out first: its memory is warm, and memory that no
    request ever needed is never touched.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

BLOCK_TOKENS: Final = 32  # what OpenVINO's paged attention uses on a CPU


def blocks_for(num_tokens: int) -> int:
    """Return how many blocks hold this many tokens."""
    return -(-num_tokens // BLOCK_TOKENS)


class BlockPool:
    """A fixed number of blocks with a reference count each.

    Args:
        ttl_s: How long a sealed block is kept after its last use.
    """

    __slots__ = ("_by_key", "_counts", "_free", "_kept", "_keys", "_ttl_s", "num_evicted")

    def __init__(self, num_blocks: int, *, ttl_s: float = math.inf) -> None:
        self._counts = [0] * num_blocks
        self._free = list(range(num_blocks - 1, -1, -1))
        self._kept: OrderedDict[int, float] = OrderedDict()  # block -> last use, oldest first
        self._keys: list[bytes | None] = [None] * num_blocks
        self._by_key: dict[bytes, int] = {}
        self._ttl_s = ttl_s
        self.num_evicted = 0  # kept blocks that were taken for other tokens before their time

    @property
    def num_blocks(self) -> int:
        """All blocks, free, held or kept."""
        return len(self._counts)

    @property
    def num_free(self) -> int:
        """Blocks that `allocate` can give now, kept ones among them."""
        return len(self._free) + len(self._kept)

    @property
    def num_kept(self) -> int:
        """Blocks that nobody holds and that a prefix may find again."""
        return len(self._kept)

    def count(self, block_id: int) -> int:
        """Return how many tables name a block."""
        return self._counts[block_id]

    def is_sealed(self, block_id: int) -> bool:
        """Whether a block has a key, and so must not be written."""
        return self._keys[block_id] is not None

    def allocate(self, num_blocks: int) -> list[int] | None:
        """Take blocks, each held once; None, and nothing taken, if there are too few."""
        if num_blocks > self.num_free:
            return None
        while len(self._free) < num_blocks:
            block_id, _ = self._kept.popitem(last=False)
            self._forget(block_id)
            self.num_evicted += 1
        taken = [self._free.pop() for _ in range(num_blocks)]
        for block_id in taken:
            self._counts[block_id] = 1
        return taken

    def share(self, block_ids: Iterable[int]) -> None:
        """Hold blocks once more that somebody holds already, or that are kept."""
        for block_id in block_ids:
            if self._counts[block_id] == 0:
                assert block_id in self._kept, f"block {block_id} is free"
                del self._kept[block_id]
            self._counts[block_id] += 1

    def free(self, block_ids: Sequence[int], now_s: float) -> None:
        """Let go of blocks, the last first; those that nobody else holds become free or kept.

        Args:
            now_s: Their last use; never less than in a call before.
        """
        for block_id in reversed(block_ids):
            assert self._counts[block_id] > 0, f"block {block_id} is freed twice"
            self._counts[block_id] -= 1
            if self._counts[block_id] > 0:
                continue
            if self._keys[block_id] is None:
                self._free.append(block_id)
            else:
                self._kept[block_id] = now_s

    def seal(self, block_id: int, key: bytes) -> None:
        """Give a full block its key; the key must be new."""
        assert self._counts[block_id] > 0, f"block {block_id} is sealed by nobody who holds it"
        assert self._keys[block_id] is None, f"block {block_id} is sealed twice"
        assert key not in self._by_key, "a key names one block"
        self._keys[block_id] = key
        self._by_key[key] = block_id

    def find(self, key: bytes) -> int | None:
        """Return the block that is sealed under a key, held or kept; nothing changes."""
        return self._by_key.get(key)

    def expire(self, now_s: float) -> None:
        """Free the kept blocks whose time to live has passed."""
        while self._kept:
            block_id = next(iter(self._kept))
            if now_s - self._kept[block_id] <= self._ttl_s:
                return
            del self._kept[block_id]
            self._forget(block_id)

    def check_integrity(self, tables: Iterable[Sequence[int]]) -> None:
        """Assert the rules against the tables of all sequences that hold blocks.

        Raises:
            AssertionError: A block leaked, or is held by more or fewer than its count says, or
                lists, counts and keys contradict each other.
        """
        held = [0] * self.num_blocks
        for table in tables:
            assert len(set(table)) == len(table), f"a table names a block twice: {table}"
            for block_id in table:
                held[block_id] += 1
        assert held == self._counts, "counts differ from the tables"
        idle = [block_id for block_id, count in enumerate(held) if count == 0]
        assert sorted([*self._free, *self._kept]) == idle, "the lists differ from the counts"
        sealed = {b: key for b, key in enumerate(self._keys) if key is not None}
        assert self._by_key == {key: b for b, key in sealed.items()}, "keys differ from blocks"
        assert len(self._by_key) == len(sealed), "two blocks have one key"
        assert all(block_id in sealed for block_id in self._kept), "a kept block has no key"
        assert not any(block_id in sealed for block_id in self._free), "a free block has a key"
        last_uses = list(self._kept.values())
        assert last_uses == sorted(last_uses), "kept blocks are out of order"

    def _forget(self, block_id: int) -> None:
        """Take the key of a block that is kept no longer; it is free."""
        key = self._keys[block_id]
        assert key is not None, f"block {block_id} was kept without a key"
        del self._by_key[key]
        self._keys[block_id] = None
        self._free.append(block_id)
