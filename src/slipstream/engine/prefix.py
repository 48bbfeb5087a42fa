"""Finds cached beginnings of prompts: a chain of keys, one for each full block of tokens.

A key is the SHA-256 of the key before it and of the block's 32 tokens; the first one hangs on
the tenant's own. So equal keys mean the same tenant and the same tokens from the very beginning,
and nobody can make, or guess, a key of another tenant.

Rules
 1. Only blocks whose tokens are all known and computed are sealed, never one with a guess in it.
 2. The blocks of a sequence are sealed from its first on, without a gap.
 3. Two sequences that compute the same prefix side by side: the first to seal keeps its block,
    the second takes that one too and gives its own back. Both hold the same bits, and a prefix
    is in memory once. So the sealed part of every table is what `match` would find.
 4. A match leaves tokens to compute, because the logits behind the last one are wanted.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Final

from slipstream.engine.blocks import BLOCK_TOKENS, BlockPool

_PACK: Final = struct.Struct(f"<{BLOCK_TOKENS}i").pack
_TENANT: Final = b"slipstream tenant\0"


class Chain:
    """The keys of one sequence's blocks, each computed once, and how many of them are sealed."""

    __slots__ = ("_root", "keys", "num_sealed")

    def __init__(self, tenant: str) -> None:
        self._root = hashlib.sha256(_TENANT + tenant.encode()).digest()
        self.keys: list[bytes] = []
        self.num_sealed = 0  # first blocks of the sequence's table that `PrefixCache` knows

    def extend(self, token_ids: Sequence[int], num_blocks: int) -> None:
        """Compute the keys of the first blocks that have none yet; tokens only ever grow."""
        keys = self.keys
        key = keys[-1] if keys else self._root
        for start in range(len(keys) * BLOCK_TOKENS, num_blocks * BLOCK_TOKENS, BLOCK_TOKENS):
            packed = _PACK(*token_ids[start : start + BLOCK_TOKENS])
            key = hashlib.sha256(key + packed).digest()
            keys.append(key)

    def fork(self) -> "Chain":
        """Return a chain for another sequence with the same tokens and blocks so far."""
        twin = Chain.__new__(Chain)
        twin._root, twin.keys, twin.num_sealed = self._root, list(self.keys), self.num_sealed
        return twin


class PrefixCache:
    """What the blocks of a pool hold, by the tokens from the beginning of a prompt."""

    __slots__ = ("_pool", "num_found_tokens", "num_looked_up_tokens")

    def __init__(self, pool: BlockPool) -> None:
        self._pool = pool
        self.num_looked_up_tokens = 0  # of prompts, when they were first admitted
        self.num_found_tokens = 0  # of those

    def match(
        self, chain: Chain, token_ids: Sequence[int], most_tokens: int, now_s: float
    ) -> list[int]:
        """Hold, and return, the blocks of the longest cached beginning of `token_ids`.

        Args:
            most_tokens: No more than these are found.
        """
        self._pool.expire(now_s)
        most_blocks = max(most_tokens, 0) // BLOCK_TOKENS
        chain.extend(token_ids, most_blocks)
        found = []
        for key in chain.keys[:most_blocks]:
            block_id = self._pool.find(key)
            if block_id is None:
                break
            found.append(block_id)
        self._pool.share(found)
        chain.num_sealed = len(found)
        return found

    def seal(
        self,
        chain: Chain,
        token_ids: Sequence[int],
        block_ids: list[int],
        num_blocks: int,
        now_s: float,
    ) -> None:
        """Let others find the first blocks of a table; what they have already replaces its own.

        Args:
            block_ids: The table, held by the caller; may be changed.
            num_blocks: Of these every token is computed.
        """
        pool = self._pool
        chain.extend(token_ids, num_blocks)
        for index in range(chain.num_sealed, num_blocks):
            key, own = chain.keys[index], block_ids[index]
            other = pool.find(key)
            if other is None:
                pool.seal(own, key)
            elif other != own:
                pool.share((other,))
                pool.free((own,), now_s)
                block_ids[index] = other
        chain.num_sealed = max(chain.num_sealed, num_blocks)

    def count(self, num_prompt_tokens: int, num_found_tokens: int) -> None:
        """Note one prompt for the hit rate."""
        self.num_looked_up_tokens += num_prompt_tokens
        self.num_found_tokens += num_found_tokens

    def check_integrity(self, chain: Chain, block_ids: Sequence[int]) -> None:
        """Assert that the sealed part of a table is what `match` would find."""
        known = [self._pool.find(key) for key in chain.keys[: chain.num_sealed]]
        assert known == list(block_ids[: chain.num_sealed]), "a table differs from its keys"
