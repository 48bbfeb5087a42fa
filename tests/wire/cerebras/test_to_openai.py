"""Requests of Cerebras clients on their way to other providers."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from slipstream.wire.cerebras.to_openai import adapt_to_openai
from tests.wire.cerebras.adapting import HI, said
from tests.wire.cerebras.openai_bodies import acceptable_bodies

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = "data:image/png;base64,AAAA"

CHANGED: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({}, {}, ()),
    ({"temperature": 1, "stream": True}, {"temperature": 1, "stream": True}, ()),
    ({"reasoning_format": "parsed"}, {}, ("reasoning_format",)),
    ({"clear_thinking": False}, {}, ("clear_thinking",)),
    ({"clear_thinking": None}, {}, ()),
    ({"min_tokens": 1}, {}, ("min_tokens",)),
    ({"min_completion_tokens": 1}, {}, ("min_completion_tokens",)),
    ({"service_tier": "flex"}, {}, ("service_tier",)),
    ({"disable_reasoning": False}, {}, ("disable_reasoning",)),
    (
        {"disable_reasoning": True},
        {"reasoning_effort": "none"},
        ("disable_reasoning -> reasoning_effort",),
    ),
    ({"max_completion_tokens": -1}, {}, ("max_completion_tokens",)),
    ({"max_tokens": -1}, {}, ("max_tokens",)),
    ({"max_tokens": 5}, {"max_tokens": 5}, ()),
    (
        {"messages": [{"role": "assistant", "content": "x", "reasoning": "y"}]},
        {"messages": [{"role": "assistant", "content": "x", "reasoning_content": "y"}]},
        ("messages.0.reasoning -> reasoning_content",),
    ),
    (
        {
            "messages": [
                {
                    "role": "assistant",
                    "reasoning": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                    "tool_calls": [{**CALL, "index": 0}],
                }
            ]
        },
        {
            "messages": [
                {"role": "assistant", "reasoning_content": "ab", "tool_calls": [CALL]},
            ]
        },
        ("messages.0.reasoning -> reasoning_content", "messages.0.tool_calls.0.index"),
    ),
    (
        {"messages": [{"role": "assistant", "content": "x", "reasoning": None}]},
        {"messages": [{"role": "assistant", "content": "x"}]},
        (),
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "image": IMAGE}]}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": IMAGE}}],
                }
            ]
        },
        ("messages.0.content.0.image -> image_url",),
    ),
]


@pytest.mark.parametrize(("fields", "sent", "changes"), CHANGED, ids=str)
def test_field_of_cerebras_is_translated_or_left_out_and_named(
    fields: dict[str, Any], sent: dict[str, Any], changes: tuple[str, ...]
) -> None:
    """Others refuse, or worse ignore, what only Cerebras knows."""
    body = said(**fields)
    done = adapt_to_openai(json.dumps(body).encode())
    assert json.loads(done.body) == {"model": body["model"], "messages": HI, **sent}
    assert done.changes == changes


def test_body_with_nothing_of_its_own_is_the_same_bytes() -> None:
    """A plain chat is plain everywhere."""
    body = b'{"messages": [{"content":"\\u00e9","role":"user"}], "model":"m", "n": 1e0}'
    assert adapt_to_openai(body) == (body, ())


@settings(max_examples=100, deadline=None)
@given(body=acceptable_bodies())
def test_any_cerebras_body_loses_all_that_is_its_own(body: dict[str, Any]) -> None:
    """The second time there is nothing left to do."""
    done = adapt_to_openai(json.dumps(body).encode())
    assert adapt_to_openai(done.body).changes == ()
    assert not json.loads(done.body).keys() & {"reasoning_format", "min_tokens", "service_tier"}
