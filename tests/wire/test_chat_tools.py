"""Tests of slipstream.wire.chat_tools."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.chat_request import parse_chat_request
from slipstream.wire.chat_tools import ChatTool, ChatTools

NO_PARAMETERS = '{"type":"object","properties":{}}'
F, G = ChatTool("f", "", NO_PARAMETERS, False), ChatTool("g", "", NO_PARAMETERS, False)


def tool(name: str, **more: Any) -> dict[str, Any]:
    """Return a tool as a request has it."""
    return {"type": "function", "function": {"name": name} | more}


def named(name: str) -> dict[str, Any]:
    """Return what names a tool."""
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *names: str) -> dict[str, Any]:
    """Return a choice of some tools."""
    tools = [named(name) for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def tools_of(tools: Any, **fields: Any) -> ChatTools | None:
    """Read the tools of a request."""
    body = {"messages": [{"role": "user", "content": "x"}], "tools": tools} | fields
    return parse_chat_request(msgspec.json.encode(body)).tools


def refuse(tools: Any, **fields: Any) -> BadRequest:
    """Return the error that these tools cause."""
    with pytest.raises(BadRequest) as caught:
        tools_of(tools, **fields)
    return caught.value


def test_read_tool_says_all_of_it() -> None:
    """The schema stays the client's text, in its order."""
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}
    read = tools_of([tool("get-it_1", description="Gets é", parameters=schema, strict=True)])

    assert read == ChatTools(
        tools=(ChatTool("get-it_1", "Gets é", msgspec.json.encode(schema).decode(), True),),
        choice="auto",
        name=None,
        is_parallel=True,
    )


@pytest.mark.parametrize("parameters", [None, {}])
def test_read_tool_without_parameters_takes_none(parameters: Any) -> None:
    """Left out means no arguments; an empty schema means any."""
    read = tools_of([tool("f", parameters=parameters)])

    assert read is not None
    assert read.tools[0].parameters == ("{}" if parameters == {} else NO_PARAMETERS)


@pytest.mark.parametrize(
    ("choice", "tools", "mode", "name"),
    [
        (None, (F, G), "auto", None),
        ("auto", (F, G), "auto", None),
        ("none", (F, G), "none", None),
        ("required", (F, G), "required", None),
        (named("g"), (F, G), "named", "g"),
        (allowed("auto", "g"), (G,), "auto", None),
        (allowed("required", "g", "f"), (F, G), "required", None),
    ],
)
def test_read_choice_in_all_its_forms(
    choice: Any, tools: tuple[ChatTool, ...], mode: str, name: str | None
) -> None:
    """A word, one function, or some of them."""
    read = tools_of([tool("f"), tool("g")], tool_choice=choice)

    assert read is not None
    assert (read.tools, read.choice, read.name) == (tools, mode, name)


@pytest.mark.parametrize("tools", [None, []])
def test_read_no_tools_leave_nothing_to_choose(tools: Any) -> None:
    """Without tools only a choice of none of them makes sense."""
    assert tools_of(tools, tool_choice="auto") is None
    for choice in ("required", named("f"), "sometimes"):
        assert refuse(tools, tool_choice=choice).param == "tool_choice"


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([{"type": "custom", "custom": {"name": "f"}}], "tools[0].type"),
        ([{"type": "function"}], "tools[0].function"),
        ([{}], "tools[0].type"),
        ([tool("f"), "g"], "tools[1]"),
        ([{"type": "function", "function": {}}], "tools[0].function.name"),
        ([tool("")], "tools[0].function.name"),
        ([tool("a b")], "tools[0].function.name"),
        ([tool("x" * 65)], "tools[0].function.name"),
        ([tool("f"), tool("f")], "tools[1].function.name"),
        ([tool("f", parameters=[])], "tools[0].function.parameters"),
        ([tool("f", strict="yes")], "tools[0].function.strict"),
        ([tool(f"f{number}") for number in range(129)], "tools"),
    ],
)
def test_read_wrong_tool_names_its_place(tools: Any, param: str) -> None:
    """The path leads to what is wrong."""
    error = refuse(tools)

    assert error.param == param
    assert f"'{param}'" in error.message


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ("sometimes", "tool_choice"),
        (5, "tool_choice"),
        ({"type": "function"}, "tool_choice.function"),
        (named("h"), "tool_choice.function.name"),
        ({"type": "custom", "custom": {"name": "f"}}, "tool_choice.type"),
        ({"type": "web"}, "tool_choice.type"),
        ({"type": "allowed_tools"}, "tool_choice.allowed_tools"),
        (allowed("none", "f"), "tool_choice.allowed_tools.mode"),
        (allowed("auto"), "tool_choice.allowed_tools.tools"),
        (allowed("auto", "f", "h"), "tool_choice.allowed_tools.tools[1].function.name"),
    ],
)
def test_read_wrong_choice_names_its_place(choice: Any, param: str) -> None:
    """A choice can only be of what is offered."""
    error = refuse([tool("f")], tool_choice=choice)

    assert error.param == param
    assert f"'{param}'" in error.message
