"""Tests of the rules in which calls of functions are written."""

import pytest

from slipstream.engine.grammar_spec import ToolFormat
from slipstream.engine.tool_grammar import (
    Signature,
    call_rules,
    heard_part,
    listening_rule,
    literal,
    reasoning_rule,
)
from tests.engine.grammar_drive import DEEPSEEK, HERMES, LLAMA, MISTRAL, NAMED

CONTROLS = {"<call>": 7, "<call>x": 8, "": 9}
SIGNATURES = (Signature("f", {"type": "object"}), Signature('g"', {"const": 1}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n<b>", '"a\\n<b>"'),
        ("<call>", "<[7]>"),
        ('say "<call>x<call>!', '"say \\"" <[8]> <[7]> "!"'),
        ("", ""),
    ],
)
def test_literal_writes_control_tokens_as_tokens(text: str, expected: str) -> None:
    """Names of control tokens stand for them, the longest first; the rest is quoted."""
    assert literal(text, CONTROLS) == expected


@pytest.mark.parametrize(
    ("form", "heard"),
    [
        (HERMES, "<tool_call>"),
        (LLAMA, '{"name"'),
        (NAMED, "<function="),
        (ToolFormat(begin="<call>\nf"), "<call>"),
        (ToolFormat(begin="say <call>"), "say "),
    ],
)
def test_heard_part_is_text_or_one_control_token(form: ToolFormat, heard: str) -> None:
    """What is listened for is never partly a control token."""
    assert heard_part(form.told_by, CONTROLS) == heard


def test_call_rules_offer_every_function_with_its_arguments() -> None:
    """Names are quoted as JSON quotes them, and what was heard is not written twice."""
    rules = call_rules(SIGNATURES, HERMES, {}, is_parallel=True, heard="<tool_call>")
    assert rules.splitlines() == [
        'calls: first ("\\n" call)* ',
        'first: "\\n{\\"name\\": \\"f\\", \\"arguments\\": " arguments_0 "}\\n</tool_call>" | '
        '"\\n{\\"name\\": \\"g\\\\\\"\\", \\"arguments\\": " arguments_1 "}\\n</tool_call>"',
        'call: "<tool_call>\\n{\\"name\\": \\"f\\", \\"arguments\\": " arguments_0 '
        '"}\\n</tool_call>" | "<tool_call>\\n{\\"name\\": \\"g\\\\\\"\\", \\"arguments\\": " '
        'arguments_1 "}\\n</tool_call>"',
        'arguments_0: %json {"type":"object"}',
        'arguments_1: %json {"const":1}',
    ]


@pytest.mark.parametrize("form", [HERMES, MISTRAL, DEEPSEEK])
def test_call_rules_for_a_single_call_repeat_none(form: ToolFormat) -> None:
    """Without parallel calls there is no separator."""
    assert ")*" in call_rules(SIGNATURES, form, {}, is_parallel=True)
    assert ")*" not in call_rules(SIGNATURES, form, {}, is_parallel=False)


def test_call_rules_of_a_family_with_single_calls_repeat_none() -> None:
    """Where a family has no separator, an answer has one call whatever is asked."""
    assert ")*" not in call_rules(SIGNATURES, NAMED, {}, is_parallel=True)


@pytest.mark.parametrize(
    ("heard", "is_anchored", "start"),
    [
        ("<call>", False, "start: <[7]> calls"),
        ("a{", False, "start: head calls | FREE"),
        ("a{", True, 'start: "a{" calls | FREE'),
    ],
)
def test_listening_rule_lets_other_text_pass(heard: str, is_anchored: bool, start: str) -> None:
    """Behind a trigger in letters the answer may still become plain text; not behind a token."""
    rule = listening_rule(heard, CONTROLS, is_anchored=is_anchored)
    assert rule.splitlines()[0] == start


@pytest.mark.parametrize(("end", "expected"), [("<call>", "THOUGHT <[7]>"), ("</t>", "thought")])
def test_reasoning_rule_ends_at_its_marker(end: str, expected: str) -> None:
    """Reasoning reaches up to the marker, be it a control token or text."""
    assert reasoning_rule("<t>", end, CONTROLS).splitlines()[0] == f'reasoning: "<t>" {expected}'
