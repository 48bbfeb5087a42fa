"""Tests of slipstream.wire.messages.reading_tools."""

from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import HostedTool, Tool, ToolChoice
from tests.wire.messages.requests import read, write

TOOL = {"name": "f", "input_schema": {"type": "object"}}


def test_read_tool_and_write_it_again() -> None:
    """A function, what it says beside the usual, and a tool that Anthropic knows by itself."""
    tools = [
        {**TOOL, "description": "d", "strict": True, "cache_control": {"type": "ephemeral"}},
        {**TOOL, "name": "g", "input_examples": [{"a": 1}], "defer_loading": True},
        {"type": "web_search_20260209", "name": "web_search", "max_uses": 3},
    ]
    asked = read(tools=[tools[0] | {"type": "custom"}, *tools[1:]])
    assert asked.tools == (
        Tool(
            name="f",
            description="d",
            schema='{"type":"object"}',
            strict=True,
            cache=CacheMark(),
        ),
        Tool(name="g", schema='{"type":"object"}'),
    )
    raw = '{"type":"web_search_20260209","name":"web_search","max_uses":3}'
    assert asked.hosted_tools == (HostedTool("web_search_20260209", raw, "anthropic_messages"),)
    assert set(asked.extras) == {"tools.input_examples", "tools.defer_loading"}
    body, changes = write(asked)
    assert (body["tools"], changes) == (tools, ())


@pytest.mark.parametrize(
    ("said", "choice", "is_parallel"),
    [
        (None, None, None),
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice("auto"), True),
        ({"type": "tool", "name": "f"}, ToolChoice("named", ("f",)), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_read_choice_and_write_it_again(
    said: Any, choice: ToolChoice | None, is_parallel: bool | None
) -> None:
    """Each has one of ours, and both directions agree."""
    asked = read(tools=[TOOL], tool_choice=said)
    assert (asked.tool_choice, asked.is_parallel) == (choice, is_parallel)
    body, changes = write(asked)
    assert (body.get("tool_choice"), changes) == (said, ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{**TOOL, "input_schema": []}]}, "tools[0].input_schema"),
        ({"tools": [{**TOOL, "name": ""}]}, "tools[0].name"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [3]}, "tools[0]"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ],
)
def test_read_wrong_tool_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """The error names the tool and the field in it."""
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param
