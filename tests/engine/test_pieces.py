"""Tests of slipstream.engine.pieces, as the scheduler makes steps of them."""

import pytest

from tests.engine.scheduling import add, carry_out, make, plan, planned, prompt, shape


def test_plan_long_prompt_is_read_in_pieces() -> None:
    """A prompt over the budget takes several steps; only the last wants a token."""
    scheduler, _ = make()
    add(scheduler, prompt(150))

    assert [shape(plan(scheduler))[0] for _ in range(4)] == [
        (0, 64, 0),
        (64, 128, 0),
        (128, 150, 1),
        (150, 151, 1),
    ]


@pytest.mark.parametrize(("num_prompt", "first_end"), [(64, 64), (65, 63), (66, 64)])
def test_plan_piece_never_leaves_one_token(num_prompt: int, first_end: int) -> None:
    """Pieces of one token would take another kernel: 65 tokens are read as 63 and 2."""
    scheduler, _ = make()
    add(scheduler, prompt(num_prompt))

    assert plan(scheduler).chunks[0].end == first_end
    assert plan(scheduler).chunks[0].start == first_end


def test_plan_one_token_prompt_beside_full_budget_is_read_once() -> None:
    """A prompt of one token is a prompt until it was computed, and then an answer."""
    scheduler, _ = make()
    add(scheduler, prompt(64), prompt(1))

    assert shape(plan(scheduler)) == [(0, 64, 1)]
    assert shape(plan(scheduler)) == [(64, 65, 1), (0, 1, 1)]
    assert shape(plan(scheduler)) == [(65, 66, 1), (1, 2, 1)]


def test_plan_exact_answer_always_has_a_guess() -> None:
    """A single token takes another kernel; a bad guess is better than none."""
    scheduler, _ = make()
    one = prompt(1, 10, is_exact=True)
    one.token_ids[:] = [5]
    add(scheduler, one)
    for _ in range(9):
        (chunk,) = plan(scheduler).chunks
        assert (chunk.num_tokens, chunk.num_wanted) == (2, 2)
        assert chunk.end + len(chunk.guesses) <= one.limit_tokens
    assert one.is_full


def test_plan_exact_answer_with_forced_tokens_needs_no_guess() -> None:
    """Two known tokens are two rows; all that is known is computed in one chunk."""
    scheduler, _ = make()
    one = prompt(10, 40, is_exact=True)
    add(scheduler, one)
    plan(scheduler)
    one.token_ids += [7, 8, 9]

    (chunk,) = plan(scheduler).chunks
    assert (chunk.start, chunk.end, chunk.guesses, chunk.num_wanted) == (10, 14, (), 1)
    one.token_ids += [7, 8]
    one.guesses = (1, 2)
    (chunk,) = plan(scheduler).chunks
    assert (chunk.start, chunk.end, chunk.guesses, chunk.num_wanted) == (14, 17, (1, 2), 3)


def test_plan_long_forced_text_is_read_like_a_prompt() -> None:
    """A grammar that forces a page stalls nobody beside it."""
    scheduler, _ = make()
    one, two = prompt(10, 90), prompt(12, 90, first=500)
    add(scheduler, one, two)
    plan(scheduler)
    one.token_ids += range(39)

    assert shape(plan(scheduler)) == [(12, 13, 1), (10, 26, 0)]
    assert shape(plan(scheduler)) == [(13, 14, 1), (26, 42, 0)]
    assert shape(plan(scheduler)) == [(14, 15, 1), (42, 50, 1)]


def test_plan_guesses_take_what_rows_are_left() -> None:
    """They count against the tokens of a step, and prompts go first."""
    scheduler, _ = make()
    one = prompt(10, 200, is_exact=True)
    add(scheduler, one)
    plan(scheduler)
    one.guesses = tuple(range(100))
    step = plan(scheduler)
    assert step.num_tokens == 64
    assert step.chunks[0].guesses == tuple(range(63))

    add(scheduler, prompt(100, first=500))
    step = plan(scheduler)
    assert [chunk.num_tokens for chunk in step.chunks] == [64 - 16, 16]


def test_plan_guesses_behind_a_prompt_are_verified_with_it() -> None:
    """A prediction saves its first step too."""
    scheduler, _ = make()
    one = prompt(40, 100, is_exact=True)
    one.guesses = (1, 2, 3)
    add(scheduler, one)

    (chunk,) = plan(scheduler).chunks
    assert (chunk.start, chunk.end, chunk.guesses, chunk.num_wanted) == (0, 40, (1, 2, 3), 4)


def test_plan_guesses_behind_a_prompt_to_be_forked_are_left_out() -> None:
    """Its answers go different ways, and each begins where the prompt ends."""
    scheduler, _ = make()
    one = prompt(40, 100, is_exact=True, num_choices=2)
    one.guesses = (1, 2, 3)
    add(scheduler, one)

    assert shape(plan(scheduler)) == [(0, 40, 1)]


def test_plan_guesses_end_where_the_answer_ends() -> None:
    """Of an answer's last tokens only those are guessed that could be chosen behind them."""
    scheduler, _ = make()
    one = prompt(10, 16, is_exact=True)
    add(scheduler, one)
    plan(scheduler)
    one.guesses = (1,) * 20

    assert len(plan(scheduler).chunks[0].guesses) == 4  # 11 known, 4 accepted, the 16th chosen


def test_plan_guesses_preempt_nobody() -> None:
    """A guess takes a block only where one is free, also from whoever is planned later."""
    scheduler, pool = make(num_blocks=3)
    old, young = prompt(30, 90, is_exact=True), prompt(32, 60, first=500)
    add(scheduler, old, young)
    plan(scheduler)
    old.guesses = (1,) * 40
    step = plan(scheduler)  # the third block goes to the known token of `young`

    assert planned(step) == [old, young]
    assert len(step.chunks[0].guesses) == 1
    assert pool.num_free == 0


def test_advance_rejected_guesses_give_their_blocks_back() -> None:
    """What was taken for guesses is free again when they came to nothing."""
    scheduler, pool = make()
    one = prompt(30, 300, is_exact=True)
    add(scheduler, one)
    plan(scheduler)
    one.guesses = (1,) * 50
    step = scheduler.plan(0.0)
    assert step is not None
    assert pool.num_free == 32 - 3
    carry_out(scheduler, step)

    assert pool.num_free == 32 - 1
    scheduler.check_integrity()


def test_advance_accepted_guesses_are_computed() -> None:
    """What turned out right is not computed again, and is sealed once it is known."""
    scheduler, _ = make()
    one = prompt(30, 300, is_exact=True)
    add(scheduler, one)
    plan(scheduler)
    one.guesses = tuple(range(100, 110))
    step = scheduler.plan(0.0)
    assert step is not None
    scheduler.advance(step, [7])
    one.token_ids += [*range(100, 107), 5]
    assert (one.num_computed, one.num_pending) == (38, 1)
    scheduler.remove(one)
    turn = prompt(60, is_exact=True)
    turn.token_ids[:38] = one.token_ids[:38]
    add(scheduler, turn)
    plan(scheduler)

    assert turn.num_cached == 32
