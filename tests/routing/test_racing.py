"""When further runners start: for which share of requests, for how much, and after how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.routing import racing
from slipstream.routing.expect import Size, look_at_quantiles
from slipstream.routing.racing import RaceShares, affordable, hedge_s
from tests.routing.scenes import Scene, names_of
from tests.routing.test_field import candidate_of


@given(share=st.floats(0.0, 0.99), num=st.integers(1, 500))
def test_shares_are_kept_to_whatever_happens(share: float, num: int) -> None:
    """Of any number of requests no more race than their share, and one."""
    shares = RaceShares()
    taken = sum(shares.take("r", share) for _ in range(num))
    assert share * num - 1 <= taken <= share * num + 1 + 1e-6


def test_share_of_nothing_lets_not_even_the_first_race() -> None:
    """Nothing is a bound as well."""
    assert not RaceShares().take("r", 0.0)


def test_shares_give_back_what_was_not_needed() -> None:
    """Paid in advance, returned where no further runner started."""
    shares = RaceShares()
    for _ in range(100):
        assert shares.take("r", 0.01)
        shares.give_back("r")
    assert shares.take("r", 0.01)
    assert not shares.take("r", 0.01)


def test_shares_are_each_routes_own_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One route's races are not at another's cost, and made up names do not pile up."""
    monkeypatch.setattr(racing, "_MAX_ROUTES", 4)
    shares = RaceShares()
    assert shares.take("r", 0.001)
    assert not shares.take("r", 0.001)
    assert shares.take("s", 0.001)
    for number in range(10):
        shares.take(f"t{number}", 0.001)
    shares.spend("gone")
    shares.give_back("gone")
    assert len(shares._credits) == 4


@pytest.mark.parametrize(
    ("costs", "most_runners", "most_usd_pico", "runners"),
    [
        ([5, 1, 1, 1], 3, 10, [0, 1, 2]),
        ([5, 8, 1, 1], 4, 2, [0, 2, 3]),
        ([5, 1, 1, 1], 4, 2, [0, 1, 2]),
        ([5, None, 1], 3, 10, [0, 2]),
        ([None, 1], 2, 1, [0, 1]),
        ([5, 1], 2, 0, [0]),
        ([5, 0], 2, 0, [0, 1]),
        ([5], 2, 9, [0]),
    ],
)
def test_affordable_runners_fit_the_bound_together(
    costs: list[int | None], most_runners: int, most_usd_pico: int, runners: list[int]
) -> None:
    """The first one is paid for anyway; an unknown price never fits."""
    assert affordable(costs, most_runners, most_usd_pico) == runners


@pytest.mark.parametrize("is_stream", [True, False])
def test_hedge_is_what_most_first_tokens_take(is_stream: bool) -> None:
    """Nineteen of twenty first runners have spoken by then; a plain answer speaks at its end."""
    scene = Scene(("a/m", "b/m"))
    for number in range(200):
        first_s = 0.5 if number % 10 else 3.0
        scene.answer(
            "a/m",
            first_s=first_s if is_stream else first_s + 2.0,
            total_s=first_s + 2.0,
        )
    candidate = candidate_of(scene, "a/m")
    look_at_quantiles(candidate)
    delay_s = hedge_s(candidate, Size(num_bytes=400, is_stream=is_stream))
    assert (2.0 if is_stream else 4.0) < delay_s < (4.0 if is_stream else 9.0)


@pytest.mark.parametrize("is_stream", [True, False])
def test_hedge_does_not_wait_longer_for_who_is_late_already(is_stream: bool) -> None:
    """A target whose attempts in flight say nothing is given no more time than one that is well."""
    scene = Scene(("a/m", "b/m"))
    for _ in range(200):
        scene.answer("a/m", first_s=0.5 if is_stream else 2.5, total_s=2.5)
    candidate, size = candidate_of(scene, "a/m"), Size(num_bytes=400, is_stream=is_stream)
    look_at_quantiles(candidate)
    usual_s = hedge_s(candidate, size)
    candidate.lane.late_s = 30.0
    assert hedge_s(candidate, size) == pytest.approx(usual_s)


def test_hedge_of_an_unknown_runner_is_a_sane_time() -> None:
    """Neither at once nor never."""
    scene = Scene(("a/m", "b/m"), strategy="race")
    plan = scene.plan()
    assert names_of(plan)
    assert plan.hedge_s is not None
    assert 0.5 < plan.hedge_s < 5.0
