"""Tools, choices among them, and answer formats of OpenAI clients on their way to Cerebras."""

import json
from typing import Any

import pytest

from slipstream.errors import BadRequest, Unsupported
from slipstream.wire.cerebras.models import MODELS, row_from
from slipstream.wire.cerebras.outbound import adapt_chat
from tests.wire.cerebras.adapting import HI, MODEL, SEEING, adapted, asked, said

CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
ALLOWED = {"type": "allowed_tools"}


def tool(name: str = "f", **function: Any) -> dict[str, Any]:
    """Return a tool."""
    return {"type": "function", "function": {"name": name, **function}}


def named(name: str = "f") -> dict[str, Any]:
    """Return the choice of one tool."""
    return {"type": "function", "function": {"name": name}}


def form(**fields: Any) -> dict[str, Any]:
    """Return a format with a schema."""
    return {"type": "json_schema", "json_schema": {"name": "s", **fields}}


CHANGED: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({"tools": [tool(description=None, parameters=None)]}, {}, ()),
    ({"tools": [tool(strict=None)]}, {"tools": [tool()]}, ()),
    (
        {"tools": [{**tool(x=1), "cache_control": {"type": "ephemeral"}}]},
        {"tools": [tool()]},
        ("tools.0.cache_control", "tools.0.function.x"),
    ),
    ({"tools": [tool()], "tool_choice": "required"}, {}, ()),
    ({"tools": [tool()], "tool_choice": named()}, {}, ()),
    (
        {"tools": [tool()], "tool_choice": {**named(), "x": 1}},
        {"tools": [tool()], "tool_choice": named()},
        ("tool_choice.x",),
    ),
    ({"tool_choice": "auto"}, {}, ("tool_choice",)),
    ({"tools": [], "tool_choice": "none"}, {"tools": []}, ("tool_choice",)),
    ({"tools": None, "tool_choice": None}, {"tools": None, "tool_choice": None}, ()),
    (
        {
            "tools": [tool("a"), tool("b"), tool("c")],
            "tool_choice": {
                **ALLOWED,
                "allowed_tools": {"mode": "required", "tools": [named("a"), named("c")]},
            },
        },
        {"tools": [tool("a"), tool("c")], "tool_choice": "required"},
        ("tool_choice.allowed_tools -> tools",),
    ),
    (
        {"functions": [{"name": "f"}], "function_call": "none"},
        {"tools": [tool()], "tool_choice": "none"},
        ("functions -> tools", "function_call -> tool_choice"),
    ),
    ({"functions": [], "function_call": "auto"}, {}, ("function_call",)),
    ({"response_format": {"type": "text"}}, {}, ()),
    (
        {"tools": [tool()], "response_format": {"type": "text"}},
        {"tools": [tool()]},
        ("response_format",),
    ),
    ({"response_format": {"type": "json_object"}, "stream": False}, {}, ()),
    (
        {"response_format": {"type": "text", "json_schema": None}},
        {"response_format": {"type": "text"}},
        (),
    ),
    (
        {"response_format": {"type": "json_object", "x": 1}},
        {"response_format": {"type": "json_object"}},
        ("response_format.x",),
    ),
    (
        {"response_format": form(schema={"type": "array", "minItems": 1}, strict=None)},
        {},
        (),
    ),
    ({"response_format": form(schema=CLOSED, strict=True), "stream": True}, {}, ()),
    (
        {"response_format": form(schema=CLOSED, x=1)},
        {"response_format": form(schema=CLOSED)},
        ("response_format.json_schema.x",),
    ),
]


@pytest.mark.parametrize(("fields", "sent", "changes"), CHANGED, ids=str)
def test_tools_and_formats_are_made_ones_that_cerebras_knows(
    fields: dict[str, Any], sent: dict[str, Any], changes: tuple[str, ...]
) -> None:
    """An empty expectation means: as they were."""
    got, named_changes = adapted(said(**fields))
    expected = sent if sent or changes else fields
    assert got == {"messages": HI, **expected}
    assert named_changes == changes


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools.0.type"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        (
            {"tools": [tool()], "tool_choice": {"type": "custom", "custom": {"name": "c"}}},
            "tool_choice.type",
        ),
        ({"tools": [tool()], "response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [tool()], "response_format": form(schema=CLOSED)}, "response_format"),
        ({"stream": True, "response_format": {"type": "json_object"}}, "response_format"),
        # Regression: what is no list was gone through like one.
        ({"functions": True, "function_call": "none"}, "functions"),
    ],
)
def test_what_this_target_has_not_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """Another target may have it."""
    with pytest.raises(Unsupported) as caught:
        asked(said(**fields))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [tool("a b")]}, "tools[0].function.name"),
        ({"tools": [tool(), tool()]}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": {}}, "tools"),
        ({"tools": [tool()], "tool_choice": named("g")}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": ALLOWED}, "tool_choice.allowed_tools"),
        (
            {
                "tools": [tool()],
                "tool_choice": {
                    **ALLOWED,
                    "allowed_tools": {"mode": "auto", "tools": [named("g")]},
                },
            },
            "tool_choice.allowed_tools.tools",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": form(strict=True)}, "response_format.json_schema.schema"),
        ({"response_format": "json"}, "response_format"),
    ],
)
def test_what_no_target_takes_is_a_bad_request(fields: dict[str, Any], param: str) -> None:
    """The words name the field."""
    with pytest.raises(BadRequest) as caught:
        asked(said(**fields))
    assert caught.value.param == param


def test_tools_with_a_format_go_to_a_model_that_has_both() -> None:
    """What a model can do is its row."""
    row = row_from(MODELS["zai-glm-4.7"], {"has_tools_with_format": True})
    body = said(tools=[tool()], response_format={"type": "text"})
    done = adapt_chat(json.dumps(body).encode(), model="m", row=row)
    assert done.changes == ()


def test_leave_to_call_many_is_kept_where_the_model_does() -> None:
    """It is left out, and named, only where it would say what is not so."""
    body = said(tools=[tool()], parallel_tool_calls=True)
    assert adapted(body, SEEING)[1] == ()
    assert adapted(body, MODEL)[1] == ("parallel_tool_calls",)
