"""Tests of slipstream.wire.messages.reading_turns."""

from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.wire.talk.asking import Text, ToolResult, Turn
from tests.wire.messages.requests import read


def result(call_id: str) -> dict[str, Any]:
    """Return the result of a call."""
    return {"type": "tool_result", "tool_use_id": call_id, "content": "r"}


def test_read_results_come_first_and_neighbours_are_one_turn() -> None:
    """Wherever a client puts them in its messages."""
    text = {"type": "text", "text": "t"}
    asked = read(
        messages=[
            {"role": "user", "content": [result("a")]},
            {"role": "user", "content": [text, result("b")]},
        ]
    )
    results = tuple(ToolResult(call_id=one, parts=(Text("r"),)) for one in "ab")
    assert asked.turns == (Turn("tool", results), Turn("user", (Text("t"),)))


@pytest.mark.parametrize("system", ["", [], None])
def test_read_no_system_is_no_turn(system: Any) -> None:
    """An empty one says nothing."""
    assert [turn.role for turn in read(system=system).turns] == ["user"]


def test_read_billing_header_is_set_aside_only_where_it_stands() -> None:
    """It would part every prompt cache; the same words elsewhere are the user's."""
    header = {"type": "text", "text": "x-anthropic-billing-header: cc_version=1"}
    asked = read(system=[header])
    assert [turn.role for turn in asked.turns] == ["user"]
    assert "system.x-anthropic-billing-header" in asked.extras
    other = {"type": "text", "text": "S"}
    assert len(read(system=[other, header]).turns[0].parts) == 2


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "tool", "content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": [3]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{}]}, "messages[0].content[0].type"),
        (3, "messages[0]"),
    ],
)
def test_read_wrong_message_is_refused_by_name(message: Any, param: str) -> None:
    """The error names the message."""
    with pytest.raises(BadRequest) as caught:
        read(messages=[message])
    assert caught.value.param == param


def test_read_wrong_system_is_refused_by_name() -> None:
    """It has the name of the client's field."""
    with pytest.raises(BadRequest) as caught:
        read(system=[{"type": "image"}])
    assert caught.value.param == "system[0].type"
