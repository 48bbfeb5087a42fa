"""What each pair of client and provider is sent; the adaptations themselves are tested in wire."""

import json
from typing import Any

import pytest

from slipstream.call import Call, Dialect
from slipstream.errors import Unsupported
from slipstream.upstream.relay_bodies import Ways, bodies_for

CHAT, CEREBRAS, TEXTS = (
    Dialect.OPENAI_CHAT,
    Dialect.CEREBRAS_CHAT,
    Dialect.CEREBRAS_COMPLETIONS,
)
HI = [{"role": "user", "content": "hi"}]
STRICT = {
    "name": "f",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "x"}},
        "additionalProperties": False,
    },
}


def sent(
    client: Dialect,
    provider: Dialect,
    ways: Ways | None = None,
    *,
    is_stream: bool = False,
    wants_usage: bool = False,
    **fields: Any,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Prepare a body; return what is sent besides the model, and the changes."""
    call = Call(
        call_id="c",
        dialect=client,
        body=json.dumps({"model": "public", **fields}).encode(),
        model="public",
        key_id="k",
        is_stream=is_stream,
        wants_usage=wants_usage,
    )
    prepared = bodies_for(provider, ways or Ways())[client](call, "gpt-oss-120b")
    assert prepared is not None
    body, changes = prepared
    said: dict[str, Any] = json.loads(body)
    assert said.pop("model") == "gpt-oss-120b"
    return said, changes


def test_same_dialect_changes_the_model_and_names_nothing() -> None:
    """Whatever else is said reaches the provider as it was, also what we do not know."""
    for dialect in (CHAT, CEREBRAS):
        fields: dict[str, Any] = {"messages": HI, "whatever": [1]}
        assert sent(dialect, dialect if dialect is CEREBRAS else CHAT, **fields) == (fields, ())
    assert sent(TEXTS, CEREBRAS, prompt="x") == ({"prompt": "x"}, ())


def test_openai_chat_to_cerebras_is_made_acceptable() -> None:
    """By the row of the upstream's model."""
    fields: dict[str, Any] = {"messages": HI, "store": True, "reasoning_effort": "max"}
    expected = {"messages": HI, "reasoning_effort": "high"}
    assert sent(CHAT, CEREBRAS, **fields) == (expected, ("store", "reasoning_effort -> high"))


def test_cerebras_chat_to_others_is_said_in_openai_words() -> None:
    """A stream asks for usage, which Cerebras's clients always get."""
    fields: dict[str, Any] = {"messages": HI, "stream": True, "min_tokens": 1}
    got, changes = sent(CEREBRAS, CHAT, is_stream=True, wants_usage=True, **fields)
    options = {"include_usage": True}
    assert got == {"messages": HI, "stream": True, "stream_options": options}
    assert changes == ("min_tokens",)


def test_refused_field_is_left_out_and_named() -> None:
    """For chats of both dialects; one that was not sent is not named."""
    habits = Ways("mistral", asks_usage=False)
    for client in (CHAT, CEREBRAS):
        fields: dict[str, Any] = {"messages": HI, "stream_options": {"include_usage": True}}
        assert sent(client, CHAT, habits, **fields) == ({"messages": HI}, ("stream_options",))
        assert sent(client, CHAT, habits, messages=HI) == ({"messages": HI}, ())


@pytest.mark.parametrize("is_relaxed", [True, False])
def test_strict_schema_is_relaxed_only_where_the_operator_says_so(*, is_relaxed: bool) -> None:
    """A promise to a client is not broken by default."""
    habits = Ways(relaxes_schemas=is_relaxed)
    tools = [{"type": "function", "function": STRICT}]
    if is_relaxed:
        _, changes = sent(CHAT, CEREBRAS, habits, messages=HI, tools=tools)
        assert changes == ("tools.0.function.parameters.properties.a.pattern",)
        return
    with pytest.raises(Unsupported, match="pattern"):
        sent(CHAT, CEREBRAS, habits, messages=HI, tools=tools)


def test_text_completions_have_one_way() -> None:
    """From a Cerebras client to Cerebras."""
    assert TEXTS not in bodies_for(CHAT, Ways())
    assert Dialect.OPENAI_COMPLETIONS not in bodies_for(CEREBRAS, Ways())
