"""The matrix: every client's dialect at every provider, against the scripted upstream."""

import json

import pytest

from slipstream.call import Dialect, Meaning
from slipstream.errors import Busy, GatewayError, StreamCut, Unsupported
from tests.upstream.dialect_scene import (
    CHAT,
    CLIENTS,
    MESSAGES,
    PROVIDERS,
    RESPONSES,
    TEXTS,
    WORDS,
    asking,
    calls_of,
    dialect_scene,
    ending_of,
    heard,
    text_of,
    tokens_of,
)

every_pair = pytest.mark.parametrize(
    ("client", "provider"),
    [(client, provider) for client in CLIENTS for provider in PROVIDERS],
)


@every_pair
@pytest.mark.parametrize("stream", [False, True])
async def test_text_arrives_with_its_ending_and_its_usage(
    client: Dialect, provider: str, *, stream: bool
) -> None:
    """Both the client and our own account are told the same, whoever speaks what."""
    async with dialect_scene(provider) as s:
        frames = await s.frames(client, asking(client, stream=stream))
    events = heard(client, frames, stream=stream)
    assert text_of(events) == WORDS
    assert ending_of(events) == frames[-1].finish_reason == "stop"
    assert frames[-1].meaning is Meaning.END
    usage = next(frame.usage for frame in reversed(frames) if frame.usage is not None)
    assert tokens_of(events) == (usage.total_input_tokens, usage.total_output_tokens)
    assert usage.total_output_tokens == 3


@pytest.mark.parametrize(
    ("client", "provider"),
    [(client, provider) for client in CLIENTS if client is not TEXTS for provider in PROVIDERS],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_tool_is_called(client: Dialect, provider: str, *, stream: bool) -> None:
    """Name and arguments come through, and the ending says that a call waits."""
    async with dialect_scene(provider) as s:
        frames = await s.frames(client, asking(client, stream=stream, tool=True))
    events = heard(client, frames, stream=stream)
    assert calls_of(events) == [("weather", {"city": "Paris"})]
    assert ending_of(events) == "tool_calls"


@every_pair
@pytest.mark.parametrize("stream", [False, True])
async def test_busy_provider_is_told_as_busy(
    client: Dialect, provider: str, *, stream: bool
) -> None:
    """An error before the answer keeps its class and its time to wait."""
    async with dialect_scene(provider) as s:
        s.upstream.script("status=429,retry_after=7")
        with pytest.raises(Busy) as caught:
            await s.frames(client, asking(client, stream=stream))
    assert caught.value.retry_after_s == 7.0


@every_pair
async def test_cut_stream_is_no_whole_answer(client: Dialect, provider: str) -> None:
    """A stream without its terminal event ends in an error."""
    async with dialect_scene(provider) as s:
        s.upstream.script("cut_body=900,text=" + "word " * 300)
        with pytest.raises(GatewayError) as caught:
            await s.frames(client, asking(client, stream=True))
    assert isinstance(caught.value, StreamCut)


@pytest.mark.parametrize("shape", ["split=1", "crlf=true", "comments=true", "events_per_write=50"])
async def test_bytes_may_come_in_any_pieces(shape: str) -> None:
    """How the network and the provider cut a stream changes nothing of what is said."""
    for client, provider in ((MESSAGES, "openai"), (CHAT, "anthropic"), (RESPONSES, "gemini")):
        async with dialect_scene(provider) as s:
            s.upstream.script(shape)
            frames = await s.frames(client, asking(client, stream=True))
        assert text_of(heard(client, frames, stream=True)) == WORDS


@pytest.mark.parametrize("stream", [False, True])
async def test_first_frame_tells_what_was_changed(*, stream: bool) -> None:
    """In the client's words, and only once."""
    asked = asking(CHAT, stream=stream) | {"verbosity": "low"}
    async with dialect_scene("anthropic") as s:
        frames = await s.frames(CHAT, asked)
    assert frames[0].changes == ("verbosity",)
    assert not any(frame.changes for frame in frames[1:])


async def test_dialect_that_cannot_say_it_is_passed_over() -> None:
    """Responses has no word for stop strings, so OpenAI is asked in its chat."""
    async with dialect_scene("openai") as s:
        s.model = "gpt-4.1"
        await s.frames(MESSAGES, asking(MESSAGES, stream=False))
        await s.frames(MESSAGES, asking(MESSAGES, stream=False) | {"stop_sequences": ["three"]})
        paths = [exchange.path for exchange in s.upstream.log]
    assert paths == ["/openai/v1/responses", "/openai/v1/chat/completions"]


async def test_what_no_dialect_of_the_provider_can_say_is_refused_unsent() -> None:
    """Another target may be tried; the error names the client's field."""
    async with dialect_scene("anthropic") as s:
        with pytest.raises(Unsupported) as caught:
            await s.frames(CHAT, asking(CHAT, stream=False) | {"n": 2})
        assert caught.value.param == "n"
        assert s.upstream.log == ()


async def test_gemini_is_asked_at_the_models_own_address() -> None:
    """Model and stream are in the path."""
    async with dialect_scene("gemini") as s:
        for stream in (False, True):
            await s.frames(CHAT, asking(CHAT, stream=stream))
        paths = [exchange.path for exchange in s.upstream.log]
        headers = dict(s.upstream.log[-1].headers)
    assert paths == [
        "/gemini/v1beta/models/gemini-3.5-flash:generateContent",
        "/gemini/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse",
    ]
    assert "x-goog-api-key" in headers
    assert "authorization" not in headers


async def test_error_inside_a_stream_tells_how_the_clients_stream_ends() -> None:
    """A Responses stream ends with `response.failed`, which holds what was said until then."""
    async with dialect_scene("anthropic") as s:
        s.upstream.script("error_after=4")
        with pytest.raises(GatewayError) as caught:
            await s.frames(RESPONSES, asking(RESPONSES, stream=True))
    told = caught.value.last_event
    assert told is not None
    event, _, data = told.removeprefix(b"event: ").partition(b"\ndata: ")
    assert event == b"response.failed"
    assert json.loads(data)["response"]["status"] == "failed"


async def test_stream_that_is_none_is_an_error() -> None:
    """A 200 with a plain body where a stream was asked for is read as the error that it may be."""
    async with dialect_scene("anthropic") as s:
        s.upstream.script("status=529,error_in_200=true")
        with pytest.raises(GatewayError):
            await s.frames(CHAT, asking(CHAT, stream=True))


async def test_what_a_single_model_refuses_is_left_out_and_named() -> None:
    """Claude of late has no temperature; without a limit of the answer it gets the model's own."""
    async with dialect_scene("anthropic") as s:
        s.model = "claude-opus-4-8"
        frames = await s.frames(CHAT, asking(CHAT, stream=False) | {"temperature": 0.5})
        assert "temperature" not in s.sent
        assert s.sent["max_tokens"] == 128_000
    assert frames[0].changes == ("temperature",)
