"""Tools and the choice among them, written for an upstream that speaks Responses."""

from typing import Any

import msgspec
import pytest

from slipstream.wire.responses.tools_out import write_choice, write_tools
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.means import HostedTool, Tool, ToolChoice


def _write(*tools: Tool, dialect: str = "openai_chat") -> Any:
    asked = Asked(dialect=dialect, model="m", turns=(), tools=tools)
    return msgspec.json.decode(msgspec.json.encode(write_tools(asked, {})))


def test_write_tools_are_flat_and_not_strict_unless_asked() -> None:
    """Responses is strict where nothing is said, which Chat and Messages are not."""
    assert _write(Tool(name="f")) == [
        {
            "type": "function",
            "name": "f",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        }
    ]
    assert "strict" not in _write(Tool(name="f"), dialect="openai_responses")[0]
    assert _write(Tool(name="f", strict=True))[0]["strict"] is True


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("", None),
        ('{"type":"text"}', {"type": "text"}),
        (
            '{"type":"grammar","grammar":{"syntax":"lark","definition":"a"}}',
            {"type": "grammar", "syntax": "lark", "definition": "a"},
        ),
        (
            '{"type":"grammar","syntax":"lark","definition":"a"}',
            {"type": "grammar", "syntax": "lark", "definition": "a"},
        ),
    ],
)
def test_write_tools_custom_format_is_flat(form: str, written: Any) -> None:
    """Chat has the grammar one level deeper."""
    [tool] = _write(Tool(name="p", description="d", custom_format=form))
    assert (tool["type"], tool["description"], tool.get("format")) == ("custom", "d", written)


def test_write_tools_hosted_word_for_word() -> None:
    """Those of this dialect; of others only what has a counterpart."""
    hosted = (
        HostedTool("mcp", '{"type":"mcp", "x":1}', "openai_responses"),
        HostedTool("web_search_20250305", "{}", "anthropic_messages"),
        HostedTool("bash_20250124", "{}", "anthropic_messages"),
    )
    changes: dict[str, None] = {}
    asked = Asked(dialect="anthropic_messages", model="m", turns=(), hosted_tools=hosted)
    first, second = write_tools(asked, changes)
    assert isinstance(first, msgspec.Raw)
    assert bytes(first) == b'{"type":"mcp", "x":1}'
    assert second == {"type": "web_search"}
    assert list(changes) == ["tools.web_search_20250305 -> web_search", "tools.bash_20250124"]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("named", ("f",)), {"type": "function", "name": "f"}),
        (ToolChoice("named", ("p",)), {"type": "custom", "name": "p"}),
        (
            ToolChoice("allowed", ("f", "p")),
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "p"}],
            },
        ),
    ],
)
def test_write_choice_of_every_mode(choice: ToolChoice, written: Any) -> None:
    """One row for each."""
    assert write_choice(choice, (Tool(name="f"), Tool(name="p", custom_format=""))) == written
