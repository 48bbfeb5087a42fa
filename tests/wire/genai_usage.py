"""Our disjoint buckets and genai-prices' inclusive counts of the same answer, side by side."""

from typing import Any

from genai_prices import extract_usage

from slipstream.call import Usage

GENAI_IDS = {"gemini": "google", "xai": "x-ai"}


def counted(usage: Usage) -> dict[str, int]:
    """Say our buckets in its terms, in which a part counts within its whole."""
    return {
        "input_tokens": usage.total_input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "input_image_tokens": usage.input_image_tokens,
        "output_tokens": usage.total_output_tokens,
        "output_reasoning_tokens": usage.output_reasoning_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
        "output_image_tokens": usage.output_image_tokens,
        "web_searches": usage.tool_units,
    }


def extracted(answer: dict[str, Any], provider: str, flavor: str) -> dict[str, int]:
    """Return what genai-prices reads from a whole answer of a provider, by our name of it.

    The model is left out: it would be looked up, and plays no part.
    """
    nameless = {name: said for name, said in answer.items() if not name.startswith("model")}
    found = extract_usage(
        nameless, provider_id=GENAI_IDS.get(provider, provider), api_flavor=flavor
    ).usage
    names = (name for name in vars(found) if name in _COUNTED)
    return {name: int(getattr(found, name)) for name in names if getattr(found, name) is not None}


def differences(usage: Usage, theirs: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return the counts that both state and that are not the same: (ours, theirs)."""
    ours = counted(usage)
    return {n: (ours[n], count) for n, count in theirs.items() if ours[n] != count}


_COUNTED = frozenset(counted(Usage()))
