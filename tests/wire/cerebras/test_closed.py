"""The closed shape of a chat body: one decoding says what the strict check of its parts says."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.body import (
    Assistant,
    Body,
    Named,
    Text,
    ToolAnswer,
    check_body,
)
from slipstream.wire.cerebras.closed import closed, decode_closed
from tests.wire.cerebras.adapting import HI
from tests.wire.cerebras.openai_bodies import acceptable_bodies, openai_bodies

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FULL: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "a", "content": "x"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"any": ["thing"]}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "stream_options": {"include_usage": True},
    "prediction": {"type": "content", "content": "x"},
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"a": 1}}},
}


def test_closed_body_is_a_body_of_the_same_parts() -> None:
    """Rules ask what a part is, so each is still that."""
    said = decode_closed(json.dumps(FULL).encode())
    assert isinstance(said, Body)
    assert msgspec.to_builtins(said) == msgspec.to_builtins(check_body(FULL))
    asked = said.messages[0]
    assert isinstance(asked.content, list)
    assert isinstance(asked.content[0], Text)
    assert isinstance(said.messages[1], Assistant)
    assert isinstance(said.messages[2], ToolAnswer)
    assert isinstance(said.tool_choice, Named)
    assert closed(Body) is closed(Body)


PLACES: list[tuple[Any, ...]] = [
    (),
    ("messages", 0),
    ("messages", 0, "content", 0),
    ("messages", 1, "tool_calls", 0),
    ("messages", 1, "tool_calls", 0, "function"),
    ("messages", 2),
    ("tools", 0),
    ("tools", 0, "function"),
    ("tool_choice",),
    ("tool_choice", "function"),
    ("stream_options",),
    ("prediction",),
    ("response_format",),
    ("response_format", "json_schema"),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_closed_body_refuses_an_unknown_key_anywhere(place: tuple[Any, ...]) -> None:
    """Also where it says nothing."""
    body = json.loads(json.dumps(FULL))
    holder = body
    for step in place:
        holder = holder[step]
    holder["zz"] = None
    with pytest.raises(msgspec.ValidationError, match="zz"):
        decode_closed(json.dumps(body).encode())


@settings(max_examples=200, deadline=None)
@given(body=st.one_of(acceptable_bodies(), openai_bodies()))
def test_closed_body_takes_nothing_that_the_check_of_its_parts_refuses(
    body: dict[str, Any],
) -> None:
    """But for a schema beside another format, which only that check knows."""
    if "json_schema" in body.get("response_format", {}):
        body["response_format"]["type"] = "json_schema"
    with suppress(msgspec.ValidationError):
        decode_closed(json.dumps(body).encode())
        assert not _is_refused(body)


def _is_refused(body: dict[str, Any]) -> bool:
    try:
        check_body(body)
    except BadRequest:
        return True
    return False


def test_closed_body_knows_a_plain_one() -> None:
    """The common request is decoded, not refused."""
    assert decode_closed(json.dumps({"model": "m", "messages": HI}).encode())
