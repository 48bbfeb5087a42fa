"""One target as the planner reads it: figures, attempts in flight, lateness, what is in the way."""

import math
import random

import pytest

from slipstream.choice import Room, Target
from slipstream.errors import Rejected
from slipstream.routing.lanes import Lane
from tests.routing.outcomes import GROQ, board_of, outcome


def _lane() -> Lane:
    return board_of().lane(GROQ)


def _answer(lane: Lane, now_s: float, **told: float) -> None:
    """Note one answer, as if it had begun with nobody beside it."""
    answer = outcome(**told)  # type: ignore[arg-type]
    lane.note_success(answer, now_s - answer.total_s, now_s)


def _taught(first_s: float = 0.4, pace_s: float = 0.01, num: int = 60) -> Lane:
    lane = _lane()
    for number in range(num):
        _answer(lane, 100.0 + number, first_s=first_s, total_s=first_s + 50 * pace_s, num_output=51)
    return lane


def test_lane_of_nobody_knows_a_middling_guess() -> None:
    """A new target is neither first nor last, and says that it is unknown."""
    lane = _lane()
    assert (lane.samples, lane.samples_at(100.0), lane.late_s, lane.in_flight) == (0, 0, 0, 0)
    assert lane.first_token_quantile_s(0.95) is None
    first_s, total_s = lane.expect_s(100.0, 1000.0)
    assert 0.1 < first_s < total_s < 5.0
    assert lane.usd_pico_per_token is None


def test_expect_is_what_was_seen() -> None:
    """First token and pace, from answers told bit by bit."""
    lane = _taught()
    first_s, total_s = lane.expect_s(200.0, 100.0)
    assert first_s == pytest.approx(0.4, rel=0.01)
    assert total_s == pytest.approx(2.4, rel=0.05)
    assert lane.tokens_per_s == pytest.approx(100.0, rel=0.01)
    assert lane.first_token_s == pytest.approx(0.4, rel=0.01)


def test_expect_of_attributes_is_that_of_the_method() -> None:
    """The planner adds the attributes up by itself; the docstring of the module is the formula."""
    lane, rng = _lane(), random.Random(4)
    for number in range(300):
        now_s, load = 100.0 + number, rng.randint(0, 8)
        lane.in_flight = load
        lane.begin(now_s)
        first_s = 0.2 + 0.05 * load + rng.random() * 0.05
        _answer(lane, now_s + 2.0, first_s=first_s, total_s=2.0, num_input=rng.randint(10, 3000))
    lane.in_flight = 5
    first_s, total_s = lane.expect_s(70.0, 900.0)
    assert first_s == pytest.approx(
        lane.first_base_s + lane.first_input_s * 900 + lane.first_load_s * 5 + lane.late_s
    )
    by_hand_s = first_s + (lane.token_s + lane.token_load_s * 5) * 70 + lane.failing_s
    assert total_s == pytest.approx(by_hand_s)


def test_expect_of_a_target_that_queues_grows_with_what_is_in_flight() -> None:
    """How many were in flight counts as of each attempt's own beginning."""
    lane, rng, now_s = _lane(), random.Random(6), 100.0
    for _ in range(120):
        num, began = rng.randint(1, 10), []
        for _ in range(num):
            now_s += 0.001
            lane.begin(now_s)
            began.append(now_s)
        for place, began_s in enumerate(began):
            total_s = 0.5 * (place + 1)
            answer = outcome(first_s=total_s - 0.2, total_s=total_s, num_output=20)
            lane.note_success(answer, began_s, began_s + total_s)
            lane.end()
        now_s += 10.0
    alone_s, _ = lane.expect_s(20.0, 100.0)
    lane.in_flight = 8
    busy_s, _ = lane.expect_s(20.0, 100.0)
    assert alone_s == pytest.approx(0.3, abs=0.15)
    assert busy_s - alone_s == pytest.approx(8 * 0.5, rel=0.15)


def test_slow_consumer_does_not_make_a_target_slow() -> None:
    """What the client held up is not the target's; where that is most of it, it tells nothing."""
    lane = _taught()
    before = lane.tokens_per_s, lane.expect_s(100.0, 100.0)[1]
    for number in range(100):
        now_s = 200.0 + number
        _answer(lane, now_s, first_s=0.4, total_s=60.9, held_s=60.0, num_output=51)
        _answer(lane, now_s, first_s=0.4, total_s=0.95, held_s=0.05, num_output=51)
    assert lane.tokens_per_s == pytest.approx(before[0], rel=0.02)
    assert lane.expect_s(100.0, 100.0)[1] == pytest.approx(before[1], rel=0.02)


def test_plain_answers_tell_both_times_by_their_lengths() -> None:
    """Nobody sees when a plain answer began; long ones and short ones tell it together."""
    lane, rng = _lane(), random.Random(8)
    for number in range(300):
        num_output = rng.randint(5, 500)
        total_s = (0.3 + 0.004 * num_output) * rng.uniform(0.9, 1.1)
        _answer(lane, 100.0 + number, first_s=total_s, total_s=total_s, num_output=num_output)
    first_s, total_s = lane.expect_s(400.0, 100.0)
    assert first_s == pytest.approx(0.3, abs=0.1)
    assert total_s == pytest.approx(1.9, rel=0.1)
    p95_s = lane.first_token_quantile_s(0.95, is_stream=False, output_tokens=400.0)
    assert p95_s is not None
    assert p95_s > 1.9


def test_embeddings_have_a_time_and_no_pace() -> None:
    """An answer without output tokens is one all the same, if it said something."""
    lane = _lane()
    for number in range(50):
        _answer(lane, 100.0 + number, first_s=0.08, total_s=0.08, num_output=0)
    assert lane.expect_s(0.0, 100.0)[0] == pytest.approx(0.08, rel=0.05)
    assert lane.samples == pytest.approx(50.0, rel=0.15)


def test_first_token_quantile_is_that_of_streams() -> None:
    """The delay after which a race's next runner starts."""
    lane, rng = _lane(), random.Random(9)
    times = []
    for number in range(2000):
        times.append(rng.lognormvariate(-1.0, 0.7))
        _answer(lane, 100.0 + number / 10, first_s=times[-1], total_s=times[-1] + 0.5)
    exact_s = sorted(times)[1900]
    assert lane.first_token_quantile_s(0.95) == pytest.approx(exact_s, rel=0.15)


def test_losers_of_races_do_not_make_a_target_look_fast() -> None:
    """It wins its fast half and loses the rest, which counts as longer than it was waited for."""
    lane, rng, times = _lane(), random.Random(10), []
    for number in range(1500):
        now_s, first_s = 100.0 + number / 10, rng.lognormvariate(-0.5, 0.5)
        times.append(first_s)
        if number < 100 or first_s < 0.6:
            _answer(lane, now_s, first_s=first_s, total_s=first_s + 0.5)
        else:
            left = outcome(state="outraced", first_s=None, total_s=0.6)
            lane.note_left(left, now_s - 0.6, now_s)
    mean_s = sum(times) / len(times)
    assert lane.expect_s(0.0, 100.0)[0] == pytest.approx(mean_s, rel=0.15)
    assert lane.first_token_quantile_s(0.95) == pytest.approx(sorted(times)[1425], rel=0.2)


def test_failures_cost_what_they_take_and_a_retry() -> None:
    """An instant failure makes nothing fast: half of them are as good as one more attempt each."""
    lane = _taught()
    steady_s = lane.expect_s(50.0, 100.0)[1]
    for number in range(60):
        lane.note_failure(2.0, 160.0 + number / 100)
    assert lane.failure_share == pytest.approx(0.5, abs=0.12)
    assert lane.expect_s(50.0, 100.0)[1] - steady_s == pytest.approx(2.25, rel=0.5)
    assert lane.expect_s(50.0, 100.0)[0] == pytest.approx(0.4, rel=0.01)


def test_samples_fade_with_time() -> None:
    """What was known for sure is worth another look after a while."""
    lane = _taught(num=64)
    known = lane.samples_at(163.0)
    assert known == pytest.approx(54.0, rel=0.1)
    assert lane.samples_at(163.0 + 1200.0) == pytest.approx(known / 1024, rel=0.01)
    assert lane.samples_at(1e12) == pytest.approx(0.0)


def test_tokens_and_prices_are_learned_from_what_providers_count() -> None:
    """Each model's tokenizer, its caches, and what is really paid."""
    lane = _lane()
    for number in range(100):
        _answer(lane, 100.0 + number, num_input=1000, body_bytes=2500, num_output=250, cost=5000)
    assert lane.tokens_per_byte == pytest.approx(0.4, rel=0.02)
    assert lane.output_tokens == pytest.approx(250.0, rel=0.02)
    assert lane.usd_pico_per_token == pytest.approx(4.0)
    assert lane.tokens == pytest.approx(1250.0, rel=0.02)


def test_images_and_estimates_tell_nothing_of_the_tokenizer() -> None:
    """A megabyte of base64 is not text of a thousand tokens."""
    lane = _lane()
    for number in range(20):
        _answer(lane, 100.0 + number, num_input=1000, body_bytes=1_000_000)
    assert lane.tokens_per_byte == pytest.approx(0.25)


def test_late_attempts_are_seen_before_they_end() -> None:
    """A target that stops answering is expected to be late long before a deadline says so."""
    lane = _taught(num=100)
    now_s = 300.0
    for number in range(20):
        lane.begin(now_s + number)
    assert lane.late_s > 5.0
    assert lane.expect_s(50.0, 100.0)[0] > 5.0
    _answer(lane, now_s + 20.0)
    assert lane.late_s == 0.0


def test_late_ends_when_nobody_waits_any_more() -> None:
    """All of them were closed: the next attempt begins anew."""
    lane = _taught(num=100)
    for number in range(20):
        lane.begin(300.0 + number)
    for _ in range(20):
        lane.end()
    lane.begin(321.0)
    assert lane.late_s == 0.0


def test_late_is_nobody_with_few_in_flight() -> None:
    """Two long answers are long answers."""
    lane = _taught(num=100)
    for number in range(3):
        lane.begin(300.0 + 20.0 * number)
    assert lane.late_s == 0.0


def test_busy_lane_samples_its_answers_and_stays_right() -> None:
    """At a thousand answers a second not each is looked at, and shares stay shares."""
    lane, rng = _lane(), random.Random(11)
    for number in range(20_000):
        now_s = 100.0 + number / 1000
        if rng.random() < 0.1:
            lane.note_failure(0.1, now_s)
        else:
            _answer(lane, now_s, first_s=0.4, total_s=0.9)
    assert 300.0 < lane.samples < 10_000.0
    assert lane.failure_share == pytest.approx(0.1, abs=0.02)
    assert lane.first_token_s == pytest.approx(0.4, rel=0.01)


def test_starts_are_bounded() -> None:
    """However many attempts there were, what is remembered of them is not."""
    lane = _lane()
    for number in range(50_000):
        lane.begin(100.0 + number / 100)
        lane.end()
    assert len(lane._starts) <= 1100
    assert len(lane._loads) == len(lane._starts)


def test_watch_reads_the_best_of_the_keys() -> None:
    """A target is blocked when all of its keys are, until the first is back."""
    board = board_of({"groq": ("a", "b")})
    lane = board.lane(GROQ)
    board.note_room(Target("groq", "m", "a"), Room(requests=0, requests_reset_s=30.0), 100.0)
    assert lane.blocked_until_s == 0.0
    board.note_room(Target("groq", "m", "b"), Room(requests=0, requests_reset_s=10.0), 100.0)
    assert lane.blocked_until_s == 110.0
    assert not lane.is_on_trial
    refused = outcome(Target("groq", "m", "b"), error=Rejected("no", upstream_status=401))
    board.note(refused, 100.0)
    assert lane.blocked_until_s == 130.0


def test_blocked_until_is_endless_while_the_probe_is_out() -> None:
    """The planner compares one number."""
    board = board_of()
    lane = board.lane(GROQ)
    for _ in range(5):
        board.note(outcome(error=Rejected("no", upstream_status=500)), 100.0)
    assert 100.0 < lane.blocked_until_s < 102.0
    assert lane.is_on_trial
    assert board.begin(GROQ, 102.0)
    assert lane.blocked_until_s == math.inf
    board.end(GROQ)
    assert lane.blocked_until_s < 102.0
