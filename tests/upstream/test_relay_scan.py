"""Messages and Responses that are relayed: the bytes stay, and what they mean is seen."""

from typing import Any

import pytest

from slipstream.call import Dialect, Meaning, Usage
from slipstream.errors import Broken, GatewayError, StreamCut
from slipstream.upstream.relay_scan import ScannedStream
from slipstream.wire.messages.answers_in import AnswerReader
from tests.upstream.dialect_scene import MESSAGES, RESPONSES, asking, dialect_scene

SAME = [
    (MESSAGES, "anthropic"),
    (MESSAGES, "openrouter"),
    (RESPONSES, "openai"),
    (RESPONSES, "deepinfra"),
]
OWN = {MESSAGES: {"inference_geo": "us"}, RESPONSES: {"truncation": "auto"}}
START = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n'
SAY = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}\n\n'
)
END = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"input_tokens":3,"output_tokens":2}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def encoded(headers: Any) -> dict[bytes, bytes]:
    """Return headers of the log as they were on the wire."""
    return {name.lower().encode(): value.encode() for name, value in dict(headers).items()}


@pytest.mark.parametrize(("dialect", "provider"), SAME)
@pytest.mark.parametrize("stream", [False, True])
async def test_answer_is_relayed_and_counted(
    dialect: Dialect, provider: str, *, stream: bool
) -> None:
    """Only the model of the request changes; fields that no other dialect has go along."""
    asked: dict[str, Any] = asking(dialect, stream=stream) | OWN[dialect]
    async with dialect_scene(provider) as s:
        frames = await s.frames(dialect, asked)
        assert s.sent == asked | {"model": s.model}
    assert frames[-1].meaning is Meaning.END
    assert frames[-1].finish_reason == "stop"
    assert frames[-1].usage is not None
    assert frames[-1].usage.total_output_tokens == 3
    assert not any(frame.changes for frame in frames)


@pytest.mark.parametrize(("dialect", "provider"), SAME)
async def test_relayed_error_in_a_stream_is_raised(dialect: Dialect, provider: str) -> None:
    """Before and after the commit point alike."""
    async with dialect_scene(provider) as s:
        s.upstream.script("error_after=3")
        with pytest.raises(GatewayError):
            await s.frames(dialect, asking(dialect, stream=True))


async def test_version_and_betas_of_the_client_go_to_who_speaks_its_dialect() -> None:
    """They are part of the request; without them the version is the one that all models take."""
    own = {b"anthropic-version": b"2026-10-21", b"anthropic-beta": b"x-2026-01-01"}
    async with dialect_scene("anthropic") as s:
        await s.frames(MESSAGES, asking(MESSAGES, stream=False), headers=own)
        await s.frames(MESSAGES, asking(MESSAGES, stream=False))
        first, second = (encoded(exchange.headers) for exchange in s.upstream.log)
    assert own.items() <= first.items()
    assert b"x-api-key" in first
    assert second[b"anthropic-version"] == b"2023-06-01"
    assert b"anthropic-beta" not in second
    async with dialect_scene("openai") as s:
        await s.frames(MESSAGES, asking(MESSAGES, stream=False), headers=own)
        assert not own.keys() & encoded(s.upstream.log[-1].headers).keys()


def test_events_that_only_say_something_are_not_read() -> None:
    """One that is cut short is read nevertheless, and found broken."""
    stream = ScannedStream(AnswerReader(), (b"event: content_block_delta\ndata: {",))
    assert stream.read(START).meaning is Meaning.SILENT
    assert stream.read(SAY).meaning is Meaning.CONTENT
    with pytest.raises(Broken):
        stream.read(SAY[:-4] + b"\n\n")


def test_end_carries_what_was_counted() -> None:
    """Usage comes before the terminal event, which tells it again for our account."""
    stream = ScannedStream(AnswerReader())
    frames = [stream.read(event) for event in (START, END, STOP)]
    assert [frame.data for frame in frames] == [START, END, STOP]
    assert frames[1].usage == frames[2].usage == Usage(input_tokens=3, output_tokens=2)
    assert (frames[2].meaning, frames[2].finish_reason) == (Meaning.END, "stop")
    assert stream.end() is None


def test_stream_without_its_terminal_event_is_cut() -> None:
    """Whatever came before."""
    stream = ScannedStream(AnswerReader())
    stream.read(START)
    with pytest.raises(StreamCut):
        stream.end()
