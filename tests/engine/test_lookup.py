"""Tests of slipstream.engine.lookup."""

from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.lookup import Lookup, num_agreeing

tokens = st.lists(st.integers(0, 5), max_size=60)


def started(prompt: list[int], answer: list[int]) -> Lookup:
    """Return a look-up that has followed an answer."""
    lookup = Lookup(prompt)
    for token_id in answer:
        lookup.add(token_id)
    return lookup


def test_lookup_three_tokens_again_go_on_as_before() -> None:
    """The end of the prompt stood in it before: what followed then is expected, and no more."""
    lookup = Lookup([7, 1, 2, 3, 4, 5, 9, 1, 2, 3])

    assert (lookup.expected, lookup.run) == (4, 3)
    assert lookup.ahead(3) == (4, 5, 9)


def test_lookup_latest_occurrence_wins() -> None:
    """Of two places that read alike the one said last counts."""
    assert started([1, 2, 3, 4, 1, 2, 3, 5], [1, 2, 3]).expected == 5
    assert started([1, 2, 3, 4], [1, 2, 3, 5, 1, 2, 3]).expected == 5


def test_lookup_longer_run_goes_before_a_later_place() -> None:
    """Three tokens are a stronger sign than the last one alone, wherever it stood since."""
    assert started([1, 2, 3, 4, 3, 6], [1, 2, 3]).expected == 4


def test_lookup_text_that_never_repeats_expects_nothing() -> None:
    """Without a place there is no guess."""
    lookup = started([1, 2, 3], [4, 5])

    assert (lookup.expected, lookup.run, lookup.ahead(4)) == (None, 0, ())


def test_lookup_empty_prompt_learns_from_the_answer() -> None:
    """Prompts may be empty; the answer alone is text enough."""
    assert Lookup([]).expected is None
    assert started([], [1, 2, 1]).expected == 2


def test_lookup_loop_goes_round() -> None:
    """An answer that turns in circles is guessed on beyond what it has said."""
    assert started([1, 2, 3], [1, 2, 3, 1, 2, 3]).ahead(7) == (1, 2, 3, 1, 2, 3, 1)
    assert started([8], [4, 4]).ahead(3) == (4, 4, 4)


def test_lookup_place_that_agrees_is_kept_until_it_departs() -> None:
    """Once three tokens agree a later place that reads like their end does not draw it away."""
    lookup = started([1, 2, 3, 4, 5, 6, 2, 3, 4, 7], [1, 2, 3])
    lookup.add(4)

    assert (lookup.expected, lookup.run) == (5, 4)
    lookup.add(7)
    assert lookup.expected == 1, "it stands where 4, 7 stood, in front of the answer"


def test_fork_shares_no_answer() -> None:
    """Two answers to one prompt look up their own words only."""
    first = Lookup([1, 2, 3])
    second = first.fork()
    for left, right in ((5, 7), (6, 8), (7, 5)):
        first.add(left)
        second.add(right)
    assert first.expected is second.expected is None

    first.add(5)
    second.add(7)
    assert (first.ahead(2), second.ahead(2)) == ((6, 7), (8, 5))
    assert Lookup([1, 2, 1]).fork().expected == 2


@given(tokens, tokens)
def test_lookup_expected_follows_an_earlier_run(prompt: list[int], answer: list[int]) -> None:
    """Whatever is expected did follow the same tokens before; the longest run of three is found."""
    lookup = started(prompt, answer)
    text = prompt + answer
    follows = {
        size: [text[end] for end in range(size, len(text)) if text[end - size : end] == tail]
        for size in (1, 2, 3)
        if len(tail := text[len(text) - size :]) == size
    }
    sizes = [size for size, tokens_behind in follows.items() if tokens_behind]

    assert bool(sizes) == (lookup.run > 0)
    if sizes:
        assert lookup.expected in follows[max(sizes)]
        assert min(lookup.run, 3) == max(sizes)
        assert lookup.ahead(5)[0] == lookup.expected
        assert len(lookup.ahead(5)) == 5


@given(tokens, tokens, st.data())
def test_num_agreeing_counts_from_the_end(
    text: list[int], tail: list[int], data: st.DataObject
) -> None:
    """As many tokens as agree, eight at most."""
    end = data.draw(st.integers(0, len(text)))
    most = min(end, len(tail), 8)
    expected = max(n for n in range(most + 1) if text[end - n : end] == tail[len(tail) - n :])

    assert num_agreeing(text, end, tail) == expected
