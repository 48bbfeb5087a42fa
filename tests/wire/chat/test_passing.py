"""What becomes of a chat request on its way to a provider that differs from OpenAI."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.errors import Unsupported
from slipstream.wire.chat.habits import HABITS, habits_of
from slipstream.wire.chat.passing import Known, Passing, word_of

HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
STRICT = {"type": "function", "function": {"name": "f", "strict": True}}
CUSTOM = {"type": "custom", "custom": {"name": "f"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}


def passed(
    vendor: str, known: Known | None = None, **fields: Any
) -> tuple[dict[str, Any], tuple[str, ...]] | None:
    """Fit a request; return what is sent but for its messages, and the changes."""
    body = json.dumps({"messages": HI, **fields}).encode()
    raws = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    changes = Passing(habits_of(vendor), vendor).fit(raws, known or Known())
    if changes is None:
        return None
    said = json.loads(msgspec.json.encode(raws))
    if said["messages"] == HI:
        del said["messages"]
    return said, changes


@pytest.mark.parametrize(
    ("vendor", "fields", "sent", "changes"),
    [
        ("groq", {"logit_bias": {"5": 1}, "top_p": 1}, {"top_p": 1}, ("logit_bias",)),
        ("groq", {"n": 1, "logprobs": False, "presence_penalty": 0}, {}, ()),
        (
            "groq",
            {"service_tier": "default"},
            {"service_tier": "on_demand"},
            ("service_tier -> on_demand",),
        ),
        ("groq", {"service_tier": "performance"}, {"service_tier": "performance"}, ()),
        ("groq", {"service_tier": "scale"}, {}, ("service_tier",)),
        (
            "groq",
            {"reasoning_effort": "max"},
            {"reasoning_effort": "high"},
            ("reasoning_effort -> high",),
        ),
        ("groq", {"reasoning_effort": "default"}, {"reasoning_effort": "default"}, ()),
        (
            "mistral",
            {"seed": 5, "max_completion_tokens": 9, "user": "u", "stream_options": {}},
            {"random_seed": 5, "max_tokens": 9},
            ("seed -> random_seed", "max_completion_tokens -> max_tokens", "user"),
        ),
        ("mistral", {"stream_options": {"include_usage": True}}, {}, ("stream_options",)),
        ("mistral", {"newer_than_we_are": 1}, {"newer_than_we_are": 1}, ()),
        ("xai", {"metadata": {"a": "b"}, "store": True}, {"store": True}, ("metadata",)),
        (
            "xai",
            {"max_completion_tokens": 9},
            {"max_tokens": 9},
            ("max_completion_tokens -> max_tokens",),
        ),
        ("xai", {"max_completion_tokens": 9, "max_tokens": 5}, {"max_tokens": 9}, None),
        ("deepinfra", {"parallel_tool_calls": True}, {}, ("parallel_tool_calls",)),
        (
            "openai",
            {"max_tokens": 5},
            {"max_completion_tokens": 5},
            ("max_tokens -> max_completion_tokens",),
        ),
        ("openai", {"store": True, "verbosity": "low"}, {"store": True, "verbosity": "low"}, ()),
        ("openai", {"top_k": 5, "random_seed": 1}, {}, ("top_k", "random_seed")),
        ("openrouter", {"top_k": 5, "reasoning": {}}, {"top_k": 5, "reasoning": {}}, ()),
        ("ollama", {"logit_bias": {"1": 2}}, {}, ("logit_bias",)),
        ("lab", {"max_completion_tokens": 9, "n": 3}, {"max_completion_tokens": 9, "n": 3}, ()),
    ],
)
def test_fields_are_said_as_the_provider_does(
    vendor: str, fields: dict[str, Any], sent: dict[str, Any], changes: tuple[str, ...] | None
) -> None:
    """Renamed, said in its words or left out, and named; what asks for nothing goes silently."""
    found = passed(vendor, **fields)
    assert found is not None
    assert found[0] == sent
    if changes is not None:
        assert found[1] == changes


@pytest.mark.parametrize(
    ("vendor", "fields", "param"),
    [
        ("groq", {"n": 2}, "n"),
        ("groq", {"logprobs": True}, "logprobs"),
        ("ollama", {"n": 2}, "n"),
    ],
)
def test_field_that_the_client_would_miss_is_refused(
    vendor: str, fields: dict[str, Any], param: str
) -> None:
    """Two answers are not one; another target may give both."""
    with pytest.raises(Unsupported, match=f"{vendor} does not offer what '{param}'") as caught:
        passed(vendor, **fields)
    assert caught.value.param == param


def test_models_traits_count_beside_the_providers_habits() -> None:
    """What one model refuses is left out or refused, what it takes of efforts is kept to."""
    known = Known(frozenset({"temperature", "stop"}), ("low", "high"))
    assert passed("openai", known, temperature=0.1, reasoning_effort="medium") == (
        {"reasoning_effort": "low"},
        ("temperature", "reasoning_effort -> low"),
    )
    with pytest.raises(Unsupported, match="'stop'"):
        passed("openai", known, stop=["x"])
    assert passed("openai", known, stop=[]) == ({}, ())


@pytest.mark.parametrize(
    ("vendor", "fields"),
    [
        ("groq", {"reasoning": {"effort": "low"}}),
        ("groq", {"tools": [TOOL], "response_format": SCHEMA}),
        ("groq", {"tools": [CUSTOM]}),
        ("groq", {"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}),
        ("mistral", {"reasoning_effort": "high"}),
        ("mistral", {"prompt_mode": "reasoning"}),
        ("mistral", {"tools": [TOOL], "tool_choice": "none"}),
        ("xai", {"tools": [TOOL]}),
        ("deepinfra", {"tools": [CUSTOM]}),
    ],
)
def test_what_fields_cannot_say_is_said_anew(vendor: str, fields: dict[str, Any]) -> None:
    """A tool, a form or reasoning that needs the reader and the writer, or whose answer does."""
    assert passed(vendor, **fields) is None


@pytest.mark.parametrize(
    ("vendor", "fields"),
    [
        ("groq", {"tools": [STRICT]}),
        ("groq", {"tools": [TOOL], "response_format": {"type": "text"}}),
        ("groq", {"tools": [], "response_format": SCHEMA}),
        ("openai", {"tools": [CUSTOM], "tool_choice": {"type": "allowed_tools"}}),
        ("mistral", {"reasoning_effort": "none"}),
        ("mistral", {"tools": [TOOL], "tool_choice": "any"}),
        ("xai", {"tools": []}),
        ("lab", {"tools": [CUSTOM], "reasoning": {}}),
    ],
)
def test_what_the_provider_takes_passes_unchanged(vendor: str, fields: dict[str, Any]) -> None:
    """No value is touched where there is no need."""
    assert passed(vendor, **fields) == (fields, ())


def test_model_that_thinks_by_itself_is_read_where_its_thinking_is_strange() -> None:
    """Magistral's chunks are in no client's dialect."""
    assert passed("mistral", Known(thinks=True)) is None
    assert passed("mistral", Known(thinks=True), reasoning_effort="none") is not None
    assert passed("openai", Known(thinks=True)) is not None


def test_model_that_speaks_no_chat_is_asked_otherwise() -> None:
    """OpenAI's `-pro` models answer at Responses only."""
    assert passed("openai", Known(frozenset({"openai_chat"}))) is None


@pytest.mark.parametrize("vendor", HABITS)
def test_plain_request_passes_every_provider_unchanged(vendor: str) -> None:
    """The ordinary path changes nothing."""
    assert passed(vendor, model="m", stream=True, temperature=0.5, stop="x") == (
        {"model": "m", "stream": True, "temperature": 0.5, "stop": "x"},
        (),
    )


def test_word_of_anything_is_a_text() -> None:
    """What is none is empty."""
    assert word_of(msgspec.Raw(b'"a\\u0062"')) == "ab"
    assert word_of(msgspec.Raw(b"5")) == word_of(msgspec.Raw(b"null")) == ""
