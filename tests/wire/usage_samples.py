"""Answers in the shapes that providers document and their SDKs record, cut down to their usage.

Each says what the provider itself calls its totals, so that no sample can agree by being empty.

Source: ../shared/reference/providers.md, section 0, and the SDKs' types and fixtures, 2026-11-21.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple


class Sample(NamedTuple):
    """One answer.

    Args:
        flavor: genai-prices' name of the dialect; ours is by `dialect`.
        totals: Input and output, as the provider bills them.
        differs: Counts that are not the same, and why.
        costs: Why the cost is not the same, where it is not.
        tier: Of service, in the provider's word.
    """

    name: str
    provider: str
    dialect: str
    flavor: str
    model: str
    usage: dict[str, Any]
    totals: tuple[int, int]
    differs: Mapping[str, str] = MappingProxyType({})
    costs: str | None = None
    tier: str | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """The whole answer, as far as its cost depends on it."""
        if self.dialect == "gemini":
            return {"usageMetadata": self.usage, "modelVersion": self.model}
        return {"usage": self.usage, "model": self.model}


def _chat(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    total = more.pop("total", prompt + completion)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        **more,
    }


def _cached(tokens: int, **more: int) -> dict[str, Any]:
    return {"prompt_tokens_details": {"cached_tokens": tokens, **more}}


def _thought(tokens: int, **more: int) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": tokens, **more}}


def _responses(read: int, written: int, *, cached: int = 0, thought: int = 0) -> dict[str, Any]:
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": read + written,
    }


def _messages(read: int, written: int, **more: Any) -> dict[str, Any]:
    return {
        "input_tokens": read,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": written,
        **more,
    }


def _parts(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in tokens.items()]


_NOT_READ: Final = "genai-prices 0.2.3 does not read the field"
_NO_MODALITY: Final = (
    "Usage has one bucket for cached input: cached audio and images are read from it at the rate "
    "of cached text, and left out of their own bucket"
)

SAMPLES: Final = (
    # ---- OpenAI
    Sample("plain", "openai", "chat", "chat", "gpt-5.4", _chat(19, 10), (19, 10)),
    Sample(
        "reasoning, cached and written",
        "openai",
        "chat",
        "chat",
        "gpt-5.6-sol",
        _chat(2000, 500, **_cached(1024, cache_write_tokens=512), **_thought(320)),
        (2000, 500),
    ),
    Sample(
        "audio both ways",
        "openai",
        "chat",
        "chat",
        "gpt-4o-audio-preview",
        _chat(300, 200, **_cached(0, audio_tokens=120), **_thought(0, audio_tokens=150)),
        (300, 200),
    ),
    Sample(
        "predictions",
        "openai",
        "chat",
        "chat",
        "gpt-4.1",
        _chat(
            50,
            80,
            **_thought(0, accepted_prediction_tokens=30, rejected_prediction_tokens=12),
        ),
        (50, 80),
    ),
    Sample(
        "over the long-context tier",
        "openai",
        "chat",
        "chat",
        "gpt-5.4",
        _chat(300_000, 100, **_cached(100_000)),
        (300_000, 100),
    ),
    Sample(
        "responses",
        "openai",
        "responses",
        "responses",
        "gpt-6.1-sol",
        _responses(5000, 700, cached=2048, thought=512),
        (5000, 700),
    ),
    Sample(
        "responses, written for half an hour and for twelve",
        "openai",
        "responses",
        "responses",
        "gpt-5.6-terra",
        {
            **_responses(5000, 10),
            "input_tokens_details": {
                "cached_tokens": 100,
                "cache_write_tokens": 3000,
                "cache_write_tokens_details": {"ttl_30m_tokens": 1000, "ttl_12h_tokens": 2000},
            },
        },
        (5000, 10),
    ),
    *(
        Sample(
            f"tier {tier}",
            "openai",
            "chat",
            "chat",
            "gpt-5.6-terra",
            _chat(300_000, 100, **_cached(100_000)),
            (300_000, 100),
            tier=tier,
        )
        for tier in ("default", "flex", "priority", "fast", "auto")
    ),
    # ---- Anthropic
    Sample(
        "fast",
        "anthropic",
        "messages",
        "default",
        "claude-opus-4-8",
        _messages(900, 60, speed="fast", service_tier="standard"),
        (900, 60),
        tier="fast",
    ),
    Sample(
        "caches of both times",
        "anthropic",
        "messages",
        "default",
        "claude-sonnet-5-5",
        _messages(
            12,
            80,
            cache_creation_input_tokens=3000,
            cache_read_input_tokens=2000,
            cache_creation={"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
            output_tokens_details={"thinking_tokens": 30},
            service_tier="standard",
        ),
        (5012, 80),
    ),
    Sample(
        "written, time untold",
        "anthropic",
        "messages",
        "default",
        "claude-opus-5-5",
        _messages(12, 80, cache_creation_input_tokens=500),
        (512, 80),
    ),
    Sample(
        "searches",
        "anthropic",
        "messages",
        "default",
        "claude-opus-4-8",
        _messages(900, 60, server_tool_use={"web_search_requests": 3, "web_fetch_requests": 1}),
        (900, 60),
    ),
    Sample(
        "haiku over its tier",
        "anthropic",
        "messages",
        "default",
        "claude-haiku-5-5",
        _messages(90_000, 500, cache_read_input_tokens=20_000),
        (110_000, 500),
    ),
    Sample(
        "the compatible endpoint",
        "anthropic",
        "chat",
        "chat",
        "claude-sonnet-5",
        _chat(400, 90, cached_tokens=100, **_thought(40)),
        (400, 90),
    ),
    # ---- Gemini
    Sample(
        "thoughts outside, cached inside",
        "gemini",
        "gemini",
        "default",
        "gemini-3.1-pro-preview",
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 400,
            "candidatesTokenCount": 50,
            "thoughtsTokenCount": 70,
            "totalTokenCount": 1120,
            "promptTokensDetails": _parts(TEXT=1000),
            "cacheTokensDetails": _parts(TEXT=400),
        },
        (1000, 120),
    ),
    Sample(
        "what its own tools read",
        "gemini",
        "gemini",
        "default",
        "gemini-3.5-flash",
        {
            "promptTokenCount": 100,
            "candidatesTokenCount": 50,
            "toolUsePromptTokenCount": 30,
            "totalTokenCount": 180,
            "toolUsePromptTokensDetails": _parts(TEXT=30),
        },
        (130, 50),
    ),
    Sample(
        "audio and images in",
        "gemini",
        "gemini",
        "default",
        "gemini-2.5-flash",
        {
            "promptTokenCount": 700,
            "candidatesTokenCount": 20,
            "totalTokenCount": 720,
            "promptTokensDetails": _parts(TEXT=100, AUDIO=340, IMAGE=260),
        },
        (700, 20),
    ),
    Sample(
        "documents in",
        "gemini",
        "gemini",
        "default",
        "gemini-2.5-flash",
        {
            "promptTokenCount": 700,
            "candidatesTokenCount": 20,
            "totalTokenCount": 720,
            "promptTokensDetails": _parts(TEXT=100, DOCUMENT=600),
        },
        (700, 20),
        differs={"input_image_tokens": "a document's pages cost what text does, and stay with it"},
    ),
    Sample(
        "cached audio",
        "gemini",
        "gemini",
        "default",
        "gemini-2.5-flash",
        {
            "promptTokenCount": 700,
            "cachedContentTokenCount": 300,
            "candidatesTokenCount": 20,
            "totalTokenCount": 720,
            "promptTokensDetails": _parts(TEXT=100, AUDIO=600),
            "cacheTokensDetails": _parts(AUDIO=300),
        },
        (700, 20),
        differs={"input_audio_tokens": _NO_MODALITY},
        costs=_NO_MODALITY,
    ),
    Sample(
        "over the long-context tier",
        "gemini",
        "gemini",
        "default",
        "gemini-2.5-pro",
        {
            "promptTokenCount": 250_000,
            "candidatesTokenCount": 1000,
            "thoughtsTokenCount": 500,
            "totalTokenCount": 251_500,
        },
        (250_000, 1500),
    ),
    Sample(
        "the compatible endpoint",
        "gemini",
        "chat",
        "chat",
        "gemini-3.5-flash",
        _chat(100, 60, **_cached(30), **_thought(20)),
        (100, 60),
    ),
    # ---- Groq
    Sample(
        "times and cached",
        "groq",
        "chat",
        "default",
        "openai/gpt-oss-120b",
        _chat(500, 90, queue_time=0.1, total_time=0.5, **_cached(256), **_thought(40)),
        (500, 90),
    ),
    # ---- Cerebras
    Sample(
        "cached and reasoning",
        "cerebras",
        "chat",
        "chat",
        "gpt-oss-120b",
        _chat(500, 90, **_cached(128), **_thought(40)),
        (500, 90),
    ),
    # ---- Mistral
    Sample(
        "cached, in the details",
        "mistral",
        "chat",
        "default",
        "mistral-large-4",
        _chat(500, 90, **_cached(128), **_thought(40)),
        (500, 90),
    ),
    Sample(
        "cached, by its older names",
        "mistral",
        "chat",
        "default",
        "mistral-large-4",
        _chat(500, 90, num_cached_tokens=128),
        (500, 90),
        costs=_NOT_READ,
    ),
    # ---- xAI
    Sample(
        "reasoning outside",
        "xai",
        "chat",
        "chat",
        "grok-4.6",
        _chat(300, 10, total=430, **_cached(100), **_thought(120)),
        (300, 130),
    ),
    Sample(
        "responses",
        "xai",
        "responses",
        "responses",
        "grok-4.7",
        _responses(300, 130, cached=100, thought=120),
        (300, 130),
    ),
    Sample(
        "over the long-context tier",
        "xai",
        "chat",
        "chat",
        "grok-4.3",
        _chat(220_000, 10, **_cached(20_000)),
        (220_000, 10),
    ),
    # ---- OpenRouter
    Sample(
        "cached and written",
        "openrouter",
        "chat",
        "chat",
        "anthropic/claude-opus-5.5",
        _chat(2000, 500, **_cached(1024, cache_write_tokens=512), **_thought(320)),
        (2000, 500),
    ),
    Sample(
        "responses",
        "openrouter",
        "responses",
        "default",
        "openai/gpt-6.1-sol",
        _responses(2000, 500, cached=1024, thought=320),
        (2000, 500),
    ),
)
