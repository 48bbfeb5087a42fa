"""Tests of slipstream.engine.parsers.tagged, on answers as each family writes them."""

from dataclasses import replace

import pytest

from slipstream.engine.families import FAMILIES, GENERIC, Family
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.pieces import Piece
from slipstream.engine.parsers.tagged import Reasoning, TaggedParser
from tests.engine.parsers.splitting import merged, parse, splits

THINK = Reasoning("<think>", "</think>")
WEATHER = Tool(
    name="weather",
    parameters='{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}',
)
TOOLS = (WEATHER, Tool(name="time"))
ROWS = {row.name: row for row in (*FAMILIES, GENERIC)}


def text(said: str) -> Piece:
    """Return visible text."""
    return Piece("text", said)


def thought(said: str) -> Piece:
    """Return reasoning."""
    return Piece("reasoning", said)


def call(name: str, arguments: str) -> Piece:
    """Return a call."""
    return Piece("tool", arguments, name)


PARIS = '{"city": "Paris"}'
HERMES = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
DEEPSEEK_31 = (
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Paris"}'
    "<｜tool▁call▁end｜><｜tool▁call▁begin｜>time<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
    "<｜tool▁calls▁end｜>"
)
DEEPSEEK_R1 = (
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
    '{"city": "Paris"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n'
    "```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
)
GLM = (
    "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>75001</arg_value>\n"
    "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>"
)
CODER = (
    "<tool_call>\n<function=weather>\n<parameter=city>\n75001\n</parameter>\n"
    "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
)
TYPED = '{"city":"75001","days":3}'

# family, answer, pieces
ANSWERS = [
    ("hermes", "Just text.", [text("Just text.")]),
    ("hermes", HERMES, [call("weather", PARIS)]),
    ("generic", HERMES, [call("weather", PARIS)]),
    ("hermes", f"I look.\n\n{HERMES}", [text("I look."), call("weather", PARIS)]),
    ("hermes", f"{HERMES}\n{HERMES}", [call("weather", PARIS)] * 2),
    ("hermes", f"{HERMES}\nDone.", [call("weather", PARIS), text("Done.")]),
    (
        "hermes",
        f"<think>\nWhere?\n\nParis.\n</think>\n\n{HERMES}",
        [thought("Where?\n\nParis."), call("weather", PARIS)],
    ),
    ("hermes", "<think>\n\n</think>\n\nYes.", [text("Yes.")]),
    ("hermes", "  <think>a</think>b", [thought("a"), text("b")]),
    ("hermes", "Say <think> aloud.", [text("Say <think> aloud.")]),
    ("hermes", "<think>cut sho", [thought("cut sho")]),
    ("hermes", "A stray </think> stays.", [text("A stray </think> stays.")]),
    (
        "hermes",
        '<tool_call>{"name": "time", "arguments": {"a": "</tool_call>"}}</tool_call>',
        [call("time", '{"a": "</tool_call>"}')],
    ),
    (
        "hermes",
        '<tool_call>{"name": "time", "parameters": null}</tool_call>',
        [call("time", "{}")],
    ),
    ("hermes", HERMES.removesuffix("</tool_call>"), [call("weather", PARIS)]),
    ("hermes", "<tool_call>oops</tool_call> b", [text("<tool_call>oops</tool_call> b")]),
    (
        "hermes",
        '<tool_call>{"name": 1}</tool_call>b',
        [text('<tool_call>{"name": 1}</tool_call>b')],
    ),
    ("hermes", '<tool_call>\n{"name": "ti', [text('<tool_call>\n{"name": "ti')]),
    ("hermes", "The tag <tool_call> is", [text("The tag <tool_call> is")]),
    (
        "hermes",
        f'<tool_call>{{"a" {HERMES}',
        [text('<tool_call>{"a" '), call("weather", PARIS)],
    ),
    ("deepseek-v3.1", DEEPSEEK_31, [call("weather", PARIS), call("time", "{}")]),
    ("deepseek-v3.1", "</think", [text("</think")]),
    ("deepseek-r1", DEEPSEEK_R1, [call("weather", PARIS), call("time", "{}")]),
    (
        "deepseek-r1",
        DEEPSEEK_R1.replace("Paris", "Par<｜tool▁calls▁end｜>is"),
        [call("weather", '{"city": "Par<｜tool▁calls▁end｜>is"}'), call("time", "{}")],
    ),
    (
        "deepseek-r1",
        DEEPSEEK_R1.replace('"}', '"'),
        [text(DEEPSEEK_R1.replace('"}', '"'))],
    ),
    ("glm", f"\n<think>Hm.</think>\n{GLM}", [thought("Hm."), call("weather", TYPED)]),
    ("glm", f"{GLM}\n<tool_call>time\n</tool_call>", [call("weather", TYPED), call("time", "{}")]),
    ("glm", f"<tool_call>weather\n{PARIS}\n</tool_call>", [call("weather", PARIS)]),
    (
        "glm",
        "<tool_call>time\n<arg_key>a</arg_key><arg_value></tool_call></arg_value></tool_call>",
        [call("time", '{"a":"</tool_call>"}')],
    ),
    ("glm", GLM.removesuffix("\n</tool_call>"), [text(GLM.removesuffix("\n</tool_call>"))]),
    ("glm", "<tool_call>a b</tool_call>", [text("<tool_call>a b</tool_call>")]),
    ("qwen-coder", f"Go.\n{CODER}", [text("Go."), call("weather", TYPED)]),
    (
        "qwen-coder",
        "<tool_call>\n<function=time>\n<parameter=a>\nTrue\n</parameter>\n<parameter=b>\n"
        'x\n y\n</parameter>\n<parameter=c>\n{"d": [1.50]}\n</parameter>\n'
        "</function>\n</tool_call>",
        [call("time", '{"a":true,"b":"x\\n y","c":{"d": [1.50]}}')],
    ),
    (
        "qwen-coder",
        f"<tool_call>\n<function=weather>\n{PARIS}\n</function>\n</tool_call>",
        [call("weather", PARIS)],
    ),
    ("qwen-coder", "<tool_call>\n<function", [text("<tool_call>\n<function")]),
    (
        "mistral",
        f'[TOOL_CALLS][{{"name": "weather", "arguments": {PARIS}}}]',
        [call("weather", PARIS)],
    ),
    (
        "mistral",
        f'Well. [TOOL_CALLS] [{{"name": "weather", "arguments": {PARIS}, "id": "abc"}}, '
        '{"name": "time", "arguments": {}}]',
        [text("Well."), call("weather", PARIS), call("time", "{}")],
    ),
    ("mistral", "[TOOL_CALLS] none", [text("[TOOL_CALLS] none")]),
    (
        "mistral-v13",
        f"[TOOL_CALLS]weather[ARGS]{PARIS}[TOOL_CALLS]time[CALL_ID]x1[ARGS]{{}}",
        [call("weather", PARIS), call("time", "{}")],
    ),
    ("mistral-v13", "[TOOL_CALLS]weather[ARGS]{", [text("[TOOL_CALLS]weather[ARGS]{")]),
    ("llama3", f'{{"name": "weather", "parameters": {PARIS}}}', [call("weather", PARIS)]),
    (
        "llama3",
        f'\n{{"name": "weather", "parameters": {PARIS}}}; {{"name": "time", "parameters": {{}}}}',
        [call("weather", PARIS), call("time", "{}")],
    ),
    (
        "llama3",
        f'<|python_tag|>{{"type": "function", "name": "weather", "parameters": {PARIS}}}',
        [call("weather", PARIS)],
    ),
    ("llama3", "<|python_tag|>print(1)", [text("<|python_tag|>print(1)")]),
    ("llama3", '{"nam": 1}', [text('{"nam": 1}')]),
    ("llama3", '{"name": "x"} is JSON.', [text('{"name": "x"} is JSON.')]),
    (
        "llama3",
        'See {"name": "f", "parameters": {}}',
        [text('See {"name": "f", "parameters": {}}')],
    ),
]


def reasoning_row(name: str) -> Family:
    """Return a family whose model thinks between tags."""
    return replace(ROWS[name], reasoning=THINK)


@pytest.mark.parametrize(("family", "answer", "pieces"), ANSWERS)
def test_parse_answer_gives_the_same_pieces_at_every_split(
    family: str, answer: str, pieces: list[Piece]
) -> None:
    """Text, reasoning and whole calls, wherever tokens cut the answer."""
    for parts in splits(answer):
        parser = reasoning_row(family).parser(TOOLS)
        assert parser is not None
        assert merged(parse(parser, parts)) == pieces


@pytest.mark.parametrize(
    ("answer", "pieces"),
    [
        ("Hm.\n</think>\n\nYes.", [thought("Hm."), text("Yes.")]),
        ("\nHm.</think>Yes.", [thought("Hm."), text("Yes.")]),
        ("never </thin ended", [thought("never </thin ended")]),
        (f"Hm.</think>{HERMES}", [thought("Hm."), call("weather", PARIS)]),
        ("</think>\n\nYes.", [text("Yes.")]),
    ],
)
def test_parse_behind_a_prompt_that_opens_the_tag_begins_with_reasoning(
    answer: str, pieces: list[Piece]
) -> None:
    """Some templates write the first marker themselves."""
    for parts in splits(answer):
        parser = reasoning_row("hermes").parser(TOOLS, prompt="<|im_start|>assistant\n<think>\n")
        assert parser is not None
        assert merged(parse(parser, parts)) == pieces


def test_feed_text_is_shown_as_soon_as_it_can_be() -> None:
    """Only what may become a marker, and white space in front of it, waits."""
    parser = TaggedParser(THINK, ROWS["hermes"].call_form, TOOLS)

    shown = [
        [piece.text for piece in parser.feed(part)]
        for part in ("<th", "em> and", " <", "b", " \n<tool_", "call> no")
    ]
    assert shown == [[], ["<them> and"], [], [" <b"], [], [" \n<tool_call>", " no"]]
    assert parser.flush() == []


def test_feed_call_comes_when_its_end_is_there() -> None:
    """A call is told once, whole, before the answer is over."""
    parser = TaggedParser(None, ROWS["hermes"].call_form, TOOLS)
    told = [parser.feed(letter) for letter in HERMES]

    assert [bool(pieces) for pieces in told] == [False] * (len(HERMES) - 1) + [True]
