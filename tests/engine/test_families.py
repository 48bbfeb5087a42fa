"""Tests of slipstream.engine.families."""

import pytest

from slipstream.engine.families import FAMILIES, GENERIC, find_family
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.harmony import HarmonyParser
from slipstream.engine.parsers.tagged import Reasoning
from slipstream.engine.settings import FAMILIES as SETTING

TOOLS = (Tool(name="f"),)
WITH_TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}{{ message.tool_calls }}"
THINKING = "{% if enable_thinking is defined %}<think></think>{% endif %}"
QWEN3 = WITH_TOOLS + "<tool_call>{{ arguments }}</tool_call>" + THINKING

# template, architecture, the row it is found to be
TEMPLATES = [
    ("{{ messages }}", "llama", "generic"),
    ("", "", "generic"),
    ("<|im_start|>{{ message.role }}", "qwen2", "generic"),
    (QWEN3, "qwen3", "hermes"),
    (WITH_TOOLS + "<tool_call><function={{ n }}><parameter={{ k }}>", "qwen3moe", "qwen-coder"),
    ("[gMASK]<sop>" + WITH_TOOLS + "<tool_call>{{ n }}<arg_key>", "glm4moe", "glm"),
    ("<｜tool▁calls▁begin｜>function\n```json\n{{ m.tool_calls }}", "deepseek2", "deepseek-r1"),
    ("<｜tool▁calls▁begin｜>{{ m.tool_calls }}</think>", "deepseek2", "deepseek-v3.1"),
    ("<|start_header_id|>" + WITH_TOOLS + '{"name": "f", "parameters": ', "llama", "llama3"),
    ("<|start_header_id|>{{ message.content }}", "llama", "generic"),
    (WITH_TOOLS + "[TOOL_CALLS][", "llama", "mistral"),
    (WITH_TOOLS + "[TOOL_CALLS]name[ARGS]", "mistral3", "mistral-v13"),
    (WITH_TOOLS + "<|start|><|channel|>analysis<|message|>", "gpt-oss", "harmony"),
    ("{{ messages }}", "gpt-oss", "harmony"),
    (WITH_TOOLS + "<|tool_call_of_nobody|>", "unheard", "generic"),
]
BEGINS = {"</think>": "<think>", "<|end|>": "<|channel|>analysis<|message|>"}


@pytest.mark.parametrize(("template", "architecture", "name"), TEMPLATES)
def test_find_family_knows_templates_by_their_signs(
    template: str, architecture: str, name: str
) -> None:
    """Unknown ones are generic."""
    assert find_family(template, architecture).name == name


def test_find_family_each_row_can_be_found() -> None:
    """No row hides behind another whose signs it has too."""
    assert {name for _, _, name in TEMPLATES} == {row.name for row in (*FAMILIES, GENERIC)}


def test_find_family_by_name_stands_over_the_signs() -> None:
    """Who serves a model may know better than its template says; the settings list all names."""
    assert find_family("<think>", "llama", "hermes").name == "hermes"
    assert find_family(QWEN3, "gpt-oss", "generic").name == "generic"
    assert find_family("<think>", "", "hermes").reasoning == Reasoning("<think>", "</think>")
    assert set(SETTING) == {row.name for row in (*FAMILIES, GENERIC)}


@pytest.mark.parametrize(
    ("template", "offers", "writes"),
    [
        (QWEN3, True, True),
        ("<｜tool▁calls▁begin｜>{{ m.tool_calls }}", False, True),
        (WITH_TOOLS, False, False),  # tools in a way that we do not know: ours instead
        ("{{ messages }}", False, False),
    ],
)
def test_find_family_sees_what_the_template_does_of_itself(
    template: str, offers: bool, writes: bool
) -> None:
    """A template may write calls and yet list no tools."""
    family = find_family(template)

    assert (family.offers_tools, family.writes_calls) == (offers, writes)


@pytest.mark.parametrize(
    ("template", "prompt", "is_open", "end"),
    [
        (QWEN3, "<|im_start|>assistant\n", False, "</think>"),
        (QWEN3, "<|im_start|>assistant\n<think>\n\n</think>\n\n", False, ""),
        ("…</think>", "<|assistant|>", False, ""),
        ("…</think><think>", "<|assistant|><think>\n", True, "</think>"),
        ("[THINK][/THINK]", "[/INST][THINK]", True, "[/THINK]"),
        ("{{ messages }}", "<think>", False, ""),
        ("<|channel|><|message|>", "<|start|>assistant", False, "<|end|>"),
    ],
)
def test_reasoning_end_tells_where_the_answer_begins(
    template: str, prompt: str, is_open: bool, end: str
) -> None:
    """By the end of the prompt, and by whether the model thinks unless it is told not to."""
    family = find_family(template)

    assert family.is_reasoning_open(prompt) is is_open
    assert family.reasoning_end(prompt) == end
    assert family.reasoning_begin(prompt) == ("" if is_open or not end else BEGINS[end])


@pytest.mark.parametrize(
    ("template", "switches", "given"),
    [
        (QWEN3, {"reasoning_effort": "none"}, {"enable_thinking": False}),
        (QWEN3, {"reasoning_effort": "low"}, {"enable_thinking": True}),
        ("{% if thinking is defined %}", {"enable_thinking": True}, {"thinking": True}),
        ("{% if thinking is defined %}", {"thinking": False}, {"thinking": False}),
        ("<|channel|><|message|>", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ("<|channel|><|message|>", {"reasoning_effort": "none"}, {}),
        ("{{ messages }}", {"reasoning_effort": "low"}, {}),
    ],
)
def test_template_switches_are_named_as_the_template_does(
    template: str, switches: dict[str, object], given: dict[str, object]
) -> None:
    """One pair of names for every model."""
    named = find_family(template).template_switches(switches)

    assert {key: value for key, value in named.items() if key in given} == given
    assert ("reasoning_effort" in named) == ("reasoning_effort" in given)


def test_parser_of_a_plain_request_is_none() -> None:
    """Without reasoning and tools nothing stands between tokens and text."""
    assert GENERIC.parser() is None
    assert find_family(QWEN3).parser(parses_reasoning=False) is None
    assert find_family(QWEN3).parser() is not None
    assert GENERIC.parser(TOOLS) is not None
    assert isinstance(find_family("", "gpt-oss").parser(parses_reasoning=False), HarmonyParser)


def test_shown_ids_are_the_control_tokens_that_mean_something() -> None:
    """The others stay hidden."""
    ids = {"<think>": 1, "</tool_call>": 2, "<|im_end|>": 3}

    assert find_family(QWEN3).shown_ids(ids) == {1, 2}
    assert GENERIC.shown_ids(ids) == {2}
