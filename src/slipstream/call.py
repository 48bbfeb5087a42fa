"""The nouns that every folder shares, as frozen records, and the one callable shape `Serve`.

    Call ── routing ──▶ Plan ── dispatch ──▶ Attempt ── leaf ──▶ Frame, Frame, …

A Call goes down once and its Frames come up once. Nothing here knows HTTP, JSON or a provider.
Records that every request makes say `gc=False`: they hold no cycles, so the collector may pass by.
"""

from collections.abc import AsyncGenerator, Callable
from enum import IntEnum, StrEnum
from typing import Final, Literal, NoReturn

import msgspec

from slipstream.choice import Attempt, Plan, Target, Tried, Wishes


class Dialect(StrEnum):
    """A wire protocol that a client or an upstream speaks."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_EMBEDDINGS = "openai_embeddings"
    OPENAI_COMPLETIONS = "openai_completions"
    CEREBRAS_CHAT = "cerebras_chat"
    CEREBRAS_COMPLETIONS = "cerebras_completions"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    OPENAI_RESPONSES = "openai_responses"
    OPENAI_COMPACTION = "openai_compaction"  # of a Responses conversation
    GEMINI = "gemini"  # which upstreams speak, and no client


class Secret:
    """A key that cannot be logged, compared by accident, copied or serialised.

    `reveal` is the only way to its text; call it where the text goes onto a wire, nowhere else.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be serialised")


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one attempt in disjoint buckets: each token is counted in exactly one.

    Prediction buckets hold output tokens: accepted ones are part of the answer, rejected ones were
    generated and billed but are not in it. `tool_units` are calls of a provider's own tools.
    """

    input_tokens: int = 0  # uncached text (and anything not named below)
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_tokens: int = 0  # visible text and tool calls
    output_reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    prediction_accepted_tokens: int = 0
    prediction_rejected_tokens: int = 0
    tool_units: int = 0
    reported_cost_usd_pico: int | None = None  # what the provider itself says that it charged
    is_estimate: bool = False  # counted by us from what was seen, not said by the provider
    tier: str | None = None  # of service that answered, where it has a price of its own

    @property
    def total_input_tokens(self) -> int:
        """All tokens that the model read."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
            + self.input_audio_tokens
            + self.input_image_tokens
        )

    @property
    def total_output_tokens(self) -> int:
        """All tokens that the model wrote."""
        return (
            self.output_tokens
            + self.output_reasoning_tokens
            + self.output_audio_tokens
            + self.output_image_tokens
            + self.prediction_accepted_tokens
            + self.prediction_rejected_tokens
        )


BUCKETS: Final = tuple(
    name for name in Usage.__struct_fields__ if name.endswith(("tokens", "units"))
)
"""Names of the buckets of Usage that are counted and priced, in their order."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What each bucket of Usage costs; the fields have the names and order of `BUCKETS`.

    Unit: pico-dollars per token, which is micro-dollars per million tokens. None is unknown.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_tokens: int | None = None
    output_reasoning_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    prediction_accepted_tokens: int | None = None
    prediction_rejected_tokens: int | None = None
    tool_units: int | None = None  # per call of a provider's own tool


class Tier(msgspec.Struct, frozen=True):
    """Rates that replace all others when the whole input is over `start_tokens`."""

    start_tokens: int
    rates: Rates


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs at one moment.

    `denominator` divides every rate; it is 1 but for the few list prices that are no whole
    number of micro-dollars per million tokens. `by_service` replaces it for some tiers of service.
    """

    rates: Rates
    tiers: tuple[Tier, ...] = ()  # highest start first
    denominator: int = 1
    request_usd_pico: int = 0  # added once to each answered request
    source: str
    date: str | None = None  # since when it holds, or when it was read; YYYY-MM-DD
    by_service: "tuple[tuple[str, Price], ...]" = ()


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One client request: the raw body and the few fields that routing needs.

    Args:
        asked: The whole request as its dialect's own reader left it, where the dialect is read
            strictly at the door; of Responses, what it has to do with kept answers. Leaves of the
            dialect know its type.
        priority: 0 is the usual one; lower ones wait for others where a model of ours is busy.
        headers: Of the client's, those that its dialect counts as part of the request; they go
            only to upstreams that speak it.
        wishes: What the request says of its own routing; the body is without it.
        patience_s: For how long a plain answer is of use, as the client's SDK says; None: it says
            nothing, or a stream is asked for.
    """

    call_id: str
    dialect: Dialect
    body: bytes
    model: str  # the public name that the client asked for
    key_id: str  # of the client's key; "none" where the server needs no key
    is_stream: bool = False
    wants_usage: bool = False  # the client itself asked for the usage chunk of a stream
    max_output_tokens: int | None = None
    asked: object | None = None
    priority: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    wishes: Wishes | None = None
    patience_s: float | None = None
    attempt: Attempt | None = None  # set by dispatch on the way to a leaf


class Meaning(IntEnum):
    """What a frame is to the layers that relay it."""

    SILENT = 0  # role-only delta, keep-alive, ping: says nothing, commits to nothing
    CONTENT = 1  # text, reasoning, a tool call, a refusal, a finish: the commit point
    WITHHELD = 2  # for our accounts only (usage that the client did not ask for)
    END = 3  # the terminal event, or a whole plain answer


State = Literal["complete", "failed", "cut", "cancelled", "outraced", "lost"]
"""How an attempt ended: `outraced` lost a race, `lost` ended with the process that made it."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one attempt's account when a frame is handed on.

    `cost_usd_pico` is None while the attempt runs, and after it if the price is unknown. Dispatch
    adds `plan` and `tried`, all attempts up to the winner, where there was a choice.
    """

    attempt_id: str
    target: Target
    num_attempts: int
    state: State | None = None  # None while it runs
    usage: Usage | None = None
    cost_usd_pico: int | None = None
    plan: Plan | None = None
    tried: tuple[Tried, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one attempt was worth knowing for, told when it is settled.

    Args:
        error: Why it failed; None for every other ending.
        first_token_s: From the attempt's start to its first sign of meaning; None: there was none.
        total_s: From its start to its end.
        held_s: Of that, how long the consumer took with what it was handed: nobody else's fault.
        body_bytes: Of the client's request.
    """

    attempt: Attempt
    state: State
    error: Exception | None
    usage: Usage
    cost_usd_pico: int | None
    first_token_s: float | None
    total_s: float
    held_s: float
    body_bytes: int


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One piece of an answer in the caller's dialect: whole events, or a whole plain body.

    Args:
        changes: On the first frame of an attempt: what of the request its target got otherwise
            than the client wrote it, each a field's name or `name -> other name`.
        is_empty: Of CONTENT: it says why the answer finishes, and nothing else. Of END: the whole
            plain answer says nothing.
    """

    data: bytes
    meaning: Meaning
    usage: Usage | None = None  # set on the frame that carried it
    finish_reason: str | None = None
    receipt: Receipt | None = None  # set by metering on the first and the last frame of an attempt
    changes: tuple[str, ...] = ()
    is_empty: bool = False


Frames = AsyncGenerator[Frame, None]
Serve = Callable[[Call], Frames]
"""The one callable shape. Whoever iterates the frames closes them (`aclose`)."""
