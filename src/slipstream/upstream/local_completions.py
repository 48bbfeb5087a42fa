"""Text completions of a model that we run: each prompt is one request in the engine's words.

The engine works on several prompts at once; their answers are handed on in the prompts' order, so
that a stream has whole choices one prompt after the other. Prompts ahead of their turn are few:
what they write waits here.
"""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from math import inf
from typing import Final

from slipstream.call import BUCKETS, Call, Frames, Usage
from slipstream.engine.protocol import Delta, Failed, Finished, Generate, Started
from slipstream.errors import GatewayError
from slipstream.upstream.local_chat import usage_of
from slipstream.upstream.local_client import Answer, AnswerPart
from slipstream.upstream.local_errors import error_of
from slipstream.upstream.local_silence import Silence
from slipstream.upstream.local_waits import Waits
from slipstream.wire.completions_answer import CompletionAnswer
from slipstream.wire.completions_request import CompletionsRequest

Send = Callable[[Generate], Awaitable[Answer]]
"""Hands a request to the engine, which it reaches first."""

_NUM_OPEN: Final = 8  # prompts that the engine has at once
_NO_COST: Final = Usage()


def to_requests(asked: CompletionsRequest, tenant: str) -> list[Generate]:
    """Return the engine's requests, one for each prompt; the client gives them their ids."""
    num_logprobs = asked.num_logprobs
    if num_logprobs is None and asked.best_of > asked.num_choices:
        num_logprobs = 0  # what the best are chosen by
    return [
        Generate(
            request_id=0,
            prompt=prompt,
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
            num_logprobs=num_logprobs,
            num_choices=asked.best_of,
            is_exact=asked.is_exact,
            parses_reasoning=False,
            tenant=tenant,
            cache_key=asked.cache_key,
        )
        for prompt in asked.prompts
    ]


async def stream_completions(
    call: Call, asked: CompletionsRequest, head: CompletionAnswer, send: Send
) -> Frames:
    """Yield a streamed answer, each piece as it comes.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    spent, silence = Spent(), Silence(has_spoken=asked.echoes)
    finish_reason: str | None = None  # of the first choice
    echoes = {
        at: prompt_echo(asked, at // asked.num_choices)
        for at in range(len(asked.prompts) * asked.num_choices)
    }
    async with aclosing(answer_parts(call, to_requests(asked, call.key_id), send)) as parts:
        async for at, part in parts:
            usage = spent.add(part)
            if not isinstance(part, Delta):
                continue
            index = at * asked.num_choices + part.choice
            if index == 0:
                finish_reason = part.finish or finish_reason
            # With each piece what it has cost so far: an answer may be cut short after any.
            frame = head.tell(part, usage, index, echoes.pop(index, ""))
            silence.hear((part,))
            if frame is not None:
                yield silence.told(frame)
    for frame in head.close(finish_reason, spent.usage):
        yield silence.told(frame)


async def plain_completions(
    call: Call, asked: CompletionsRequest, head: CompletionAnswer, send: Send
) -> Frames:
    """Yield a plain answer, whole; of `best_of` choices the likeliest, the best first.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    spent = Spent()
    made: list[list[list[Delta]]] = [[[] for _ in range(asked.best_of)] for _ in asked.prompts]
    async with aclosing(answer_parts(call, to_requests(asked, call.key_id), send)) as parts:
        async for at, part in parts:
            spent.add(part)
            if isinstance(part, Delta):
                made[at][part.choice].append(part)
    choices = [
        (prompt_echo(asked, at), pieces)
        for at, answers in enumerate(made)
        for pieces in best_of(answers, asked.num_choices)
    ]
    silence = Silence(has_spoken=asked.echoes)
    silence.hear(piece for _, pieces in choices for piece in pieces)
    yield silence.told(head.whole(choices, spent.usage))


def prompt_echo(asked: CompletionsRequest, at: int) -> str:
    """Return what each answer to a prompt begins with."""
    prompt = asked.prompts[at]
    return prompt if asked.echoes and isinstance(prompt, str) else ""


def best_of(answers: Sequence[list[Delta]], num_kept: int) -> list[list[Delta]]:
    """Return the answers with the highest mean log probability of a token, the best first.

    All are kept in their order where none has to go.
    """
    if num_kept == len(answers):
        return list(answers)
    return sorted(answers, key=_mean_logprob, reverse=True)[:num_kept]


def _mean_logprob(pieces: list[Delta]) -> float:
    """Return the mean over an answer's tokens; an answer without any is the least likely."""
    logprobs = [token.logprob for piece in pieces for token in piece.logprobs]
    return sum(logprobs) / len(logprobs) if logprobs else -inf


class Spent:
    """Counts what the answers to all prompts have cost so far."""

    __slots__ = ("_finished", "usage")

    def __init__(self) -> None:
        self._finished = self.usage = _NO_COST

    def add(self, part: Started | Delta | Finished) -> Usage:
        """Count a part; return the sum."""
        match part:
            case Started():
                read = part.prompt_tokens - part.cached_tokens
                now = Usage(input_tokens=read, cache_read_tokens=part.cached_tokens)
                self.usage = _sum(self.usage, now)
            case Delta():
                self.usage = _sum(self.usage, Usage(output_tokens=part.num_tokens))
            case Finished():  # what the engine says in the end holds
                self._finished = self.usage = _sum(self._finished, usage_of(part))
        return self.usage


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(**{name: getattr(one, name) + getattr(other, name) for name in BUCKETS})


async def answer_parts(
    call: Call, requests: Sequence[Generate], send: Send
) -> AsyncGenerator[tuple[int, Started | Delta | Finished], None]:
    """Yield the parts of all answers, each with the number of its prompt."""
    attempt = call.attempt
    assert attempt is not None, "dispatch aims every call"
    at = 0
    async with aclosing(_answers(requests, send)) as answers:
        async for answer in answers:
            waits = Waits(attempt)
            part = None
            while not isinstance(part, Finished):
                part = _unless_failed(await waits.next(answer), at, len(requests))
                yield at, part
            at += 1


async def _answers(requests: Sequence[Generate], send: Send) -> AsyncGenerator[Answer, None]:
    """Yield the answers in order, each when its turn has come; closes them in every ending."""
    waiting = deque(requests)
    asked: deque[Answer] = deque()
    try:
        while waiting or asked:
            while waiting and len(asked) < _NUM_OPEN:
                asked.append(await send(waiting.popleft()))
            yield asked[0]
            asked.popleft().close()
    finally:
        for answer in asked:
            answer.close()


def _unless_failed(part: AnswerPart, at: int, num_prompts: int) -> Started | Delta | Finished:
    if isinstance(part, Failed):
        raise _of_prompt(error_of(part), at, num_prompts)
    return part


def _of_prompt(error: GatewayError, at: int, num_prompts: int) -> GatewayError:
    """Say which of several prompts an error is about."""
    if error.param == "messages":  # as a chat calls what was too long
        error.param = "prompt"
    if num_prompts > 1 and error.param == "prompt":
        error.param = f"prompt[{at}]"
        error.args = (f"Of prompt[{at}]: {error.message}",)
    return error
