"""The models that the nine providers offer, as rows: names, windows, limits and abilities.

General text models of today: none that is retired or about to be, no embeddings, since vectors of
two models have nothing in common. Of what no row knows, nothing is claimed.
Source: ../shared/reference/providers.md of 2026-11-21, and the facts (windows, limits, flags) of
the price lists that it names, genai-prices 0.2.3 and litellm 1.109.1.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

import msgspec

from slipstream.catalog.traits import traits_of
from slipstream.choice import (
    AUDIO,
    CHAT,
    CHOICES,
    COMPLETIONS,
    DOCUMENTS,
    IMAGES,
    JSON_OBJECT,
    JSON_SCHEMA,
    LOGPROBS,
    REASONING,
    TOOLS,
)


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one provider.

    Args:
        provider: The name of the provider's row.
        model: The id that the provider knows.
        name: The plain one.
        context_tokens: Of input and output together.
        max_output_tokens: None where only the context bounds it.
        abilities: Bits of `choice.ABILITIES`.
        until: The day on which it goes, where that has been said.
    """

    provider: str
    model: str
    name: str
    context_tokens: int
    max_output_tokens: int | None
    abilities: int
    until: date | None = None

    def is_offered_on(self, day: date) -> bool:
        """Tell whether it is there on a day."""
        return self.until is None or day < self.until


# What the letters of a row mean. Everybody is asked in chat; texts become a conversation.
_LETTERS: Final[Mapping[str, int]] = {
    "t": TOOLS,
    "i": IMAGES,
    "a": AUDIO,
    "d": DOCUMENTS,
    "s": JSON_SCHEMA | JSON_OBJECT,
    "r": REASONING,
}

# What a provider can be asked for whatever the model; see wire/chat/habits.py for the fields.
_OF_PROVIDER: Final[Mapping[str, int]] = {
    "cerebras": CHOICES | LOGPROBS,
    "openai": CHOICES | LOGPROBS,
    "anthropic": 0,
    "groq": 0,  # 400 for `n` and `logprobs`
    "gemini": CHOICES | LOGPROBS,
    "deepinfra": CHOICES | LOGPROBS,
    "mistral": CHOICES | LOGPROBS,
    "xai": CHOICES | LOGPROBS,
    "openrouter": 0,  # its hosts differ, and it drops silently what one does not take
}

_MI: Final = 1_048_576
_K128: Final = 131_072
_K256: Final = 262_144

_Line = tuple[str, str, int, int | None, str] | tuple[str, str, int, int | None, str, date]

# Provider: (its id, plain name, context, longest answer, letters, last day).
_TABLE: Final[Mapping[str, tuple[_Line, ...]]] = {
    "cerebras": (
        ("gpt-oss-120b", "gpt-oss-120b", _K128, 32_768, "tsr"),
        ("qwen-3.8-27b", "qwen3.8-27b", 65_536, 32_768, "tisr"),
    ),
    "openai": (  # of 1.05 million, 128,000 are kept for the answer
        ("gpt-6-astra", "gpt-6-astra", 1_050_000, 128_000, "tidsr"),
        ("gpt-6.1-sol", "gpt-6.1-sol", 1_050_000, 128_000, "tidsr"),
        ("gpt-6.1-terra", "gpt-6.1-terra", 1_050_000, 128_000, "tidsr"),
        ("gpt-6-sol", "gpt-6-sol", 1_050_000, 128_000, "tidsr"),
        ("gpt-6-luna", "gpt-6-luna", 1_050_000, 128_000, "tidsr"),
        ("gpt-5.6-sol", "gpt-5.6-sol", 1_050_000, 128_000, "tidsr"),
        ("gpt-5.6-terra", "gpt-5.6-terra", 1_050_000, 128_000, "tidsr"),
        ("gpt-5.6-luna", "gpt-5.6-luna", 1_050_000, 128_000, "tidsr"),
        ("gpt-5.5", "gpt-5.5", 1_050_000, 128_000, "tidsr"),
        ("gpt-5.4", "gpt-5.4", 1_050_000, 128_000, "tidsr"),
        ("gpt-5.4-mini", "gpt-5.4-mini", 400_000, 128_000, "tidsr"),
        ("gpt-5.4-nano", "gpt-5.4-nano", 400_000, 128_000, "tidsr", date(2027, 4, 1)),
        ("gpt-5.2", "gpt-5.2", 400_000, 128_000, "tidsr"),
        ("gpt-5.1", "gpt-5.1", 400_000, 128_000, "tidsr", date(2027, 4, 1)),
        ("gpt-4.1", "gpt-4.1", 1_047_576, 32_768, "tids", date(2027, 1, 14)),
        ("gpt-4.1-mini", "gpt-4.1-mini", 1_047_576, 32_768, "tids", date(2027, 1, 14)),
        ("gpt-4o", "gpt-4o", 128_000, 16_384, "tids", date(2027, 1, 14)),
        ("gpt-4o-mini", "gpt-4o-mini", 128_000, 16_384, "tids", date(2027, 1, 14)),
    ),
    "anthropic": (
        ("claude-fable-5-1", "claude-fable-5-1", 1_000_000, 128_000, "tidsr"),
        ("claude-opus-5-5", "claude-opus-5-5", 1_000_000, 128_000, "tidsr"),
        ("claude-opus-5", "claude-opus-5", 1_000_000, 128_000, "tidsr"),
        ("claude-opus-4-8", "claude-opus-4-8", 1_000_000, 128_000, "tidsr"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5", 1_000_000, 128_000, "tidsr"),
        ("claude-sonnet-5", "claude-sonnet-5", 1_000_000, 128_000, "tidsr"),
        ("claude-sonnet-4-6", "claude-sonnet-4-6", 1_000_000, 128_000, "tidsr"),
        ("claude-haiku-5-5", "claude-haiku-5-5", 1_000_000, 128_000, "tidsr"),
        ("claude-haiku-4-5", "claude-haiku-4-5", 200_000, 64_000, "tidsr"),
    ),
    "groq": (
        ("openai/gpt-oss-120b", "gpt-oss-120b", _K128, 65_536, "tsr"),
        ("openai/gpt-oss-20b", "gpt-oss-20b", _K128, 65_536, "tsr"),
        ("qwen/qwen3.8-27b", "qwen3.8-27b", _K128, 16_384, "tisr"),
    ),
    "gemini": (
        ("gemini-4-argon", "gemini-4-argon", _MI, None, "tiadsr"),
        ("gemini-3.8-flash", "gemini-3.8-flash", _MI, 65_536, "tiadsr"),
        ("gemini-3.7-flash", "gemini-3.7-flash", _MI, 65_536, "tiadsr"),
        ("gemini-3.6-flash", "gemini-3.6-flash", _MI, 65_536, "tiadsr"),
        ("gemini-3.5-flash", "gemini-3.5-flash", _MI, 65_536, "tiadsr"),
        ("gemini-3.5-flash-lite", "gemini-3.5-flash-lite", _MI, 65_536, "tiadsr"),
        (
            "gemini-3.1-flash-lite",
            "gemini-3.1-flash-lite",
            _MI,
            65_536,
            "tiadsr",
            date(2027, 5, 7),
        ),
        ("gemini-3.1-pro-preview", "gemini-3.1-pro", _MI, 65_536, "tiadsr"),
        ("gemini-2.5-pro", "gemini-2.5-pro", _MI, 65_536, "tiadsr"),
        ("gemini-2.5-flash", "gemini-2.5-flash", _MI, 65_536, "tiadsr"),
        ("gemini-2.5-flash-lite", "gemini-2.5-flash-lite", _MI, 65_536, "tiadsr"),
    ),
    "deepinfra": (  # a faster variant of the same weights has their plain name
        ("openai/gpt-oss-120b", "gpt-oss-120b", _K128, None, "tr"),
        ("openai/gpt-oss-120b-Turbo", "gpt-oss-120b", _K128, None, "tsr"),
        ("openai/gpt-oss-20b", "gpt-oss-20b", _K128, None, "tr"),
        ("deepseek-ai/DeepSeek-V4.1-Flash", "deepseek-v4.1-flash", _MI, _K128, "tisr"),
        ("deepseek-ai/DeepSeek-V4-Pro-0813", "deepseek-v4-pro", _MI, None, "ts"),
        ("deepseek-ai/DeepSeek-V3.2", "deepseek-v3.2", 163_840, None, "ts"),
        ("zai-org/GLM-5.2", "glm-5.2", _MI, None, "tsr"),
        ("moonshotai/Kimi-K3", "kimi-k3", _MI, None, "tis"),
        ("MiniMaxAI/MiniMax-M3", "minimax-m3", 524_288, None, "tisr"),
        ("Qwen/Qwen3.8-27B", "qwen3.8-27b", _K256, None, "tisr"),
        ("Qwen/Qwen3.8-Max", "qwen3.8-max", 256_000, None, "ts"),
        ("google/gemma-4-31B-it", "gemma-4-31b", _K256, None, "tisr"),
        ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B", "nemotron-3-super", _K256, None, "tsr"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "llama-3.3-70b", _K128, None, "t"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "llama-3.1-8b", _K128, None, "t"),
    ),
    "mistral": (
        ("mistral-large-4", "mistral-large-4", _MI, None, "tisr"),
        ("mistral-large-2512", "mistral-large-3", _K256, None, "tis"),
        ("mistral-medium-3-5", "mistral-medium-3.5", _K256, None, "tisr"),
        ("mistral-small-2603", "mistral-small-2603", _K256, None, "tisr"),
        ("ministral-14b-2512", "ministral-14b", _K256, None, "tis"),
        ("ministral-8b-2512", "ministral-8b", _K256, None, "tis"),
        ("ministral-3b-2512", "ministral-3b", _K128, None, "tis"),
        ("codestral-2508", "codestral-2508", 128_000, None, "ts"),
        ("deepseek-v4-1-flash-1017", "deepseek-v4.1-flash", _MI, _K128, "tsr"),
        ("zai-glm-5-3", "glm-5.3", _MI, _K128, "tsr"),
        ("zai-glm-5-3-flash", "glm-5.3-flash", _MI, _K128, "tisr"),
    ),
    "xai": (
        ("grok-4.7", "grok-4.7", 500_000, None, "tisr"),
        ("grok-4.6", "grok-4.6", 500_000, None, "tisr"),
        ("grok-4.5", "grok-4.5", 500_000, None, "tisr"),
        ("grok-4.3", "grok-4.3", 1_000_000, None, "tisr"),
        ("grok-build-0.1", "grok-build-0.1", 256_000, None, "tisr"),
    ),
    "openrouter": (  # what its hosts have in common is not more than this
        ("anthropic/claude-fable-5.1", "claude-fable-5-1", 1_000_000, 128_000, "tidsr"),
        ("anthropic/claude-opus-5.5", "claude-opus-5-5", 1_000_000, 128_000, "tidsr"),
        ("anthropic/claude-sonnet-5.5", "claude-sonnet-5-5", 1_000_000, 128_000, "tidsr"),
        ("anthropic/claude-haiku-5.5", "claude-haiku-5-5", 1_000_000, 128_000, "tidsr"),
        ("openai/gpt-6-astra", "gpt-6-astra", 1_050_000, 128_000, "tidsr"),
        ("openai/gpt-6.1-sol", "gpt-6.1-sol", 1_050_000, 128_000, "tidsr"),
        ("openai/gpt-6.1-terra", "gpt-6.1-terra", 1_050_000, 128_000, "tidsr"),
        ("openai/gpt-6-luna", "gpt-6-luna", 1_050_000, 128_000, "tidsr"),
        ("google/gemini-4-argon", "gemini-4-argon", _MI, None, "tiadsr"),
        ("google/gemini-3.8-flash", "gemini-3.8-flash", _MI, 65_536, "tiadsr"),
        ("x-ai/grok-4.7", "grok-4.7", 500_000, None, "tisr"),
        ("mistralai/mistral-large-4-0", "mistral-large-4", _MI, None, "tisr"),
        ("deepseek/deepseek-v4.1-flash", "deepseek-v4.1-flash", _MI, _K128, "tsr"),
        ("deepseek/deepseek-v4-pro-0813", "deepseek-v4-pro", _MI, None, "tsr"),
        ("z-ai/glm-5.3", "glm-5.3", _MI, _K128, "tsr"),
        ("z-ai/glm-5.2", "glm-5.2", _MI, None, "tsr"),
        ("moonshotai/kimi-k3", "kimi-k3", _MI, None, "tisr"),
        ("minimax/minimax-m3", "minimax-m3", 524_288, None, "tisr"),
        ("qwen/qwen3.8-27b", "qwen3.8-27b", _K128, None, "tisr"),
        ("openai/gpt-oss-120b", "gpt-oss-120b", _K128, None, "tsr"),
        ("openai/gpt-oss-20b", "gpt-oss-20b", _K128, None, "tsr"),
        ("meta-llama/llama-3.3-70b-instruct", "llama-3.3-70b", _K128, None, "t"),
    ),
}


def _row(provider: str, line: _Line) -> ModelRow:
    model, name, context_tokens, max_output_tokens, letters, *until = line
    abilities = CHAT | COMPLETIONS | _OF_PROVIDER[provider]
    for letter in letters:
        abilities |= _LETTERS[letter]
    if "logprobs" in traits_of(model, None).refuses:
        abilities &= ~LOGPROBS
    return ModelRow(
        provider=provider,
        model=model,
        name=name,
        context_tokens=context_tokens,
        max_output_tokens=max_output_tokens,
        abilities=abilities,
        until=until[0] if until else None,
    )


MODELS: Final = tuple(_row(provider, line) for provider, lines in _TABLE.items() for line in lines)
"""Every row, providers together, the ablest models first."""

_BY_ID: Final = {(row.provider, row.model): row for row in MODELS}


def row_of(provider: str, model: str) -> ModelRow | None:
    """Return what is known of a provider's model.

    Args:
        provider: The name of the provider's row.
    """
    return _BY_ID.get((provider, model))
