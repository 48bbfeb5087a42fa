"""Messages on their way to a provider of chat that differs from OpenAI."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.wire.chat.habits import habits_of
from slipstream.wire.chat.passing_messages import PassingMessages

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
USER = {"role": "user", "content": "hi"}


def mended(vendor: str, *messages: dict[str, Any]) -> tuple[bytes, list[str]] | None:
    """Mend messages; return their bytes and the changes, or None where they must be said anew."""
    fields = {"messages": msgspec.Raw(json.dumps(messages).encode())}
    changes: list[str] = []
    is_all = PassingMessages(habits_of(vendor)).mend(fields, changes)
    return (bytes(fields["messages"]), changes) if is_all else None


@pytest.mark.parametrize("vendor", ["groq", "mistral", "xai", "deepinfra", "ollama", "vllm"])
def test_developer_is_the_system(vendor: str) -> None:
    """Only the role's word changes: spaces, escapes and words in texts stay."""
    text = 'a "developer" says \\ "role":"developer"'
    found = mended(vendor, {"role": "developer", "content": text}, USER)
    assert found is not None
    written, changes = found
    assert json.loads(written) == [{"role": "system", "content": text}, USER]
    assert changes == ["messages.role -> system"]


def test_developer_stays_where_it_is_known() -> None:
    """OpenAI's own word."""
    message = {"role": "developer", "content": "x"}
    assert mended("openai", message, USER) == (json.dumps([message, USER]).encode(), [])


@pytest.mark.parametrize("vendor", ["groq", "mistral", "xai"])
def test_names_of_speakers_are_left_out_and_named(vendor: str) -> None:
    """Names of functions in calls are no speakers."""
    found = mended(vendor, USER | {"name": "anna"})
    assert found is not None
    assert (json.loads(found[0]), found[1]) == ([USER], ["messages.name"])


def test_call_of_a_function_that_is_none_is_left_out() -> None:
    """Groq refuses the null that the oldest clients send; a call that is one is its to judge."""
    said = {"role": "assistant", "content": "a", "function_call": None}
    found = mended("groq", USER, said)
    assert found is not None
    assert (json.loads(found[0]), found[1]) == ([USER, {"role": "assistant", "content": "a"}], [])
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    assert mended("groq", USER, old) == (json.dumps([USER, old]).encode(), [])


def test_conversation_with_calls_passes_as_it_is() -> None:
    """The word `name` alone changes no byte."""
    assert mended("groq", USER, CALLED, RESULT) == (
        json.dumps([USER, CALLED, RESULT]).encode(),
        [],
    )


@pytest.mark.parametrize(
    ("vendor", "messages"),
    [
        ("mistral", (USER, CALLED, RESULT)),
        ("deepinfra", ({"role": "system", "content": "a"}, {"role": "system", "content": "b"})),
        ("deepinfra", ({"role": "developer", "content": "a"}, {"role": "system", "content": "b"})),
        ("deepinfra", (CALLED, RESULT | {"content": [{"type": "text", "text": "a"}]})),
        ("groq", ({"role": "assistant", "content": "a", "reasoning_content": "t"},)),
        ("openai", ({"role": "assistant", "content": "a", "reasoning": "t"},)),
        ("openai", ({"role": "assistant", "content": "a", "reasoning_details": []},)),
        ("groq", ({"role": "assistant", "tool_calls": [CALL | {"extra_content": {}}]},)),
        ("openrouter", ({"role": "assistant", "extra_content": {}},)),
        (
            "openrouter",
            ({"role": "assistant", "reasoning_details": [{"format": "slipstream/anthropic/s"}]},),
        ),
        ("groq", ({"role": "user", "content": [{"type": "text", "cache_control": {}}]},)),
    ],
)
def test_what_words_cannot_mend_is_said_anew(
    vendor: str, messages: tuple[dict[str, Any], ...]
) -> None:
    """Ids, several systems, parts of results, and what another vendor gave out."""
    assert mended(vendor, *messages) is None


@pytest.mark.parametrize(
    ("vendor", "message"),
    [
        ("groq", {"role": "assistant", "content": "a", "reasoning": "t"}),
        ("xai", {"role": "assistant", "content": "a", "reasoning_content": "t"}),
        ("openrouter", {"role": "assistant", "content": "a", "reasoning_details": [{"id": "1"}]}),
        ("deepinfra", {"role": "tool", "tool_call_id": "c", "content": "a"}),
        ("openai", {"role": "user", "content": 'say "reasoning" or "name" or "tool_calls"'}),
        ("mistral", {"role": "user", "content": '"tool_calls":[] "thinking"'}),
    ],
)
def test_what_the_provider_gave_out_itself_passes(vendor: str, message: dict[str, Any]) -> None:
    """Also words in texts, which JSON writes otherwise than keys."""
    assert mended(vendor, message) == (json.dumps([message]).encode(), [])


def test_messages_that_are_none_are_the_providers_to_judge() -> None:
    """What we cannot read is not changed."""
    fields = {"messages": msgspec.Raw(b'["name", {"name": 5}]')}
    changes: list[str] = []
    assert PassingMessages(habits_of("groq")).mend(fields, changes)
    assert bytes(fields["messages"]) == b'["name", {"name": 5}]'
    assert changes == []
