"""What a client asks, read whole, and who writes its answer: a row for each dialect of clients.

For targets that speak otherwise than the client does, be they others' models or our own.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from slipstream.call import Call, Dialect, Frame, Meaning
from slipstream.errors import GatewayError
from slipstream.wire.cerebras.from_openai import CerebrasView, whole_answer
from slipstream.wire.cerebras.to_openai import adapt_to_openai
from slipstream.wire.chat import answers_out as chat_out
from slipstream.wire.chat import reading as chat
from slipstream.wire.completions import answers_out as completions_out
from slipstream.wire.completions import reading as completions
from slipstream.wire.messages import answers_out as messages_out
from slipstream.wire.messages import reading as messages
from slipstream.wire.responses import answers_out as responses_out
from slipstream.wire.responses import reading as responses
from slipstream.wire.responses.following import UNKEPT, Following, own_response_id
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.counting import estimate_tokens
from slipstream.wire.talk.events import Event, Said, Thought

_STORED: Final = msgspec.Raw(b"true")
_NOT_STORED: Final = msgspec.Raw(b"false")

Clock = Callable[[], float]
"""Seconds since 1970."""


class Writer(Protocol):
    """Writes one answer in the client's dialect."""

    def write(self, event: Event) -> list[Frame]:
        """Return the frames that one event of a stream makes."""

    def whole(self, events: Iterable[Event]) -> Frame:
        """Return a plain answer."""


class Heard(NamedTuple):
    """A whole request.

    Args:
        changes: What of it can be said to no target that speaks otherwise.
        fail: Makes the last event of a stream that breaks off, where the writer must.
    """

    asked: Asked
    writer: Writer
    changes: tuple[str, ...] = ()
    fail: Callable[[GatewayError], Frame] | None = None


def hear(call: Call, wall_s: Clock) -> Heard:
    """Return what a call asks.

    Raises:
        BadRequest: Its body cannot be read; the error names the field.
        Unsupported: It holds what only the vendor of its dialect can make sense of.
    """
    return _DIALECTS[call.dialect](call, wall_s)


def tell_end(error: GatewayError, heard: Heard) -> None:
    """Note how the client's stream ends if it breaks off with this error."""
    if heard.fail is not None:
        error.last_event = heard.fail(error).data


def _hear_chat(call: Call, wall_s: Clock) -> Heard:
    return Heard(chat.read_asked(call.body), _chat_writer(call, wall_s, call.wants_usage))


def _hear_cerebras(call: Call, wall_s: Clock) -> Heard:
    body, changes = adapt_to_openai(call.body)
    chat_writer = _chat_writer(call, wall_s, wants_usage=True, reasoning_field="reasoning")
    return Heard(chat.read_asked(body), _CerebrasWriter(chat_writer), changes)


def _chat_writer(
    call: Call, wall_s: Clock, wants_usage: bool, reasoning_field: str = "reasoning_content"
) -> chat_out.AnswerWriter:
    return chat_out.AnswerWriter(
        answer_id=f"chatcmpl-{call.call_id}",
        model=call.model,
        created_s=int(wall_s()),
        wants_usage=wants_usage,
        reasoning_field=reasoning_field,
    )


def _hear_completions(call: Call, wall_s: Clock) -> Heard:
    writer = completions_out.AnswerWriter(
        answer_id=f"cmpl-{call.call_id}",
        model=call.model,
        created_s=int(wall_s()),
        wants_usage=call.wants_usage,
    )
    return Heard(completions.read_asked(call.body), writer)


def _hear_messages(call: Call, wall_s: Clock) -> Heard:
    asked = messages.read_asked(call.body)
    writer = messages_out.AnswerWriter(
        answer_id=f"msg_{call.call_id}", model=call.model, input_tokens=estimate_tokens(asked)
    )
    return Heard(asked, writer)


def _hear_responses(call: Call, wall_s: Clock) -> Heard:
    following = call.asked if isinstance(call.asked, Following) else UNKEPT
    heard = responses.read_asked(call.body, earlier=following.earlier, known=following.known)
    is_missed = bytes(heard.echo.get("store", b"")) == b"true" and not following.is_kept
    store = _STORED if following.is_kept else _NOT_STORED
    heard = msgspec.structs.replace(heard, echo={**heard.echo, "store": store})
    writer = responses_out.AnswerWriter(
        heard,
        response_id=own_response_id(call.call_id),
        created_s=int(wall_s()),
        clock=lambda: math.ceil(wall_s()),
    )
    if following.tell_items is not None:
        following.tell_items(writer.kept_items)
    changes = (*(("store",) if is_missed else ()), *heard.unheard)
    return Heard(heard.asked, writer, changes, writer.fail)


_TEXTS: Final = (Said, Thought)


class _CerebrasWriter:
    """Writes for a Cerebras client, whose streams tell usage with the chunk that finishes."""

    __slots__ = ("_chat", "_view")

    def __init__(self, chat_writer: chat_out.AnswerWriter) -> None:
        self._chat, self._view = chat_writer, CerebrasView()

    def write(self, event: Event) -> list[Frame]:
        """Return the frames that one event of a stream makes."""
        frames = self._chat.write(event)
        if type(event) in _TEXTS and not self._view.is_holding:
            return frames  # which nothing is held back for
        return [shown for frame in frames for shown in self._view.read(_usage_withheld(frame))]

    def whole(self, events: Iterable[Event]) -> Frame:
        """Return a plain answer."""
        return whole_answer(self._chat.whole(events))


def _usage_withheld(frame: Frame) -> Frame:
    if frame.meaning is Meaning.SILENT and b'"choices":[]' in frame.data:
        return msgspec.structs.replace(frame, meaning=Meaning.WITHHELD)
    if frame.usage is not None and b'"finish_reason":"' in frame.data:
        return msgspec.structs.replace(frame, usage=None)  # it comes with the chunk behind it
    return frame


_DIALECTS: Final[dict[Dialect, Callable[[Call, Clock], Heard]]] = {
    Dialect.OPENAI_CHAT: _hear_chat,
    Dialect.CEREBRAS_CHAT: _hear_cerebras,
    Dialect.OPENAI_COMPLETIONS: _hear_completions,
    Dialect.ANTHROPIC_MESSAGES: _hear_messages,
    Dialect.OPENAI_RESPONSES: _hear_responses,
}
CLIENTS: Final = tuple(_DIALECTS)
"""Every dialect of clients that can be said in another one."""
