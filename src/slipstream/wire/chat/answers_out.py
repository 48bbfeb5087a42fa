"""Events as the answers that clients of chat expect: chunks, or one plain body.

A stream is: a role chunk, chunks of what is said, a finish chunk for each choice, the usage chunk
if it was asked for, `[DONE]`. Reasoning is told as `reasoning_content`, as in chat_answer.py, and
seals as seals.py writes them. Plain answers are put together in plain_answer.py.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.chat.citations import annotation_of
from slipstream.wire.chat.plain_answer import PlainAnswer, finish_of, reported_usage, tier_of
from slipstream.wire.chat.seals import encode_details, encode_extra
from slipstream.wire.sse import DONE
from slipstream.wire.talk.asking import Reasoning
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Cited,
    Counted,
    Ended,
    Event,
    Failed,
    Over,
    Pinged,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)

_PING: Final = b": ping\n\n"
_TAIL: Final = b'},"logprobs":null,"finish_reason":null}]}\n\n'
_encode: Final = msgspec.json.Encoder().encode


class AnswerWriter:
    """Writes one answer for a client of chat.

    Args:
        answer_id: `chatcmpl-…`.
        model: The name that the client asked for.
        created_s: Wall clock, whole seconds.
        wants_usage: The client asked for the usage chunk of a stream.
        fingerprint: Told where the upstream tells none.
        reasoning_field: What the client calls reasoning.
    """

    __slots__ = (
        "_choices",
        "_head",
        "_news",
        "_reason",
        "_reasoning",
        "_usage",
        "_wants_usage",
    )

    def __init__(
        self,
        *,
        answer_id: str,
        model: str,
        created_s: int,
        wants_usage: bool = False,
        fingerprint: str | None = None,
        reasoning_field: str = "reasoning_content",
    ) -> None:
        self._head: dict[str, Any] = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": created_s,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._wants_usage = wants_usage
        self._reasoning = reasoning_field
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._news: Usage | None = None  # that no frame carries yet
        self._reason: str | None = None

    def write(self, event: Event) -> list[Frame]:
        """Return the frames of an event of a stream; often one, for some none.

        Raises:
            GatewayError: The event is a Failed: its error, for whoever renders errors.
        """
        return _WRITERS[type(event)](self, event)

    def whole(self, events: Iterable[Event]) -> Frame:
        """Return a plain answer, from all its events.

        Raises:
            GatewayError: One of them is a Failed.
        """
        answer = PlainAnswer(self._head)
        for event in events:
            answer.add(event)
        return answer.frame()

    def _frame(self, data: bytes, meaning: Meaning, finish: str | None = None) -> Frame:
        news, self._news = self._news, None
        return Frame(data, meaning, news, finish)

    def _choice(self, at: int) -> "_Choice":
        choice = self._choices.get(at)
        if choice is None:
            choice = self._choices[at] = _Choice(at, self._head, self._wants_usage, self._reasoning)
        return choice

    def _chunk(self, at: int, delta: dict[str, Any]) -> list[Frame]:
        return [self._frame(self._choice(at).chunk(delta), Meaning.CONTENT)]

    def _begin(self, event: Began) -> list[Frame]:
        if event.fingerprint is not None:
            self._head["system_fingerprint"] = event.fingerprint
        tier = tier_of(event.service_tier)
        if tier is not None:
            self._head["service_tier"] = tier
        return [self._frame(self._choice(0).chunk({}), Meaning.SILENT)]

    def _say(self, event: Said) -> list[Frame]:
        choice = self._choice(event.choice)
        choice.num_chars += len(event.text)
        if not choice.has_role:
            return self._chunk(event.choice, {"content": event.text})
        data = choice.content_head + _encode(event.text) + _TAIL
        return [self._frame(data, Meaning.CONTENT)]

    def _think(self, event: Thought) -> list[Frame]:
        choice = self._choice(event.choice)
        shown = choice.think(event)
        if not choice.has_role:
            return self._chunk(event.choice, {self._reasoning: shown})
        data = choice.reasoning_head + _encode(shown) + _TAIL
        return [self._frame(data, Meaning.CONTENT)]

    def _seal(self, event: Sealed) -> list[Frame]:
        if event.call is not None:
            # openai's SDK takes a piece of a call that says nothing of it for a broken one.
            is_custom = event.call in self._choice(event.choice).custom_calls
            more = {"custom": {"input": ""}} if is_custom else {"function": {"arguments": ""}}
            call = {"index": event.call, **more, "extra_content": encode_extra((event.seal,))}
            return self._chunk(event.choice, {"tool_calls": [call]})
        details = self._choice(event.choice).seal(event)
        return self._chunk(event.choice, {"reasoning_details": details}) if details else []

    def _begin_call(self, event: CallBegan) -> list[Frame]:
        choice = self._choice(event.choice)
        call: dict[str, Any] = {"index": event.index, "id": event.call_id}
        if event.is_custom:
            choice.custom_calls.add(event.index)
            call |= {"type": "custom", "custom": {"name": event.name, "input": ""}}
        else:
            call |= {"type": "function", "function": {"name": event.name, "arguments": ""}}
        choice.silent_calls.add(event.index)
        return self._chunk(event.choice, {"tool_calls": [call]})

    def _say_call(self, event: CallSaid) -> list[Frame]:
        choice = self._choice(event.choice)
        choice.silent_calls.discard(event.index)
        if event.index in choice.custom_calls:
            call: dict[str, Any] = {"index": event.index, "custom": {"input": event.text}}
        else:
            call = {"index": event.index, "function": {"arguments": event.text}}
        return self._chunk(event.choice, {"tool_calls": [call]})

    def _refuse(self, event: Refused) -> list[Frame]:
        return self._chunk(event.choice, {"refusal": event.text})

    def _cite(self, event: Cited) -> list[Frame]:
        annotation = annotation_of(event, self._choice(event.choice).num_chars)
        return self._chunk(event.choice, {"annotations": [annotation]}) if annotation else []

    def _score(self, event: Scored) -> list[Frame]:
        logprobs = {"content": msgspec.Raw(event.raw.encode()), "refusal": None}
        chunk = self._choice(event.choice).chunk({}, logprobs=logprobs)
        return [self._frame(chunk, Meaning.CONTENT)]

    def _end(self, event: Ended) -> list[Frame]:
        choice = self._choice(event.choice)
        finish = finish_of(event)
        if event.choice == 0:
            self._reason = finish
        frames: list[Frame] = []
        for index in sorted(choice.silent_calls - choice.custom_calls):
            # Clients parse the arguments of every call: none are an empty object.
            frames += self._say_call(CallSaid(index, "{}", event.choice))
        return [*frames, self._frame(choice.chunk({}, finish=finish), Meaning.CONTENT, finish)]

    def _count(self, event: Counted) -> list[Frame]:
        self._usage = self._news = event.usage
        return []

    def _ping(self, _: Pinged) -> list[Frame]:
        return [self._frame(_PING, Meaning.SILENT)]

    def _close(self, _: Over) -> list[Frame]:
        frames = []
        if self._wants_usage and self._usage is not None:
            last = self._head | {"choices": [], "usage": reported_usage(self._usage)}
            data = b"data: " + _encode(last) + b"\n\n"
            frames.append(Frame(data, Meaning.SILENT, self._usage))
        return [*frames, Frame(DONE, Meaning.END, self._usage, self._reason)]

    def _fail(self, event: Failed) -> list[Frame]:
        raise event.error


class _Choice:
    """What one choice's chunks have in common, and what was said in it so far."""

    __slots__ = (
        "_before",
        "_has_thought",
        "_num_details",
        "_stretch",
        "content_head",
        "custom_calls",
        "has_role",
        "num_chars",
        "reasoning_head",
        "silent_calls",
    )

    def __init__(self, at: int, head: dict[str, Any], wants_usage: bool, reasoning: str) -> None:
        usage = b',"usage":null' if wants_usage else b""
        start = b"data: " + _encode(head)[:-1] + usage
        self._before = start + b',"choices":[{"index":%d,"delta":' % at
        # Chunks of text differ in one string: the rest is encoded once.
        self.content_head = self._before + b'{"content":'
        self.reasoning_head = self._before + b'{"%b":' % reasoning.encode()
        self.has_role = False
        self.num_chars = 0
        self.custom_calls: set[int] = set()
        self.silent_calls: set[int] = set()  # without arguments so far
        self._stretch: list[Thought] = []  # reasoning that no seal has closed yet
        self._has_thought = False
        self._num_details = 0

    def chunk(
        self,
        delta: dict[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        finish: str | None = None,
    ) -> bytes:
        if not self.has_role:
            self.has_role = True
            delta = {"role": "assistant", "content": "", **delta}
        after = _encode({"logprobs": logprobs, "finish_reason": finish})
        return self._before + _encode(delta) + b"," + after[1:] + b"]}\n\n"

    def think(self, event: Thought) -> str:
        """Keep what a seal may close; return it as it is shown, stretches as paragraphs."""
        is_next = event.begins and self._has_thought
        if event.begins:
            self._stretch = []
        self._stretch.append(event)
        self._has_thought = True
        return f"\n\n{event.text}" if is_next else event.text

    def seal(self, event: Sealed) -> list[msgspec.Raw]:
        """Close the stretch of reasoning; return it and its seal for the client to keep."""
        stretch, self._stretch = self._stretch, []
        reasoning = Reasoning(
            text="".join(thought.text for thought in stretch),
            is_summary=any(thought.is_summary for thought in stretch),
            seals=(event.seal,),
        )
        details = encode_details(reasoning, self._num_details)
        self._num_details += len(details)
        return details


_WRITERS: Final[dict[type, Callable[[AnswerWriter, Any], list[Frame]]]] = {
    Began: AnswerWriter._begin,
    Said: AnswerWriter._say,
    Thought: AnswerWriter._think,
    Sealed: AnswerWriter._seal,
    CallBegan: AnswerWriter._begin_call,
    CallSaid: AnswerWriter._say_call,
    Refused: AnswerWriter._refuse,
    Cited: AnswerWriter._cite,
    Scored: AnswerWriter._score,
    Ended: AnswerWriter._end,
    Counted: AnswerWriter._count,
    Pinged: AnswerWriter._ping,
    Over: AnswerWriter._close,
    Failed: AnswerWriter._fail,
}
