"""What is learned beside times, and how weights of old and new stay comparable."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.routing.experience import Experience
from tests.routing.outcomes import outcome


def test_failures_fade_with_the_memory() -> None:
    """After a few half-lives of good answers, an outage is history."""
    experience = Experience(120.0)
    for number in range(50):
        experience.note_failure(1.0, 100.0 + number)
    assert experience.failures.value > 0.9
    for number in range(480):
        experience.note_success(outcome(), 0.0, 150.0 + number)
    assert experience.failures.value < 0.04
    assert experience.failing_s < 0.06


def test_failing_costs_no_more_than_nineteen_tries() -> None:
    """What always fails is expected to be slow, and not never."""
    experience = Experience(120.0)
    for number in range(1000):
        experience.note_failure(2.0, 100.0 + number)
    assert experience.failing_s == pytest.approx(19 * 2.25, rel=0.05)


def test_cached_share_is_of_tokens() -> None:
    """Ninety of a hundred input tokens came from the provider's cache."""
    experience = Experience(120.0)
    usage = Usage(input_tokens=100, cache_read_tokens=900, output_tokens=10)
    for number in range(200):
        experience.note_success(outcome(usage=usage), 0.0, 100.0 + number)
    assert experience.cached.value == pytest.approx(0.9, rel=0.02)


def test_estimated_usage_teaches_no_tokenizer_and_no_price() -> None:
    """What we counted ourselves would only teach us our own guess."""
    experience = Experience(120.0)
    usage = Usage(input_tokens=390, output_tokens=10, is_estimate=True)
    experience.note_success(outcome(usage=usage, cost=5), 0.0, 100.0)
    assert experience.per_byte.value == 0.25
    assert experience.paid is None


def test_output_of_one_endless_answer_counts_as_a_long_one() -> None:
    """One answer of a million tokens does not make all answers long."""
    experience = Experience(120.0)
    for number in range(100):
        experience.note_success(outcome(num_output=50), 0.0, 100.0 + number)
    experience.note_success(outcome(num_output=1_000_000), 0.0, 201.0)
    assert experience.output.value < 60.0


@pytest.mark.parametrize("gap_s", [3600.0, 86_400.0, 1e9])
def test_weights_bear_long_silence(gap_s: float) -> None:
    """After a night, or a leap of the clock, new answers are all that counts."""
    experience = Experience(10.0)
    for number in range(50):
        experience.note_success(outcome(first_s=5.0, total_s=6.0), 0.0, 100.0 + number)
    assert experience.figures().first_token_s == pytest.approx(5.0)
    for number in range(3):
        now_s = 200.0 + gap_s + number
        experience.note_success(outcome(first_s=0.5, total_s=1.5), 0.0, now_s)
    assert experience.figures().first_token_s == pytest.approx(0.5, rel=0.01)
    assert experience.samples == pytest.approx(3.0, rel=0.1)


@given(
    st.lists(
        st.tuples(
            st.floats(-1e7, 1e7), st.floats(allow_nan=True), st.floats(), st.integers(0, 10**9)
        ),
        max_size=40,
    )
)
def test_experience_stays_finite_whatever_it_is_told(
    told: list[tuple[float, float, float, int]],
) -> None:
    """Absurd times and clocks leave figures that can be compared."""
    experience = Experience(120.0)
    for now_s, first_s, total_s, num_tokens in told:
        answer = outcome(
            first_s=first_s, total_s=total_s, num_output=num_tokens, num_input=num_tokens, cost=7
        )
        experience.note_success(answer, 1.0, now_s)
        experience.note_left(outcome(state="cancelled", first_s=None, total_s=total_s), 1.0, now_s)
        experience.note_failure(total_s, now_s)
        figures = experience.figures()
        for figure in (figures.first_base_s, figures.token_s, figures.tokens_per_s):
            assert 0.0 <= figure < math.inf
        assert 0.0 <= experience.failing_s < 1e6
        assert 0.0 <= experience.samples_at(now_s) < math.inf
