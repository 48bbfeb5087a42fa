"""Messages between a gateway and the child process that runs a model, over `slipstream.framing`.

    gateway ──▶ child    Generate, Cancel, Probe
    gateway ◀── child    Ready once per connection; then for each Generate
                         Started, Delta …, and one of Finished or Failed; Stats for a Probe

`request_id` is chosen by the gateway and means nothing outside its connection. After Cancel
nothing more is promised for that id: what is on its way may still arrive, once.
"""

from typing import Literal

import msgspec

FinishReason = Literal["stop", "length"]


class ChatMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a conversation; its content parts are joined already."""

    role: str
    content: str
    name: str | None = None


class Generate(msgspec.Struct, frozen=True, tag="generate", kw_only=True):
    """Answer a conversation.

    Args:
        max_tokens: Of the answer; None up to the end of the context.
        seed: None lets the engine choose one.
    """

    request_id: int
    messages: tuple[ChatMessage, ...]
    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop a request between two steps and free what it holds."""

    request_id: int


class Probe(msgspec.Struct, frozen=True, tag="probe"):
    """Ask for Stats."""

    request_id: int


class Ready(msgspec.Struct, frozen=True, tag="ready", kw_only=True):
    """The model answers from now on; the first message on every connection."""

    model: str
    fingerprint: str  # changes with weights, arithmetic and runtime
    context_tokens: int
    cache_tokens: int  # that all running requests may hold together
    num_threads: int
    precision: str
    load_s: float


class Started(msgspec.Struct, frozen=True, tag="started", kw_only=True):
    """The request left the queue and its prompt is being read."""

    request_id: int
    prompt_tokens: int
    cached_tokens: int  # of the prompt, that need not be read


class Delta(msgspec.Struct, frozen=True, tag="delta"):
    """More text of the answer: whole characters, of one token or of several."""

    request_id: int
    text: str
    num_tokens: int


class Finished(msgspec.Struct, frozen=True, tag="finished", kw_only=True):
    """The answer is complete.

    Args:
        completion_tokens: All that were generated, with the one that ended the answer.
        queue_s: From its arrival until its prompt was begun.
        prompt_s: From there to its first token.
        completion_s: From there to its last.
    """

    request_id: int
    reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queue_s: float
    prompt_s: float
    completion_s: float


class Failed(msgspec.Struct, frozen=True, tag="failed", kw_only=True):
    """The request cannot be answered; `code` is that of one of `slipstream.errors`."""

    request_id: int
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None


class Stats(msgspec.Struct, frozen=True, tag="stats", kw_only=True):
    """What the engine does now, and sums since it started."""

    request_id: int
    num_running: int
    num_waiting: int
    num_blocks: int
    num_free_blocks: int
    num_steps: int
    prompt_tokens: int
    completion_tokens: int
    busy_s: float  # time spent in steps
    runner_s: float  # of that, in the runner


FromGateway = Generate | Cancel | Probe
FromChild = Ready | Started | Delta | Finished | Failed | Stats
