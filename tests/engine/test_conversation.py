"""Tests of slipstream.engine.conversation."""

from dataclasses import replace
from typing import Any

import pytest

from slipstream.engine.conversation import (
    add_to_system,
    calls_text,
    guarded,
    template_messages,
    template_tools,
)
from slipstream.engine.families import FAMILIES, GENERIC, Family
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.pieces import Piece
from slipstream.engine.parsers.tagged import Reasoning
from slipstream.engine.protocol import ChatMessage, ToolCall
from slipstream.engine.template import Guard
from slipstream.errors import BadRequest
from tests.engine.parsers.splitting import merged, parse

THINK = Reasoning("<think>", "</think>")
ROWS = {row.name: row for row in (*FAMILIES, GENERIC)}
TOOLS = (Tool(name="f"), Tool(name="g"))
BAD = "<|end|>"
CALL = ToolCall("call_1", "f", '{"a": 1}')


def hide(text: str) -> str:
    """Guard one control token."""
    return Guard((BAD,)).hide(text)


def shape(message: ChatMessage, family: Family) -> dict[str, Any]:
    """Return the one message that comes of one."""
    (shaped,) = template_messages([message], family, hide)
    return shaped


def test_guarded_reaches_every_nested_string() -> None:
    """Values, keys of objects, and what lies in lists; nothing else changes."""
    value = {BAD: [BAD, {"a": (BAD, 1, None, True, 1.5)}]}
    mark = hide(BAD)

    assert mark != BAD
    assert guarded(value, hide) == {mark: [mark, {"a": [mark, 1, None, True, 1.5]}]}


def test_template_messages_and_tools_leave_no_control_token() -> None:
    """Whatever field a user writes one into, escaped as JSON or not, it is a mark."""
    said = ChatMessage(
        "assistant",
        BAD,
        name=BAD,
        reasoning=BAD,
        tool_calls=(ToolCall(BAD, BAD, f'{{"{BAD}": ["{BAD}", "\\u003c|end|>"]}}'),),
    )
    result = ChatMessage("tool", BAD, tool_call_id=BAD)
    tool = Tool(name=BAD, description=BAD, parameters=f'{{"{BAD}": ["\\u003c|end|>"]}}')

    for family in ROWS.values():
        shaped = template_messages([said, result], family, hide)
        assert BAD not in str([shaped, template_tools([tool], hide)])


@pytest.mark.parametrize("name", ["hermes", "glm", "mistral", "llama3", "harmony", "qwen-coder"])
def test_template_messages_arguments_are_objects(name: str) -> None:
    """Most templates write the arguments themselves."""
    shaped = shape(ChatMessage("assistant", "", tool_calls=(CALL,)), ROWS[name])

    assert shaped["tool_calls"][0]["function"] == {"name": "f", "arguments": {"a": 1}}
    assert shaped["content"] == ""


def test_template_messages_deepseek_arguments_are_text() -> None:
    """Its templates join them to other text, and write a message with text twice."""
    shaped = shape(ChatMessage("assistant", "", tool_calls=(CALL,)), ROWS["deepseek-r1"])

    assert shaped["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert shaped["content"] is None


@pytest.mark.parametrize("arguments", ["[1]", "oops", '"a"', "{"])
def test_template_messages_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    """The error names the call."""
    said = ChatMessage("assistant", "", tool_calls=(CALL, ToolCall("b", "f", arguments)))
    with pytest.raises(BadRequest) as caught:
        template_messages([ChatMessage("user", "Hi"), said], ROWS["hermes"], hide)

    assert caught.value.param == "messages[1].tool_calls[1].function.arguments"


def test_template_messages_empty_arguments_are_an_empty_object() -> None:
    """Models, and so clients, write nothing for a function without arguments."""
    shaped = shape(
        ChatMessage("assistant", "", tool_calls=(ToolCall("a", "f", ""),)), ROWS["hermes"]
    )

    assert shaped["tool_calls"][0]["function"]["arguments"] == {}


def test_template_messages_results_name_their_call() -> None:
    """Templates want the id, or the function's name, which a client need not send."""
    said = ChatMessage("assistant", "", tool_calls=(CALL,))
    result = ChatMessage("tool", "12", tool_call_id="call_1")
    shaped = template_messages([said, result], ROWS["hermes"], hide)[1]

    assert shaped == {"role": "tool", "content": "12", "tool_call_id": "call_1", "name": "f"}


def test_template_messages_mistral_ids_have_nine_letters_on_both_sides() -> None:
    """Its template refuses others; call and result still agree, and two ids never meet."""
    said = ChatMessage("assistant", "", tool_calls=(CALL, replace_id(CALL, "call_2")))
    results = [ChatMessage("tool", "x", tool_call_id=f"call_{n}") for n in (1, 2)]
    shaped = template_messages([said, *results], ROWS["mistral"], hide)
    ids = [call["id"] for call in shaped[0]["tool_calls"]]

    assert all(len(each) == 9 and each.isalnum() for each in ids)
    assert ids[0] != ids[1]
    assert [each["tool_call_id"] for each in shaped[1:]] == ids
    nine = shape(ChatMessage("tool", "x", tool_call_id="abcDEF123"), ROWS["mistral"])
    assert nine["tool_call_id"] == "abcDEF123"


def replace_id(call: ToolCall, call_id: str) -> ToolCall:
    """Return the same call under another id."""
    return ToolCall(call_id, call.name, call.arguments)


def test_template_messages_reasoning_goes_where_the_template_looks() -> None:
    """Under its own key, taken from the field or from tags in the text."""
    thinking = replace(ROWS["hermes"], reasoning=THINK)
    field = shape(ChatMessage("assistant", "Yes.", reasoning="Hm."), thinking)
    tags = shape(ChatMessage("assistant", "<think>\nHm.\n</think>\n\nYes."), thinking)
    harmony = shape(ChatMessage("assistant", "Yes.", reasoning="Hm."), ROWS["harmony"])

    assert field == tags
    assert field == {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}
    assert harmony["thinking"] == "Hm."


def test_template_messages_tags_in_other_text_stay() -> None:
    """Only an assistant's text that begins with reasoning is parted."""
    thinking = replace(ROWS["hermes"], reasoning=THINK)
    for role, said in (("user", "<think>a</think>b"), ("assistant", "b <think>a</think>")):
        assert shape(ChatMessage(role, said), thinking) == {"role": role, "content": said}


def test_template_messages_harmony_call_has_content_or_reasoning() -> None:
    """Its template refuses both."""
    both = ChatMessage("assistant", "Look.", reasoning="Hm.", tool_calls=(CALL,))

    assert "thinking" not in shape(both, ROWS["harmony"])


def test_template_messages_generic_writes_calls_and_results_as_text() -> None:
    """A template without tools sees only text, and turns that alternate."""
    said = ChatMessage("assistant", "I look.", tool_calls=(CALL, ToolCall("b", "g", "")))
    results = [ChatMessage("tool", text, tool_call_id=text) for text in ("12", "13")]
    shaped = template_messages([ChatMessage("user", "Hi"), said, *results], GENERIC, hide)

    assert [each["role"] for each in shaped] == ["user", "assistant", "user"]
    assert shaped[1]["content"] == (
        'I look.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>'
    )
    assert shaped[2]["content"] == (
        "<tool_response>\n12\n</tool_response>\n<tool_response>\n13\n</tool_response>"
    )
    assert "tool_calls" not in shaped[1]


@pytest.mark.parametrize("family", ROWS.values(), ids=lambda row: row.name)
def test_calls_text_is_read_back_by_the_familys_parser(family: Family) -> None:
    """What a grammar forces, and what stands in a prompt, is what the parser reads."""
    calls = [CALL, ToolCall("b", "g", '{"x": "\\"} é", "y": [1.50, null]}')]
    calls = calls if family.tool_format.separator is not None else calls[:1]
    parser = family.parser(TOOLS)
    assert parser is not None

    assert merged(parse(parser, list(calls_text(calls, family.tool_format)))) == [
        Piece("tool", call.arguments, call.name) for call in calls
    ]


def test_add_to_system_finds_its_place() -> None:
    """Behind the system message, in a new one, or with the first message."""
    system, user = {"role": "system", "content": "a"}, {"role": "user", "content": "b"}

    assert add_to_system([system, user], "x", takes_system=True)[0]["content"] == "a\n\nx"
    assert add_to_system([user], "x", takes_system=True) == [{**system, "content": "x"}, user]
    assert add_to_system([user], "x", takes_system=False) == [{**user, "content": "x\n\nb"}]
    assert add_to_system([], "x", takes_system=False) == [{**system, "content": "x"}]
