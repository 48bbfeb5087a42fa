"""Tests of walks through a compiled grammar, and of their bounds."""

import msgspec
import pytest
from llguidance import LLMatcher, LLParserLimits

from slipstream.engine.grammar_walk import Grammar, Walk
from slipstream.engine.masks import allows
from slipstream.errors import BadRequest
from tests.engine.grammar_drive import allowed, encode, tokens

# Every text but for its last letters: each answer teaches the lexer states of its own.
BROAD = "[a-z ]*(ab|ba)[a-z ]{0,30}"


def grammar_of(pattern: str, limits: LLParserLimits | None = None) -> Grammar:
    """Compile a regular expression."""
    source = LLMatcher.grammar_from_regex(pattern)
    if limits is None:
        return Grammar(tokens(), source, "regex")
    return Grammar(tokens(), source, "regex", limits)


def follow(walk: Walk, text: str) -> None:
    """Walk through a text, each step with its mask."""
    for token_id in encode(text):
        walk.masks(())
        assert walk.take(token_id)


def test_take_forbidden_token_stays_where_it_is() -> None:
    """A token that may not come is told, and changes nothing."""
    walk = Walk(grammar_of("ab+"))
    assert walk.take(encode("a")[0])
    assert not walk.take(encode("c")[0])
    assert walk.take(encode("b")[0])
    assert walk.can_end
    assert not walk.is_over


def test_take_behind_the_end_is_refused() -> None:
    """Where a grammar is complete nothing more is taken, and only an end may come."""
    walk = Walk(grammar_of("a"))
    assert walk.take(encode("a")[0])
    assert walk.is_over
    assert not walk.take(encode("a")[0])
    assert walk.masks([encode("a")[0]]) == [tokens().end_mask]


def test_masks_leave_the_walk_where_it_was() -> None:
    """Looking ahead is undone, however far it went."""
    walk = Walk(grammar_of("a(bcd|bce)f"))
    walk.take(encode("a")[0])
    before = allowed(walk.masks(())[0])
    ahead = [encode(letter)[0] for letter in "bcdf"]
    assert len(walk.masks(ahead)) == 5
    assert len(walk.masks([*ahead[:2], encode("z")[0]])) == 3
    assert allowed(walk.masks(())[0]) == before
    assert all(map(walk.take, ahead))


def test_masks_belong_to_who_asked() -> None:
    """A mask is not overwritten by a later one: the sampler reads it behind the next."""
    walk = Walk(grammar_of("[ax][by]"))
    first = walk.masks(())[0]
    walk.take(encode("a")[0])
    second = walk.masks(())[0]
    assert allows(first, encode("a")[0])
    assert not allows(second, encode("a")[0])


def test_fork_shares_nothing_behind_it() -> None:
    """Two walks from one place do not meet."""
    walk = Walk(grammar_of("a(b|c)"))
    walk.take(encode("a")[0])
    fork = walk.fork()
    assert fork.take(encode("b")[0])
    assert fork.is_over
    assert walk.take(encode("c")[0])


def test_grammar_that_is_none_names_its_field() -> None:
    """What cannot be compiled is the caller's error; nothing of llguidance's own is shown."""
    with pytest.raises(BadRequest) as caught:
        Grammar(tokens(), 'start: "a" gone', "grammar")
    assert caught.value.param == "grammar"
    assert "<non-verbose/>" not in caught.value.message


def test_walk_whose_lexer_others_have_filled_begins_anew() -> None:
    """What other answers taught the shared lexer costs no later answer its grammar."""
    limits = LLParserLimits(max_lexer_states=800, step_lexer_fuel=200_000, verbose_errors=False)
    grammar = grammar_of(BROAD, limits)
    lexers = {id(lexer): lexer for lexer in [grammar._prototype]}
    for number in range(30):
        follow(
            Walk(grammar),
            f"{'xyz'[number % 3] * (number % 7)} ab cd{'efgh'[number % 4] * (number % 9)}",
        )
        lexers[id(grammar._prototype)] = grammar._prototype
    assert 1 < len(lexers) < 15


def test_walk_beyond_its_bounds_is_refused() -> None:
    """A grammar that grows without end is the caller's error, with how far it came."""
    limits = LLParserLimits(max_lexer_states=12, step_lexer_fuel=200_000, verbose_errors=False)
    walk = Walk(grammar_of(BROAD, limits))
    with pytest.raises(BadRequest, match="too complex") as caught:
        follow(walk, "abc def ghi jkl mno pqr stu vwx yz")
    assert caught.value.param == "regex"


def test_grammar_of_several_parts_compiles_them_together() -> None:
    """A form inside of other rules is one grammar."""
    parts = [
        {"lark_grammar": 'start: "x" @form'},
        {"lark_grammar": 'start: "y"', "name": "form"},
    ]
    source = msgspec.json.encode({"grammars": parts}).decode()
    walk = Walk(Grammar(tokens(), source, "grammar"))
    assert walk.forced_bytes() == b"xy"
    assert tokens().encode("xy")[: len(walk.forced())] == walk.forced()
