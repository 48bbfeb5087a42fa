"""Tests of slipstream.engine.tables; the rules of writing are tried out in test_scheduler.py."""

from slipstream.engine.blocks import BlockPool
from slipstream.engine.prefix import Chain
from slipstream.engine.sequence import Sequence
from slipstream.engine.tables import Copies, Tables
from slipstream.engine.turns import Ticket


def ticket(num_prompt: int, *, is_exact: bool = True, first: int = 0) -> Ticket:
    """Return a ticket for a sequence that could grow for long."""
    tokens = list(range(first, first + num_prompt))
    sequence = Sequence(tokens, 1000, tenant="a", is_exact=is_exact)
    return Ticket(sequence, (first, 0), 0, 1, 1.0, Chain("a"))


def compute(tables: Tables, one: Ticket, num_tokens: int) -> None:
    """Say that these first tokens are computed."""
    one.sequence.num_computed = num_tokens
    tables.settle(one, 0.0)
    tables.check_integrity([one])


def test_open_too_few_blocks_takes_nothing() -> None:
    """Also what was found in the cache is let go again."""
    tables = Tables(BlockPool(4))
    one = ticket(64)
    assert tables.open(one, 0.0)
    compute(tables, one, 64)
    long = ticket(160)

    assert not tables.open(long, 0.0)
    assert (long.sequence.block_ids, tables.pool.num_free) == ([], 2)
    assert tables.pool.count(one.sequence.block_ids[0]) == 1
    tables.check_integrity([one])


def test_open_found_prefix_is_computed_already() -> None:
    """Two tokens at least are left to compute."""
    tables = Tables(BlockPool(8))
    for num_prompt, found in ((66, 0), (66, 64), (65, 32), (64, 32), (2, 0), (1, 0)):
        one = ticket(num_prompt)
        assert tables.open(one, 0.0)
        assert one.sequence.num_computed == found
        compute(tables, one, num_prompt)
        tables.close(one, 0.0)


def test_grow_own_blocks_copies_nothing() -> None:
    """A sequence alone writes where it is."""
    tables = Tables(BlockPool(2))
    one, copies = ticket(40), Copies()
    assert tables.open(one, 0.0)
    compute(tables, one, 40)

    assert tables.grow(one.sequence, 64, copies, 0.0)
    assert not tables.grow(one.sequence, 65, copies, 0.0)
    assert (len(one.sequence.block_ids), copies) == (2, [])


def test_grow_shared_block_is_copied_by_all_but_the_last() -> None:
    """And a copy that has no block takes nothing, until another holder is gone."""
    tables = Tables(BlockPool(3))
    parent, copies = ticket(40), Copies()
    assert tables.open(parent, 0.0)
    compute(tables, parent, 40)
    children = [parent.sequence.fork() for _ in range(2)]
    for child in children:
        tables.share(parent.sequence, child)
    shared = parent.sequence.block_ids[1]

    assert tables.grow(parent.sequence, 41, copies, 0.0)
    assert copies == [(shared, parent.sequence.block_ids[1])]
    assert not tables.grow(children[0], 41, copies, 0.0)
    assert children[0].block_ids[1] == shared
    tables.pool.free(children[1].block_ids, 0.0)
    assert tables.grow(children[0], 41, copies, 0.0)
    assert children[0].block_ids[1] == shared
    assert len(copies) == 1


def test_share_prompt_of_full_blocks_needs_no_copy() -> None:
    """Only a half full block is ever written by two."""
    tables = Tables(BlockPool(4))
    parent, copies = ticket(64), Copies()
    assert tables.open(parent, 0.0)
    compute(tables, parent, 64)
    child = parent.sequence.fork()
    tables.share(parent.sequence, child)

    assert tables.grow(parent.sequence, 65, copies, 0.0)
    assert tables.grow(child, 65, copies, 0.0)
    assert copies == []
    assert parent.sequence.block_ids[:2] == child.block_ids[:2]
    assert parent.sequence.block_ids[2] != child.block_ids[2]


def test_stretch_reaches_as_far_as_there_are_blocks() -> None:
    """Guesses take what is free and no more."""
    tables = Tables(BlockPool(2))
    one = ticket(30)
    assert tables.open(one, 0.0)

    assert tables.stretch(one.sequence, 31) == 32
    assert tables.stretch(one.sequence, 200) == 64
    compute(tables, one, 30)
    assert tables.pool.num_free == 1


def test_settle_answer_is_sealed_only_where_it_is_exact() -> None:
    """A block with an answer's token in it holds other bits if that was computed alone."""
    for is_exact, num_sealed in ((True, 2), (False, 1)):
        tables = Tables(BlockPool(4))
        one = ticket(40, is_exact=is_exact)
        assert tables.open(one, 0.0)
        compute(tables, one, 40)
        assert one.chain.num_sealed == 1
        one.sequence.token_ids += range(500, 525)
        assert tables.grow(one.sequence, 65, [], 0.0)
        compute(tables, one, 64)
        assert one.chain.num_sealed == num_sealed


def test_settle_accepted_guesses_are_sealed_when_they_are_known() -> None:
    """They are computed before they are appended; a table let go seals them at the latest."""
    tables = Tables(BlockPool(4))
    one = ticket(30)
    assert tables.open(one, 0.0)
    compute(tables, one, 30)
    tables.stretch(one.sequence, 40)
    compute(tables, one, 35)
    assert one.chain.num_sealed == 0
    one.sequence.token_ids += range(500, 506)
    tables.close(one, 0.0)

    assert tables.pool.num_kept == 1
    tables.check_integrity([])
