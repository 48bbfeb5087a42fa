"""The relay to a provider of text completions: a text client's bytes, others' transcripts."""

import json

import pytest

from slipstream.call import Call, Dialect, Meaning
from slipstream.errors import Unsupported
from slipstream.upstream.relay_bodies import Ways, bodies_for
from tests.upstream.dialect_scene import (
    CEREBRAS,
    CHAT,
    MESSAGES,
    RESPONSES,
    TEXTS,
    asking,
    dialect_scene,
    ending_of,
    heard,
    text_of,
    tokens_of,
)

BASE = {"dialect": "openai_completions"}


@pytest.mark.parametrize("stream", [False, True])
async def test_text_client_gets_the_providers_bytes(*, stream: bool) -> None:
    """Only the model changes; what we do not know reaches the provider, and fails there."""
    async with dialect_scene("openai", **BASE) as s:
        asked = asking(TEXTS, stream=stream)
        frames = await s.frames(TEXTS, asked | {"suffix": "end"})
        assert s.sent == asked | {"suffix": "end", "model": s.model}
        assert s.upstream.log[-1].path == "/openai/v1/completions"
    assert b'"id":"cmpl-000001"' in frames[0].data
    events = heard(TEXTS, frames, stream=stream)
    assert (text_of(events), ending_of(events)) == ("one two three", "stop")
    assert tokens_of(events) == (3, 3)
    assert frames[-1].finish_reason == "stop"


@pytest.mark.parametrize("wants", [False, True])
def test_stream_asks_for_usage_unless_the_client_does(*, wants: bool) -> None:
    """Our account needs it; other options of the stream stay."""
    said = {"model": "m", "prompt": "x", "stream_options": {"include_usage": wants, "more": 1}}
    call = Call(
        call_id="c",
        dialect=TEXTS,
        body=json.dumps(said).encode(),
        model="m",
        key_id="k",
        is_stream=True,
        wants_usage=wants,
    )
    [prepare] = bodies_for(TEXTS, Ways()).values()
    prepared = prepare(call, "base")
    assert prepared is not None
    sent = json.loads(prepared.body)
    assert sent == said | {"model": "base", "stream_options": {"include_usage": True, "more": 1}}


async def test_usage_that_the_client_did_not_ask_for_is_withheld() -> None:
    """It is in our account all the same."""
    async with dialect_scene("openai", **BASE) as s:
        asked = asking(TEXTS, stream=True)
        del asked["stream_options"]
        frames = await s.frames(TEXTS, asked, wants_usage=False)
    [counted] = [frame for frame in frames if frame.usage is not None]
    assert counted.meaning is Meaning.WITHHELD
    assert counted.usage is not None
    assert counted.usage.total_output_tokens == 3


@pytest.mark.parametrize("client", [CHAT, CEREBRAS, MESSAGES, RESPONSES])
@pytest.mark.parametrize("stream", [False, True])
async def test_conversation_becomes_a_transcript(client: Dialect, *, stream: bool) -> None:
    """The model's words are the assistant's, without the space behind its label."""
    async with dialect_scene("openai", **BASE) as s:
        s.upstream.script({"text": " four five\n\nUser: six"})
        frames = await s.frames(client, asking(client, stream=stream))
        assert s.sent["prompt"] == "User: one two three\n\nAssistant:"
    events = heard(client, frames, stream=stream)
    assert (text_of(events), ending_of(events)) == ("four five", "stop")
    assert tokens_of(events) == (5, 2)


async def test_what_a_text_cannot_say_is_refused_unsent() -> None:
    """The error names the client's field."""
    async with dialect_scene("openai", **BASE) as s:
        with pytest.raises(Unsupported) as caught:
            await s.frames(MESSAGES, asking(MESSAGES, stream=False, tool=True))
        assert caught.value.param == "tools"
        assert s.upstream.log == ()
