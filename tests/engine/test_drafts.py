"""Tests of slipstream.engine.drafts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.drafts import Drafter, Guess

A_TO_P = list(range(100, 116))
PROMPT = [1, 2, 3]

few = st.integers(0, 4)
texts = st.lists(few, max_size=40)


def answered(predicted: list[int], answer: list[int], prompt: list[int] = PROMPT) -> Drafter:
    """Return a drafter whose answer has come so far."""
    drafter = Drafter(prompt, predicted)
    drafter.add(answer)
    return drafter


def test_propose_nothing_known_repeats_the_last_token() -> None:
    """An exact sequence carries a guess in every step, a worthless one where there is no other."""
    drafter = Drafter(PROMPT, [])

    assert drafter.propose(0) == Guess((3,), "padding")
    drafter.add([9])
    assert drafter.propose(8) == Guess((9,), "padding")
    assert drafter.outlook(8) == []
    assert Drafter([], []).propose(4).source == "padding"


def test_propose_prediction_from_its_beginning_on() -> None:
    """An answer is expected to begin like its prediction, and to go on like it to its end."""
    drafter = Drafter(PROMPT, A_TO_P)

    assert drafter.propose(0) == Guess((100,), "prediction")
    assert drafter.propose(5) == Guess((100, 101, 102, 103, 104), "prediction")
    drafter.add(A_TO_P[:12])
    assert drafter.propose(9) == Guess((112, 113, 114, 115), "prediction")
    drafter.add(A_TO_P[12:])
    assert drafter.propose(9).source == "padding"


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("one token replaced", [100, 101, 102, 103, 7], [105, 106]),
        ("two replaced by three", [100, 101, 102, 103, 7, 8, 9, 106], [107, 108]),
        ("one inserted", [100, 101, 102, 103, 7, 104], [105, 106]),
        ("several inserted", [100, 101, 102, 103, 7, 8, 9, 7, 104, 105], [106, 107]),
        ("one left out", [100, 101, 102, 103, 105], [106, 107]),
        ("many left out", [100, 101, 110, 111], [112, 113]),
        ("back to what was said", [*A_TO_P[:12], 102, 103], [104, 105]),
        ("another beginning", [7, 8, 9, 100], [101, 102]),
        ("a beginning left out", [106, 107], [108, 109]),
        ("said twice", [*A_TO_P, 100, 101], [102, 103]),
    ],
)
def test_propose_after_an_edit_is_back_at_once(
    name: str, answer: list[int], expected: list[int]
) -> None:
    """A token or two behind an edit the answer is found again in its prediction."""
    guess = answered(A_TO_P, answer).propose(2)

    assert guess == Guess(tuple(expected), "prediction"), name


def test_propose_token_cut_otherwise_is_back_behind_it() -> None:
    """What the prediction writes as two tokens may be one in the answer."""
    drafter = answered(A_TO_P, [100, 101, 102, 103, 50, 106])

    assert drafter.propose(3) == Guess((107, 108, 109), "prediction")


def test_propose_edit_like_the_one_before_needs_no_sign() -> None:
    """Where a name of two tokens became three, the next such name is followed to its end."""
    drafter = answered(A_TO_P, [100, 101, 102, 7, 8, 9, 105, 106, 107, 108, 109])
    assert drafter.propose(1) == Guess((110,), "prediction")
    drafter.add([20, 21, 22])

    assert drafter.propose(2) == Guess((112, 113), "prediction")


def test_propose_longest_agreement_chooses_among_places() -> None:
    """Lines that end alike are told apart by how they began; then the next one counts."""
    predicted = [1, 2, 50, 51, 52, 10, 3, 4, 50, 51, 52, 11, 5, 6, 50, 51, 52, 12]

    assert answered(predicted, [9, 9, 5, 6, 50, 51, 52]).propose(1).tokens == (12,)
    assert answered(predicted, [1, 2, 50, 51, 52, 10, 9, 9, 50, 51, 52]).propose(1).tokens == (11,)


def test_propose_places_alike_the_one_ahead_goes_first() -> None:
    """An answer goes forward in its prediction: what it has passed comes last, however near."""
    predicted = [100, 101, 102, 60, 61, 1, *A_TO_P[5:], 60, 61, 2]

    assert answered(predicted, [*predicted[:7], 9, 60, 61]).propose(1).tokens == (2,)


def test_propose_wrong_prediction_is_left() -> None:
    """What has been wrong for long is no longer said, and its accounts do not grow."""
    drafter = Drafter(PROMPT, [7, 8] * 50)
    for number in range(40):
        drafter.add([1000 + number, 7])

    assert drafter.propose(1).source == "padding"


def test_propose_prompt_that_repeats_is_looked_up() -> None:
    """Without a prediction, what stood in the prompt is the second source."""
    drafter = answered([], A_TO_P[2:5], prompt=[1, *A_TO_P, 2])

    assert drafter.propose(3) == Guess((105, 106, 107), "lookup")


def test_propose_same_words_in_prompt_and_prediction_are_the_predictions() -> None:
    """A prediction that the prompt holds too is counted as one, to its last token."""
    drafter = answered(A_TO_P, A_TO_P[:14], prompt=[*A_TO_P, 5])

    assert drafter.propose(8) == Guess((114, 115), "prediction")


def test_propose_prompt_agrees_longer_than_a_faint_prediction() -> None:
    """Where the answer has left its prediction and copies the prompt, the prompt is followed."""
    drafter = answered(A_TO_P, [100, 101, 40, 41, 42], prompt=[40, 41, 42, 43, 44])

    assert drafter.propose(2) == Guess((43, 44), "lookup")


@pytest.mark.parametrize(
    ("most", "sure", "expected"),
    [
        (8, [50, 51], Guess((50, 51), "grammar")),
        (1, [50, 51], Guess((50,), "grammar")),
        (0, [50, 51], Guess((50,), "grammar")),
        (4, [100, 101], Guess((100, 101, 102, 103), "prediction")),
        (2, [100, 101], Guess((100, 101), "grammar")),
        (4, [100, 50], Guess((100, 50), "grammar")),
    ],
)
def test_propose_what_a_grammar_says_goes_first(
    most: int, sure: list[int], expected: Guess
) -> None:
    """A prediction is believed beside a grammar where it agrees and says more."""
    assert Drafter(PROMPT, A_TO_P).propose(most, sure) == expected


def test_outlook_grammar_is_expected_to_say_as_much_again() -> None:
    """Rows are asked for before the grammar is; one that proves wrong gets fewer hopes."""
    drafter = Drafter(PROMPT, [])
    guess = drafter.propose(1, [50, 51, 52, 53])
    drafter.settle(guess, 1, 1)
    hopes = drafter.outlook(8)
    assert len(hopes) == 4
    assert hopes[0] > 0.9

    for _ in range(5):
        drafter.settle(guess, 1, 0)
    assert drafter.outlook(8)[0] < 0.4


def test_outlook_long_agreement_promises_more() -> None:
    """One token that agrees is a faint sign, eight are a strong one, a departure tells least."""
    gone = answered(A_TO_P, [*A_TO_P[:5], 7, 8])
    faint = answered(A_TO_P, [*A_TO_P[:5], 7, 8, 107])
    strong = answered(A_TO_P, [*A_TO_P[:5], 7, 8, *A_TO_P[6:11]])

    assert gone.outlook(1) == []
    assert 0 < faint.outlook(1)[0] < 0.5 < 0.8 < strong.outlook(1)[0]


def test_settle_counts_by_source() -> None:
    """What was computed is accepted or rejected; what was cut off is neither; padding no claim."""
    drafter = Drafter(PROMPT, A_TO_P)
    drafter.settle(Guess((1, 2, 3, 4, 5), "prediction"), 4, 1)
    drafter.settle(Guess((1, 2), "lookup"), 2, 2)
    drafter.settle(Guess((1,), "padding"), 1, 0)
    drafter.settle(Guess((), "padding"), 0, 0)

    assert +drafter.accepted == {"prediction": 1, "lookup": 2}
    assert +drafter.rejected == {"prediction": 3}


def test_fork_answers_apart() -> None:
    """Each answer has its own place in the prediction, its own words and its own account."""
    first = Drafter([1, 2], A_TO_P)
    second = first.fork()
    first.settle(first.propose(2), 2, 2)
    first.add([*A_TO_P[:3], 60, 61, 60])
    second.add([106, 107])

    assert first.propose(1) == Guess((61,), "lookup")
    assert second.propose(2) == Guess((108, 109), "prediction")
    assert not second.accepted
    with pytest.raises(AssertionError, match="nothing was answered"):
        first.fork()


@given(texts, texts, st.lists(st.tuples(st.integers(0, 70), texts, texts), max_size=20))
def test_drafter_random_answers_stay_in_bounds(
    prompt: list[int], predicted: list[int], turns: list[tuple[int, list[int], list[int]]]
) -> None:
    """Whatever is answered: one guess at least, at most as many as asked for, and sums that fit."""
    drafter = Drafter(prompt, predicted)
    num_computed = num_accepted = 0
    for most, added, sure in turns:
        guess = drafter.propose(most, sure[:3])
        assert guess == drafter.propose(most, sure[:3])
        assert 1 <= len(guess.tokens) <= max(most, 1)
        if sure and guess.source != "prediction":
            assert guess.source == "grammar" or guess.tokens[: len(sure[:3])] == tuple(sure[:3])
        chances = drafter.outlook(most)
        assert len(chances) <= most
        assert all(0 <= right <= left <= 1 for left, right in zip([1, *chances], chances))  # noqa: B905
        agreeing = [left == right for left, right in zip(guess.tokens, added, strict=False)]
        right = [*agreeing, False].index(False)
        drafter.settle(guess, len(guess.tokens), right)
        drafter.add(added)
        if guess.source != "padding":
            num_computed += len(guess.tokens)
            num_accepted += right

    accepted = sum(drafter.accepted.values()) - drafter.accepted["padding"]
    assert (accepted, sum(drafter.rejected.values())) == (
        num_accepted,
        num_computed - num_accepted,
    )


@given(texts, texts, texts, st.integers(0, 40))
def test_drafter_guesses_depend_on_tokens_alone(
    prompt: list[int], predicted: list[int], answer: list[int], cut: int
) -> None:
    """In how many steps an answer came, and what was guessed meanwhile, changes no guess."""
    at_once = answered(predicted, answer, prompt)
    in_steps = Drafter(prompt, predicted).fork()
    in_steps.add(answer[:cut])
    guess = in_steps.propose(7)
    in_steps.settle(guess, len(guess.tokens), 0)
    in_steps.add(answer[cut:])

    assert at_once.propose(9) == in_steps.propose(9)
    assert at_once.outlook(9) == in_steps.outlook(9)
