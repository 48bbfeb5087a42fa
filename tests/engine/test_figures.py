"""Tests of slipstream.engine.figures."""

from slipstream.engine.figures import Figures, no_stats


def test_note_step_rate_follows_the_work() -> None:
    """The rate of the last seconds of work approaches what the steps do."""
    figures = Figures()
    for _ in range(2_000):
        figures.note_step(4, 0.02, 0.019)

    assert 190 < figures.tokens_per_s < 201
    assert (figures.num_steps, figures.completion_tokens) == (2_000, 8_000)
    assert 39 < figures.busy_s < 41


def test_wait_is_as_long_as_places_take_to_become_free() -> None:
    """Of four answers of eight seconds one leaves every two: the third in the queue waits six."""
    figures = Figures()
    for lived_s in (6.0, 8.0, 10.0):
        figures.note_left(lived_s)

    assert figures.wait_s(2, num_running=4) == 6.0
    assert figures.wait_s(0, num_running=4) == 2.0


def test_wait_before_anything_left_is_a_guess_that_grows() -> None:
    """Nothing is known yet: a second for each that waits."""
    assert Figures().wait_s(3, num_running=2) == 4.0


def test_no_stats_is_all_zero() -> None:
    """A process without an engine has nothing to tell."""
    assert no_stats(7).request_id == 7
    assert no_stats(7).num_blocks == 0
