"""Tests of slipstream.engine.penalties."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.penalties import History
from slipstream.engine.sampling import Sampling
from tests.engine.sampling_reference import edited

VOCABULARY = 400
ROW = np.random.default_rng(3).normal(0, 4, VOCABULARY).astype(np.float32)
ALL = Sampling(0, 1, 0, frequency_penalty=0.3, presence_penalty=-0.7, repetition_penalty=1.3)

tokens = st.lists(st.integers(0, VOCABULARY - 1), max_size=60)


def penalised(
    history: History, sampling: Sampling = ALL
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return a row with penalties."""
    row = ROW.copy()
    history.penalise(row, sampling)
    return row


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(0, 1, 0, frequency_penalty=1.5),
        Sampling(0, 1, 0, presence_penalty=2.0),
        Sampling(0, 1, 0, repetition_penalty=0.8),
        ALL,
    ],
)
def test_penalise_each_penalty_follows_its_definition(sampling: Sampling) -> None:
    """Repetition looks at prompt and answer, the other two at the answer; counts only in one."""
    prompt, answer = [1, 2, 2, 3], [3, 4, 4, 4, 5]
    history = History(prompt)
    history.add(answer)

    expected = edited(ROW, sampling, prompt, answer)
    np.testing.assert_allclose(penalised(history, sampling), expected, rtol=1e-5, atol=1e-6)


@given(tokens, tokens, tokens)
def test_remove_after_add_leaves_no_trace(
    prompt: list[int], answer: list[int], guesses: list[int]
) -> None:
    """Guesses that are counted and taken back change no bit of what follows."""
    history, other = History(prompt), History(prompt)
    history.add(answer)
    other.add(answer)
    history.add(guesses)
    history.remove(guesses)

    assert (penalised(history) == penalised(other)).all()
    np.testing.assert_allclose(
        penalised(history), edited(ROW, ALL, prompt, answer), rtol=1e-5, atol=1e-6
    )


def test_add_more_distinct_tokens_than_there_was_room_counts_all() -> None:
    """Room grows: 390 distinct tokens behind an empty prompt."""
    answer = [*range(390), *range(0, 390, 2)]
    history = History([])
    history.add(answer)

    assert max(Counter(answer).values()) == 2
    np.testing.assert_allclose(
        penalised(history), edited(ROW, ALL, [], answer), rtol=1e-5, atol=1e-6
    )


def test_fork_counts_by_itself() -> None:
    """Two answers to one prompt do not see each other's tokens."""
    history = History([1, 2])
    history.add([3])
    fork = history.fork()
    fork.add([4])
    history.add([5])

    expected = edited(ROW, ALL, [1, 2], [3, 4])
    np.testing.assert_allclose(penalised(fork), expected, rtol=1e-5, atol=1e-6)
    expected = edited(ROW, ALL, [1, 2], [3, 5])
    np.testing.assert_allclose(penalised(history), expected, rtol=1e-5, atol=1e-6)
