"""Tests of slipstream.engine.sampler."""

import numpy as np
import pytest

from slipstream.engine.sampler import Draw, Sampling, choose

VOCABULARY = 1_000
RNG = np.random.default_rng(20261121)


def logits(num_rows: int, scale: float = 3.0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return rows of random logits."""
    return RNG.normal(0, scale, (num_rows, VOCABULARY)).astype(np.float32)


def draws(num: int, *, temperature: float = 1.0, top_p: float = 1.0, seed: int = 1) -> list[Draw]:
    """Return draws at positions 0, 1, … of one seed."""
    return [Draw(Sampling(temperature, top_p, seed), position) for position in range(num)]


@pytest.mark.parametrize("temperature", [0.0, 1e-9, 5e-5])
def test_choose_temperature_zero_is_likeliest(temperature: float) -> None:
    """Greedy, and temperatures that come to the same, take the largest logit."""
    rows = logits(5)

    assert choose(rows, draws(5, temperature=temperature)) == rows.argmax(axis=1).tolist()


def test_choose_same_seed_ignores_neighbours() -> None:
    """A row's token depends on its logits, seed and position, not on the batch or its place."""
    rows = logits(40)
    own = draws(40, temperature=0.9, top_p=0.9, seed=77)
    together = choose(rows, own)

    assert [choose(rows[i : i + 1], [own[i]])[0] for i in range(40)] == together
    turned = list(reversed(range(40)))
    assert choose(rows[turned], [own[i] for i in turned]) == together[::-1]


def test_choose_other_seed_or_position_differs() -> None:
    """Seeds and positions give independent numbers: of 200 draws some differ."""
    row = np.repeat(logits(1, scale=0.1), 200, axis=0)

    one = choose(row, draws(200, seed=1))
    two = choose(row, draws(200, seed=2))
    assert one != two
    assert len(set(one)) > 100


@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1, -(2**63), 2**64 - 1])
def test_choose_any_64_bit_seed_works(seed: int) -> None:
    """Every seed that a request may carry is accepted."""
    assert 0 <= choose(logits(1), draws(1, seed=seed))[0] < VOCABULARY


def test_choose_temperature_follows_the_distribution() -> None:
    """Frequencies match softmax(logits / temperature) by a chi-squared test, 20,000 draws."""
    temperature, num = 0.7, 20_000
    row = np.array([[0.0, 1.0, 2.0, 0.5, -1.0, 1.5]], np.float32)
    weights = np.exp(row[0].astype(np.float64) / temperature)
    expected = weights / weights.sum() * num

    tokens = choose(np.repeat(row, num, axis=0), draws(num, temperature=temperature))
    observed = np.bincount(tokens, minlength=6)
    assert ((observed - expected) ** 2 / expected).sum() < 20.5  # 5 degrees: p = 0.001


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.0, {0}), (0.5, {0}), (0.51, {0, 1}), (0.8, {0, 1}), (0.81, {0, 1, 2})]
)
def test_choose_top_p_keeps_the_nucleus(top_p: float, kept: set[int]) -> None:
    """The fewest likeliest tokens that reach top_p, here of 50, 30, 15 and 5 percent."""
    row = np.log(np.array([[0.5, 0.3, 0.15, 0.05]])).astype(np.float32)

    tokens = choose(np.repeat(row, 2_000, axis=0), draws(2_000, top_p=top_p))
    assert set(tokens) == kept


def test_choose_top_p_of_many_equal_tokens_keeps_their_share() -> None:
    """Of 1,000 nearly equal tokens, 0.6 keeps 600."""
    row = (np.arange(VOCABULARY, dtype=np.float32) * -1e-6)[None, :]

    tokens = choose(np.repeat(row, 5_000, axis=0), draws(5_000, top_p=0.6))
    assert 520 < max(tokens) < 610


def test_choose_top_p_long_tail_goes_beyond_the_short_sort() -> None:
    """Where the likely tokens are not enough all are sorted: one token, and a long tail."""
    row = np.log(np.array([[0.5, *[1 / 999 / 2.5] * 999]])).astype(np.float32)  # 0.5 and 0.4
    row[0, 1:] -= np.arange(999, dtype=np.float32) * 1e-6

    tokens = choose(np.repeat(row, 5_000, axis=0), draws(5_000, top_p=0.8))
    assert 480 < max(tokens) < 600
    assert 0 in tokens


def test_choose_mixed_batch_treats_rows_alone() -> None:
    """Greedy and sampled rows share a batch."""
    rows = logits(4)
    mixed = [
        Draw(Sampling(0, 1, 1), 3),
        Draw(Sampling(1.3, 0.5, 9), 3),
        Draw(Sampling(0, 1, 1), 4),
        Draw(Sampling(0.2, 1, 9), 8),
    ]

    tokens = choose(rows, mixed)
    assert tokens[0] == rows[0].argmax()
    assert tokens[2] == rows[2].argmax()
    assert tokens[1] == choose(rows[1:2], mixed[1:2])[0]


def test_choose_leaves_logits_alone() -> None:
    """The logits are the runner's."""
    rows = logits(3)
    before = rows.copy()
    choose(rows, draws(3, temperature=2.0, top_p=0.1))

    assert (rows == before).all()
