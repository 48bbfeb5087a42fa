"""Tests of slipstream.engine.blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.blocks import BlockPool, blocks_for


@pytest.mark.parametrize(("tokens", "blocks"), [(0, 0), (1, 1), (32, 1), (33, 2), (64, 2)])
def test_blocks_for_token_counts_rounds_up(tokens: int, blocks: int) -> None:
    """A block that is begun is needed whole."""
    assert blocks_for(tokens) == blocks


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
    held = pool.allocate(1)
    assert held is not None
    pool.share(held)

    pool.free(held)
    assert pool.num_free == 1
    pool.check_integrity([held])

    pool.free(held)
    assert pool.num_free == 2
    pool.check_integrity([])


def test_free_twice_is_noticed() -> None:
    """Freeing what nobody holds is our own mistake, never ignored."""
    pool = BlockPool(1)
    held = pool.allocate(1)
    assert held is not None
    pool.free(held)

    with pytest.raises(AssertionError, match="freed twice"):
        pool.free(held)


def test_allocate_after_free_hands_out_warm_blocks() -> None:
    """The block freed last is used first, so memory never needed is never touched."""
    pool = BlockPool(8)
    first = pool.allocate(3)
    assert first is not None
    pool.free(first)

    assert pool.allocate(3) == first[::-1]


@pytest.mark.parametrize("tables", [[], [[0], [0]], [[0, 0]], [[1]]])
def test_check_integrity_wrong_tables_raises(tables: list[list[int]]) -> None:
    """Leaks, double use and foreign blocks are each noticed; block 0 is held once here."""
    pool = BlockPool(2)
    assert pool.allocate(1) == [0]

    with pytest.raises(AssertionError):
        pool.check_integrity(tables)


@given(st.lists(st.tuples(st.sampled_from(["allocate", "share", "free"]), st.integers(0, 9))))
def test_pool_random_operations_keeps_count(operations: list[tuple[str, int]]) -> None:
    """Whatever is taken, shared and given back, counts, tables and free list agree."""
    pool = BlockPool(12)
    tables: list[list[int]] = []
    for operation, number in operations:
        if operation == "allocate":
            taken = pool.allocate(number)
            assert (taken is None) == (number > 12 - len({b for t in tables for b in t}))
            tables += [taken] if taken else []
        elif tables:
            table = tables[number % len(tables)]
            if operation == "share":
                pool.share(table)
                tables.append(list(table))
            else:
                tables.remove(table)
                pool.free(table)
        pool.check_integrity(tables)
