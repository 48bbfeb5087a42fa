"""What an OpenAI client writes by habit, at every provider, as strict as the scripted one is.

The fields and messages are those that openai-python, LangChain and LlamaIndex send unasked, and a
conversation that began at another provider.
"""

from typing import Any

import pytest

from slipstream.call import Dialect, Meaning
from slipstream.errors import Unsupported
from tests.upstream.dialect_scene import (
    CHAT,
    MESSAGES,
    PROVIDERS,
    RESPONSES,
    WORDS,
    asking,
    calls_of,
    dialect_scene,
    ending_of,
    heard,
    text_of,
)

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Paris"], "type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CALLS = [
    {
        "id": "call_0123456789abcdef",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
    }
]
HABITUAL: dict[str, Any] = {
    "model": "public",
    "max_completion_tokens": 200,
    "seed": 7,
    "user": "u-1",
    "n": 1,
    "logprobs": False,
    "presence_penalty": 0,
    "store": False,
    "parallel_tool_calls": True,
}
SYSTEM = {"role": "developer", "content": "Be brief."}
USER = {"role": "user", "content": WORDS, "name": "anna"}
CHATS = [name for name in PROVIDERS if name not in ("anthropic", "gemini")]


def asked_of(stream: bool, **fields: Any) -> dict[str, Any]:
    """Return the habitual request with more fields."""
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    return HABITUAL | options | fields


def answered(frames: list[Any], *, stream: bool) -> Any:
    """Return what a client of chat understands, and that nothing of a usage was lost."""
    assert frames[-1].meaning is Meaning.END
    assert any(frame.usage is not None for frame in frames)
    return heard(CHAT, frames, stream=stream)


@pytest.mark.parametrize("provider", CHATS)
@pytest.mark.parametrize("stream", [False, True])
async def test_habitual_request_is_taken_by_every_provider(provider: str, *, stream: bool) -> None:
    """No provider sees a field, a role or a name that it refuses; what it got is named."""
    said = asked_of(stream, messages=[SYSTEM, USER])
    del said["parallel_tool_calls"]
    async with dialect_scene(provider) as s:
        frames = await s.frames(CHAT, said)
        sent = s.sent
    events = answered(frames, stream=stream)
    assert (text_of(events), ending_of(events)) == (WORDS, "stop")
    limit = "max_completion_tokens" if "max_completion_tokens" in sent else "max_tokens"
    assert sent[limit] == 200
    told = {change.split(" -> ")[0] for change in frames[0].changes}
    gone = {name for name in said if name not in sent and said[name] and name != "n"}
    assert gone - told == set()


@pytest.mark.parametrize("provider", CHATS)
@pytest.mark.parametrize("stream", [False, True])
async def test_conversation_from_elsewhere_goes_on_at_every_provider(
    provider: str, *, stream: bool
) -> None:
    """Ids, reasoning of others and results of tools, with the tools offered again."""
    messages = [
        SYSTEM,
        USER,
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Look it up.",
            "reasoning": "Look it up.",
            "reasoning_details": [
                {
                    "type": "reasoning.encrypted",
                    "format": "slipstream/anthropic/signature",
                    "index": 0,
                    "data": "c2lnbmVk",
                    "text": "Look it up.",
                }
            ],
            "tool_calls": CALLS,
        },
        {"role": "tool", "tool_call_id": CALLS[0]["id"], "content": "It is sunny."},
    ]
    asked = asked_of(stream, messages=messages, tools=[TOOL])
    async with dialect_scene(provider) as s:
        frames = await s.frames(CHAT, asked)
    assert ending_of(answered(frames, stream=stream)) == "stop"


@pytest.mark.parametrize("provider", CHATS)
@pytest.mark.parametrize("stream", [False, True])
async def test_called_tools_end_the_answer_as_clients_expect(
    provider: str, *, stream: bool
) -> None:
    """xAI's empty reason is no reason that an SDK knows."""
    asked = asked_of(stream, messages=[USER], tools=[TOOL], tool_choice="required")
    async with dialect_scene(provider) as s:
        frames = await s.frames(CHAT, asked)
    events = answered(frames, stream=stream)
    assert calls_of(events) == [("weather", {"city": "Paris"})]
    assert ending_of(events) == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_reasoning_of_mistral_is_text_for_a_client_of_chat(*, stream: bool) -> None:
    """Chunks in the place of a text break every SDK."""
    async with dialect_scene("mistral") as s:
        s.upstream.script("reasoning=3")
        asked = asked_of(stream, messages=[USER], reasoning_effort="high")
        frames = await s.frames(CHAT, asked)
    data = b"".join(frame.data for frame in frames)
    assert b'"reasoning_content":"' in data
    assert b'"chunks"' not in data
    assert b'"type":"thinking"' not in data


async def test_plain_request_is_relayed_byte_for_byte() -> None:
    """Where nothing needs it, nothing is said anew: the answer is the provider's own."""
    async with dialect_scene("groq") as s:
        asked = {"model": "public", "messages": [{"role": "user", "content": "hi"}]}
        [frame] = await s.frames(CHAT, asked)
        assert s.sent == asked | {"model": s.model}
    assert b'"x_groq":' in frame.data
    assert frame.changes == ()


async def test_what_a_model_refuses_is_left_out_in_every_dialect() -> None:
    """A temperature, for models that choose their own."""
    async with dialect_scene("openai") as s:
        s.model = "gpt-6-astra"
        asked = {"model": "p", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.1}
        [frame] = await s.frames(CHAT, asked | {"max_tokens": 5})
        assert frame.changes == ("temperature", "max_tokens -> max_completion_tokens")
        assert s.upstream.log[-1].path.endswith("/chat/completions")
        [frame] = await s.frames(RESPONSES, {"model": "p", "input": "hi", "temperature": 0.1})
        assert frame.changes == ("temperature",)
    async with dialect_scene("anthropic") as s:
        s.model = "claude-opus-5-5"
        [frame] = await s.frames(MESSAGES, asked | {"max_tokens": 5})
        assert frame.changes == ("temperature",)


async def test_model_of_responses_only_is_asked_there() -> None:
    """A chat client reaches OpenAI's `-pro` models."""
    async with dialect_scene("openai") as s:
        s.model = "gpt-5.5-pro"
        asked = {"model": "p", "messages": [{"role": "user", "content": WORDS}]}
        frames = await s.frames(CHAT, asked)
        assert s.upstream.log[-1].path.endswith("/responses")
    assert text_of(heard(CHAT, frames, stream=False)) == WORDS


@pytest.mark.parametrize("client", [CHAT, MESSAGES])
async def test_model_of_responses_only_is_asked_there_also_where_others_are_spoken(
    client: Dialect,
) -> None:
    """xAI speaks all three, and its crowd of agents one."""
    async with dialect_scene("xai") as s:
        s.model = "grok-4.20-multi-agent"
        frames = await s.frames(client, asking(client, stream=False))
        assert s.upstream.log[-1].path.endswith("/responses")
    assert text_of(heard(client, frames, stream=False)) == WORDS


@pytest.mark.parametrize(
    ("version", "changes"), [(b"2023-06-01", ()), (b"2026-10-21", ("temperature",))]
)
async def test_version_without_sampling_gets_none(version: bytes, changes: tuple[str, ...]) -> None:
    """Anthropic's newer API refuses it, even of a model that takes it."""
    async with dialect_scene("anthropic") as s:
        asked = asking(MESSAGES, stream=False) | {"temperature": 0.5}
        [frame] = await s.frames(MESSAGES, asked, headers={b"anthropic-version": version})
        assert s.upstream.log[-1].headers["anthropic-version"] == version.decode()
    assert frame.changes == changes


async def test_what_we_put_into_answers_of_others_is_withheld_from_anthropic() -> None:
    """A conversation that began elsewhere goes on, without thinking that others signed."""
    foreign = {"type": "thinking", "thinking": "Hm.", "signature": "slipstream.1.e30="}
    said = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [foreign, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]
    async with dialect_scene("anthropic") as s:
        asked = {"model": "p", "max_tokens": 9, "messages": said}
        [frame] = await s.frames(MESSAGES, asked)
        assert s.sent["messages"][1]["content"] == [{"type": "text", "text": "b"}]
    assert frame.changes == ("messages.thinking",)


async def test_two_answers_are_refused_where_there_is_one() -> None:
    """Before anything is sent, by the name that the client wrote."""
    async with dialect_scene("groq") as s:
        with pytest.raises(Unsupported) as caught:
            await s.frames(CHAT, {"model": "p", "messages": [USER], "n": 2})
        assert caught.value.param == "n"
        assert not s.upstream.log


@pytest.mark.parametrize("like", ["vllm", "ollama", "llama-server", "lm-studio"])
@pytest.mark.parametrize(
    ("client", "path"),
    [(CHAT, "/chat/completions"), (RESPONSES, "/responses"), (MESSAGES, "/messages")],
)
async def test_own_server_is_asked_in_the_clients_dialect(
    client: Dialect, path: str, like: str
) -> None:
    """All three pass through as bytes, at the same address; its key, if any, is in both places."""
    async with dialect_scene("openai", like=like) as s:
        asked = asking(client, stream=False)
        [frame] = await s.frames(client, asked)
        row = s.upstream.log[-1]
        assert s.sent == asked | {"model": s.model}
    assert row.path == f"/openai/v1{path}"
    assert ("x-api-key" in row.headers) is (client is MESSAGES)
    assert "authorization" in row.headers
    assert frame.changes == ()
    assert text_of(heard(client, [frame], stream=False)) == WORDS


async def test_own_server_gets_the_older_name_of_the_limit() -> None:
    """Those that do not know the newer one pass over it, and would never end."""
    async with dialect_scene("openai", like="ollama") as s:
        s.model = "llama"
        asked = {"model": "p", "messages": [SYSTEM, {"role": "user", "content": "a b c"}]}
        [frame] = await s.frames(CHAT, asked | {"max_completion_tokens": 2})
        assert s.sent["max_tokens"] == 2
    assert frame.changes == ("max_completion_tokens -> max_tokens", "messages.role -> system")
    assert ending_of(heard(CHAT, [frame], stream=False)) == "length"
