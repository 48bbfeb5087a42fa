"""A conversation in a dialect that is not chat, with a model that we run.

What is asked becomes the chat request that the model would have got from a chat client, so that
every limit and default is the same; what the engine says becomes events, and frames of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Final

import msgspec

from slipstream.call import Call, Frame, Frames, Meaning, Usage
from slipstream.choice import Deadlines
from slipstream.engine.protocol import Delta, Ready, ToolCall
from slipstream.errors import BadRequest, GatewayError
from slipstream.upstream.hearing import Clock, Heard, hear, tell_end
from slipstream.upstream.local_chat import plain_frames, queued, stream_frames, to_generate
from slipstream.upstream.local_client import EngineClient
from slipstream.upstream.local_waits import Bounds, Waits
from slipstream.upstream.local_words import check_calls, in_clients_words
from slipstream.wire.chat.writing import write_asked
from slipstream.wire.chat_request import ChatRequest, parse_chat_request
from slipstream.wire.talk.asking import Asked, Target
from slipstream.wire.talk.custom_tools import as_input, custom_names
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Counted,
    Ended,
    Event,
    Over,
    Said,
    Thought,
)

Reach = Callable[[Waits], Awaitable[tuple[EngineClient, Ready]]]
"""Returns the client of a process that answers, started if need be."""

_VENDOR: Final = "local"
_BEGAN: Final = Began()


def chat_of(asked: Asked) -> tuple[ChatRequest, tuple[str, ...]]:
    """Return what a client asks as a chat, and what of it the model gets otherwise.

    Raises:
        BadRequest: No model of ours takes it; the error names the client's field.
        Unsupported: It asks for what chat has no word for.
    """
    check_calls(asked)
    stops = asked.sampling.stop  # chat's bound of four is none of the engine's
    sampling = msgspec.structs.replace(asked.sampling, stop=())
    written = write_asked(
        msgspec.structs.replace(asked, sampling=sampling),
        Target(vendor=_VENDOR, model=asked.model),
    )
    try:
        chat = parse_chat_request(written.body)
    except BadRequest as error:
        in_clients_words(error, asked)
        raise
    return msgspec.structs.replace(chat, stop=stops), written.changes


async def answer_talk(call: Call, wall_s: Clock, reach: Reach) -> Frames:
    """Answer a conversation in the dialect of its client.

    Raises:
        GatewayError: From the iteration: the body, the model, or a deadline.
    """
    attempt = call.attempt
    assert attempt is not None, "dispatch aims every call"
    heard = hear(call, wall_s)
    asked, changes = chat_of(heard.asked)
    waits = Waits(attempt)
    client, _ = await reach(waits)
    answer = client.generate(queued(to_generate(asked, tenant=call.key_id), call))
    head = TalkAnswer(heard, (*heard.changes, *changes))
    answered = stream_frames if call.is_stream else plain_frames
    try:
        async with aclosing(answered(answer, head, waits)) as frames:
            async for frame in frames:
                yield frame
    except GatewayError as error:
        in_clients_words(error, heard.asked)
        tell_end(error, heard)
        raise
    finally:
        answer.close()


async def count_talk(asked: Asked, deadlines: Deadlines, reach: Reach) -> int:
    """Return how many tokens a conversation has, as the model's template writes it.

    Raises:
        GatewayError: As `answer_talk`.
    """
    chat, _ = chat_of(asked)
    waits = Waits(Bounds(deadlines, asyncio.get_running_loop().time() + deadlines.total_s))
    client, _ = await reach(waits)
    try:
        return await waits.bounded(client.count(to_generate(chat, tenant="")))
    except GatewayError as error:
        in_clients_words(error, asked)
        raise


class TalkAnswer:
    """Makes frames of an answer's pieces, in the dialect of the client; see ChatHead."""

    __slots__ = ("_changes", "_custom_names", "_num_calls", "_writer")

    def __init__(self, heard: Heard, changes: tuple[str, ...]) -> None:
        """Begin an answer.

        Args:
            changes: Told with its first frame.
        """
        self._writer = heard.writer
        self._custom_names = custom_names(heard.asked)
        self._changes = changes
        self._num_calls = 0

    def open(self) -> Frame:
        """Return what begins a stream; it says nothing yet."""
        return msgspec.structs.replace(self._joined([_BEGAN], None), changes=self._changes)

    def say(self, text: str, usage: Usage, choice: int = 0) -> Frame:
        """Return more text; `usage` is what the answer has cost so far."""
        return self._joined([Said(text)], usage)

    def think(self, reasoning: str, usage: Usage, choice: int = 0) -> Frame:
        """Return more reasoning."""
        return self._joined([Thought(reasoning)], usage)

    def tell(self, piece: Delta, usage: Usage) -> Frame | None:
        """Return any piece; None if it says nothing."""
        frame = self._joined(self._events(piece), usage)
        return frame if frame.data else None

    def close(self, finish_reason: str | None, usage: Usage) -> list[Frame]:
        """Return what ends a stream, the terminal event last."""
        last = self._joined([Counted(usage), Over()], usage)
        return [Frame(last.data, Meaning.END, usage, finish_reason)]

    def whole(self, pieces: Iterable[Delta], usage: Usage) -> Frame:
        """Return a plain answer."""
        events = [event for piece in pieces for event in self._events(piece)]
        frame = self._writer.whole([_BEGAN, *events, Counted(usage), Over()])
        return msgspec.structs.replace(frame, changes=self._changes)

    def _events(self, piece: Delta) -> Iterator[Event]:
        if piece.reasoning:
            yield Thought(piece.reasoning)
        if piece.text:
            yield Said(piece.text)
        if piece.tool_call is not None:
            yield from self._call(piece.tool_call)
        if piece.finish is not None:
            yield Ended(reason=piece.finish, stop_sequence=piece.stop)

    def _call(self, call: ToolCall) -> Iterator[Event]:
        index, self._num_calls = self._num_calls, self._num_calls + 1
        is_custom = call.name in self._custom_names
        said = as_input(call.arguments) if is_custom else call.arguments
        yield CallBegan(index=index, call_id=call.call_id, name=call.name, is_custom=is_custom)
        yield CallSaid(index, said)

    def _joined(self, events: Iterable[Event], usage: Usage | None) -> Frame:
        frames = [frame for event in events for frame in self._writer.write(event)]
        data = b"".join([frame.data for frame in frames])
        meaning = max((frame.meaning for frame in frames), default=Meaning.SILENT)
        return Frame(data, meaning, usage)
