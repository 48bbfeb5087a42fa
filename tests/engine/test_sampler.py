"""Tests of slipstream.engine.sampler."""

import math
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.engine.sampler import Chosen, History, Mask, Rows, Sampling, choose
from tests.engine.sampling_reference import edited, log_probabilities, probabilities

VOCABULARY = 1_000
RNG = np.random.default_rng(20261121)
Matrix = npt.NDArray[np.float32]

SAMPLINGS = [
    Sampling(0.0, 1.0, 1),
    Sampling(0.9, 0.9, 77),
    Sampling(1.3, 1.0, 3),
    Sampling(1.0, 0.7, 4, top_k=40),
    Sampling(0.7, 1.0, 5, min_p=0.1),
    Sampling(1.0, 0.95, 6, frequency_penalty=0.8, presence_penalty=0.4, repetition_penalty=1.2),
    Sampling(0.0, 1.0, 7, frequency_penalty=2.0, logit_bias=((3, 2.5), (999, -100.0))),
    Sampling(1.0, 0.9, 8, num_logprobs=5),
]


def logits(num_rows: int, scale: float = 3.0) -> Matrix:
    """Return rows of random logits."""
    return RNG.normal(0, scale, (num_rows, VOCABULARY)).astype(np.float32)


def alone(num: int, sampling: Sampling) -> list[Rows]:
    """Return what wants one row each, at positions 0, 1, … of one seed."""
    return [Rows(sampling, History([7]), position) for position in range(num)]


def tokens(chosen: list[list[Chosen]]) -> list[list[int]]:
    """Return the ids alone."""
    return [[token.token_id for token in one] for one in chosen]


def mask_of(allowed: set[int], num_words: int = -(-VOCABULARY // 32)) -> Mask:
    """Return a mask that allows these tokens."""
    words = np.zeros(num_words, np.uint32)
    for token_id in allowed:
        words[token_id // 32] |= np.uint32(1 << token_id % 32)
    return words.view(np.int32)


def one(row: Matrix, rows: Rows) -> int:
    """Choose from a single row."""
    return choose(row[None, :], [rows])[0][0].token_id


@pytest.mark.parametrize("temperature", [0.0, 1e-9, 5e-5])
def test_choose_temperature_zero_is_likeliest(temperature: float) -> None:
    """Greedy, and temperatures that come to the same, take the largest logit."""
    rows = logits(5)

    chosen = tokens(choose(rows, alone(5, Sampling(temperature, 0.5, 1))))
    assert chosen == [[token_id] for token_id in rows.argmax(axis=1).tolist()]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_choose_top_k_one_is_greedy_and_the_lowest_id_of_a_tie(temperature: float) -> None:
    """Equal logits: the lower id, always."""
    rows = np.round(logits(50, scale=1.0) * 2)  # a dozen tokens share the largest

    chosen = tokens(choose(rows, alone(50, Sampling(temperature, 1.0, 9, top_k=1))))
    assert chosen == [[token_id] for token_id in rows.argmax(axis=1).tolist()]


def test_choose_mixed_batch_is_the_same_in_any_order_and_alone() -> None:
    """A row's token depends on its logits, seed and position, not on the batch or its place."""
    num = 5 * len(SAMPLINGS)
    rows = logits(num)
    own = [Rows(SAMPLINGS[i % len(SAMPLINGS)], History(range(i)), 50 + i) for i in range(num)]
    together = choose(rows, own)

    assert [choose(rows[i : i + 1], [own[i]])[0] for i in range(num)] == together
    turned = list(reversed(range(num)))
    assert choose(rows[turned], [own[i] for i in turned]) == together[::-1]


def test_choose_other_seed_or_position_differs() -> None:
    """Seeds and positions give independent numbers: of 200 draws most differ."""
    row = np.repeat(logits(1, scale=0.1), 200, axis=0)

    one_seed = tokens(choose(row, alone(200, Sampling(1.0, 1.0, 1))))
    other = tokens(choose(row, alone(200, Sampling(1.0, 1.0, 2))))
    assert sum(a == b for a, b in zip(one_seed, other, strict=True)) < 10
    assert len({token for (token,) in one_seed}) > 100


def test_choose_leaves_logits_and_histories_alone() -> None:
    """The logits are the runner's, the history is the answer's."""
    rows = logits(4)
    before = rows.copy()
    sampling = Sampling(0.0, 1.0, 1, frequency_penalty=0.1, logit_bias=((5, 3.0),))
    guess = one(rows[0], Rows(sampling, History([1]), 0))
    history = History([1])
    wanted = Rows(sampling, history, 0, (guess, 2, 3), (None, mask_of({4}), None, None), (6,))

    first = choose(rows, [wanted])
    assert first[0][0].token_id == guess
    assert (rows == before).all()
    assert choose(rows, [wanted]) == first
    empty, left = np.ones(VOCABULARY, np.float32), np.ones(VOCABULARY, np.float32)
    history.penalise(left, sampling)
    assert (left == empty).all()


def test_choose_penalises_also_without_a_copy_of_the_caller() -> None:
    """A penalised token falls behind the next one; its neighbours keep their logits."""
    row = np.zeros(VOCABULARY, np.float32)
    row[[5, 6]] = 3.0, 2.5
    history = History([])
    history.add([5])

    assert one(row, Rows(Sampling(0, 1, 0, presence_penalty=0.4), history, 1)) == 5
    assert one(row, Rows(Sampling(0, 1, 0, presence_penalty=0.6), history, 1)) == 6


def test_choose_logit_bias_bans_and_forces() -> None:
    """-100 takes the likeliest away, 100 makes any token the only one."""
    row = logits(1)[0]
    best = int(row.argmax())

    assert one(row, Rows(Sampling(1.0, 1.0, 3, logit_bias=((123, 100.0),)), None, 0)) == 123
    banned = [
        one(row, Rows(Sampling(1.0, 0.2, 3, logit_bias=((best, -100.0),)), None, position))
        for position in range(200)
    ]
    assert best not in banned


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("num_words", [1, 20, 32, 40])
def test_choose_masked_takes_only_what_is_allowed(sampling: Sampling, num_words: int) -> None:
    """One token, a few, or all but the likeliest; masks shorter and longer than the row."""
    rows = logits(30)
    most = min(VOCABULARY, num_words * 32)
    for number, row in enumerate(rows):
        few = {5, most - 1, most // 2, *range(32, most, 97)} - {int(row.argmax())}
        for allowed in ({most - 2}, few, set(range(most)) - {int(row.argmax())}):
            wanted = Rows(sampling, History([5]), number, (), (mask_of(allowed, num_words),))
            assert one(row, wanted) in allowed


def test_choose_greedy_masked_is_the_likeliest_of_the_allowed() -> None:
    """With the likeliest forbidden the next one is taken."""
    row = logits(1)[0]
    ranked = np.argsort(-row).tolist()

    for first in (0, 1, 5, 998):
        mask = mask_of(set(ranked[first:]))
        assert one(row, Rows(Sampling(0, 1, 0), None, 0, (), (mask,))) == ranked[first]


@pytest.mark.parametrize("others", [range(0), range(400, 2_000)], ids=["few", "many"])
def test_choose_masked_draws_follow_what_is_left(others: range) -> None:
    """The allowed tokens' shares among themselves, with and without a nucleus, 6,000 draws each."""
    row = np.full(2_000, -60.0, np.float32)  # many allowed ones that never come, or none
    row[:320] = [2.0, 1.8, 1.0, 0.5, 0.0, -0.5, -1.0, -1.5] * 40
    allowed = {0, 2, 3, 5, 6, 13, 303, *others}
    mask = mask_of(allowed, 63)
    for sampling in (Sampling(1.0, 1.0, 1), Sampling(1.0, 0.7, 2), Sampling(1.0, 1.0, 3, top_k=4)):
        expected = probabilities(edited(row, sampling, allowed=allowed), sampling) * 6_000
        drawn = Counter(
            one(row, Rows(sampling, None, position, (), (mask,))) for position in range(6_000)
        )
        kept = np.flatnonzero(expected > 1e-6).tolist()
        assert set(drawn) <= set(kept)
        value = sum((drawn[i] - expected[i]) ** 2 / expected[i] for i in kept)
        assert value < 27.9  # at most 6 degrees: p = 0.0001


@pytest.mark.parametrize("top_p", [1.0, 0.99])
def test_choose_masked_second_draw_is_independent_of_the_first(top_p: float) -> None:
    """With 35 % forbidden, and first in line, the others keep their ratio of 40 to 25."""
    row = np.full(2_000, -60.0, np.float32)
    row[:3] = np.log([0.35, 0.40, 0.25])
    mask = mask_of(set(range(1, 2_000)), 63)

    sampling = Sampling(1.0, top_p, 11)
    num = sum(one(row, Rows(sampling, None, at, (), (mask,))) == 1 for at in range(5_000))
    assert abs(num - 5_000 * 40 / 65) < 138  # four standard deviations


def test_choose_banned_tokens_hold_for_their_rows_and_give_way_to_a_grammar() -> None:
    """An end token is taken neither by chance nor by rank, unless nothing else is allowed."""
    row = np.full(VOCABULARY, -1.0, np.float32)
    row[[2, 9]] = 50.0, 5.0
    rows = np.repeat(row[None, :], 3, axis=0)
    for sampling in (Sampling(0, 1, 0), Sampling(1.0, 1.0, 1), Sampling(1.0, 0.5, 1, top_k=2)):
        assert one(row, Rows(sampling, None, 0, banned={2})) != 2
        wanted = Rows(sampling, None, 0, (9, 9), banned={2}, num_banned_rows=2)
        if sampling.is_greedy:
            assert tokens(choose(rows, [wanted])) == [[9, 9, 2]]
        assert one(row, Rows(sampling, None, 0, banned={2}, num_banned_rows=0)) == 2
        assert one(row, Rows(sampling, None, 0, (), (mask_of({2}),), {2})) == 2


def test_choose_log_probabilities_are_the_models_own() -> None:
    """Before temperature, bias, penalties and masks; ranked, as many as were asked for."""
    for scale in (0.5, 3.0, 100.0):
        row = logits(1, scale)[0]
        expected = log_probabilities(row)
        ranked = np.argsort(-row, kind="stable").tolist()
        for count in (0, 1, 5, 20):
            sampling = Sampling(0.7, 0.5, 1, logit_bias=((3, 99.0),), num_logprobs=count)
            wanted = Rows(sampling, None, 0, (), (mask_of({3}),))
            token_id, logprob, top = choose(row[None, :], [wanted])[0][0]

            assert token_id == 3
            assert logprob == pytest.approx(expected[3], rel=1e-6, abs=2e-5)
            assert [of for of, _ in top] == ranked[:count]
            np.testing.assert_allclose(
                [value for _, value in top], expected[ranked[:count]], rtol=1e-6, atol=2e-5
            )


def test_choose_log_probability_of_the_impossible_is_a_number() -> None:
    """JSON knows no infinity: -9999 stands for it."""
    row = np.full((1, VOCABULARY), -np.inf, np.float32)
    row[0, 8] = 1.0

    wanted = Rows(Sampling(0, 1, 0, num_logprobs=2), None, 0)
    token_id, logprob, top = choose(row, [wanted])[0][0]
    assert token_id == 8
    assert logprob == pytest.approx(0.0, abs=1e-6)
    assert top == ((8, logprob), (0, -9999.0))


def test_choose_without_log_probabilities_tells_none() -> None:
    """Nobody pays for what nobody wants."""
    assert choose(logits(1), [Rows(Sampling(0, 1, 0), None, 0)])[0][0].logprob is None


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_choose_guesses_never_change_a_token(sampling: Sampling) -> None:
    """With right, half-right and wrong guesses: token for token what comes without any."""
    rows = logits(12, scale=1.0)
    masks = [None if i % 3 else mask_of(set(range(i, VOCABULARY, 2))) for i in range(12)]
    history = History([1, 2, 3])
    plain: list[Chosen] = []
    for i in range(12):
        wanted = Rows(sampling, history, 3 + i, (), masks[i : i + 1], {9}, max(4 - i, 0))
        plain += choose(rows[i : i + 1], [wanted])[0]
        history.add([plain[-1].token_id])
    history.remove([token.token_id for token in plain])
    answer = [token.token_id for token in plain]

    for num_right in range(12):
        guesses = (*answer[:num_right], *[answer[num_right] ^ 1] * (11 - num_right))
        wanted = Rows(sampling, history, 3, guesses, masks, {9}, 4)
        assert choose(rows, [wanted])[0] == plain[: num_right + 1]


def test_choose_guesses_keep_the_distribution() -> None:
    """Pairs of tokens with a guess between them fall as often as without, by chi-squared.

    The second row's logits belong to the guess: where the first token differs nothing is drawn.
    """
    first, after = logits(1, scale=1.0)[0][:6], logits(6, scale=1.0)[:, :6]
    p_first = probabilities(first.astype(np.float64), Sampling(1.0, 0.9, 0))
    num = 12_000
    seen: Counter[tuple[int, int]] = Counter()
    num_accepted = 0
    for seed in range(num):
        sampling = Sampling(1.0, 0.9, seed)
        guess = seed % 6
        wanted = Rows(sampling, None, 20, (guess,))
        chosen = [t.token_id for t in choose(np.stack((first, after[guess])), [wanted])[0]]
        num_accepted += len(chosen) - 1
        if len(chosen) == 1:
            chosen.append(one(after[chosen[0]], Rows(sampling, None, 21)))
        seen[chosen[0], chosen[1]] += 1

    value, degrees = 0.0, -1
    for a in range(6):
        p_second = probabilities(after[a].astype(np.float64), Sampling(1.0, 0.9, 0))
        for b in range(6):
            expected = float(p_first[a] * p_second[b]) * num
            if expected == 0:
                assert seen[a, b] == 0
                continue
            value += (seen[a, b] - expected) ** 2 / expected
            degrees += 1
    assert degrees >= 10
    assert value < degrees + 3.719 * math.sqrt(2 * degrees) + 12  # beyond p = 0.0001
    assert abs(num_accepted - num / 6) < 4 * math.sqrt(num / 6)  # each guess: its own probability


def test_choose_ends_where_the_masks_end() -> None:
    """A grammar gives no mask behind a guess at which the answer is over."""
    rows = logits(3)
    answer = rows.argmax(axis=1).tolist()
    everything = mask_of(set(range(VOCABULARY)))

    wanted = Rows(Sampling(0, 1, 0), None, 0, (answer[0], answer[1]), (everything, everything))
    assert tokens(choose(rows, [wanted])) == [answer[:2]]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_choose_anything_agrees_with_the_reference(data: st.DataObject) -> None:
    """Bias, penalties, masks, bans and filters together: a greedy token is the reference's best.

    A drawn one is among those that the reference keeps.
    """
    size = data.draw(st.integers(2, 70))
    ids = st.lists(st.integers(0, size - 1), max_size=6)
    row = np.array(data.draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size)))
    row = (row / 2).astype(np.float32)
    top_p, min_p = data.draw(st.sampled_from([(1.0, 0.0), (0.6, 0.0), (0.3, 0.2), (1.0, 0.05)]))
    sampling = Sampling(
        data.draw(st.sampled_from([0.0, 0.5, 1.0])),
        top_p,
        data.draw(st.integers(-(2**63), 2**64 - 1)),
        top_k=data.draw(st.integers(0, 4)),
        min_p=min_p,
        frequency_penalty=data.draw(st.sampled_from([0.0, 0.31, -1.27])),
        presence_penalty=data.draw(st.sampled_from([0.0, 0.77, -0.53])),
        repetition_penalty=data.draw(st.sampled_from([1.0, 1.37, 0.83])),
        logit_bias=tuple((of, 1.71) for of in sorted(set(data.draw(ids)))),
    )
    prompt, answer = data.draw(ids), data.draw(ids)
    banned = data.draw(st.lists(st.integers(0, size - 2), max_size=6))
    allowed = set(data.draw(ids)) or set(range(size))
    history = History(prompt)
    history.add(answer)
    masks = (mask_of(allowed),) if len(allowed) < size else ()

    token_id = one(row, Rows(sampling, history, 40, (), masks, set(banned)))
    expected = edited(row, sampling, prompt, answer, allowed, set(banned) & allowed)
    if allowed <= set(banned):  # they give way
        expected = edited(row, sampling, prompt, answer, allowed)
    lenient = Sampling(
        sampling.temperature, min(top_p + 1e-5, 1), 0, top_k=sampling.top_k, min_p=min_p * 0.9999
    )
    close = np.flatnonzero(probabilities(expected, lenient))
    assert expected[token_id] > -math.inf
    assert expected[token_id] >= expected[close].min() - 1e-5
