"""One chat with a model that we run: the request in the engine's words, its answer as frames."""

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from slipstream.call import Call, Frame, Frames, Usage
from slipstream.engine.grammar_spec import (
    AnswerForm,
    JsonObject,
    JsonSchema,
    Lark,
    Regex,
    Tool,
    ToolUse,
)
from slipstream.engine.protocol import (
    ChatMessage,
    Delta,
    Failed,
    Finished,
    Generate,
    Started,
    ToolCall,
)
from slipstream.upstream.local_client import Answer
from slipstream.upstream.local_errors import error_of
from slipstream.upstream.local_silence import Silence
from slipstream.upstream.local_waits import Waits
from slipstream.wire.chat_forms import ChatForm
from slipstream.wire.chat_messages import ChatTurn
from slipstream.wire.chat_request import ChatRequest
from slipstream.wire.chat_tools import ChatTools


def to_generate(asked: ChatRequest, tenant: str) -> Generate:
    """Return the engine's request; the client gives it its id."""
    return Generate(
        request_id=0,
        messages=tuple(map(_to_message, asked.turns)),
        max_tokens=asked.max_tokens,
        min_tokens=asked.min_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        min_p=asked.min_p,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        repetition_penalty=asked.repetition_penalty,
        logit_bias=asked.logit_bias,
        seed=asked.seed,
        stop=asked.stop,
        num_logprobs=asked.num_logprobs,
        num_choices=asked.num_choices,
        form=to_form(asked.form) if asked.form is not None else None,
        tool_use=_to_tool_use(asked.tools) if asked.tools is not None else None,
        prediction=asked.prediction,
        is_exact=asked.is_exact,
        switches=dict(asked.switches),
        tenant=tenant,
        cache_key=asked.cache_key,
        priority=asked.priority,
    )


def queued(request: Generate, call: Call) -> Generate:
    """Return the request with what its call says of its place in the queue."""
    if not call.priority:
        return request
    return msgspec.structs.replace(request, priority=request.priority + call.priority)


def _to_message(turn: ChatTurn) -> ChatMessage:
    return ChatMessage(
        turn.role,
        turn.content,
        turn.name,
        turn.reasoning,
        tuple(ToolCall(call.call_id, call.name, call.arguments) for call in turn.calls),
        turn.answered_id,
    )


def to_form(form: ChatForm) -> AnswerForm:
    """Return a form in the engine's words."""
    match form.kind:
        case "json_schema":
            return JsonSchema(form.source, form.is_strict, form.param)
        case "json_object":
            return JsonObject()
        case "regex":
            return Regex(form.source, form.param)
        case "lark":
            return Lark(form.source, form.param)


def _to_tool_use(asked: ChatTools) -> ToolUse:
    return ToolUse(
        tools=tuple(
            Tool(tool.name, tool.description, tool.parameters, tool.is_strict)
            for tool in asked.tools
        ),
        choice=asked.choice,
        name=asked.name,
        is_parallel=asked.is_parallel,
    )


class ChatHead(Protocol):
    """Makes frames of an answer's pieces, in one dialect; see ChatAnswer."""

    def open(self) -> Frame:
        """Return what begins a stream."""

    def say(self, text: str, usage: Usage, choice: int = 0) -> Frame:
        """Return more text."""

    def think(self, reasoning: str, usage: Usage, choice: int = 0) -> Frame | None:
        """Return more reasoning; None where it is not told."""

    def tell(self, piece: Delta, usage: Usage) -> Frame | None:
        """Return any piece; None if it says nothing."""

    def close(self, finish_reason: str | None, usage: Usage) -> list[Frame]:
        """Return what ends a stream."""

    def whole(self, pieces: Iterable[Delta], usage: Usage) -> Frame:
        """Return a plain answer of all its pieces."""


Measure = Callable[[Finished], None]
"""Takes the engine's figures of an answer, before its end is told."""


def _measure_nothing(part: Finished) -> None:
    pass


async def stream_frames(
    answer: Answer, head: ChatHead, waits: Waits, measure: Measure = _measure_nothing
) -> Frames:
    """Yield a streamed answer, each piece as it comes.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    spent, silence = _Spent(), Silence()
    finish_reason: str | None = None  # of the first choice
    while True:
        match await waits.next(answer):
            case Started() as part:
                spent.begin(part)
                yield head.open()
            case Delta() as part:
                # With each piece what it has cost so far: an answer may be cut short after any.
                frame = _frame(part, head, spent.add(part))
                if part.choice == 0:
                    finish_reason = part.finish or finish_reason
                if not silence.has_spoken:
                    silence.hear((part,))
                if frame is not None:
                    yield silence.told(frame)
            case Finished() as part:
                measure(part)
                for frame in head.close(finish_reason, usage_of(part)):
                    yield silence.told(frame)
                return
            case Failed() as part:
                raise error_of(part)


def _frame(part: Delta, head: ChatHead, usage: Usage) -> Frame | None:
    """Return what a piece says: nearly always text and nothing else; None for nothing."""
    if part.tool_call is None and part.finish is None and not part.logprobs:
        if not part.reasoning:
            return head.say(part.text, usage, part.choice) if part.text else None
        if not part.text:
            return head.think(part.reasoning, usage, part.choice)
    return head.tell(part, usage)


async def plain_frames(
    answer: Answer, head: ChatHead, waits: Waits, measure: Measure = _measure_nothing
) -> Frames:
    """Yield a plain answer, whole.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    pieces: list[Delta] = []
    while True:
        match await waits.next(answer):
            case Started():
                pass
            case Delta() as part:
                pieces.append(part)
            case Finished() as part:
                measure(part)
                silence = Silence()
                silence.hear(pieces)
                yield silence.told(head.whole(pieces, usage_of(part)))
                return
            case Failed() as part:
                raise error_of(part)


class _Spent:
    """Counts what a stream has cost so far; what a prediction spared is known at its end."""

    __slots__ = ("_cached_tokens", "_input_tokens", "_output_tokens", "_reasoning_tokens")

    def __init__(self) -> None:
        self._input_tokens = self._cached_tokens = 0
        self._output_tokens = self._reasoning_tokens = 0

    def begin(self, part: Started) -> None:
        """Note what the prompt costs."""
        self._input_tokens = part.prompt_tokens - part.cached_tokens
        self._cached_tokens = part.cached_tokens

    def add(self, part: Delta) -> Usage:
        """Count a piece; return the sum."""
        if part.has_reasoned:
            self._reasoning_tokens += part.num_tokens
        else:
            self._output_tokens += part.num_tokens
        return Usage(
            input_tokens=self._input_tokens,
            cache_read_tokens=self._cached_tokens,
            output_tokens=self._output_tokens,
            output_reasoning_tokens=self._reasoning_tokens,
        )


def usage_of(part: Finished) -> Usage:
    """Return what an answer cost, in buckets that do not overlap."""
    reasoning = min(part.reasoning_tokens, part.completion_tokens)
    accepted = min(part.accepted_tokens, part.completion_tokens - reasoning)
    return Usage(
        input_tokens=part.prompt_tokens - part.cached_tokens,
        cache_read_tokens=part.cached_tokens,
        output_tokens=part.completion_tokens - reasoning - accepted,
        output_reasoning_tokens=reasoning,
        prediction_accepted_tokens=accepted,
        prediction_rejected_tokens=part.rejected_tokens,
    )
