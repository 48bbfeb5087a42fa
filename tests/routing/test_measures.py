"""What one answer tells of its target's times: all of it, its beginning, or that it was long."""

import pytest

from slipstream.routing.measures import Figures, Measures
from tests.routing.outcomes import outcome


def _told(
    *, first_s: float, total_s: float, num_output: int, held_s: float = 0.0, num: int = 50
) -> Figures:
    measures = Measures()
    answer = outcome(first_s=first_s, total_s=total_s, held_s=held_s)
    for _ in range(num):
        measures.note_answer(answer, 100, num_output, 0.0, 1.0)
    return measures.figures(1.0)


def test_figures_of_nothing_are_the_prior() -> None:
    """Before anything is known there are figures to compare."""
    assert Measures().figures(1.0) == Figures()
    assert Measures().samples(1.0) == 0.0
    assert Measures().beyond_mean_s(0.95, is_stream=True) is None
    assert Measures().observed_first_s(0.5) is None


def test_answer_told_bit_by_bit_gives_beginning_and_pace() -> None:
    """The first token is paid by the beginning, the others by the pace."""
    figures = _told(first_s=0.2, total_s=1.2, num_output=101)
    assert figures.first_base_s == pytest.approx(0.2)
    assert figures.token_s == pytest.approx(0.01)
    assert figures.tokens_per_s == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("held_s", "is_learned"), [(0.0, True), (0.15, True), (0.25, False), (1.0, False)]
)
def test_pace_is_learned_where_little_was_held(held_s: float, is_learned: bool) -> None:
    """Up to a fifth is taken out; beyond it, nobody can tell what ran meanwhile."""
    figures = _told(first_s=0.2, total_s=1.2, num_output=101, held_s=held_s)
    if is_learned:
        assert figures.token_s == pytest.approx((1.0 - held_s) / 100)
    else:
        assert figures.tokens_per_s == pytest.approx(60.0)


def test_answer_told_at_once_has_no_pace_of_its_own() -> None:
    """A provider that holds everything back until the end does not write a million tokens/s."""
    figures = _told(first_s=1.0, total_s=1.0005, num_output=500)
    assert figures.tokens_per_s < 2000.0
    assert figures.first_base_s + 500 * figures.token_s == pytest.approx(1.0005)


def test_beginning_counts_though_the_rest_was_not_heard() -> None:
    """A client that leaves in the middle has seen when it began."""
    measures = Measures()
    for _ in range(20):
        assert measures.note_beginning(0.3, 100, 0.0, 1.0)
    assert measures.figures(1.0).first_base_s == pytest.approx(0.3)
    assert measures.samples(1.0) == pytest.approx(20.0)


def test_unanswered_is_longer_than_it_was_waited_for() -> None:
    """Patience that ends beyond all that was seen raises what is expected."""
    measures = Measures()
    for _ in range(20):
        measures.note_beginning(0.3, 100, 0.0, 1.0)
    for _ in range(20):
        measures.note_unanswered(5.0, 0.0, 1.0)
    assert measures.figures(1.0).first_base_s > 1.5


def test_nearly_all_have_ended_sooner() -> None:
    """How long a target may be silent before that means something."""
    assert Measures().nearly_all_s(200.0) == 30.0
    measures = Measures()
    answer = outcome(first_s=0.2, total_s=1.2)
    for _ in range(50):
        measures.note_answer(answer, 100, 101, 0.0, 1.0)
    assert measures.nearly_all_s(100.0) == pytest.approx(3.2, rel=0.05)
