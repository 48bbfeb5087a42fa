"""Answers of OpenAI Chat Completions as they pass through: what each piece means.

They are relayed as they are; this looks on from the side. Answers of our own models are made in
chat_answer.py.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from slipstream.call import Frame, Meaning
from slipstream.errors import Broken, UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.sse import DONE, event_data
from slipstream.wire.talk.saying import REFUSAL
from slipstream.wire.usage import in_tier, read_usage

MAX_CHOICES = 1024  # OpenAI offers 128
_EMPTY = frozenset({b"", b"null", b'""', b"[]", b"{}"})
_LONGEST_EMPTY = 4

_EXPLAINED = "length"  # the ending that explains why nothing was said

# Why an answer ended, in a provider's own word and in the one that SDKs know: Mistral's, when the
# context is full.
_ENDINGS = {"model_length": "length"}

_NOTHING = msgspec.Raw()  # a Raw equals no bytes: compare `bytes(raw)`


class _Delta(msgspec.Struct):
    content: msgspec.Raw = _NOTHING
    refusal: msgspec.Raw = _NOTHING
    reasoning: msgspec.Raw = _NOTHING
    reasoning_content: msgspec.Raw = _NOTHING
    tool_calls: msgspec.Raw = _NOTHING
    function_call: msgspec.Raw = _NOTHING
    audio: msgspec.Raw = _NOTHING
    reasoning_details: msgspec.Raw = _NOTHING  # sealed ones say nothing, and are no silence

    def has_content(self) -> bool:
        return not (
            bytes(self.content) in _EMPTY
            and bytes(self.tool_calls) in _EMPTY
            and bytes(self.reasoning) in _EMPTY
            and bytes(self.reasoning_content) in _EMPTY
            and bytes(self.refusal) in _EMPTY
            and bytes(self.function_call) in _EMPTY
            and bytes(self.audio) in _EMPTY
        )

    def is_refusal(self) -> bool:
        return bytes(self.refusal) not in _EMPTY and bytes(self.content) in _EMPTY


class _ChunkChoice(msgspec.Struct):
    index: Annotated[int, msgspec.Meta(ge=0, lt=MAX_CHOICES)] | None = None
    delta: _Delta | None = None
    text: msgspec.Raw = _NOTHING  # of a text completion
    finish_reason: str | None = None

    def has_content(self) -> bool:
        is_said = self.delta is not None and self.delta.has_content()
        return is_said or bytes(self.text) not in _EMPTY


class _Chunk(msgspec.Struct):
    choices: list[_ChunkChoice] | None = None
    usage: msgspec.Raw = _NOTHING
    service_tier: Any = None
    error: msgspec.Raw = _NOTHING
    x_groq: msgspec.Raw = _NOTHING  # which says when a stream stops early


class _LateChoice(msgspec.Struct):
    index: Annotated[int, msgspec.Meta(ge=0, lt=MAX_CHOICES)] | None = None
    finish_reason: str | None = None


class _LateChunk(msgspec.Struct):
    """A chunk after the first with content: what it says no longer matters, only if it ends."""

    choices: list[_LateChoice] | None = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None


class _AnswerChoice(msgspec.Struct):
    finish_reason: str | None = None
    message: msgspec.Raw = _NOTHING
    text: msgspec.Raw = _NOTHING  # of a text completion


class _Content(msgspec.Struct):
    content: msgspec.Raw = _NOTHING


class _Answer(msgspec.Struct):
    choices: list[_AnswerChoice] | None = None
    usage: msgspec.Raw = _NOTHING
    service_tier: Any = None
    error: msgspec.Raw = _NOTHING


_chunk_decoder = msgspec.json.Decoder(_Chunk)
_late_decoder = msgspec.json.Decoder(_LateChunk)
_answer_decoder = msgspec.json.Decoder(_Answer)
_content_decoder = msgspec.json.Decoder(_Content)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_answer(body: bytes, *, is_reasoning_outside: bool = False) -> Frame:
    """Read a whole plain answer; the frame carries its bytes unchanged.

    Raises:
        Broken: The body is no chat completion.
        UpstreamError: It is an error inside a 200.
    """
    try:
        said = _answer_decoder.decode(body)
    except UNREADABLE as exc:
        raise _failure(body, f"the answer is no chat completion: {exc}") from exc
    if _may_be_error(said) and errors_in.is_error(body):
        raise errors_in.read_error(200, body, retry_after_s=None)
    if not said.choices:
        raise Broken("the answer holds no choices")
    usage = read_usage(said.usage, is_reasoning_outside=is_reasoning_outside)
    usage = in_tier(usage, said.service_tier)
    body = _with_known_ending(body, said.choices)
    reason = said.choices[0].finish_reason
    reason = _ENDINGS.get(reason or "", reason)
    if _has_text(said.choices[0]):
        return Frame(body, Meaning.END, usage, reason)
    names = {name for choice in said.choices for name in _fields_said(choice)}
    reason = REFUSAL if names == {REFUSAL} else reason
    return Frame(body, Meaning.END, usage, reason, is_empty=not names and reason != _EXPLAINED)


def _has_text(choice: _AnswerChoice) -> bool:
    """Tell cheaply an answer in words; the rest is worth a closer look."""
    try:
        return len(memoryview(_content_decoder.decode(choice.message).content)) > _LONGEST_EMPTY
    except UNREADABLE:
        return False


def _fields_said(choice: _AnswerChoice) -> set[str]:
    """Return the names of all in which a choice says something."""
    try:
        fields = _fields_decoder.decode(choice.message)
    except UNREADABLE:
        fields = {"text": choice.text}
    return {
        name
        for name, raw in fields.items()
        if name != "role" and bytes(memoryview(raw)[: _LONGEST_EMPTY + 1]) not in _EMPTY
    }


def _with_known_ending(data: bytes, choices: Sequence[_AnswerChoice | _ChunkChoice]) -> bytes:
    """Return an answer or an event that says why it ended in a word that SDKs know."""
    for choice in choices:
        known = _ENDINGS.get(choice.finish_reason or "")
        if known is not None:
            strange = re.escape(choice.finish_reason or "").encode()
            said = rb'("finish_reason"\s*:\s*)"' + strange + b'"'
            data = re.sub(said, rb'\g<1>"' + known.encode() + b'"', data)
    return data


def _may_be_error(said: _Answer | _Chunk) -> bool:
    """Tell cheaply what is an ordinary piece of an answer; the rest is worth a closer look."""
    return not said.choices or bytes(said.error) not in _EMPTY


def _failure(data: bytes, problem: str) -> UpstreamError:
    """Return the error that an answer or an event is, in whatever shape; Broken if it is none."""
    if errors_in.is_error(data):
        return errors_in.read_error(200, data, retry_after_s=None)
    return Broken(problem)


class AnswerStream:
    """Reads the events of one streamed answer, in order.

    The terminal event is `[DONE]`; a provider that leaves it out is complete all the same once
    every choice has said why it finished.
    """

    __slots__ = (
        "_finish_reason",
        "_finished",
        "_has_content",
        "_has_seal",
        "_is_reasoning_outside",
        "_seen",
        "_wants_usage",
    )

    def __init__(self, *, wants_usage: bool, is_reasoning_outside: bool = False) -> None:
        self._wants_usage = wants_usage
        self._is_reasoning_outside = is_reasoning_outside
        self._finish_reason: str | None = None
        self._seen = self._finished = 0  # one bit for each choice, by its index
        self._has_content = self._has_seal = False

    def read(self, event: bytes) -> Frame:
        """Say what one event means; the frame carries its bytes unchanged.

        Raises:
            Broken: The event is no chunk of a chat completion.
            UpstreamError: It is an error.
        """
        data = event_data(event)
        if data is None:
            return Frame(event, Meaning.SILENT)
        if data.startswith(b"[DONE]"):
            return self._ended(event)
        if self._has_content and self._is_ordinary(data):
            return Frame(event, Meaning.CONTENT)
        try:
            said = _chunk_decoder.decode(data)
        except UNREADABLE as exc:
            problem = f"a stream event is no chat completion chunk: {exc}"
            raise _failure(data, problem) from exc
        if _may_be_error(said) and errors_in.is_error(data):
            raise errors_in.read_error(200, data, retry_after_s=None)
        if b'"error"' in bytes(said.x_groq) and errors_in.is_error(bytes(said.x_groq)):
            raise errors_in.read_error(200, bytes(said.x_groq), retry_after_s=None)
        usage = read_usage(said.usage, is_reasoning_outside=self._is_reasoning_outside)
        usage = in_tier(usage, said.service_tier)
        event = _with_known_ending(event, said.choices or ())
        had_content = self._has_content
        meaning = self._meaning(said)
        if had_content or meaning is not Meaning.CONTENT:
            return Frame(event, meaning, usage)
        if not self._has_content:
            return Frame(event, meaning, usage, self._finish_reason, is_empty=True)
        return Frame(event, meaning, usage, REFUSAL if _is_refusal(said) else None)

    def end(self) -> Frame | None:
        """Return the END frame for a stream that closed without `[DONE]`; None if it was cut."""
        if self._finish_reason is None or self._seen != self._finished:
            return None
        return self._ended(DONE)

    def _ended(self, event: bytes) -> Frame:
        reason, is_empty = self._finish_reason, not self._has_content
        return Frame(event, Meaning.END, None, reason, is_empty=is_empty)

    def _is_ordinary(self, data: bytes) -> bool:
        """Tell cheaply a chunk that adds to one choice and does nothing else."""
        try:
            said = _late_decoder.decode(data)
        except UNREADABLE:
            return False
        choices = said.choices
        if said.usage is not None or said.error is not None or said.x_groq is not None:
            return False
        if not choices or len(choices) > 1:
            return False
        [choice] = choices
        if choice.finish_reason:
            return False
        self._seen |= 1 << (choice.index or 0)
        return True

    def _meaning(self, said: _Chunk) -> Meaning:
        if not said.choices:
            is_usage = said.choices is not None and bytes(said.usage) not in _EMPTY
            return Meaning.WITHHELD if is_usage and not self._wants_usage else Meaning.SILENT
        meaning = Meaning.SILENT
        for choice in said.choices:
            bit = 1 << (choice.index or 0)
            self._seen |= bit
            if choice.has_content():
                self._has_content = True
                meaning = Meaning.CONTENT
            elif choice.delta is not None and bytes(choice.delta.reasoning_details) not in _EMPTY:
                self._has_seal = True
            if choice.finish_reason:
                reason = _ENDINGS.get(choice.finish_reason, choice.finish_reason)
                self._finish_reason = reason
                self._finished |= bit
                self._has_content |= self._has_seal or reason == _EXPLAINED
                meaning = Meaning.CONTENT
        return meaning


def _is_refusal(said: _Chunk) -> bool:
    """Tell whether all that a chunk says is that the model will not answer."""
    deltas = [choice.delta for choice in said.choices or () if choice.has_content()]
    return all(delta is not None and delta.is_refusal() for delta in deltas)
