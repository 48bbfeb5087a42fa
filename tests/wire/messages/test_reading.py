"""Tests of slipstream.wire.messages.reading."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest, Unsupported
from slipstream.wire.messages.reading import read_asked
from slipstream.wire.talk.asking import Reasoning, Seal, Text, ToolCall, ToolResult, Turn
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, Thinking, Tool
from tests.wire.messages.requests import read, targeting, write

# As Claude Code 2.1.329 sends it, shortened.
CLAUDE_CODE: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 128000,
    "stream": True,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329"},
        {"type": "text", "text": "You code.", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "List."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "c2ln"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}},
                {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {"command": "x"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "text", "text": "no"}],
                    "is_error": True,
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                },
                {"type": "text", "text": "Go on."},
            ],
        },
        {"role": "system", "content": "The date changed."},
    ],
    "tools": [
        {
            "name": "Bash",
            "description": "Runs.",
            "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
            "defer_loading": True,
        }
    ],
    "thinking": {"type": "adaptive", "display": "omitted"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
    "metadata": {"user_id": '{"device_id":"d"}'},
}


def test_read_request_of_claude_code() -> None:
    """All of it is understood, and what has no place is kept by name."""
    asked = read_asked(msgspec.json.encode(CLAUDE_CODE))
    assert asked.turns == (
        Turn("system", (Text("You code.", CacheMark()),)),
        Turn("user", (Text("List."),)),
        Turn(
            "assistant",
            (
                Reasoning(seals=(Seal(vendor="anthropic", kind="signature", data="c2ln"),)),
                Text("I look."),
                ToolCall(call_id="toolu_1", name="Bash", arguments='{"command":"ls"}'),
                ToolCall(call_id="toolu_2", name="Bash", arguments='{"command":"x"}'),
            ),
        ),
        Turn(
            "tool",
            (
                ToolResult(call_id="toolu_1", parts=(Text("a.py"),)),
                ToolResult(
                    call_id="toolu_2", parts=(Text("no"),), is_error=True, cache=CacheMark("1h")
                ),
            ),
        ),
        Turn("user", (Text("Go on."),)),
        Turn("system", (Text("The date changed."),)),
    )
    (tool,) = asked.tools
    assert isinstance(tool, Tool)
    assert asked.thinking == Thinking(effort="high", is_adaptive=True, shows="none")
    assert (asked.user, asked.metadata) == ('{"device_id":"d"}', None)
    assert (asked.is_stream, asked.wants_usage, asked.max_tokens) == (True, True, 128000)
    assert set(asked.extras) == {
        "context_management",
        "system.x-anthropic-billing-header",
        "tools.defer_loading",
    }


def test_write_of_what_was_read_keeps_the_request() -> None:
    """Round trip: what the dialect can say is said again, but for the header of the client."""
    body, changes = write(read_asked(msgspec.json.encode(CLAUDE_CODE)))
    assert changes == ("system.x-anthropic-billing-header",)
    expected = {
        **CLAUDE_CODE,
        "system": CLAUDE_CODE["system"][1:],
    }
    first, second, third, fourth = CLAUDE_CODE["messages"]
    results = [dict(block) for block in third["content"]]
    results[1]["content"] = "no"  # a text alone is written as a string
    expected["messages"] = [
        {**first, "content": "List."},
        second,
        {**third, "content": results},
        fourth,
    ]
    assert body == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}},
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
        {"thinking": {"type": "between_tools"}},
        {"thinking": {"type": "adaptive", "block_binding": {"a": 1}}},
        {"output_config": {"effort": "max", "task_budget": {"total": 3}}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"service_tier": "auto"},
        {"service_tier": "standard_only"},
        {"temperature": 0.5, "top_k": 3, "stop_sequences": ["#"]},
        {"top_p": 0.5},
        {"metadata": {"user_id": "u", "x": "y"}},
        {"cache_control": {"type": "ephemeral"}, "container": "c", "speed": "fast"},
        {"max_tokens": 0},
        {"system": "S"},
    ],
)
def test_write_of_what_was_read_keeps_each_field(fields: dict[str, Any]) -> None:
    """Round trip of what Claude Code does not send."""
    body, changes = write(read(**{"max_tokens": 4096} | fields), targeting(model="m"))
    assert changes == ()
    messages = [{"role": "user", "content": "hi"}]
    assert body == {"model": "m", "max_tokens": 4096, "messages": messages} | fields


def test_read_of_what_claude_code_wishes_as_betas_is_named_and_not_refused() -> None:
    """It asked each turn twice in vain, because `updates` of what is thought was an error."""
    turn = {"role": "system", "content": "Go on.", "output_config": {"effort": "low"}}
    thinking = {"type": "adaptive", "display": "updates"}
    asked = read(thinking=thinking, messages=[{"role": "user", "content": "hi"}, turn])
    assert asked.thinking == Thinking(is_adaptive=True, shows="summary")
    assert set(asked.extras) == {"thinking.display", "messages.output_config"}
    body, changes = write(asked, targeting(model="m"))
    assert (body["thinking"], changes) == (thinking, ("messages.output_config",))


def test_read_older_place_of_the_form() -> None:
    """`output_format` was its name in the beta."""
    form = Form(kind="json_schema", schema='{"type":"object"}', strict=True)
    said = {"type": "json_schema", "schema": {"type": "object"}}
    assert read(output_format=said).form == form
    assert read(output_config={"format": said}).form == form


def test_read_count_needs_no_limit() -> None:
    """`count_tokens` has the same body without `max_tokens`."""
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    assert read_asked(body, is_count=True).max_tokens is None
    with pytest.raises(BadRequest, match="max_tokens"):
        read_asked(body)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"thinking": {"type": "much"}}, "thinking.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "adaptive", "display": "x"}}, "thinking.display"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"metadata": {"user_id": 3}}, "metadata.user_id"),
    ],
)
def test_read_wrong_field_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """The error names the field, whether it is of a wrong type or out of range."""
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": "\xff"}', b"[" * 100_000])
def test_read_no_request_is_refused(body: bytes) -> None:
    """Whatever bytes come, the error is the caller's."""
    with pytest.raises(BadRequest):
        read_asked(body)


@pytest.mark.parametrize("name", ["mcp_servers", "safeguards"])
def test_read_field_that_must_not_be_lost_is_for_another_target(name: str) -> None:
    """Claude Code wants a 400 that names `safeguards` where they cannot be honoured."""
    with pytest.raises(Unsupported, match=name) as caught:
        read(**{name: [{"type": "x"}]})
    assert (caught.value.status, caught.value.param) == (400, name)
    assert read(**{name: []}).turns == read().turns


def test_read_nulls_are_absent() -> None:
    """SDKs send what is not set as null."""
    fields = dict.fromkeys(
        ("system", "tools", "tool_choice", "thinking", "output_config", "metadata", "container")
    )
    assert read(**fields) == read()
