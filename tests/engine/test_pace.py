"""Tests of slipstream.engine.pace: the curve, the choice, and what both are worth in a fake world.

In that world answers are known, steps cost what they cost on the machine where this was written,
and time is a sum.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slipstream.engine.drafts import Drafter
from slipstream.engine.pace import PromptPace, StepCosts, lengths

CURVE = [(1, 0.0104), (2, 0.0104), (4, 0.011), (8, 0.0131), (16, 0.0182), (32, 0.0286), (64, 0.048)]
LINE_END = 1
SEEDS = range(6)

Text = list[int]


def test_step_costs_lie_on_straight_lines() -> None:
    """At a point what was measured, between two their line, beyond the last the last line."""
    costs = StepCosts([(8, 0.2), (2, 0.1), (4, 0.12)])

    assert [costs.seconds(rows) for rows in (1, 2, 3, 4, 6, 8, 10)] == pytest.approx(
        [0.1, 0.1, 0.11, 0.12, 0.16, 0.2, 0.24]
    )
    assert StepCosts([(4, 0.5)]).seconds(1) == StepCosts([(4, 0.5)]).seconds(100) == 0.5


def test_step_costs_noisy_measurement_never_falls() -> None:
    """A point that came out cheaper than one of fewer rows counts like that one."""
    costs = StepCosts([(1, 0.011), (2, 0.010), (4, 0.012)])

    assert costs.seconds(2) == 0.011
    assert costs.seconds(1) <= costs.seconds(2) <= costs.seconds(3)


@given(st.integers(1, 90), st.integers(0, 60))
def test_step_costs_span_is_a_list_of_seconds(first: int, more: int) -> None:
    """A stretch of the curve is the curve."""
    costs = StepCosts(CURVE)
    span = costs.span(first, first + more)

    assert span == pytest.approx([costs.seconds(rows) for rows in range(first, first + more + 1)])


def test_note_stalled_step_hardly_counts() -> None:
    """A step that hung for a minute is one slow step; steps that read prompts say nothing."""
    costs = StepCosts(CURVE)
    costs.note(512, 0.1)
    costs.note(4, 0.0)
    assert costs.span(1, 64) == StepCosts(CURVE).span(1, 64)
    costs.note(8, 60.0)

    for rows, seconds in CURVE:
        assert costs.seconds(rows) == pytest.approx(seconds, rel=0.06)


def test_note_noise_leaves_the_curve() -> None:
    """Thousands of steps that scatter, with a stall now and then, keep every point near it."""
    source, truth, costs = random.Random(5), StepCosts(CURVE), StepCosts(CURVE)
    for number in range(4000):
        rows = source.choice([2, 2, 2, 3, 5, 9, 17, 33, 64])
        stall = 30 if number % 100 == 0 else 1
        costs.note(rows, truth.seconds(rows) * source.uniform(0.85, 1.15) * stall)

    for rows, seconds in CURVE:
        assert costs.seconds(rows) == pytest.approx(seconds, rel=0.12)


def test_note_slower_machine_is_learnt() -> None:
    """Where everything takes twice as long, that is known after a few hundred steps."""
    costs, slow = StepCosts(CURVE), StepCosts((rows, 2 * seconds) for rows, seconds in CURVE)
    for rows in itertools.islice(itertools.cycle([2, 6, 12, 40]), 600):
        costs.note(rows, slow.seconds(rows))

    for rows in (2, 6, 12, 40):
        assert costs.seconds(rows) == pytest.approx(slow.seconds(rows), rel=0.1)


def test_note_what_never_came_slows_down_with_the_rest() -> None:
    """Short steps that take twice as long say that long ones do, too, if not by how much."""
    costs = StepCosts(CURVE)
    for _ in range(600):
        costs.note(2, 2 * 0.0104)

    assert costs.seconds(2) == pytest.approx(2 * 0.0104, rel=0.02)
    assert 1.5 < costs.seconds(64) / 0.048 < 2


def test_note_changed_shape_is_learnt() -> None:
    """Where only some lengths cost more, their points move away from the others'."""
    costs, truth = StepCosts(CURVE), StepCosts([*CURVE, (16, 0.026)])
    for rows in itertools.islice(itertools.cycle([2, 8, 15, 15, 32, 64]), 4000):
        costs.note(rows, truth.seconds(rows))

    for rows in (2, 8, 15, 32, 64):
        assert costs.seconds(rows) == pytest.approx(truth.seconds(rows), rel=0.05)
    assert costs.seconds(16) > 0.022


@given(st.lists(st.tuples(st.integers(-1, 200), st.floats(0, 10)), max_size=60))
@example([(2, 0.001)])
@example([(1, 1.0)])
def test_note_any_steps_leave_a_curve(steps: list[tuple[int, float]]) -> None:
    """Whatever steps take, more rows never seem to cost less, and none are free."""
    costs = StepCosts(CURVE)
    for rows, seconds in steps:
        costs.note(rows, seconds)
    span = costs.span(1, 100)

    assert span == sorted(span)
    assert span[0] > 0


def following(predicted: Text, num_followed: int) -> Drafter:
    """Return a drafter whose answer has followed its prediction so far."""
    drafter = Drafter([1], predicted)
    drafter.add(predicted[:num_followed])
    return drafter


def test_lengths_nobody_to_draft_for_is_empty() -> None:
    """Sequences without drafts need no choice."""
    assert lengths(StepCosts(CURVE), [], [], 7) == []


def test_lengths_go_with_the_promise() -> None:
    """Who knows nothing carries its one guess, who was right so far as many as are measured."""
    text = list(range(10, 300))
    drafters = [Drafter([1], []), following(text, 60), following(text, 3)]
    nothing, much, some = (lengths(StepCosts(CURVE), [each], [1], 0)[0] for each in drafters)

    assert nothing == 1
    assert 8 <= some <= 32
    assert much == 63


def test_lengths_shared_step_is_filled_with_the_likeliest() -> None:
    """The one that was right gets rows, its neighbours do not have to wait for hopeless guesses."""
    text = list(range(10, 300))
    hopeless = [following([7, 8, 9], 0) for _ in range(3)]
    for drafter in hopeless:
        drafter.add([4, 5, 6])
    chosen = lengths(StepCosts(CURVE), [*hopeless, following(text, 60)], [1] * 4, 2)

    assert chosen[:3] == [1, 1, 1]
    assert chosen[3] > 16


def test_lengths_many_that_are_right_stay_within_a_step() -> None:
    """Sixteen predictions share the rows of one step: nobody waits for a step of a second."""
    text = list(range(10, 300))
    chosen = lengths(StepCosts(CURVE), [following(text, 60 + n) for n in range(16)], [1] * 16, 0)

    assert min(chosen) >= 4
    assert sum(chosen) <= 128


def test_lengths_steep_curve_allows_no_more_than_must_be() -> None:
    """Where each row costs as much as a step, a draft that may be wrong does not pay."""
    steep = StepCosts([(1, 0.01), (2, 0.02), (64, 0.64)])

    assert lengths(steep, [following(list(range(10, 99)), 3)], [1], 0) == [1]
    assert lengths(steep, [following(list(range(10, 99)), 3)], [0], 0) == [0]


@given(st.integers(0, 12), st.integers(0, 40), st.integers(-2, 20), st.integers(0, 40))
def test_lengths_no_other_choice_is_better(
    followed: int, other: int, num_others: int, start: int
) -> None:
    """Of all pairs of lengths the chosen one promises most tokens in a second."""
    text = list(range(10, 120))
    drafters = [following(text, followed), following(text[start:], other)]
    drafters[0].add([5])
    drafters[0].add(text[followed + 1 : followed + 3])
    costs = StepCosts(CURVE)
    hopes = [[sum(each.outlook(63)[:n]) for n in range(64)] for each in drafters]

    def rate(left: int, right: int) -> float:
        rows = max(num_others, 0) + 2 + left + right
        return (max(num_others, 0) + 2 + hopes[0][left] + hopes[1][right]) / costs.seconds(rows)

    chosen = lengths(costs, drafters, [1, 1], num_others)
    best = max(rate(left, right) for left in range(1, 64) for right in range(1, 64))
    assert chosen == lengths(costs, drafters, [1, 1], num_others)
    assert rate(*chosen) == pytest.approx(best)


def words(source: random.Random, num: int) -> Text:
    """Return words as languages have them: few of them often, many rarely."""
    vocabulary = range(10, 610)
    return source.choices(vocabulary, [1 / (rank + 2) for rank in range(600)], k=num)


def page(source: random.Random, num_lines: int = 18) -> Text:
    """Return lines of words."""
    lines = ([*words(source, source.randrange(9, 15)), LINE_END] for _ in range(num_lines))
    return list(itertools.chain.from_iterable(lines))


def lines_of(text: Text) -> list[Text]:
    """Return a page's lines."""
    ends = [0, *(at + 1 for at, token_id in enumerate(text) if token_id == LINE_END)]
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def with_changed_lines(source: random.Random, text: Text) -> Text:
    """Put one to three other words for one in every other line."""
    lines = lines_of(text)
    for line in lines[1::2]:
        at = source.randrange(len(line) - 1)
        line[at : at + 1] = words(source, source.randrange(1, 4))
    return list(itertools.chain.from_iterable(lines))


def with_words_inserted(source: random.Random, text: Text) -> Text:
    """Put a word or two behind every twenty-fifth, about."""
    more = (words(source, source.randrange(1, 3)) if source.random() < 0.04 else [] for _ in text)
    pairs = zip(text, more, strict=True)
    return list(itertools.chain.from_iterable([token_id, *extra] for token_id, extra in pairs))


def with_paragraph_moved(_source: random.Random, text: Text) -> Text:
    """Change the order of the second and the third quarter."""
    lines = lines_of(text)
    first, second, third = (len(lines) * part // 4 for part in (1, 2, 3))
    moved = lines[:first] + lines[second:third] + lines[first:second] + lines[third:]
    return list(itertools.chain.from_iterable(moved))


def with_all_of_it(source: random.Random, text: Text) -> Text:
    """Move a paragraph, change lines and insert words."""
    text = with_changed_lines(source, with_paragraph_moved(source, text))
    return with_words_inserted(source, text)


@dataclass
class Writing:
    """An answer that is being written in the fake world."""

    prompt: Text
    answer: Text
    predicted: Text
    num_written: int = 0

    def __post_init__(self) -> None:
        self.drafter = Drafter(self.prompt, self.predicted)

    @property
    def is_over(self) -> bool:
        """Whether all is written."""
        return self.num_written == len(self.answer)

    def step(self, most: int) -> int:
        """Compute a guess and write what the model chooses; return the rows."""
        guess = self.drafter.propose(most)
        rest = self.answer[self.num_written :]
        agreeing = [left == right for left, right in zip(guess.tokens, rest[:-1], strict=False)]
        num_right = [*agreeing, False].index(False)
        self.drafter.settle(guess, len(guess.tokens), num_right)
        self.drafter.add(rest[: num_right + 1])
        self.num_written += num_right + 1
        return 1 + len(guess.tokens)


def speed_up(writings: list[Writing]) -> float:
    """Return how many times faster answers are written than token by token.

    Exact ones carry two rows even then; for a single one these cost as much as one.
    """
    truth, costs = StepCosts(CURVE), StepCosts(CURVE)
    plain_s = sum(
        truth.seconds(2 * sum(len(each.answer) > at for each in writings))
        for at in range(max(len(each.answer) for each in writings))
    )
    took_s = 0.0
    while running := [each for each in writings if not each.is_over]:
        most = lengths(costs, [each.drafter for each in running], [1] * len(running), 0)
        rows = sum(each.step(n) for each, n in zip(running, most, strict=True))
        seconds = truth.seconds(rows)
        costs.note(rows, seconds)
        took_s += seconds
    return plain_s / took_s


@pytest.mark.parametrize("seed", SEEDS)
def test_world_right_prediction_is_six_times_plain(seed: int) -> None:
    """A prediction that comes true is written almost as fast as it is read; none of it is lost."""
    source = random.Random(seed)
    answer = page(source)
    writing = Writing(words(source, 40), answer, answer)

    assert speed_up([writing]) >= 6
    assert writing.drafter.rejected["prediction"] <= 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "edit", [with_changed_lines, with_words_inserted, with_paragraph_moved, with_all_of_it]
)
def test_world_edited_prediction_is_twice_plain(
    edit: Callable[[random.Random, Text], Text], seed: int
) -> None:
    """An answer that departs from its prediction again and again is found again each time."""
    source = random.Random(seed)
    predicted = page(source)
    writing = Writing(words(source, 40), edit(source, predicted), predicted)

    assert speed_up([writing]) >= 2.2


@pytest.mark.parametrize("seed", SEEDS)
def test_world_every_other_line_another_still_gains(seed: int) -> None:
    """Where half of all tokens are wrong twice is out of reach; what can be had is nearly had."""
    source = random.Random(seed)
    predicted = page(source)
    lines = lines_of(predicted)
    for line in lines[1::2]:
        line[:-1] = words(source, len(line) + source.randrange(-3, 2))
    answer = list(itertools.chain.from_iterable(lines))

    assert speed_up([Writing(words(source, 40), answer, predicted)]) >= 1.45


@pytest.mark.parametrize("seed", SEEDS)
def test_world_wrong_prediction_costs_next_to_nothing(seed: int) -> None:
    """A text of the same words that says something else is soon no longer paid for."""
    source = random.Random(seed)
    answer, other = page(source), page(source)
    shuffled = source.sample(answer, len(answer))

    assert speed_up([Writing(words(source, 40), answer, other)]) >= 0.96
    assert speed_up([Writing(words(source, 40), answer, shuffled)]) >= 0.96
    assert speed_up([Writing(words(source, 40), answer, [9] * 300)]) >= 0.96


@pytest.mark.parametrize("seed", SEEDS)
def test_world_lookup_without_repetition_costs_nothing(seed: int) -> None:
    """Chance repetitions of a language are no reason to carry rows; unlike words have none."""
    source = random.Random(seed)
    unlike = source.sample(range(9999), 250)

    assert speed_up([Writing(words(source, 300), page(source), [])]) >= 0.97
    assert speed_up([Writing(unlike[:50], unlike[50:], [])]) >= 0.97


@pytest.mark.parametrize("seed", SEEDS)
def test_world_lookup_of_repeated_text_is_twice_plain(seed: int) -> None:
    """A prompt quoted with changes, and an answer that turns in circles, are both looked up."""
    source = random.Random(seed)
    text = page(source)
    quoted = Writing(text, with_changed_lines(source, text), [])
    circle = Writing(words(source, 40), page(source, 2) * 8, [])

    assert speed_up([quoted]) > 2
    assert speed_up([circle]) > 2


@pytest.mark.parametrize(("kind", "floor"), [("right", 2.3), ("wrong", 0.96), ("mixed", 1.1)])
def test_world_sixteen_at_once_share_what_there_is(kind: str, floor: float) -> None:
    """Where rows are dear guesses are fewer, and go to those who were right."""
    source = random.Random(3)
    writings = []
    for number in range(16):
        answer, other = page(source, 12), page(source, 12)
        is_right = kind == "right" or (kind == "mixed" and number % 2 == 0)
        writings.append(Writing(words(source, 40), answer, answer if is_right else other))

    assert speed_up(writings) >= floor


def test_lengths_of_answers_that_need_not_be_guessed_may_be_none() -> None:
    """Who is not exact carries no row for nothing, and many where they are worth it."""
    text = list(range(10, 300))
    drafters = [Drafter([1], []), following(text, 60)]
    nothing, much = lengths(StepCosts(CURVE), drafters, [0, 0], 0)

    assert nothing == 0
    assert much > 16


@pytest.mark.parametrize("num_answers", [1, 8, 16])
def test_prompt_pace_begins_with_what_rows_cost(num_answers: int) -> None:
    """A first piece makes a step 1.9 times as long, and no longer."""
    costs = StepCosts(CURVE)
    num_tokens = PromptPace(costs).num_tokens(num_answers)
    longest = 1.9 * costs.seconds(num_answers)

    assert costs.seconds(num_answers + num_tokens) <= longest
    assert costs.seconds(num_answers + num_tokens + 1) > longest


def test_prompt_pace_follows_steps_that_get_longer() -> None:
    """Rows cost more behind a long text: pieces shrink, and steps stay below three times."""
    costs = StepCosts(CURVE)
    pace = PromptPace(costs)
    plain_s = costs.seconds(8)
    stretches, num_read = [], 0
    while num_read < 2_000:
        num_tokens = pace.num_tokens(8)
        seconds = costs.seconds(8 + num_tokens) * (1 + num_read / 2_000)
        pace.note(8, num_tokens, seconds)
        stretches.append(seconds / plain_s)
        num_read += num_tokens

    assert max(stretches) < 3
    assert pace.num_tokens(8) < PromptPace(costs).num_tokens(8)
    pace.note(8, 0, plain_s)
    assert pace.num_tokens(8) == PromptPace(costs).num_tokens(8)


def test_prompt_pace_on_a_slower_machine_is_the_same() -> None:
    """Where all steps take twice what was measured at load, pieces are as long."""
    paces = []
    for slowness in (1.0, 2.0):
        costs = StepCosts(CURVE)
        pace = PromptPace(costs)
        for _ in range(40):
            pace.note(8, 0, slowness * costs.seconds(8))
        for _ in range(40):
            num_tokens = pace.num_tokens(8)
            pace.note(8, num_tokens, slowness * 1.5 * costs.seconds(8 + num_tokens))
        paces.append(pace.num_tokens(8))

    assert abs(paces[0] - paces[1]) <= 1


def test_prompt_pace_never_stands_still() -> None:
    """However slow steps are, prompts are read on."""
    pace = PromptPace(StepCosts([(1, 1.0), (64, 64.0)]))
    for _ in range(9):
        pace.note(2, pace.num_tokens(2), 1_000.0)

    assert pace.num_tokens(2) == 4
