"""What answers of the Cerebras profile look like, for the OpenAPI document.

What is absent is left out, never null. Source: ../shared/reference/cerebras-api.md sections 3 and
5.1, 2026-11-21.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from slipstream.server.openapi.answers import (
    Finish,
    Logprobs,
    TextChoice,
    TimeInfo,
    ToolCall,
    ToolCallDelta,
    Usage,
)


class CerebrasError(Struct, forbid_unknown_fields=True):
    """Most errors below 500 of the Cerebras profile."""

    message: str
    type: str
    param: str
    code: str


class CerebrasErrorDetail(Struct, forbid_unknown_fields=True):
    """What is wrong, where the body is wrapped."""

    message: str
    type: str
    param: str
    code: str
    id: str


class CerebrasWrappedError(Struct, forbid_unknown_fields=True):
    """A failure of the server, and any error inside of a stream, in the Cerebras profile."""

    status_code: int
    error: CerebrasErrorDetail


class CerebrasDetail(Struct, forbid_unknown_fields=True):
    """No key, a wrong method, or an unknown public model, in the Cerebras profile."""

    detail: str


class CerebrasMessage(Struct):
    """What the model said; what it did not say is left out."""

    role: Literal["assistant"]
    content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET


class CerebrasChoice(Struct):
    """One answer."""

    index: int
    message: CerebrasMessage
    finish_reason: Finish | None = None
    logprobs: Logprobs | UnsetType = UNSET
    reasoning_logprobs: Logprobs | UnsetType = UNSET


class _CerebrasAnswer(Struct, kw_only=True):
    id: str
    created: int
    model: str
    system_fingerprint: str
    usage: Usage | UnsetType = UNSET
    time_info: TimeInfo | UnsetType = UNSET


class CerebrasChatCompletion(_CerebrasAnswer, kw_only=True):
    """A plain answer."""

    object: Literal["chat.completion"]
    choices: list[CerebrasChoice]
    service_tier: str | UnsetType = UNSET
    service_tier_used: str | UnsetType = UNSET


class CerebrasDelta(Struct):
    """More of what the model says."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    tool_calls: list[ToolCallDelta] | UnsetType = UNSET


class CerebrasChunkChoice(Struct):
    """More of one answer."""

    index: int
    delta: CerebrasDelta
    finish_reason: Finish | UnsetType = UNSET
    logprobs: Logprobs | UnsetType = UNSET
    reasoning_logprobs: Logprobs | UnsetType = UNSET


class CerebrasChatCompletionChunk(_CerebrasAnswer, kw_only=True):
    """An event of a stream; the last but `[DONE]` finishes a choice and says what it all cost."""

    object: Literal["chat.completion.chunk"]
    choices: list[CerebrasChunkChoice]
    service_tier: str | UnsetType = UNSET
    service_tier_used: str | UnsetType = UNSET


class CerebrasTextChoice(TextChoice):
    """One continuation, or in a stream more of it, and its tokens if they were asked for."""

    tokens: list[int] | UnsetType = UNSET


class CerebrasCompletion(_CerebrasAnswer, kw_only=True):
    """A plain answer, or an event of a stream."""

    object: Literal["text_completion"]
    choices: list[CerebrasTextChoice]
