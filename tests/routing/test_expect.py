"""What a request is expected to cost, to the pico-dollar, and how long it will take."""

from math import inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Price, Rates, Tier, Usage
from slipstream.ledger.cost import cost_usd_pico
from slipstream.routing.affinity import Warm
from slipstream.routing.expect import (
    FOREIGN_FACTOR,
    STAY,
    Size,
    expected_cost_usd_pico,
    rate,
    usd_words,
    why_unfit,
)
from slipstream.routing.learned import AnswerHistory
from tests.routing.scenes import Scene, price
from tests.routing.test_field import candidate_of

_RATE = st.none() | st.integers(0, 10**9)
_RATES = st.builds(
    Rates,
    input_tokens=_RATE,
    cache_read_tokens=_RATE,
    cache_write_5m_tokens=_RATE,
    output_tokens=_RATE,
    output_reasoning_tokens=_RATE,
)
_PRICES = st.builds(
    Price,
    rates=_RATES,
    tiers=st.lists(st.builds(Tier, st.integers(0, 10**6), _RATES), max_size=3).map(
        lambda tiers: tuple(sorted(tiers, key=lambda tier: -tier.start_tokens))
    ),
    denominator=st.integers(1, 12),
    request_usd_pico=st.integers(0, 10**9),
    source=st.just("made up"),
)


@given(
    known=st.none() | _PRICES,
    counts=st.tuples(*[st.integers(0, 2 * 10**6)] * 3),
    read_share=st.floats(0, 1),
    write_share=st.floats(0, 1),
)
def test_cost_is_the_ledgers(
    known: Price | None, counts: tuple[int, int, int], read_share: float, write_share: float
) -> None:
    """For the same tokens both compute the same integer, or both know nothing."""
    num_input, text, reasoning = counts
    read = int(num_input * read_share)
    written = int((num_input - read) * write_share)
    usage = Usage(
        input_tokens=num_input - read - written,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        output_tokens=text,
        output_reasoning_tokens=reasoning,
    )
    expected = expected_cost_usd_pico(known, num_input, read, written, text, reasoning)
    assert expected == cost_usd_pico(usage, known)[0]


def test_rate_follows_what_was_learned() -> None:
    """Input by bytes, output by the route's history, time by the lane."""
    scene = Scene(("a/m",), prices={"a/m": price(2, 6)})
    usage = Usage(input_tokens=100, output_tokens=80, output_reasoning_tokens=20)
    history = AnswerHistory()
    answers = history.note("all", "a/m", usage)
    scene.answer("a/m", first_s=0.5, total_s=2.5, times=50, usage=usage)
    rated = rate(candidate_of(scene, "a/m", answers=answers), Size(num_bytes=4000))
    assert rated.num_input == pytest.approx(1000, rel=0.05)
    assert rated.num_output == 100
    assert rated.cost_usd_pico == rated.num_input * 2 * 10**6 + 100 * 6 * 10**6
    assert rated.first_s == pytest.approx(0.5, rel=0.1)
    assert rated.total_s == pytest.approx(2.5, rel=0.1)


def test_rate_expects_no_more_output_than_is_asked_for() -> None:
    """Text and reasoning are cut in their proportion."""
    scene = Scene(("a/m",), prices={"a/m": price(0, 1)})
    history = AnswerHistory()
    usage = Usage(input_tokens=1, output_tokens=100, output_reasoning_tokens=300)
    candidate = candidate_of(scene, "a/m", answers=history.note("all", "a/m", usage))
    assert rate(candidate, Size(num_bytes=400)).num_output == 400
    assert rate(candidate, Size(num_bytes=400, max_output_tokens=40)).num_output == 40
    assert rate(candidate, Size(num_bytes=400, max_output_tokens=40)).cost_usd_pico == 40 * 10**6
    assert rate(candidate, Size(num_bytes=400, max_output_tokens=0)).cost_usd_pico == 0


def test_rate_plain_answer_comes_all_at_once() -> None:
    """The first sign of an answer that is no stream is its end."""
    candidate = candidate_of(Scene(("a/m",)), "a/m")
    assert rate(candidate, Size(num_bytes=400)).first_s < 1.0
    rated = rate(candidate, Size(num_bytes=400, is_stream=False))
    assert rated.first_s == rated.total_s > 1.0


def test_rate_warm_prefix_is_read_from_the_cache() -> None:
    """What should be there counts at the price of a cache, and a little beyond its price."""
    scene = Scene(("a/m",), prices={"a/m": price(10, 0, read_usd=1)})
    candidate = candidate_of(scene, "a/m")
    candidate.answers.hit_share = 1.0
    cold = rate(candidate, Size(num_bytes=40_000))
    warm = rate(candidate, Size(num_bytes=40_000, warm={("a", "m"): Warm("k", inf, 20_000)}))
    assert cold.cost_usd_pico == 10_000 * 10 * 10**6
    assert warm.cost_usd_pico == 5_000 * 11 * 10**6
    assert cold.bias == 1.0
    assert warm.bias == pytest.approx(1.0 - STAY / 2)
    other = rate(candidate, Size(num_bytes=40_000, warm={("b", "m"): Warm("k", inf, 20_000)}))
    assert other == cold


def test_rate_foreign_target_has_to_be_far_better() -> None:
    """It cannot read what the request holds."""
    candidate = candidate_of(Scene(("a/m",)), "a/m", is_foreign=True)
    assert rate(candidate, Size(num_bytes=400)).bias == FOREIGN_FACTOR


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (Size(num_bytes=400), None),
        (Size(num_bytes=400, max_output_tokens=500), None),
        (
            Size(num_bytes=400, max_output_tokens=501),
            "it writes 500 tokens at most; 501 are asked for",
        ),
        (Size(num_bytes=0, input_tokens=999), None),
        (
            Size(num_bytes=0, input_tokens=1000),
            "its context holds 1000 tokens; about 1000 of input and 1 of output are asked for",
        ),
        (Size(num_bytes=400, max_cost_usd_pico=400 * 10**6), None),
        (
            Size(num_bytes=400, max_cost_usd_pico=400 * 10**6 - 1),
            "it is expected to cost $0.0004; at most $0.0004 may be spent",
        ),
    ],
)
def test_why_unfit_names_the_bound(size: Size, reason: str | None) -> None:
    """At the value where right and wrong differ."""
    facts = {"a/m": {"context_tokens": 1000, "max_output_tokens": 500}}
    scene = Scene(("a/m",), facts=facts, prices={"a/m": price(1)})
    assert why_unfit(candidate_of(scene, "a/m"), size) == reason


def test_why_unfit_unknown_price_is_over_every_budget() -> None:
    """Nobody can promise that it stays within."""
    candidate = candidate_of(Scene(("a/m",)), "a/m")
    reason = why_unfit(candidate, Size(num_bytes=400, max_cost_usd_pico=10**12))
    assert reason == "its price is not known, and at most $1 may be spent"


def test_trial_is_not_judged_by_the_failures_that_it_is_about() -> None:
    """Whether they are over is just what is to be found out."""
    scene = Scene(("a/m",))
    candidate = candidate_of(scene, "a/m")
    lane = scene.board.lane(candidate.target)
    lane.failing_s = 5.0
    before = rate(candidate, Size(num_bytes=400)).total_s
    lane.is_on_trial = True
    assert rate(candidate, Size(num_bytes=400)).total_s == pytest.approx(before - 5.0)


@pytest.mark.parametrize(
    ("usd_pico", "words"),
    [(0, "$0"), (10**12, "$1"), (123_456_789, "$0.000123"), (1234, "$0.00000000123")],
)
def test_usd_words_are_for_people(usd_pico: int, words: str) -> None:
    """Three digits that count; sums use the integer."""
    assert usd_words(usd_pico) == words


def test_price_without_some_rate_is_unknown_only_where_that_is_needed() -> None:
    """No reasoning, no need of its rate."""
    rates = msgspec.structs.replace(price(1).rates, output_reasoning_tokens=None)
    known = msgspec.structs.replace(price(1), rates=rates)
    assert expected_cost_usd_pico(known, 10, text=5) == 15 * 10**6
    assert expected_cost_usd_pico(known, 10, text=5, reasoning=1) is None
