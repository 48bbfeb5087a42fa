"""Tests of slipstream.engine.parsers.calls; test_tagged.py reads whole answers with them."""

import pytest

from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.calls import (
    is_in_string,
    is_in_value,
    read_glm,
    read_json_calls,
    read_object,
)
from slipstream.engine.parsers.pieces import Piece


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "text",
        '{"name": "f", "arguments": []}',
        '{"name": "f", "arguments": "no object"}',
        '{"name": "", "arguments": {}}',
        '{"arguments": {}}',
        '{"name": "f"} and text',
        '[{"name": "f"}, 1]',
        '{"name": "f"} {"name": "g"',
        '{"name": "f"} "',
    ],
)
def test_read_json_calls_of_what_is_no_call_is_none(text: str) -> None:
    """Such a text is shown as it is."""
    assert read_json_calls(text) is None


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"name": "f", "arguments": {"a": 1.50, "b": 1e400}}', '{"a": 1.50, "b": 1e400}'),
        ('{"name": "f", "arguments": "{\\"a\\": 1}"}', '{"a": 1}'),
        ('{"type": "function", "function": "f", "parameters": {"a": 1}}', '{"a": 1}'),
        ('{"type": "function", "function": {"name": "f", "arguments": {}}}', "{}"),
        ('{"name": "f", "arguments": {"a": "};{"}}', '{"a": "};{"}'),
        ('{"name": "f"}', "{}"),
    ],
)
def test_read_json_calls_keeps_the_arguments_as_written(text: str, arguments: str) -> None:
    """Numbers keep their digits and objects their white space."""
    assert read_json_calls(text) == [Piece("tool", arguments, "f")]


def test_read_object_nested_without_end_is_none() -> None:
    """A model that writes brackets for ever stops no one else."""
    assert read_object('{"a": ' + "[" * 100_000) is None
    assert read_object('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}") is None


@pytest.mark.parametrize(
    ("text", "is_open"),
    [('{"a": "b', True), ('{"a": "b"', False), (r'{"a": "b\"', True), (r'{"a": "b\\"', False)],
)
def test_is_in_string_knows_escapes(text: str, is_open: bool) -> None:
    """A tag inside a string is no tag."""
    assert is_in_string(text) is is_open


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("<tool_call>f<arg_value>x", True),
        ("<tool_call>f<arg_value>x</arg_value>", False),
        ("<tool_call><function=f><parameter=a>x", True),
        ('<tool_call>f\n{"a": "b', True),
        ("<tool_call>f", False),
    ],
)
def test_is_in_value_knows_tags_and_json(text: str, is_open: bool) -> None:
    """A tag inside a value is no tag."""
    assert is_in_value(text) is is_open


@pytest.mark.parametrize(
    ("schema", "argument"),
    [
        ('{"type": "string"}', '"12"'),
        ('{"enum": ["12", "13"]}', '"12"'),
        ('{"type": "integer"}', "12"),
        ("true", "12"),
        ('{"enum": [12, "a"]}', "12"),
    ],
)
def test_read_glm_value_without_quotes_is_what_the_schema_says(schema: str, argument: str) -> None:
    """Only the schema tells the text 12 from the number."""
    tool = Tool(name="f", parameters=f'{{"type": "object", "properties": {{"a": {schema}}}}}')
    raw = "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>12</arg_value>\n</tool_call>"

    assert read_glm(raw, (tool,)) == [Piece("tool", f'{{"a":{argument}}}', "f")]
