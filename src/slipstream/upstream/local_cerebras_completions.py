"""Text completions under the Cerebras profile with a model that we run.

Prompts are asked as local_completions.py asks them. `time_info` has the phases of the one prompt
that took longest, so that they belong together and fit into the total, which is that of the whole
request.
"""

from contextlib import aclosing

import msgspec

from slipstream.call import Call, Frames
from slipstream.engine.protocol import Delta, Finished, Generate, Ready, Started
from slipstream.upstream.local_cerebras import Watch
from slipstream.upstream.local_chat import to_form
from slipstream.upstream.local_completions import (
    Send,
    Spent,
    answer_parts,
    best_of,
    to_requests,
)
from slipstream.upstream.local_silence import Silence
from slipstream.wire.cerebras.completions_answer import CerebrasCompletionAnswer
from slipstream.wire.cerebras.completions_request import CerebrasCompletions
from slipstream.wire.cerebras.objects import answer_id_of


def to_cerebras_requests(asked: CerebrasCompletions, tenant: str) -> list[Generate]:
    """Return the engine's requests, one for each prompt; the client gives them their ids."""
    form = to_form(asked.form) if asked.form is not None else None
    needs_text = asked.completions.echoes or asked.completions.num_logprobs is not None
    return [
        msgspec.structs.replace(
            request,
            form=form,
            wants_tokens=asked.returns_tokens,
            wants_prompt=needs_text and not isinstance(request.prompt, str),
        )
        for request in to_requests(asked.completions, tenant)
    ]


async def answer_cerebras_completions(
    call: Call, asked: CerebrasCompletions, ready: Ready, send: Send, watch: Watch
) -> Frames:
    """Yield an answer's frames, streamed or whole.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    completions = asked.completions
    head = CerebrasCompletionAnswer(
        answer_id=answer_id_of(call.call_id),
        model=call.model,
        created_s=int(watch.created_s),
        fingerprint=ready.fingerprint,
        num_choices=len(completions.prompts) * completions.num_choices,
        echoes=completions.echoes,
        wants_logprobs=completions.num_logprobs is not None,
        returns_tokens=asked.returns_tokens,
    )
    answered = stream_cerebras_completions if call.is_stream else plain_cerebras_completions
    async with aclosing(answered(call, asked, head, send, watch)) as frames:
        async for frame in frames:
            yield frame


async def stream_cerebras_completions(
    call: Call,
    asked: CerebrasCompletions,
    head: CerebrasCompletionAnswer,
    send: Send,
    watch: Watch,
) -> Frames:
    """Yield a streamed answer, each piece as it comes.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    spent, slowest, prompt = Spent(), _Slowest(), ""
    silence = Silence(has_spoken=asked.completions.echoes)
    requests = to_cerebras_requests(asked, call.key_id)
    async with aclosing(answer_parts(call, requests, send)) as parts:
        async for at, part in parts:
            usage, frame = spent.add(part), None
            match part:
                case Started():
                    prompt = _text_of(requests[at], part)
                case Delta():
                    # With each piece what it has cost so far: an answer may be cut short.
                    index = at * asked.completions.num_choices + part.choice
                    frame = head.tell(part, usage, index, prompt)
                    silence.hear((part,))
                case Finished():
                    slowest.add(part)
            if frame is not None:
                yield silence.told(frame)
    head.measure(watch.times(slowest.part))
    for frame in head.close(spent.usage):
        yield silence.told(frame)


async def plain_cerebras_completions(
    call: Call,
    asked: CerebrasCompletions,
    head: CerebrasCompletionAnswer,
    send: Send,
    watch: Watch,
) -> Frames:
    """Yield a plain answer, whole; of `best_of` choices the likeliest, the best first.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    spent, slowest, completions = Spent(), _Slowest(), asked.completions
    requests = to_cerebras_requests(asked, call.key_id)
    prompts = [""] * len(requests)
    made: list[list[list[Delta]]] = [[[] for _ in range(completions.best_of)] for _ in requests]
    async with aclosing(answer_parts(call, requests, send)) as parts:
        async for at, part in parts:
            spent.add(part)
            match part:
                case Started():
                    prompts[at] = _text_of(requests[at], part)
                case Delta():
                    made[at][part.choice].append(part)
                case Finished():
                    slowest.add(part)
    head.measure(watch.times(slowest.part))
    choices = [
        (prompt, pieces)
        for prompt, answers in zip(prompts, made, strict=True)
        for pieces in best_of(answers, completions.num_choices)
    ]
    silence = Silence(has_spoken=completions.echoes)
    silence.hear(piece for _, pieces in choices for piece in pieces)
    yield silence.told(head.whole(choices, spent.usage))


def _text_of(request: Generate, part: Started) -> str:
    """Return a prompt's text; that of token ids the engine tells where it is needed."""
    return request.prompt if isinstance(request.prompt, str) else part.prompt_text


class _Slowest:
    """Keeps the end of the prompt that took longest."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: Finished | None = None

    @property
    def part(self) -> Finished:
        """Its figures, once there are any."""
        assert self._last is not None, "every answer has an end"
        return self._last

    def add(self, part: Finished) -> None:
        """Take the end of another prompt."""
        if self._last is None or _total_s(part) > _total_s(self._last):
            self._last = part


def _total_s(part: Finished) -> float:
    return part.queue_s + part.prompt_s + part.completion_s
