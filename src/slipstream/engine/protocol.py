"""Messages between a gateway and the child process that runs a model, over `slipstream.framing`.

    gateway ──▶ child    Generate, Embed, Count, Cancel, Probe
    gateway ◀── child    Ready once per connection; then for each Generate
                         Started, Delta …, and one of Finished or Failed;
                         Embedded or Failed for an Embed, Counted or Failed for a Count;
                         Stats for a Probe

`request_id` is chosen by the gateway and means nothing outside its connection. After Cancel
nothing more is promised for that id: what is on its way may still arrive, once.
"""

from typing import Literal

import msgspec

from slipstream.engine.grammar_spec import AnswerForm, ToolUse
from slipstream.errors import GatewayError

FinishReason = Literal["stop", "length", "tool_calls"]


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a function, in a conversation or in an answer; arguments are JSON text."""

    call_id: str
    name: str
    arguments: str


class ChatMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a conversation; its content parts are joined already.

    Args:
        role: system, user, assistant or tool.
        tool_call_id: Of the call that a tool's message answers.
    """

    role: str
    content: str
    name: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Generate(msgspec.Struct, frozen=True, tag="generate", kw_only=True, omit_defaults=True):
    """Answer a conversation, or go on with a text.

    Args:
        messages: The conversation; or
        prompt: a text, or token ids, to be gone on with as it is.
        max_tokens: Of each answer; None up to the end of the context.
        seed: None lets the engine choose one.
        logit_bias: Token ids and what is added to their logits.
        num_logprobs: Likeliest tokens to be told beside each token of the answer; None tells
            no log probabilities at all.
        num_choices: Answers to be made of one reading of the prompt.
        prediction: What the answer is expected to be, or to hold.
        is_exact: Guesses, caches and neighbours may not change the answer in any bit. True also
            where a seed or a prediction is given, or the model's settings say so.
        switches: For the model's template, such as enable_thinking or reasoning_effort.
        parses_reasoning: Whether reasoning comes apart from the text, in a model that reasons.
        tenant: Cached prefixes are shared within one tenant only; tenants take turns.
        cache_key: Parts a tenant's cache further, where the caller wants it.
        priority: 0 is the usual one; higher goes first.
        max_queue_s: Refuse if it would wait longer than this for its place; None waits.
        wants_tokens: Deltas tell the ids of their tokens.
        wants_prompt: Started tells the text of the prompt.
    """

    request_id: int
    messages: tuple[ChatMessage, ...] = ()
    prompt: str | tuple[int, ...] | None = None
    max_tokens: int | None = None
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    stop: tuple[str, ...] = ()
    num_logprobs: int | None = None
    num_choices: int = 1
    form: AnswerForm | None = None
    tool_use: ToolUse | None = None
    prediction: str | None = None
    is_exact: bool = False
    switches: dict[str, bool | int | str] = {}  # msgspec copies it
    parses_reasoning: bool = True
    tenant: str = ""
    cache_key: str = ""
    priority: int = 0
    max_queue_s: float | None = None
    wants_tokens: bool = False
    wants_prompt: bool = False


class Embed(msgspec.Struct, frozen=True, tag="embed", kw_only=True):
    """Turn texts, or token ids, into vectors.

    Args:
        dimensions: Keep only so many, and normalise again; None keeps all.
    """

    request_id: int
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None


class Count(msgspec.Struct, frozen=True, tag="count"):
    """Say how many tokens the prompt of a request would have; it is not answered."""

    request_id: int
    ask: Generate


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop a request between two steps and free what it holds."""

    request_id: int


class Probe(msgspec.Struct, frozen=True, tag="probe"):
    """Ask for Stats."""

    request_id: int


class Ready(msgspec.Struct, frozen=True, tag="ready", kw_only=True):
    """The model answers from now on; the first message on every connection.

    Args:
        kind: What it offers: answers, vectors, or both.
        is_invariant: Whether exact requests are exact on this processor in this arithmetic.
        family: How its template, reasoning and tool calls are written.
    """

    model: str
    fingerprint: str  # changes with weights, arithmetic and runtime
    context_tokens: int
    cache_tokens: int  # that all running requests may hold together
    num_threads: int
    precision: str
    load_s: float
    kind: Literal["chat", "embeddings"] = "chat"
    dimensions: int | None = None  # of its vectors
    family: str = "generic"
    reasons: bool = False
    is_invariant: bool = True


class Started(msgspec.Struct, frozen=True, tag="started", kw_only=True, omit_defaults=True):
    """The request left the queue and its prompt is being read."""

    request_id: int
    prompt_tokens: int
    cached_tokens: int  # of the prompt, that need not be read
    prompt_text: str = ""  # if it was asked for; control tokens are spelled


class Logprob(msgspec.Struct, frozen=True, array_like=True):
    """One token of the answer: its bytes, its log probability, and the likeliest in its place."""

    token: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...] = ()


class Delta(msgspec.Struct, frozen=True, tag="delta", omit_defaults=True):
    """More of one choice's answer: whole characters of one token or several, or a whole call.

    Never text and reasoning together. `num_tokens` counts its tokens, markers included, and
    `logprobs` is of these; each token of a choice is in one Delta, in order.

    Args:
        is_reasoning: Its tokens were reasoning although it shows none.
        tokens: Their ids, if they were asked for.
        stop: The stop string that ended this choice, beside `finish`.
    """

    request_id: int
    text: str = ""
    num_tokens: int = 0
    choice: int = 0
    reasoning: str = ""
    tool_call: ToolCall | None = None
    logprobs: tuple[Logprob, ...] = ()
    finish: FinishReason | None = None  # this choice is complete; the last Delta that it has
    is_reasoning: bool = False
    tokens: tuple[int, ...] = ()
    stop: str | None = None

    @property
    def has_reasoned(self) -> bool:
        """Whether its tokens were reasoning."""
        return self.is_reasoning or bool(self.reasoning)


class Finished(msgspec.Struct, frozen=True, tag="finished", kw_only=True):
    """All choices are complete.

    Args:
        prompt_tokens: Counted once, however many choices there are.
        completion_tokens: All that were generated, with those that ended the answers.
        reasoning_tokens: Of these, the ones that were reasoning.
        accepted_tokens: Of these, the ones that the prediction had right.
        rejected_tokens: Predicted, verified and not taken; not among the completion tokens.
        lookup_tokens: Of the completion, those that a look-up in the text before guessed.
        queue_s: From its arrival until its prompt was begun.
        prompt_s: From there to its first token.
        completion_s: From there to its last.
    """

    request_id: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0
    accepted_tokens: int = 0
    rejected_tokens: int = 0
    lookup_tokens: int = 0
    queue_s: float
    prompt_s: float
    completion_s: float


class Embedded(msgspec.Struct, frozen=True, tag="embedded", kw_only=True):
    """The vectors of one Embed: little-endian float32, one input behind the other."""

    request_id: int
    vectors: bytes
    dimensions: int
    prompt_tokens: int


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """How long the prompt of a Count is, whether or not it fits the model."""

    request_id: int
    num_tokens: int


class Failed(msgspec.Struct, frozen=True, tag="failed", kw_only=True):
    """The request cannot be answered; `code` is that of one of `slipstream.errors`."""

    request_id: int
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, request_id: int, error: GatewayError) -> "Failed":
        """Return the message that tells of an error."""
        return cls(
            request_id=request_id,
            code=error.code or "",
            message=error.message,
            param=error.param,
            retry_after_s=error.retry_after_s,
        )


class Stats(msgspec.Struct, frozen=True, tag="stats", kw_only=True):
    """What the engine does now, and sums since it started."""

    request_id: int
    num_running: int
    num_waiting: int
    num_blocks: int
    num_free_blocks: int  # with those that hold a cached prefix nobody uses now
    num_cached_blocks: int = 0
    num_steps: int
    prompt_tokens: int  # computed, not cached
    cached_tokens: int = 0
    completion_tokens: int
    prediction_accepted_tokens: int = 0
    prediction_rejected_tokens: int = 0
    lookup_accepted_tokens: int = 0
    lookup_rejected_tokens: int = 0
    forced_tokens: int = 0  # that a grammar left no choice in
    num_preemptions: int = 0
    wait_s: float = 0.0  # estimate for a request that comes now
    tokens_per_s: float = 0.0  # of answers, over the last seconds of work
    busy_s: float  # time spent in steps
    runner_s: float  # of that, in the runner


FromGateway = Generate | Embed | Count | Cancel | Probe
FromChild = Ready | Started | Delta | Finished | Embedded | Counted | Failed | Stats
