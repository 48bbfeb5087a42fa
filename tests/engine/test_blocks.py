"""Tests of slipstream.engine.blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.blocks import BlockPool, blocks_for


@pytest.mark.parametrize(("tokens", "blocks"), [(0, 0), (1, 1), (32, 1), (33, 2), (64, 2)])
def test_blocks_for_token_counts_rounds_up(tokens: int, blocks: int) -> None:
    """A block that is begun is needed whole."""
    assert blocks_for(tokens) == blocks


def take(pool: BlockPool, num_blocks: int) -> list[int]:
    """Return blocks that the pool must have."""
    taken = pool.allocate(num_blocks)
    assert taken is not None
    return taken


def test_allocate_too_many_takes_nothing() -> None:
    """A request that cannot be met leaves the pool as it was."""
    pool = BlockPool(3)
    held = pool.allocate(2)

    assert held is not None
    assert pool.allocate(2) is None
    assert pool.num_free == 1
    pool.check_integrity([held])


def test_free_shared_block_stays_held() -> None:
    """A block is free only when its last holder has let go."""
    pool = BlockPool(2)
    held = take(pool, 1)
    pool.share(held)
    assert pool.count(held[0]) == 2

    pool.free(held, 0.0)
    assert pool.num_free == 1
    pool.check_integrity([held])

    pool.free(held, 0.0)
    assert pool.num_free == 2
    pool.check_integrity([])


def test_free_twice_is_noticed() -> None:
    """Freeing what nobody holds is our own mistake, never ignored."""
    pool = BlockPool(1)
    held = take(pool, 1)
    pool.free(held, 0.0)

    with pytest.raises(AssertionError, match="freed twice"):
        pool.free(held, 0.0)


def test_share_free_block_is_noticed() -> None:
    """What neither somebody holds nor the cache keeps has nothing to share."""
    pool = BlockPool(1)

    with pytest.raises(AssertionError, match="is free"):
        pool.share([0])


def test_allocate_after_free_hands_out_warm_blocks() -> None:
    """The blocks freed last are used first, so memory never needed is never touched."""
    pool = BlockPool(8)
    first = take(pool, 3)
    pool.free(first, 0.0)

    assert pool.allocate(3) == first


def test_free_sealed_block_is_kept_until_it_is_needed() -> None:
    """A sealed block that nobody holds can be found again, and counts as free all the same."""
    pool = BlockPool(2)
    held = take(pool, 1)
    pool.seal(held[0], b"key")
    pool.free(held, 0.0)
    assert (pool.num_free, pool.num_kept, pool.find(b"key")) == (2, 1, held[0])
    pool.check_integrity([])

    pool.share(held)
    assert (pool.num_free, pool.num_kept) == (1, 0)
    pool.free(held, 1.0)
    assert sorted(take(pool, 2)) == [0, 1]
    assert (pool.find(b"key"), pool.num_evicted) == (None, 1)
    pool.check_integrity([[0, 1]])


def test_allocate_evicts_least_recently_used_and_ends_before_beginnings() -> None:
    """The table let go first is evicted first, and of each its last block before its first."""
    pool = BlockPool(4)
    old, new = take(pool, 2), take(pool, 2)
    for block_id in old + new:
        pool.seal(block_id, bytes([block_id]))
    pool.free(new, 1.0)
    pool.share(new)
    pool.free(old, 2.0)
    pool.free(new, 3.0)

    assert [take(pool, 1)[0] for _ in range(4)] == [*old[::-1], *new[::-1]]


def test_allocate_takes_free_blocks_before_kept_ones() -> None:
    """Nothing is forgotten while there is a block that nobody misses."""
    pool = BlockPool(3)
    held = take(pool, 2)
    pool.seal(held[1], b"key")
    pool.free(held, 0.0)

    assert held[1] not in take(pool, 2)
    assert pool.num_evicted == 0


def test_expire_frees_what_was_not_used_for_its_time_to_live() -> None:
    """The time runs from the last use, and what is held never expires."""
    pool = BlockPool(3, ttl_s=10)
    tables = [take(pool, 1) for _ in range(3)]
    for table in tables:
        pool.seal(table[0], bytes(table))
    pool.free(tables[0], 0.0)
    pool.free(tables[1], 5.0)

    pool.expire(10.0)
    assert pool.num_kept == 2
    pool.expire(10.5)
    assert [pool.find(bytes(table)) is not None for table in tables] == [False, True, True]
    pool.expire(1000.0)
    assert [pool.find(bytes(table)) is not None for table in tables] == [False, False, True]
    assert pool.num_evicted == 0
    pool.check_integrity([tables[2]])


def test_seal_twice_is_noticed() -> None:
    """A block has one key at most, a key names one block, and only a holder seals."""
    pool = BlockPool(3)
    one, two = take(pool, 2)
    pool.seal(one, b"key")
    assert pool.is_sealed(one)
    assert not pool.is_sealed(two)

    with pytest.raises(AssertionError, match="sealed twice"):
        pool.seal(one, b"other")
    with pytest.raises(AssertionError, match="names one block"):
        pool.seal(two, b"key")
    with pytest.raises(AssertionError, match="nobody who holds it"):
        pool.seal(3 - one - two, b"third")


@pytest.mark.parametrize("tables", [[], [[0], [0]], [[0, 0]], [[1]]])
def test_check_integrity_wrong_tables_raises(tables: list[list[int]]) -> None:
    """Leaks, double use and foreign blocks are each noticed; block 0 is held once here."""
    pool = BlockPool(2)
    assert pool.allocate(1) == [0]

    with pytest.raises(AssertionError):
        pool.check_integrity(tables)


def can_seal(pool: BlockPool, table: list[int], key: bytes) -> bool:
    """Whether the first block of a table may be given this key."""
    return bool(table) and not pool.is_sealed(table[0]) and pool.find(key) is None


_OPERATIONS = st.sampled_from(["allocate", "share", "free", "seal", "find", "expire"])


@given(st.lists(st.tuples(_OPERATIONS, st.integers(0, 9)), max_size=100))
def test_pool_random_operations_keeps_count(operations: list[tuple[str, int]]) -> None:
    """Whatever is taken, shared, sealed and given back: counts, tables, lists and keys agree."""
    pool = BlockPool(12, ttl_s=20)
    tables: list[list[int]] = []
    for now_s, (operation, number) in enumerate(operations):
        table = tables[number % len(tables)] if tables else []
        if operation == "allocate":
            taken = pool.allocate(number)
            assert (taken is None) == (number > 12 - len({b for t in tables for b in t}))
            tables += [taken] if taken else []
        elif operation == "find":
            found = pool.find(bytes([number]))
            if found is not None:
                pool.share([found])
                tables.append([found])
        elif operation == "expire":
            pool.expire(now_s)
        elif operation == "share" and table:
            pool.share(table)
            tables.append(list(table))
        elif operation == "free" and table:
            tables.remove(table)
            pool.free(table, now_s)
        elif operation == "seal" and can_seal(pool, table, bytes([number])):
            pool.seal(table[0], bytes([number]))
        pool.check_integrity(tables)
