"""Tests of slipstream.wire.talk.custom_tools."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.custom_tools import as_arguments, as_function, as_input, custom_names
from slipstream.wire.talk.means import Tool

GRAMMAR = '{"type":"grammar","grammar":{"syntax":"lark","definition":"start: /a/"}}'


def test_as_function_takes_one_text_and_tells_the_grammar() -> None:
    """What cannot be enforced is at least said; a function stays what it is."""
    function = Tool(name="f", schema="{}")
    assert as_function(function) is function
    told = as_function(Tool(name="c", description="d", custom_format=GRAMMAR))
    assert told.description == f"d\n\nThe input must follow this grammar: {GRAMMAR}"
    assert told.custom_format is None
    assert msgspec.json.decode(told.schema or "")["required"] == ["input"]
    assert as_function(Tool(name="c", custom_format="")).description is None


def test_custom_names_are_those_of_text_tools() -> None:
    """An empty format is any text; None is a function."""
    tools = (Tool(name="f"), Tool(name="c", custom_format=""))
    asked = Asked(dialect="openai_chat", model="m", turns=(), tools=tools)
    assert custom_names(asked) == {"c"}


@given(st.text())
def test_as_arguments_and_as_input_are_inverse(text: str) -> None:
    """Any text comes back as it was."""
    assert as_input(as_arguments(text)) == text


def test_as_input_of_something_else_is_itself() -> None:
    """A model that does not keep to the schema is heard all the same."""
    for arguments in ("", "plain", "[1]", '{"input":5}', '{"other":"a"}'):
        assert as_input(arguments) == arguments
