"""Tests of slipstream.engine.answer_text."""

from slipstream.engine.answer_text import AnswerText, Part, merged
from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.families import FAMILIES
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.pieces import OutputParser
from slipstream.engine.parsers.tagged import Reasoning, TaggedParser
from slipstream.engine.protocol import ToolCall
from slipstream.engine.stops import StopScanner

LETTERS = [bytes([code]) for code in range(256)]
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'


def answer(stops: tuple[str, ...] = (), parser: OutputParser | None = None) -> AnswerText:
    """Return an answer whose tokens are bytes; 0 is a control token."""
    return AnswerText(Detokenizer(LETTERS, {0}), StopScanner(stops), parser, lambda: "call_1")


def thinking(*, tools: bool = False) -> TaggedParser:
    """Return a parser of thoughts, and of calls."""
    hermes = next(family for family in FAMILIES if family.name == "hermes")
    offered = (Tool("add"),) if tools else ()
    return TaggedParser(
        Reasoning("<think>", "</think>"), hermes.call_form if tools else None, offered
    )


def read(text: AnswerText, said: str) -> list[Part]:
    """Feed a text byte by byte until a stop, then end the answer."""
    parts: list[Part] = []
    num_fed = 0
    for code in said.encode():
        parts += text.feed(code)
        num_fed += 1
        if text.is_stopped:
            break
    told = merged([*parts, *text.close()])
    assert sum(part.num_tokens for part in told) == num_fed, "each token is told once"
    return told


def test_plain_text_passes_and_control_tokens_do_not() -> None:
    """What no parser and no stop string concerns is shown at once."""
    text = answer()

    assert text.feed(ord("a")) == [Part("a", num_tokens=1)]
    assert text.feed(0) == []
    assert text.close() == [Part(num_tokens=1)]


def test_stop_string_ends_the_visible_text_alone() -> None:
    """A stop string in the reasoning stops nothing; in the text it cuts."""
    text = answer(("END",), thinking())

    assert read(text, "<think>no END yet</think>so END it") == [
        Part(reasoning="no END yet", num_tokens=25, is_reasoning=True),
        Part("so ", num_tokens=6),
    ]
    assert text.is_stopped
    assert text.num_reasoning == len("<think>no END yet</think>")


def test_text_held_for_a_stop_string_comes_before_a_call() -> None:
    """Order is kept: what was held back is shown before the call behind it."""
    text = answer(("EN!",), thinking(tools=True))

    assert read(text, f"EN{CALL}") == [
        Part("EN", num_tokens=2),
        Part(tool_call=ToolCall("call_1", "add", '{"a": 1}'), num_tokens=len(CALL)),
    ]
    assert text.num_calls == 1


def test_close_shows_what_was_held_back() -> None:
    """The beginning of a stop string that never came, and of a call that is none."""
    assert read(answer(("stop",)), "sto") == [Part("sto", num_tokens=3)]
    assert read(answer((), thinking(tools=True)), "a <tool_ca") == [
        Part("a <tool_ca", num_tokens=10)
    ]


def test_fork_begins_afresh() -> None:
    """Forks share no state."""
    first = answer(("b",))
    second = first.fork()
    first.feed(ord("b"))

    assert first.is_stopped
    assert not second.is_stopped
    assert read(second, "ac") == [Part("ac", num_tokens=2)]


def test_merged_joins_neighbours_of_one_kind() -> None:
    """Text joins text, reasoning joins reasoning, a call stays alone, order is kept."""
    call = Part(tool_call=ToolCall("1", "f", "{}"))
    parts = [
        Part("a", num_tokens=1),
        Part("b", num_tokens=2),
        Part(reasoning="c", is_reasoning=True),
        Part(num_tokens=3, is_reasoning=True),
        call,
        call,
        Part("e"),
    ]

    assert merged(parts) == [
        Part("ab", num_tokens=3),
        Part(reasoning="c", num_tokens=3, is_reasoning=True),
        call,
        call,
        Part("e"),
    ]
