"""Tests of slipstream.engine.parsers.harmony."""

import re

import pytest

from slipstream.engine.parsers.harmony import MARKS, HarmonyParser
from slipstream.engine.parsers.pieces import Piece
from tests.engine.parsers.splitting import merged, parse, splits

THOUGHT = "<|channel|>analysis<|message|>Two and two.<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>Four."
CALL = '<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a": 2}'
REASONED = Piece("reasoning", "Two and two.")
FOUR = Piece("text", "Four.")
ADD = Piece("tool", '{"a": 2}', "add")

ANSWERS = [
    (THOUGHT + FINAL, [REASONED, FOUR]),
    (THOUGHT + FINAL + "<|return|>", [REASONED, FOUR]),
    (THOUGHT + CALL, [REASONED, ADD]),
    (CALL + "<|call|>", [ADD]),
    (' to=functions.add<|channel|>commentary json<|message|>{"a": 2}', [ADD]),
    (
        "<|channel|>analysis to=functions.add code<|message|>{}<|call|>",
        [Piece("tool", "{}", "add")],
    ),
    (
        "<|channel|>commentary<|message|>I add.<|end|><|start|>assistant" + CALL,
        [Piece("text", "I add."), ADD],
    ),
    (CALL + "<|call|><|start|>assistant" + CALL, [ADD, ADD]),
    ("<|start|>assistant" + FINAL, [FOUR]),
    (THOUGHT.replace("<|end|>", "") + FINAL, [REASONED, FOUR]),
    (THOUGHT + CALL[:-1], [REASONED, Piece("text", CALL[:-1])]),
    ("Four.", [FOUR]),
    ("<|channel|>analysis<|message|>Two and two.<|end|>Four.", [REASONED, FOUR]),
    ("to be", [Piece("text", "to be")]),
    ("to", [Piece("text", "to")]),
    ("<|channel|>fin", []),
    ("<|channel|>final<|message|>a <| b <|mess", [Piece("text", "a <| b <|mess")]),
]


@pytest.mark.parametrize(("answer", "pieces"), ANSWERS)
def test_parse_answer_gives_the_same_pieces_at_every_split(
    answer: str, pieces: list[Piece]
) -> None:
    """Channels become reasoning, text and calls, wherever tokens cut the answer."""
    for parts in splits(answer):
        assert merged(parse(HarmonyParser(), parts)) == pieces


def test_parse_header_and_marks_belong_to_their_message() -> None:
    """What a piece stands for begins at its header and ends behind its mark."""
    parser = HarmonyParser()
    tokens = re.findall("|".join(map(re.escape, MARKS)) + r"|\s?\w+\.?", THOUGHT + FINAL)
    lengths = {"reasoning": 0, "text": 0, "tool": 0}
    for piece in (piece for token in tokens for piece in parser.feed(token)):
        lengths[piece.kind] += piece.num_letters

    next_header = "<|start|>assistant"
    assert lengths == {
        "reasoning": len(THOUGHT) - len(next_header),
        "text": len(next_header) + len(FINAL),
        "tool": 0,
    }


def test_parse_with_reasoning_as_text_joins_all() -> None:
    """Without parsing, analysis and final are one text, and no mark is in it."""
    pieces = parse(HarmonyParser(parses_reasoning=False), [THOUGHT + FINAL])

    assert merged(pieces) == [Piece("text", "Two and two.Four.")]


def test_parse_without_tools_calls_are_text() -> None:
    """Where no tools were offered none is called."""
    pieces = parse(HarmonyParser(reads_calls=False), [CALL])

    assert merged(pieces) == [Piece("text", '{"a": 2}')]
