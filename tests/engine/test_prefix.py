"""Tests of slipstream.engine.prefix."""

from slipstream.engine.blocks import BLOCK_TOKENS, BlockPool
from slipstream.engine.prefix import Chain, PrefixCache

NO_LIMIT = 10_000


def text(num_blocks: int, first: int = 0) -> list[int]:
    """Return the tokens of some full blocks, all different."""
    return list(range(first, first + num_blocks * BLOCK_TOKENS))


class Reader:
    """Somebody who reads a text through the cache, as the scheduler does."""

    def __init__(self, cache: PrefixCache, pool: BlockPool, tenant: str = "a") -> None:
        self._cache, self._pool = cache, pool
        self.chain = Chain(tenant)
        self.table: list[int] = []

    def match(self, tokens: list[int], most: int = NO_LIMIT, now_s: float = 0.0) -> int:
        """Take what is known of a text; return how many blocks that is."""
        self.table = self._cache.match(self.chain, tokens, min(most, len(tokens)), now_s)
        return len(self.table)

    def read(self, tokens: list[int], now_s: float = 0.0) -> None:
        """Take blocks for the rest of a text, and seal them."""
        taken = self._pool.allocate(len(tokens) // BLOCK_TOKENS - len(self.table))
        assert taken is not None
        self.table += taken
        self._cache.seal(self.chain, tokens, self.table, len(self.table), now_s)
        self._cache.check_integrity(self.chain, self.table)

    def leave(self, now_s: float = 0.0) -> None:
        """Let all blocks go."""
        self._pool.free(self.table, now_s)
        self.table, self.chain = [], Chain("a")


def make(num_blocks: int = 16, ttl_s: float = 100.0) -> tuple[PrefixCache, BlockPool]:
    """Return a cache over a new pool."""
    pool = BlockPool(num_blocks, ttl_s=ttl_s)
    return PrefixCache(pool), pool


def test_match_known_beginning_is_shared() -> None:
    """The longest run of sealed blocks from the beginning is found, and held once more."""
    cache, pool = make()
    first, second = Reader(cache, pool), Reader(cache, pool)
    first.read(text(3))

    assert second.match([*text(2), *text(1, first=900)]) == 2
    assert second.table == first.table[:2]
    assert [pool.count(b) for b in first.table] == [2, 2, 1]
    pool.check_integrity([first.table, second.table])


def test_match_same_block_after_another_beginning_is_not_found() -> None:
    """Keys and values depend on all tokens before them, and so does the key."""
    cache, pool = make()
    first = Reader(cache, pool)
    first.read(text(2))

    assert Reader(cache, pool).match(text(1, first=BLOCK_TOKENS)) == 0
    assert Reader(cache, pool).match([*text(1, first=900), *text(1, first=BLOCK_TOKENS)]) == 0


def test_match_other_tenant_finds_nothing() -> None:
    """What one tenant sent is never found by another, not even by its time of answer."""
    cache, pool = make()
    Reader(cache, pool, "a").read(text(2))

    assert Reader(cache, pool, "b").match(text(2)) == 0
    assert Reader(cache, pool, "").match(text(2)) == 0


def test_match_most_tokens_leaves_the_rest_to_compute() -> None:
    """A block is found whole or not at all."""
    cache, pool = make()
    Reader(cache, pool).read(text(2))

    assert Reader(cache, pool).match(text(2), most=2 * BLOCK_TOKENS - 1) == 1
    assert Reader(cache, pool).match(text(2), most=-1) == 0


def test_match_after_time_to_live_finds_nothing() -> None:
    """A prefix lives for a while after its last use; each use prolongs it."""
    cache, pool = make(ttl_s=100)
    reader = Reader(cache, pool)
    reader.read(text(2))
    reader.leave(now_s=0)
    assert reader.match(text(2), now_s=90) == 2
    reader.leave(now_s=90)
    assert reader.match(text(2), now_s=180) == 2
    reader.leave(now_s=180)

    assert reader.match(text(2), now_s=281) == 0
    assert pool.num_kept == 0


def test_match_after_eviction_finds_the_beginning() -> None:
    """The end of a prefix is evicted first, so what is left of it can be used."""
    cache, pool = make(num_blocks=4)
    reader = Reader(cache, pool)
    reader.read(text(4))
    reader.leave()
    taken = pool.allocate(1)

    assert taken is not None
    assert reader.match(text(4)) == 3
    pool.check_integrity([reader.table, taken])


def test_seal_same_prefix_side_by_side_is_kept_once() -> None:
    """The second to seal takes the blocks of the first and gives its own back."""
    cache, pool = make()
    first, second = Reader(cache, pool), Reader(cache, pool)
    first.match(text(2))
    second.match(text(2))
    first.read(text(2))
    second.read(text(3))

    assert second.table[:2] == first.table
    assert pool.num_free == 16 - 3
    pool.check_integrity([first.table, second.table])


def test_seal_block_by_block_equals_all_at_once() -> None:
    """An answer is sealed as it grows, and found by the next turn of the conversation."""
    cache, pool = make()
    reader = Reader(cache, pool)
    tokens = text(1)
    for first in (100, 200, 300):
        reader.read(tokens)
        tokens = tokens + text(1, first=first)

    assert Reader(cache, pool).match(tokens) == 3


def test_extend_again_hashes_nothing_twice() -> None:
    """A key stays what it is; only blocks without one get one."""
    chain = Chain("a")
    chain.extend(text(1), 1)
    before = list(chain.keys)
    chain.extend(text(2), 2)

    assert chain.keys[:1] == before
    assert len(set(chain.keys)) == 2
    assert all(len(key) == 32 for key in chain.keys)
    chain.extend(text(2), 1)
    assert len(chain.keys) == 2


def test_fork_chain_goes_its_own_way() -> None:
    """Two answers to one prompt have the prompt's keys in common and no others."""
    chain = Chain("a")
    chain.extend(text(1), 1)
    chain.num_sealed = 1
    twin = chain.fork()
    chain.extend(text(1) + text(1, first=100), 2)
    twin.extend(text(1) + text(1, first=200), 2)

    assert (twin.keys[0], twin.num_sealed) == (chain.keys[0], 1)
    assert twin.keys[1] != chain.keys[1]
    other = Chain("a")
    other.extend(text(1) + text(1, first=200), 2)
    assert other.keys == twin.keys


def test_count_prompts_gives_the_hit_rate() -> None:
    """Tokens looked up and tokens found are counted."""
    cache, _ = make()
    cache.count(100, 64)
    cache.count(10, 0)

    assert (cache.num_looked_up_tokens, cache.num_found_tokens) == (110, 64)
