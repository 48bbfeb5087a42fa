"""One choice of a chat answer, streamed or plain, read into events.

Source: ../shared/reference/protocols.md, sections A and E; providers.md, sections 6 (content in
chunks) and 8 (`reasoning_details`, whose fragments are joined by type and index).
"""

from typing import Any, Final

import msgspec

from slipstream.errors import Rejected
from slipstream.wire.chat.answer_calls import Call, Calls, Function
from slipstream.wire.chat.seals import join_details, read_extra
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    Cited,
    Ended,
    Event,
    Failed,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)

_NOTHING: Final = msgspec.Raw()
_EMPTY: Final = frozenset({b"", b"null", b'""', b"[]", b"{}"})
_DIALECT: Final = "openai_chat"

# By what providers call the end of an answer; what is not in it is an ordinary stop.
_ENDINGS: Final = {
    "length": "length",
    "model_length": "length",  # Mistral: the context is full
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}
_FAILED: Final = "error"  # a reason to end of Mistral and OpenRouter
_SEALED: Final = "reasoning.encrypted"  # a type of details
_JOINED: Final = ("text", "summary", "data", "signature")  # of a detail that comes in fragments


class Message(msgspec.Struct):
    """What a choice says, all of it or more of it."""

    content: str | list[msgspec.Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: list[msgspec.Raw] | None = None
    extra_content: msgspec.Raw = _NOTHING


class Choice(msgspec.Struct):
    """One choice of a chunk or of a plain answer."""

    index: int | None = None
    delta: Message | None = None
    message: Message | None = None
    finish_reason: str | None = None
    stop_reason: Any = None  # vLLM: the text or the token that ended it
    logprobs: msgspec.Raw = _NOTHING


class _Logprobs(msgspec.Struct):
    content: msgspec.Raw = _NOTHING


class _Text(msgspec.Struct):
    text: str = ""


class _Chunk(msgspec.Struct):
    """A piece of Mistral's content."""

    type: str = ""
    text: str | None = None
    thinking: list[_Text] | str | None = None
    signature: str | None = None


_encode: Final = msgspec.json.Encoder().encode
_logprobs_decoder: Final = msgspec.json.Decoder(_Logprobs | None)
_chunk_decoder: Final = msgspec.json.Decoder(_Chunk)


class ChoiceReader:
    """Reads one of the answers that a request asked for.

    Args:
        at: Its index.
        vendor: Whose the seals are.
        calls: Its calls.
    """

    __slots__ = ("_at", "_calls", "_details", "_is_thinking", "_vendor", "has_ended")

    def __init__(self, at: int, vendor: str, calls: Calls) -> None:
        self._at, self._vendor, self._calls = at, vendor, calls
        self._details: list[dict[str, Any]] = []
        self._is_thinking = False
        self.has_ended = False

    def read(self, choice: Choice, events: list[Event]) -> None:
        """Add what a chunk or an answer says of the choice."""
        said = choice.delta or choice.message
        if said is not None:
            if said.reasoning_content or said.reasoning or said.reasoning_details:
                self._read_thoughts(said, events)
            if isinstance(said.content, list):
                self._read_chunks(said.content, events)
            elif said.content:
                self._say(said.content, events)
            self._read_rest(said, events)
        if choice.logprobs is not _NOTHING and bytes(choice.logprobs) not in _EMPTY:
            self._read_logprobs(choice.logprobs, events)
        if choice.finish_reason:
            stop = choice.stop_reason if isinstance(choice.stop_reason, str) else None
            self.finish(choice.finish_reason, events, stop)

    def finish(self, reason: str | None, events: list[Event], stop: str | None = None) -> None:
        """Say that the choice is complete, unless it was said before.

        Args:
            reason: In the provider's words; None where it gave none.
            stop: The text that ended it.
        """
        if self.has_ended:
            return
        self.has_ended = True
        self._seal(events)
        self._calls.finish(events)
        if reason == _FAILED:
            problem = "the provider ended the answer with an error"
            events.append(Failed(Rejected(problem, upstream_status=502)))
            return
        ending = _ENDINGS.get(reason or "", "stop")
        if self._calls and ending == "stop":
            ending = "tool_calls"  # some say `stop`, or nothing, although calls were made
        elif ending == "tool_calls" and not self._calls:
            ending = "stop"
        events.append(Ended(reason=ending, choice=self._at, stop_sequence=stop))

    def _say(self, text: str, events: list[Event]) -> None:
        self._turn_away(events)
        events.append(Said(text, self._at))

    def _think(self, text: str, events: list[Event], *, is_summary: bool = False) -> None:
        if not text:
            return
        if not self._is_thinking:
            self._calls.pause(events)
        begins, self._is_thinking = not self._is_thinking, True
        events.append(Thought(text, self._at, is_summary, begins))

    def _turn_away(self, events: list[Event]) -> None:
        """End the reasoning and the calls so far: text follows."""
        if self._is_thinking or self._details:
            self._seal(events)
        if self._calls:
            self._calls.pause(events)

    def _seal(self, events: list[Event]) -> None:
        self._is_thinking = False
        if self._details:
            seal = join_details(map(_encode, self._details), self._vendor)
            events.append(Sealed(seal, self._at))
            self._details = []

    def _read_thoughts(self, said: Message, events: list[Event]) -> None:
        text = said.reasoning_content or said.reasoning
        details = said.reasoning_details
        if not details:
            if text:
                self._think(text, events)
            return
        is_summary = any(detail.get("summary") for detail in details)
        if not text:
            text = "".join(_text_of(detail) for detail in details)
        self._think(text, events, is_summary=is_summary)
        for detail in details:
            self._add_detail(detail)

    def _add_detail(self, detail: dict[str, Any]) -> None:
        """Join a fragment to the one that it goes on with."""
        index = detail.get("index")
        before = self._details[-1] if self._details else None
        if (
            before is None
            or index is None
            or before.get("index") != index
            or before.get("type") != detail.get("type")
        ):
            self._details.append(detail)
            return
        for key, value in detail.items():
            told = before.get(key)
            if key in _JOINED and isinstance(told, str) and isinstance(value, str):
                before[key] = told + value
            elif value is not None:
                before[key] = value

    def _read_chunks(self, raws: list[msgspec.Raw], events: list[Event]) -> None:
        for raw in raws:
            try:
                said = _chunk_decoder.decode(raw)
            except UNREADABLE:
                continue  # of a kind that nobody here knows
            if said.type == "text" and said.text:
                self._say(said.text, events)
            elif said.type == "thinking":
                thinking = said.thinking or ""
                if not isinstance(thinking, str):
                    thinking = "".join(part.text for part in thinking)
                self._think(thinking, events)
                if said.signature:
                    seal = Seal(vendor=self._vendor, kind="signature", data=said.signature)
                    events.append(Sealed(seal, self._at))

    def _read_rest(self, said: Message, events: list[Event]) -> None:
        if said.refusal:
            self._turn_away(events)
            events.append(Refused(said.refusal, self._at))
        for raw in said.annotations or ():
            events.append(Cited(bytes(raw).decode(), _DIALECT, self._at))
        if said.extra_content is not _NOTHING and bytes(said.extra_content) not in _EMPTY:
            seals = read_extra(said.extra_content, self._vendor)
            events += [Sealed(seal, self._at) for seal in seals]
        if said.tool_calls:
            self._seal(events)
            for call in said.tool_calls:
                self._calls.read(call, events)
        if said.function_call is not None:
            self._seal(events)
            self._calls.read(Call(index=0, function=said.function_call), events)

    def _read_logprobs(self, raw: msgspec.Raw, events: list[Event]) -> None:
        try:
            said = _logprobs_decoder.decode(raw)
        except UNREADABLE:
            return
        if said is not None and bytes(memoryview(said.content)[:1]) == b"[":
            events.append(Scored(bytes(said.content).decode(), self._at))


def _text_of(detail: dict[str, Any]) -> str:
    if detail.get("type") == _SEALED:
        return ""  # what a gateway like this one adds there was told before
    text = detail.get("text") or detail.get("summary")
    return text if isinstance(text, str) else ""
