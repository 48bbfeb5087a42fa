"""Answers in which nothing is said, of every provider to every client, relayed and translated."""

from typing import Any

import pytest

from slipstream.call import Dialect, Frame, Meaning
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer
from slipstream.wire.sse import DONE
from tests.upstream.dialect_scene import (
    CEREBRAS,
    CHAT,
    MESSAGES,
    RESPONSES,
    TEXTS,
    asking,
    dialect_scene,
)

CLIENTS = (CHAT, CEREBRAS, MESSAGES, RESPONSES, TEXTS)
PROVIDERS = ("openai", "cerebras", "anthropic", "gemini", "mistral", "deepinfra", "xai")


async def frames_of(
    provider: str, dialect: Dialect, behaviour: str, *, stream: bool
) -> list[Frame]:
    """Return the frames of an answer with a behaviour."""
    async with dialect_scene(provider) as scene:
        scene.upstream.script(behaviour)
        body: Any = asking(dialect, stream=stream)
        if dialect is RESPONSES:
            body["reasoning"] = {"summary": "auto"}
        if dialect is CEREBRAS:
            body = {"model": "public", "messages": body["messages"], "stream": stream}
        return await scene.frames(dialect, body)


def told(frames: list[Frame]) -> list[Frame]:
    """Return the frames that mean something to the client."""
    return [frame for frame in frames if frame.meaning in (Meaning.CONTENT, Meaning.END)]


@pytest.mark.parametrize("dialect", CLIENTS)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_empty_answer_is_told_to_be_empty(
    provider: str, dialect: Dialect, *, stream: bool
) -> None:
    """No frame of it commits, and its bytes are all there to be handed on."""
    frames = await frames_of(provider, dialect, "empty", stream=stream)
    assert frames[-1].meaning is Meaning.END
    assert all(frame.is_empty for frame in told(frames))
    assert frames[-1].finish_reason in ("stop", None)


@pytest.mark.parametrize("dialect", CLIENTS)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_answer_in_words_is_not_empty(
    provider: str, dialect: Dialect, *, stream: bool
) -> None:
    """Its first word commits, and nothing after it is empty."""
    frames = await frames_of(provider, dialect, "text=one", stream=stream)
    assert told(frames)
    assert not any(frame.is_empty for frame in frames)


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_answer_cut_by_its_limit_is_not_empty(
    provider: str, dialect: Dialect, *, stream: bool
) -> None:
    """All of it may have been reasoning that nobody shows."""
    frames = await frames_of(provider, dialect, "empty,finish=length", stream=stream)
    assert not any(frame.is_empty for frame in frames)


@pytest.mark.parametrize("dialect", [CHAT, CEREBRAS, MESSAGES, RESPONSES])
@pytest.mark.parametrize("provider", ["anthropic", "gemini", "deepinfra", "xai", "openrouter"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_answer_of_reasoning_alone_is_not_empty(
    provider: str, dialect: Dialect, *, stream: bool
) -> None:
    """Where the client sees it."""
    frames = await frames_of(provider, dialect, "empty,reasoning=2", stream=stream)
    assert not any(frame.is_empty for frame in frames)


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("provider", ["openai", "mistral", "anthropic", "gemini", "xai"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_refusal_without_a_word_says_so(
    provider: str, dialect: Dialect, *, stream: bool
) -> None:
    """So that another target may be asked if the route allows it."""
    frames = await frames_of(provider, dialect, "empty,finish=content_filter", stream=stream)
    assert all(frame.is_empty for frame in told(frames))
    reasons = [frame.finish_reason for frame in frames if frame.finish_reason]
    assert reasons[-1] in ("content_filter", "refusal")


@pytest.mark.parametrize(
    ("provider", "dialect"),
    [("openai", CHAT), ("openai", MESSAGES), ("openai", RESPONSES), ("mistral", RESPONSES)],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_refusal_in_words_says_so_with_its_first(
    provider: str, dialect: Dialect, *, stream: bool
) -> None:
    """It is not empty: the client gets the words unless the route allows for another target."""
    frames = await frames_of(provider, dialect, "refuse,text=I will not", stream=stream)
    first = next(frame for frame in told(frames) if not frame.is_empty)
    assert first.finish_reason == "refusal"


def chunk(delta: str, finish: str = "null", index: int = 0) -> bytes:
    """Return an event of a chat stream."""
    choice = f'{{"index":{index},"delta":{delta},"finish_reason":{finish}}}'
    return f'data: {{"choices":[{choice}]}}\n\n'.encode()


def marks(*events: bytes) -> list[bool]:
    """Return which frames of a relayed chat stream say only why it finishes."""
    stream = AnswerStream(wants_usage=True)
    return [stream.read(event).is_empty for event in (*events, DONE)]


def test_choice_that_speaks_after_one_that_did_not() -> None:
    """What finishes without a word is held; the word of another choice commits."""
    events = (
        chunk("{}", '"stop"'),
        chunk('{"content":"a"}', index=1),
        chunk("{}", '"stop"', index=1),
    )
    assert marks(*events) == [True, False, False, False]


def test_chunk_that_speaks_and_finishes_at_once() -> None:
    """Providers that send an answer in one chunk are not taken for silent."""
    assert marks(chunk('{"content":"a"}', '"stop"')) == [False, False]


def test_sealed_reasoning_is_no_silence_and_no_commit() -> None:
    """It comes before what is said; alone it is an answer for whoever sends it back."""
    stream = AnswerStream(wants_usage=True)
    sealed = stream.read(chunk('{"reasoning_details":[{"data":"x"}]}'))
    assert sealed.meaning is Meaning.SILENT
    assert not stream.read(chunk("{}", '"stop"')).is_empty
    assert not stream.read(DONE).is_empty


def test_stream_without_done_is_empty_likewise() -> None:
    """Its end adds the frame."""
    stream = AnswerStream(wants_usage=True)
    stream.read(chunk("{}", '"stop"'))
    end = stream.end()
    assert end is not None
    assert end.is_empty


MESSAGES_OF_CHAT = [
    ('"content":"a"', "stop", False, "stop"),
    ('"content":"a longer text"', "stop", False, "stop"),
    ('"content":""', "stop", True, "stop"),
    ('"content":null,"tool_calls":null,"annotations":[]', "stop", True, "stop"),
    ('"content":null,"tool_calls":[{"id":"c"}]', "tool_calls", False, "tool_calls"),
    ('"content":null,"reasoning":"hm"', "stop", False, "stop"),
    ('"content":null,"images":[{"image_url":{}}]', "stop", False, "stop"),
    ('"content":null,"audio":{"id":"a"}', "stop", False, "stop"),
    ('"content":null', "length", False, "length"),
    ('"content":null', "model_length", False, "length"),
    ('"content":null', "content_filter", True, "content_filter"),
    ('"content":null,"refusal":"no"', "stop", False, "refusal"),
    ('"content":"a","refusal":"no"', "stop", False, "stop"),
]


@pytest.mark.parametrize(
    ("said", "finish", "is_empty", "reason"),
    MESSAGES_OF_CHAT,
    ids=[str(at) for at in range(len(MESSAGES_OF_CHAT))],
)
def test_plain_chat_answer_of_the_table(
    said: str, finish: str, reason: str, *, is_empty: bool
) -> None:
    """Any field of the message that says something counts, also one that nobody knows here."""
    message = f'{{"role":"assistant",{said}}}'
    body = f'{{"choices":[{{"index":0,"message":{message},"finish_reason":"{finish}"}}]}}'
    frame = read_answer(body.encode())
    assert (frame.is_empty, frame.finish_reason) == (is_empty, reason)


@pytest.mark.parametrize(
    ("choices", "is_empty"),
    [
        ('{"text":""}', True),
        ('{"text":"a"}', False),
        ('{"text":""},{"text":"a"}', False),
        ('{"message":null}', True),
        ('{"message":"a"}', True),
        ("{}", True),
    ],
    ids=str,
)
def test_plain_answer_of_other_shapes(choices: str, *, is_empty: bool) -> None:
    """Texts, several choices, and messages that are none."""
    assert read_answer(b'{"choices":[%b]}' % choices.encode()).is_empty == is_empty
