"""Answers of an upstream that speaks Responses, plain and streamed, as events.

Rules: (1) an event of an unknown type is nobody's error; (2) what `done` events repeat is told
once, and told at all where the pieces before it were left out; (3) only a terminal event that
holds the answer ends a stream, never `[DONE]`.

Source: openai-python 3.52.0's types; cassettes of langchain-openai 1.7.4; 2026-11-21.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.errors import Broken, StreamCut
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.responses.errors_in import read_failed
from slipstream.wire.responses.items_told import ItemsTold
from slipstream.wire.responses.usage import read_usage
from slipstream.wire.sse import event_data
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Failed, Over
from slipstream.wire.usage import in_tier

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")

# Why an answer stopped early; `max_messages` and `steered` are the client's own doing.
_REASONS: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}
_WHOLE: Final = ("completed", "incomplete")
_FAILED: Final = ("failed", "cancelled")


class _Incomplete(Struct):
    reason: str | None = None


class _WebSearches(Struct):
    num_requests: int | None = None


class _ToolUsage(Struct):
    web_search: _WebSearches | None = None


class _Response(Struct):
    id: str | None = None
    object: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    service_tier: str | None = None
    error: msgspec.Raw = _NOTHING
    incomplete_details: _Incomplete | None = None
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = _NOTHING
    tool_usage: _ToolUsage | None = None


class _Said(Struct):
    type: str | None = None
    output_index: int | None = None
    item_id: str | None = None
    content_index: int | None = None
    summary_index: int | None = None
    delta: Any = None
    logprobs: msgspec.Raw = _NOTHING
    item: msgspec.Raw = _NOTHING
    annotation: msgspec.Raw = _NOTHING
    response: msgspec.Raw = _NOTHING


class _Typed(Struct):
    type: str | None = None


_said_decoder: Final = msgspec.json.Decoder(_Said)
_typed_decoder: Final = msgspec.json.Decoder(_Typed)
_response_decoder: Final = msgspec.json.Decoder(_Response)


class AnswerReader:
    """Reads one answer.

    Args:
        vendor: Whose sealed reasoning it tells.
    """

    __slots__ = ("_has_begun", "_is_over", "_items")

    def __init__(self, *, vendor: str = "openai") -> None:
        self._items = ItemsTold(vendor)
        self._has_begun = self._is_over = False

    def read_whole(self, body: bytes) -> list[Event]:
        """Return the events of a plain answer.

        Raises:
            Broken: It is no answer of this dialect, or not a finished one.
        """
        try:
            said = _response_decoder.decode(body)
        except UNREADABLE as exc:
            if errors_in.is_error(body):
                return [Failed(read_failed(body))]
            raise Broken(f"the answer is no response: {exc}") from exc
        if said.output is None and errors_in.is_error(body):
            return [Failed(read_failed(body))]
        if said.output is None:
            raise Broken("the answer holds no output")
        events = [*self._begin(said), *self._finish(said)]
        if not self._is_over:
            raise Broken(f"the answer is not finished: its status is '{said.status}'")
        return events

    def read(self, event: bytes) -> list[Event]:
        """Return what one whole event of a stream says.

        Raises:
            Broken: It is no event of this dialect.
        """
        data = event_data(event)
        if data is None or self._is_over or data.startswith(b"[DONE]"):
            return []
        said = _decode(data)
        if said is None:
            return []
        read = _READERS.get(said.type or "")
        if read is not None:
            return read(self, said)
        if said.type == "error" or (said.type is None and errors_in.is_error(data)):
            self._is_over = True
            return [Failed(read_failed(data))]
        return []

    def end(self) -> list[Event]:
        """Say that the bytes are over.

        Raises:
            StreamCut: The terminal event did not come.
        """
        if not self._is_over:
            raise StreamCut("the stream ended before its 'response.completed'")
        return []

    def _read_begun(self, said: _Said) -> list[Event]:
        return self._begin(_response_of(said))

    def _read_over(self, said: _Said) -> list[Event]:
        response = _response_of(said)
        if response.status is None:
            response.status = (said.type or "").partition(".")[2]
        return [*self._begin(response), *self._finish(response)]

    def _read_item_added(self, said: _Said) -> list[Event]:
        return self._items.open(_key(said), said.item)

    def _read_item_done(self, said: _Said) -> list[Event]:
        return self._items.complete(_key(said), said.item)

    def _read_text(self, said: _Said) -> list[Event]:
        logprobs = b"" if bytes(said.logprobs) in (b"null", b"[]") else said.logprobs
        return self._items.say(_key(said), _delta(said), logprobs)

    def _read_refusal(self, said: _Said) -> list[Event]:
        return self._items.refuse(_key(said), _delta(said))

    def _read_call(self, said: _Said) -> list[Event]:
        return self._items.call(_key(said), _delta(said))

    def _read_summary(self, said: _Said) -> list[Event]:
        part = said.summary_index or 0
        return self._items.think(_key(said), _delta(said), part, is_summary=True)

    def _read_thought(self, said: _Said) -> list[Event]:
        part = said.content_index or 0
        return self._items.think(_key(said), _delta(said), part, is_summary=False)

    def _read_annotation(self, said: _Said) -> list[Event]:
        return self._items.cite(_key(said), said.annotation)

    def _begin(self, said: _Response) -> list[Event]:
        if self._has_begun:
            return []
        self._has_begun = True
        began = Began(
            answer_id=said.id or "",
            model=said.model or "",
            created_s=None if said.created_at is None else int(said.created_at),
            service_tier=said.service_tier,
        )
        return [began]

    def _finish(self, said: _Response) -> list[Event]:
        """Tell what was not told yet, how it ended and what it cost."""
        events: list[Event] = []
        if self._items.is_untold:  # else each item had events of its own
            for at, item in enumerate(said.output or ()):
                events += self._items.complete(at, item)
        usage = read_usage(said.usage, tool_units=self._tool_units(said))
        usage = in_tier(usage, said.service_tier)
        counted: list[Event] = [] if usage is None else [Counted(usage)]
        if said.status in _FAILED or (said.status is None and bytes(said.error) not in _ABSENT):
            self._is_over = True
            return [*events, *counted, Failed(read_failed(said.error))]
        if said.status not in _WHOLE and said.status is not None:
            return events
        self._is_over = True
        return [*events, Ended(reason=self._reason(said)), *counted, Over()]

    def _reason(self, said: _Response) -> str:
        details = said.incomplete_details
        if said.status == "incomplete" and details is not None:
            return _REASONS.get(details.reason or "", "stop")
        return "tool_calls" if self._items.num_calls else "stop"

    def _tool_units(self, said: _Response) -> int:
        searches = said.tool_usage.web_search if said.tool_usage else None
        told = searches.num_requests if searches else None
        return self._items.num_searches if told is None else max(told, 0)


_READERS: Final[dict[str, Callable[[AnswerReader, _Said], list[Event]]]] = {
    "response.created": AnswerReader._read_begun,
    "response.queued": AnswerReader._read_begun,
    "response.in_progress": AnswerReader._read_begun,
    "response.output_item.added": AnswerReader._read_item_added,
    "response.output_item.done": AnswerReader._read_item_done,
    "response.output_text.delta": AnswerReader._read_text,
    "response.refusal.delta": AnswerReader._read_refusal,
    "response.function_call_arguments.delta": AnswerReader._read_call,
    "response.custom_tool_call_input.delta": AnswerReader._read_call,
    "response.reasoning_summary_text.delta": AnswerReader._read_summary,
    "response.reasoning_text.delta": AnswerReader._read_thought,
    "response.output_text.annotation.added": AnswerReader._read_annotation,
    "response.completed": AnswerReader._read_over,
    "response.incomplete": AnswerReader._read_over,
    "response.failed": AnswerReader._read_over,
    "response.cancelled": AnswerReader._read_over,
}


def _decode(data: bytes) -> _Said | None:
    """Return an event; None for one of a shape that is not ours to read."""
    try:
        return _said_decoder.decode(data)
    except UNREADABLE as exc:
        try:
            kind = _typed_decoder.decode(data).type
        except UNREADABLE:
            kind = ""
        if kind is None or kind in _READERS or kind == "":
            raise Broken(f"a stream event is none of this dialect: {exc}") from exc
        return None


def _response_of(said: _Said) -> _Response:
    try:
        return _response_decoder.decode(said.response)
    except UNREADABLE as exc:
        raise Broken(f"a stream event holds no response: {exc}") from exc


def _key(said: _Said) -> int | str:
    """Return by which an item is known: some upstreams change an item's id on the way."""
    return said.item_id or "" if said.output_index is None else said.output_index


def _delta(said: _Said) -> str:
    return said.delta if isinstance(said.delta, str) else ""
