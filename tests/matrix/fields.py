"""What becomes of the fields of a chat at each dialect of upstreams, as a table.

docs/dialects.md is written from it, and test_fields.py sends every field over the wire.
"""

from typing import Any, Final, NamedTuple

from tests.matrix.cells import Upstream

LEFT_OUT: Final = "left out"
"""And named in the answer's header `x-slipstream-changed`."""
REFUSED: Final = "refused"
"""By its name; nothing is sent."""


class Field(NamedTuple):
    """One field and its fate.

    Args:
        fates: By upstream: where it is in what is sent, with dots, or LEFT_OUT, or REFUSED.
    """

    value: Any
    fates: dict[Upstream, str]


def _field(
    value: Any, chat: str, responses: str, messages: str, gemini: str, completions: str
) -> Field:
    fates: dict[Upstream, str] = {
        "chat": chat,
        "responses": responses,
        "messages": messages,
        "gemini": gemini,
        "completions": completions,
    }
    return Field(value, fates)


def _sampling(name: str, value: Any, responses: str, messages: str, gemini: str) -> Field:
    return _field(value, name, responses, messages, gemini, name)


FIELDS: Final[dict[str, Field]] = {
    "max_completion_tokens": _field(
        64,
        "max_tokens",
        "max_output_tokens",
        "max_tokens",
        "generationConfig.maxOutputTokens",
        "max_tokens",
    ),
    "temperature": _sampling(
        "temperature", 0.5, "temperature", "temperature", "generationConfig.temperature"
    ),
    "top_p": _sampling("top_p", 0.5, "top_p", "top_p", "generationConfig.topP"),
    "top_k": _sampling("top_k", 5, LEFT_OUT, "top_k", "generationConfig.topK"),
    "min_p": _sampling("min_p", 0.1, LEFT_OUT, LEFT_OUT, LEFT_OUT),
    "repetition_penalty": _sampling("repetition_penalty", 1.1, LEFT_OUT, LEFT_OUT, LEFT_OUT),
    "frequency_penalty": _sampling(
        "frequency_penalty", 0.5, REFUSED, LEFT_OUT, "generationConfig.frequencyPenalty"
    ),
    "presence_penalty": _sampling(
        "presence_penalty", 0.5, REFUSED, LEFT_OUT, "generationConfig.presencePenalty"
    ),
    "seed": _sampling("seed", 7, REFUSED, LEFT_OUT, "generationConfig.seed"),
    "stop": _sampling("stop", ["END"], REFUSED, "stop_sequences", "generationConfig.stopSequences"),
    "n": _sampling("n", 2, REFUSED, REFUSED, "generationConfig.candidateCount"),
    "logit_bias": _sampling("logit_bias", {"5": 1}, REFUSED, REFUSED, REFUSED),
    "logprobs": _field(
        True, "logprobs", "include", REFUSED, "generationConfig.responseLogprobs", REFUSED
    ),
    "reasoning_effort": _field(
        "low",
        "reasoning_effort",
        "reasoning.effort",
        "thinking.budget_tokens",
        "generationConfig.thinkingConfig.thinkingLevel",
        REFUSED,
    ),
    "response_format": _field(
        {"type": "json_object"},
        "response_format",
        "text.format",
        "system",
        "generationConfig.responseMimeType",
        REFUSED,
    ),
    "verbosity": _field("low", "verbosity", "text.verbosity", LEFT_OUT, LEFT_OUT, LEFT_OUT),
    "prediction": _field(
        {"type": "content", "content": "x"}, "prediction", LEFT_OUT, LEFT_OUT, LEFT_OUT, LEFT_OUT
    ),
    "prompt_cache_key": _field(
        "k", "prompt_cache_key", "prompt_cache_key", LEFT_OUT, LEFT_OUT, LEFT_OUT
    ),
    "user": _field("ann", "user", "safety_identifier", "metadata.user_id", LEFT_OUT, "user"),
    "metadata": _field({"a": "b"}, "metadata", "metadata", LEFT_OUT, LEFT_OUT, LEFT_OUT),
    "service_tier": _field(
        "flex", "service_tier", "service_tier", LEFT_OUT, "serviceTier", LEFT_OUT
    ),
    "a field that nobody knows": _field(1, "unheard_of", LEFT_OUT, LEFT_OUT, LEFT_OUT, LEFT_OUT),
}
UNKNOWN: Final = "unheard_of"
"""What the last row is called on the wire."""
