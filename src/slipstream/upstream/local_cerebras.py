"""One chat under the Cerebras profile with a model that we run."""

import time
from collections.abc import Callable
from contextlib import aclosing

import msgspec

from slipstream.call import Call, Frames
from slipstream.engine.protocol import Finished, Generate, Ready
from slipstream.errors import BadRequest
from slipstream.upstream.local_chat import plain_frames, stream_frames, to_generate
from slipstream.upstream.local_client import Answer
from slipstream.upstream.local_waits import Waits
from slipstream.wire.cerebras.answer import CerebrasAnswer
from slipstream.wire.cerebras.objects import Times, answer_id_of
from slipstream.wire.cerebras.request import CerebrasRequest


class Watch:
    """Measures one request from now on; the phases in between are the engine's own figures."""

    __slots__ = ("_began_ns", "created_s")

    def __init__(self, wall_s: Callable[[], float]) -> None:
        self.created_s = wall_s()
        self._began_ns = time.perf_counter_ns()

    def times(self, part: Finished) -> Times:
        """Return what `time_info` tells of a request that is over."""
        return Times(
            queue_s=part.queue_s,
            prompt_s=part.prompt_s,
            completion_s=part.completion_s,
            total_s=(time.perf_counter_ns() - self._began_ns) / 1e9,
            created_s=self.created_s,
        )


def to_cerebras_generate(asked: CerebrasRequest, tenant: str) -> Generate:
    """Return the engine's request.

    Raises:
        BadRequest: It shows images, which no model that we run sees.
    """
    if asked.images:
        raise BadRequest(
            f"messages.{asked.images[0].turn}: only content of type 'text' is supported by the "
            "model that answers here",
            param="validation_error",
            code="wrong_api_format",
        )
    return msgspec.structs.replace(to_generate(asked.chat, tenant), max_queue_s=asked.max_queue_s)


async def answer_cerebras(
    call: Call,
    asked: CerebrasRequest,
    answer: Answer,
    ready: Ready,
    waits: Waits,
    watch: Watch,
) -> Frames:
    """Yield an answer's frames, streamed or whole.

    Raises:
        GatewayError: What the engine said went wrong, or a deadline.
    """
    head = CerebrasAnswer(
        answer_id=answer_id_of(call.call_id),
        model=call.model,
        created_s=int(watch.created_s),
        fingerprint=ready.fingerprint,
        num_choices=asked.chat.num_choices,
        wants_logprobs=asked.chat.num_logprobs is not None,
        reasoning_format=asked.reasoning_format,
        think_tags=asked.think_tags,
        service_tier=asked.service_tier,
    )

    def measure(part: Finished) -> None:
        head.measure(watch.times(part))

    answered = stream_frames if call.is_stream else plain_frames
    async with aclosing(answered(answer, head, waits, measure)) as frames:
        async for frame in frames:
            yield frame
