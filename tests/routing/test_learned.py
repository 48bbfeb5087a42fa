"""What the answers of a route are expected to be like at each of its targets."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.routing import learned
from slipstream.routing.learned import DEFAULT_OUTPUT_TOKENS, AnswerHistory


def _usage(text: int, reasoning: int = 0, **more: Any) -> Usage:
    return Usage(input_tokens=100, output_tokens=text, output_reasoning_tokens=reasoning, **more)


def _told(history: AnswerHistory, target: str, usage: Usage, times: int) -> None:
    for _ in range(times):
        history.note("r", target, usage)


def test_answers_nothing_known_is_a_middling_answer() -> None:
    """A first request has to be expected to cost something."""
    answers = AnswerHistory().answers("r", "a/m")
    assert (answers.text_tokens, answers.reasoning_tokens) == (DEFAULT_OUTPUT_TOKENS, 0)


def test_answers_of_the_route_stand_in_for_a_new_target() -> None:
    """What is asked of a route decides more than who answers."""
    history = AnswerHistory()
    _told(history, "a/m", _usage(40), 50)
    assert history.answers("r", "b/m").text_tokens == 40
    assert history.answers("other", "b/m").text_tokens == DEFAULT_OUTPUT_TOKENS


def test_answers_of_a_target_that_thinks_are_its_own() -> None:
    """A difference that stands out is believed, text and reasoning apart."""
    history = AnswerHistory()
    for _ in range(60):
        history.note("r", "a/m", _usage(100))
        history.note("r", "b/m", _usage(100, 2000))
    thinking = history.answers("r", "b/m")
    assert thinking.text_tokens == 100
    assert thinking.reasoning_tokens > 1700
    assert history.answers("r", "a/m").reasoning_tokens < 300


def test_answers_that_differ_by_chance_are_those_of_the_route() -> None:
    """Lengths vary by more than their mean: equal targets must not look unequal for that."""
    rng = random.Random(5)
    history = AnswerHistory()
    apart = []
    for _ in range(3000):
        for target in ("a/m", "b/m"):
            history.note("r", target, _usage(round(rng.lognormvariate(5.4, 0.9))))
        one, other = (history.answers("r", target).text_tokens for target in ("a/m", "b/m"))
        apart.append(abs(one - other) / one)
    assert sum(each > 0.01 for each in apart) < 0.05 * len(apart)


def test_answers_that_change_are_forgotten() -> None:
    """A route whose requests become shorter is expected to stay so."""
    history = AnswerHistory()
    _told(history, "a/m", _usage(1000), 200)
    _told(history, "a/m", _usage(10), 4000)
    assert history.answers("r", "a/m").text_tokens < 30


def test_shares_of_the_cache_are_learned() -> None:
    """How much was read of what should be warm, and how much is billed as written."""
    history = AnswerHistory()
    answers = history.note("r", "a/m", _usage(10, cache_write_5m_tokens=300))
    assert answers.write_share == pytest.approx(0.75)
    for _ in range(200):
        answers.note_hit(0.25)
    assert answers.hit_share == pytest.approx(0.25, abs=0.02)
    for share in (-3.0, 7.0):
        answers.note_hit(share)
        assert 0.0 <= answers.hit_share <= 1.0


def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair unused for longest goes; a route that is used stays."""
    monkeypatch.setattr(learned, "MAX_PAIRS", 8)
    history = AnswerHistory()
    for number in range(100):
        history.note("r", f"p{number}/m", _usage(50))
    assert len(history) == 8
    assert history.answers("r", "p0/m").text_tokens == 50


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**6), st.integers(0, 10**6))))
def test_answers_stay_within_what_was_seen(
    samples: list[tuple[str, int, int]],
) -> None:
    """Whatever comes, an expectation is whole and between the least and the most."""
    history = AnswerHistory()
    for name, text, reasoning in samples:
        history.note("r", name, _usage(text, reasoning))
    for name in "abc":
        answers = history.answers("r", name)
        most = max((text for _, text, _ in samples), default=DEFAULT_OUTPUT_TOKENS)
        least = min((text for _, text, _ in samples), default=DEFAULT_OUTPUT_TOKENS)
        assert least <= answers.text_tokens <= most
        assert isinstance(answers.reasoning_tokens, int)
