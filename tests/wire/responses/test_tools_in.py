"""Tools and the choice among them, in the words of Responses."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.responses.names import ToolOrigin
from slipstream.wire.responses.tools_in import Offered, read_choice, read_tools
from slipstream.wire.talk.means import HostedTool, Tool, ToolChoice

F: dict[str, Any] = {"type": "function", "name": "f", "description": "d", "parameters": {"a": 1}}
P = {"type": "custom", "name": "p"}
N = {"type": "namespace", "name": "n", "description": "N.", "tools": [F, P]}


def _read(*tools: Any) -> Offered:
    return read_tools(
        [(f"tools[{at}]", msgspec.Raw(json.dumps(tool).encode())) for at, tool in enumerate(tools)]
    )


def _choose(choice: Any, *tools: Any) -> ToolChoice | None:
    return read_choice(msgspec.Raw(json.dumps(choice).encode()), _read(*tools))


def test_read_tools_of_every_kind() -> None:
    """A namespace is told once, with its first tool; hosted tools are kept word for word."""
    offered = _read(F, P, N, {"type": "web_search", "x": 1})
    assert offered.tools == (
        Tool(name="f", description="d", schema='{"a": 1}'),
        Tool(name="p", custom_format=""),
        Tool(name="n__f", description="n: N.\n\nd", schema='{"a": 1}'),
        Tool(name="n__p", custom_format=""),
    )
    assert offered.hosted == (
        HostedTool("web_search", '{"type": "web_search", "x": 1}', "openai_responses"),
    )
    assert offered.origins == {"n__f": ToolOrigin("n", "f"), "n__p": ToolOrigin("n", "p")}


def test_read_tools_offered_again_is_the_later() -> None:
    """Items repeat their tools with every turn."""
    assert _read(N, N).origins.keys() == {"n__f", "n__p"}
    assert _read(F, {**F, "description": "e"}).tools[0].description == "e"


@pytest.mark.parametrize(
    ("format", "kept"),
    [
        (None, ""),
        ({"type": "text"}, {"type": "text"}),
        (
            {"type": "grammar", "syntax": "regex", "definition": "a"},
            {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a"}},
        ),
    ],
)
def test_read_tools_custom_format_is_chats(format: Any, kept: Any) -> None:  # noqa: A002 - the field
    """One shape between dialects: Chat's, one level deeper."""
    said = _read({**P, "format": format}).tools[0].custom_format
    assert (json.loads(said) if said else said) == kept


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (None, None),
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("named", ("f",))),
        ({"type": "custom", "name": "p"}, ToolChoice("named", ("n__p",))),
        ({"type": "mcp", "server_label": "x"}, None),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [
                    {"type": "function", "name": "f"},
                    {"type": "namespace", "name": "n"},
                    {"type": "web_search"},
                ],
            },
            ToolChoice("allowed", ("f", "n__f", "n__p"), must_call=True),
        ),
    ],
)
def test_read_choice_of_every_kind(choice: Any, read: ToolChoice | None) -> None:
    """A tool in a namespace may be chosen by its own name where that is clear."""
    assert _choose(choice, F, N) == read


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([{"type": "function"}], "tools[0].name"),
        ([{"type": "namespace", "tools": []}], "tools[0].name"),
        ([{**N, "tools": [{"type": "mcp"}]}], "tools[0].tools[0].type"),
        ([{**F, "parameters": [1]}], "tools[0].parameters"),
        ([{**P, "format": {"type": "grammar", "grammar": 5}}], "tools[0].format.grammar"),
        ([{**F, "name": "n__f"}, N], "tools[1].tools[0].name"),
        ([N, {**F, "name": "n__f"}], "tools[1].name"),
    ],
)
def test_read_tools_refuses_by_place(tools: Any, param: str) -> None:
    """The error names the tool."""
    with pytest.raises(BadRequest) as caught:
        _read(*tools)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ("must", "tool_choice"),
        ({"type": "function"}, "tool_choice.name"),
        ({"type": "function", "name": "x"}, "tool_choice.name"),
        ({"type": "allowed_tools", "tools": []}, "tool_choice.mode"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]},
            "tool_choice.tools[0].name",
        ),
    ],
)
def test_read_choice_refuses_by_place(choice: Any, param: str) -> None:
    """The error names the field."""
    with pytest.raises(BadRequest) as caught:
        _choose(choice, F)
    assert caught.value.param == param
