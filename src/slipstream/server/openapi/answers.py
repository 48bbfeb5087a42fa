"""What answers look like, for the OpenAPI document: answers are built elsewhere, field by field.

Tests hold real answers against these records. Those of the Cerebras profile are in
cerebras_answers.py, lists of models in wire/cerebras/catalogue.py. An answer that is relayed may
have more fields, which are its provider's.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

Finish = Literal["stop", "length", "content_filter", "tool_calls"]

# ---- errors -------------------------------------------------------------------------------------


class ErrorDetail(Struct):
    """What is wrong, in OpenAI's words."""

    message: str
    type: str | None
    param: str | None
    code: str | int | None


class Error(Struct):
    """An error as OpenAI tells it."""

    error: ErrorDetail


# ---- parts --------------------------------------------------------------------------------------


class Likely(Struct):
    """A token that could have come."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(Likely):
    """A token that came, and the likeliest in its place."""

    top_logprobs: list[Likely] = []


class Logprobs(Struct):
    """Of the tokens of a choice."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


class LegacyLogprobs(Struct):
    """Of the tokens of a text completion: an array for each thing that is said of them."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class CalledFunction(Struct):
    """The arguments are JSON, as text."""

    name: str
    arguments: str


class ToolCall(Struct):
    """A call of one of the request's functions."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ToolCallDelta(ToolCall):
    """A call in a stream, whole in one chunk."""

    index: int


class PromptTokens(Struct):
    """What the prompt's tokens were."""

    cached_tokens: int = 0
    audio_tokens: int | UnsetType = UNSET


class CompletionTokens(Struct):
    """What the answer's tokens were."""

    reasoning_tokens: int = 0
    accepted_prediction_tokens: int | UnsetType = UNSET
    rejected_prediction_tokens: int | UnsetType = UNSET
    audio_tokens: int | UnsetType = UNSET


class Usage(Struct):
    """What an answer cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokens | UnsetType = UNSET
    completion_tokens_details: CompletionTokens | UnsetType = UNSET
    image_tokens: int | UnsetType = UNSET


class TimeInfo(Struct):
    """Seconds, as the engine measured them."""

    queue_time: float
    prompt_time: float
    completion_time: float
    total_time: float
    created: float


# ---- chat ---------------------------------------------------------------------------------------


class Message(Struct):
    """What the model said."""

    role: Literal["assistant"]
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET


class Choice(Struct):
    """One answer."""

    index: int
    message: Message
    finish_reason: Finish | None = None
    logprobs: Logprobs | None = None


class ChatCompletion(Struct):
    """A plain answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str | None = None


class Delta(Struct):
    """More of what the model says."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | None = None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCallDelta] | UnsetType = UNSET


class ChunkChoice(Struct):
    """More of one answer."""

    index: int
    delta: Delta
    finish_reason: Finish | None = None
    logprobs: Logprobs | None = None


class ChatCompletionChunk(Struct):
    """An event of a stream, which `[DONE]` ends."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None


# ---- text completions ---------------------------------------------------------------------------


class TextChoice(Struct):
    """One continuation, or in a stream more of it."""

    index: int
    text: str = ""
    finish_reason: Finish | None = None
    logprobs: LegacyLogprobs | None = None


class Completion(Struct):
    """A plain answer, or an event of a stream."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None


# ---- embeddings ---------------------------------------------------------------------------------


class Embedding(Struct):
    """Of one input: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Struct):
    """What was read."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(Struct):
    """One for each input, in order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


# ---- the gateway itself -------------------------------------------------------------------------


class Health(Struct):
    """Whether the gateway answers, and the state of each model that it runs."""

    status: Literal["ok"]
    models: dict[str, str] | UnsetType = UNSET
    problems: dict[str, str] | UnsetType = UNSET
