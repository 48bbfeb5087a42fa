"""Tests of slipstream.engine.merging."""

import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.merging import DeltaPile
from slipstream.engine.protocol import Delta, Logprob, ToolCall

CALL = ToolCall("call_1", "f", "{}")
LOGPROBS = (Logprob(b"a", -0.5, ((b"a", -0.5),)), Logprob(b"b", -1.5))


@pytest.mark.parametrize(
    ("earlier", "later", "merged"),
    [
        (Delta(1, "a", 1), Delta(1, "b", 2), Delta(1, "ab", 3)),
        (
            Delta(1, reasoning="a", num_tokens=1, choice=2),
            Delta(1, reasoning="b", num_tokens=1, choice=2),
            Delta(1, reasoning="ab", num_tokens=2, choice=2),
        ),
        (
            Delta(1, "a", 1, logprobs=LOGPROBS[:1]),
            Delta(1, "b", 1, logprobs=LOGPROBS[1:]),
            Delta(1, "ab", 2, logprobs=LOGPROBS),
        ),
        (Delta(1, "a", 1), Delta(1, "", 1, finish="stop"), Delta(1, "a", 2, finish="stop")),
        (
            Delta(1, "a", 1),
            Delta(1, "b", 1, finish="stop", stop="c"),
            Delta(1, "ab", 2, finish="stop", stop="c"),
        ),
        (
            Delta(1, reasoning="a", num_tokens=1),
            Delta(1, "", 1, finish="length", is_reasoning=True),
            Delta(1, reasoning="a", num_tokens=2, finish="length"),
        ),
        (
            Delta(1, num_tokens=1, is_reasoning=True),
            Delta(1, num_tokens=2, is_reasoning=True),
            Delta(1, num_tokens=3, is_reasoning=True),
        ),
    ],
)
def test_merge_neighbours_of_one_kind_says_what_both_said(
    earlier: Delta, later: Delta, merged: Delta
) -> None:
    """Texts, tokens and log probabilities are joined in order; the finish is the later one's."""
    assert piled([earlier, later]) == [merged]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (Delta(1, "a", 1), Delta(2, "b", 1)),
        (Delta(1, "a", 1), Delta(1, "b", 1, choice=1)),
        (Delta(1, reasoning="a", num_tokens=1), Delta(1, "b", 1)),
        (Delta(1, "a", 1), Delta(1, reasoning="b", num_tokens=1)),
        (Delta(1, reasoning="a", num_tokens=1), Delta(1, num_tokens=1, finish="stop")),
        (Delta(1, num_tokens=1, is_reasoning=True), Delta(1, "a", 1)),
        (Delta(1, "a", 1), Delta(1, num_tokens=9, tool_call=CALL)),
        (Delta(1, num_tokens=9, tool_call=CALL), Delta(1, "a", 1)),
        (Delta(1, num_tokens=9, tool_call=CALL), Delta(1, num_tokens=9, tool_call=CALL)),
        (Delta(1, "a", 1, finish="stop"), Delta(1, "b", 1)),
    ],
)
def test_merge_what_must_stay_apart_stays_two(earlier: Delta, later: Delta) -> None:
    """Other choices, other kinds, calls and what follows an end are never joined."""
    assert piled([earlier, later]) == [earlier, later]


@given(
    st.lists(
        st.builds(
            Delta,
            request_id=st.just(1),
            num_tokens=st.integers(0, 3),
            choice=st.integers(0, 1),
            text=st.sampled_from(["", "a", "bc"]),
        )
        | st.builds(
            Delta,
            request_id=st.just(1),
            num_tokens=st.integers(0, 3),
            reasoning=st.sampled_from(["x", "yz"]),
        )
        | st.builds(Delta, request_id=st.just(1), tool_call=st.just(CALL))
    )
)
def test_merge_any_run_of_deltas_loses_nothing(deltas: list[Delta]) -> None:
    """Whatever is merged, each choice says the same and counts the same tokens."""
    merged = piled(deltas)

    assert [said(merged, choice) for choice in (0, 1)] == [said(deltas, n) for n in (0, 1)]
    assert len(merged) <= len(deltas)


def test_pile_of_a_long_answer_costs_what_its_text_costs() -> None:
    """A reader that takes nothing for 200,000 tokens holds their letters, not their Deltas."""
    tracemalloc.start()
    try:
        pile = DeltaPile(Delta(1, "word", 1))
        for _ in range(200_000):
            assert pile.add(Delta(1, "word", 1))
        num_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert num_bytes < 5 * 4 * 200_000
    assert pile.take() == Delta(1, "word" * 200_001, 200_001)


def piled(deltas: Iterable[Delta]) -> list[Delta]:
    """Return Deltas as a reader takes them who came when all were there."""
    piles: list[DeltaPile] = []
    for delta in deltas:
        if not (piles and piles[-1].add(delta)):
            piles.append(DeltaPile(delta))
    return [pile.take() for pile in piles]


def said(deltas: list[Delta], choice: int) -> tuple[str, str, int, int]:
    """Return all that one choice says."""
    own = [delta for delta in deltas if delta.choice == choice]
    return (
        "".join(delta.text for delta in own),
        "".join(delta.reasoning for delta in own),
        sum(delta.num_tokens for delta in own),
        sum(delta.tool_call is not None for delta in own),
    )
