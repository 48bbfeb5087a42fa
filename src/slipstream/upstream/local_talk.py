"""A conversation in a dialect that is not chat, with a model that we run.

What is asked becomes the chat request that the model would have got from a chat client, so that
every limit and default is the same; what the engine says becomes events, and frames of them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.engine.protocol import Delta, ToolCall
from slipstream.upstream.hearing import Heard
from slipstream.wire.chat.writing import write_asked
from slipstream.wire.chat_request import ChatRequest, parse_chat_request
from slipstream.wire.talk.asking import Target
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

_VENDOR: Final = "local"
_BEGAN: Final = Began()


def chat_of(heard: Heard) -> tuple[ChatRequest, tuple[str, ...]]:
    """Return what a client asks as a chat, and what of it the model gets otherwise.

    Raises:
        BadRequest: No model of ours takes it.
        Unsupported: It asks for what chat has no word for.
    """
    written = write_asked(heard.asked, Target(vendor=_VENDOR, model=heard.asked.model))
    return parse_chat_request(written.body), (*heard.changes, *written.changes)


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
            yield Ended(reason=piece.finish)

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
