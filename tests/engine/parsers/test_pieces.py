"""Tests of what every parser must do: slipstream.engine.parsers.pieces."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.families import FAMILIES, GENERIC, Family
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.pieces import OutputParser, Piece
from slipstream.engine.parsers.tagged import Reasoning, TaggedParser
from tests.engine.parsers.splitting import merged, parse

TOOLS = (Tool(name="f"),)
ROWS = [*FAMILIES, GENERIC]


def parser_of(family: Family) -> OutputParser:
    """Return a parser that looks for everything."""
    parser = family.parser(TOOLS)
    assert parser is not None
    return parser


@pytest.mark.parametrize("family", ROWS, ids=lambda row: row.name)
@given(st.text("ab <{[_|>]/\n", max_size=40))
def test_parse_text_without_markers_is_never_lost(family: Family, text: str) -> None:
    """What is held back comes out again, whole and in order."""
    assert "".join(piece.text for piece in parse(parser_of(family), list(text))) == text


@pytest.mark.parametrize("family", ROWS, ids=lambda row: row.name)
@given(st.data())
def test_parse_any_mixture_of_markers_depends_on_no_split(
    family: Family, data: st.DataObject
) -> None:
    """However tokens cut an answer, its pieces are the same."""
    bits = st.sampled_from([*family.markers, '{"name": "f", "arguments": {}}', "x", " ", "\n", "{"])
    text = "".join(data.draw(st.lists(bits, max_size=8)))
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=5).map(sorted))
    ends = [*cuts, len(text)]
    parts = [text[a:b] for a, b in zip([0, *cuts], ends, strict=True)]
    whole = merged(parse(parser_of(family), [text]))

    assert merged(parse(parser_of(family), parts)) == whole
    assert merged(parse(parser_of(family), list(text))) == whole


@pytest.mark.parametrize("family", ROWS, ids=lambda row: row.name)
def test_fork_begins_anew(family: Family) -> None:
    """Answers to one prompt share nothing."""
    parser = parser_of(family)
    other = parser.fork()
    parser.feed("one <")

    assert other.feed("") == []
    assert merged([*other.feed("two"), *other.flush()]) == [Piece("text", "two")]


@pytest.mark.parametrize("family", ROWS, ids=lambda row: row.name)
@given(st.data())
def test_pieces_stand_for_every_letter_but_those_held_back(
    family: Family, data: st.DataObject
) -> None:
    """What a piece says it stands for adds up, so that tokens can be told with their pieces."""
    family = replace(family, reasoning=family.reasoning or Reasoning("<think>", "</think>"))
    marks = [
        *family.markers,
        "<think>",
        "</think>",
        '{"name": "f", "arguments": {}}',
        "x",
        " ",
        "{",
    ]
    parts = data.draw(st.lists(st.sampled_from(marks), max_size=8))
    parser = parser_of(family)
    num_fed = num_told = 0
    for part in parts:
        num_fed += len(part)
        num_told += sum(piece.num_letters for piece in parser.feed(part))
        assert num_told <= num_fed
    num_told += sum(piece.num_letters for piece in parser.flush())

    assert num_told <= num_fed


def test_is_reasoning_until_the_marker_at_its_end() -> None:
    """An answer that is cut off inside its reasoning is known to be."""
    parser = TaggedParser(Reasoning("<think>", "</think>"), None)
    states = []
    for token in ("<think>", "\n", "so", " it", "\n", "</think>", "\n\n", "yes"):
        parser.feed(token)
        states.append(parser.is_reasoning)

    assert states == [True] * 5 + [False] * 3
