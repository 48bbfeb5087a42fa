"""Requests of Messages and Responses that are answered, from which mutated ones are made.

Among them those of Claude Code 2.1.329 and Codex 0.169, as ../shared/reference/protocols.md,
section H, describes them, with fewer and shorter texts.
"""

from collections.abc import Iterator
from typing import Any, Final

MAX_TOKENS: Final = 3
DIALECT_HEADERS: Final = (
    ("anthropic-version", "2023-06-01"),
    ("anthropic-version", "2026-10-21"),
    ("anthropic-version", "\xff" * 99),
    ("anthropic-beta", "effort-2025-11-24, nobody-knows-2030-01-01"),
)
_HI: Final = [{"role": "user", "content": "hi"}]
_SCHEMA: Final = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}},
    "required": ["a"],
    "additionalProperties": False,
}
_CACHED: Final = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
_TOOL: Final = {"name": "add", "description": "Adds.", "input_schema": _SCHEMA, "strict": True}
_USE: Final = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}
_RESULT: Final = {
    "type": "tool_result",
    "tool_use_id": "toolu_1",
    "content": [{"type": "text", "text": "2"}],
    "is_error": False,
}
_TURNS: Final = [
    *_HI,
    {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, _USE],
    },
    {"role": "user", "content": [_RESULT, {"type": "text", "text": "go on"} | _CACHED]},
]
_PICTURE: Final = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
}
_DOCUMENT: Final = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "d"},
    "title": "t",
    "citations": {"enabled": False},
}
_CLAUDE_CODE: Final = {
    "stream": True,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329"},
        {"type": "text", "text": "You are a coding agent."} | _CACHED,
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"} | _CACHED]},
        {"role": "system", "content": "A reminder."},
        *_TURNS[1:],
    ],
    "tools": [
        _TOOL,
        {"name": "find", "description": "F.", "input_schema": _SCHEMA, "defer_loading": True},
    ],
    "thinking": {"type": "adaptive", "display": "omitted"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "high"},
    "metadata": {"user_id": '{"device_id":"d","session_id":"s"}'},
}
_MESSAGES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"stream": True, "system": "s", "temperature": 0.5, "top_p": 0.9, "top_k": 5},
    {"messages": _TURNS, "tools": [_TOOL], "tool_choice": {"type": "auto"}},
    {"tools": [_TOOL], "tool_choice": {"type": "tool", "name": "add"}, "stream": True},
    {"output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}}},
    {"stop_sequences": ["x", "e"], "service_tier": "standard_only"},
    {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
    {"messages": [{"role": "user", "content": [_PICTURE, _DOCUMENT]}]},
    _CLAUDE_CODE,
)
_FUNCTION: Final = {
    "type": "function",
    "name": "add",
    "description": "Adds.",
    "parameters": _SCHEMA,
    "strict": True,
}
_CALL: Final = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"}
_OUTPUT: Final = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
_SPACE: Final = {
    "type": "namespace",
    "name": "multi_agent_v1",
    "description": "Agents.",
    "tools": [{**_FUNCTION, "name": "spawn", "strict": False}],
}
_ASKED: Final = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "hi"}],
    "id": "msg_1",
}
_CODEX: Final = {
    "stream": True,
    "store": False,
    "instructions": "You are a coding agent.",
    "input": [
        {**_ASKED, "role": "developer"},
        _ASKED,
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"},
        _CALL,
        _OUTPUT,
    ],
    "tools": [_FUNCTION, _SPACE, {"type": "web_search", "external_web_access": False}],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto", "context": "all_turns"},
    "include": ["reasoning.encrypted_content"],
    "text": {"verbosity": "low"},
    "prompt_cache_key": "thread",
    "client_metadata": {"x": "y"},
}
_LITE: Final = {
    **_CODEX,
    "instructions": "",
    "tools": [],
    "input": [
        {"type": "additional_tools", "role": "developer", "tools": [_SPACE]},
        {**_ASKED, "role": "developer"},
        _ASKED,
    ],
}
_RESPONSES: Final[tuple[dict[str, Any], ...]] = (
    {"input": "hi"},
    {"input": "hi", "stream": True, "instructions": "i", "metadata": {"a": "b"}},
    {"input": [_ASKED, _CALL, _OUTPUT], "tools": [_FUNCTION], "parallel_tool_calls": False},
    {"input": "hi", "tools": [_FUNCTION], "tool_choice": {"type": "function", "name": "add"}},
    {
        "input": "hi",
        "text": {"format": {"type": "json_schema", "name": "s", "schema": _SCHEMA, "strict": True}},
    },
    {"input": "hi", "top_logprobs": 2, "temperature": 0, "top_p": 1, "truncation": "auto"},
    {"input": "hi", "tools": [{"type": "custom", "name": "patch", "description": "Patches."}]},
    _CODEX,
    _LITE,
)


def dialect_seeds(model: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (path, name of the body's schema, body)."""
    for fields in _MESSAGES:
        said = {"model": model, "messages": _HI} | fields
        yield "/v1/messages", "MessagesRequest", {"max_tokens": MAX_TOKENS} | said
        counted = {name: value for name, value in said.items() if name != "stream"}
        yield "/v1/messages/count_tokens", "MessagesCountRequest", counted
    for fields in _RESPONSES:
        said = {"model": model, "max_output_tokens": MAX_TOKENS} | fields
        yield "/v1/responses", "ResponsesRequest", said
