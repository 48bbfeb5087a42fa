"""Whatever a reader accepts, every writer writes or refuses by name: no request ends in a 500."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest, Unsupported
from slipstream.upstream.translate import TONGUES, Peer
from slipstream.wire.chat import reading as chat_reading
from slipstream.wire.completions import reading as completions_reading
from slipstream.wire.messages import reading as messages_reading
from slipstream.wire.responses import reading as responses_reading
from slipstream.wire.talk.asking import Asked, Target
from tests.wire.fidelity.effort import many
from tests.wire.fidelity.losses import CHAT, MESSAGES, RESPONSES

_SCHEMA: Final = {"type": "object", "properties": {"a": {"type": "integer"}}}
_PIXEL: Final = "data:image/png;base64,iVBORw0KGgo="
_FUNCTION: Final = {"name": "f", "description": "d", "parameters": _SCHEMA, "strict": True}

_CHAT: Final = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "image_url", "image_url": {"url": _PIXEL, "detail": "low"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}],
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":1}'},
                    "extra_content": {"google": {"thought_signature": "x"}},
                },
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
    ],
    "tools": [
        {"type": "function", "function": _FUNCTION},
        {
            "type": "custom",
            "custom": {
                "name": "g",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "s"}},
            },
        },
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": _SCHEMA}},
    "reasoning_effort": "low",
    "stop": ["a"],
    "logit_bias": {"1": 2},
    "metadata": {"a": "b"},
    "prediction": {"type": "content", "content": "x"},
}
_MESSAGES: Final = {
    "model": "m",
    "max_tokens": 2_000,
    "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "source": {"type": "url", "url": "https://a.example"}},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                    "title": "t",
                    "citations": {"enabled": True},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "b", "citations": [{"type": "char_location"}]},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "1"}],
                    "is_error": True,
                }
            ],
        },
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": _SCHEMA, "strict": True}],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1_024, "display": "omitted"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": _SCHEMA}},
    "metadata": {"user_id": "u"},
    "stop_sequences": ["a"],
    "service_tier": "auto",
}
_RESPONSES: Final = {
    "model": "m",
    "instructions": "be kind",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"ttl": "30m"}},
                {"type": "input_image", "image_url": _PIXEL, "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:a/b;base64,JVBE"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "2"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    ],
    "tools": [
        {"type": "function", **_FUNCTION},
        {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark"}},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "h"}]},
        {"type": "web_search"},
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "f"}],
    },
    "text": {"format": {"type": "json_schema", "name": "n", "schema": _SCHEMA}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    "metadata": {"a": "b"},
}
_TEXT: Final = {"model": "m", "prompt": ["a"], "stop": "b", "logit_bias": {"1": 2}}

_Read = Callable[[bytes], Asked]
BODIES: Final[dict[str, tuple[dict[str, Any], _Read]]] = {
    CHAT: (_CHAT, chat_reading.read_asked),
    MESSAGES: (_MESSAGES, messages_reading.read_asked),
    RESPONSES: (_RESPONSES, lambda body: responses_reading.read_asked(body).asked),
    "openai_completions": (_TEXT, completions_reading.read_asked),
}
_VENDORS: Final = ("openai", "anthropic", "gemini", "mistral", "openrouter", "cerebras", "lab")

_NEEDED: Final = ("model", "messages", "input", "prompt", "max_tokens")

_odd: Final = st.sampled_from(
    [None, True, 0, -1, 2**70, 1e300, "", "é", "auto", "x" * 200, [], {}, [None], {"a": None}]
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every object or array in a body, with each key or index in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


@pytest.mark.parametrize("dialect", BODIES)
@many
@given(data=st.data())
def test_request_with_an_odd_value_is_refused_or_written(dialect: str, data: st.DataObject) -> None:
    """One or two values are of a type or a size that nobody expects, or are left out."""
    body, read = BODIES[dialect]
    # Few targets take everything at once: without some fields, writers come to the others.
    left_out = data.draw(st.sets(st.sampled_from([*body]).filter(lambda name: name not in _NEEDED)))
    said = {name: deepcopy(value) for name, value in body.items() if name not in left_out}
    for _ in range(data.draw(st.integers(1, 2))):
        places = list(_places(said))
        at, key = places[data.draw(st.integers(0, len(places) - 1))]
        if isinstance(at, dict) and data.draw(st.booleans()):
            del at[key]
        else:
            at[key] = deepcopy(data.draw(_odd))
    with suppress(BadRequest, Unsupported):
        _written(read(json.dumps(said).encode()))


def _written(asked: Asked) -> list[Any]:
    """Return the bodies of all who can be asked, in every dialect that can say it."""
    found = []
    for vendor in _VENDORS:
        target = Target(vendor=vendor, model="m-1", max_output_tokens=4_000)
        for tongue in TONGUES.values():
            with suppress(BadRequest, Unsupported):
                found.append(json.loads(tongue.write(asked, target, Peer(vendor)).body))
    return found


@pytest.mark.parametrize("dialect", BODIES)
def test_request_without_odd_values_is_read(dialect: str) -> None:
    """Otherwise the property above would be one of refusals only."""
    body, read = BODIES[dialect]
    least = {name: value for name, value in body.items() if name in (*_NEEDED, "tools")}
    assert read(json.dumps(body).encode()).turns
    assert len(_written(read(json.dumps(least).encode()))) > len(_VENDORS)
