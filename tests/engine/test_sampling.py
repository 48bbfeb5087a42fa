"""Tests of slipstream.engine.sampling."""

import math

import pytest

from slipstream.engine.sampling import Sampling


@pytest.mark.parametrize(
    ("sampling", "is_greedy"),
    [
        (Sampling(0.0, 1.0, 0), True),
        (Sampling(9e-5, 1.0, 0), True),
        (Sampling(0.01, 1.0, 0), False),
        (Sampling(2.0, 1.0, 0, top_k=1), True),
        (Sampling(2.0, 1.0, 0, top_k=2), False),
    ],
)
def test_is_greedy_where_only_one_token_can_be_taken(sampling: Sampling, is_greedy: bool) -> None:
    """No temperature to speak of, or a single token kept."""
    assert sampling.is_greedy is is_greedy


@pytest.mark.parametrize(
    ("sampling", "has_penalties"),
    [
        (Sampling(0, 1, 0, logit_bias=((1, 5.0),)), False),
        (Sampling(0, 1, 0, frequency_penalty=-0.1), True),
        (Sampling(0, 1, 0, presence_penalty=0.1), True),
        (Sampling(0, 1, 0, repetition_penalty=0.9), True),
    ],
)
def test_has_penalties_only_where_earlier_tokens_matter(
    sampling: Sampling, has_penalties: bool
) -> None:
    """Negative penalties are penalties; a bias needs no history."""
    assert sampling.has_penalties is has_penalties


def test_min_logit_gap_grows_with_the_temperature() -> None:
    """A tenth of the likeliest's probability is ln 10 below it, times the temperature."""
    assert Sampling(2.0, 1, 0, min_p=0.1).min_logit_gap == pytest.approx(2 * math.log(10))
    assert Sampling(2.0, 1, 0).min_logit_gap == math.inf


def test_reseeded_gives_each_choice_a_seed_of_its_own() -> None:
    """The same seed and number give the same seed; all others differ; nothing else changes."""
    sampling = Sampling(0.5, 0.9, -5, top_k=3, logit_bias=((1, 2.0),))

    seeds = {sampling.reseeded(number).seed for number in range(100)} | {sampling.seed}
    assert len(seeds) == 101
    assert sampling.reseeded(4) == sampling.reseeded(4)
    again = sampling.reseeded(4)
    assert (again.temperature, again.top_k, again.bias_ids.tolist()) == (0.5, 3, [1])
