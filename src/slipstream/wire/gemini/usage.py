"""Usage of a Gemini answer into disjoint buckets.

Thoughts and what its own tools read stand beside the other counts, not in them; cached tokens stand
in the prompt's. It is said again in OpenAI's words, for the one place where buckets are made.

Source: ../shared/reference/providers.md, section 0, and protocols.md, section F, 2026-11-21.
"""

from typing import Final

import msgspec

from slipstream.call import Usage
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.usage import read_usage


class _Count(msgspec.Struct, rename="camel"):
    modality: str = ""
    token_count: int | None = None


class _Reported(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    prompt_tokens_details: list[_Count] | None = None
    cache_tokens_details: list[_Count] | None = None
    tool_use_prompt_tokens_details: list[_Count] | None = None
    candidates_tokens_details: list[_Count] | None = None


_decoder: Final = msgspec.json.Decoder(_Reported)
_encode: Final = msgspec.json.Encoder().encode


def read_gemini_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """Return the buckets of a `usageMetadata` object, or None if it holds no counts.

    Args:
        raw: The JSON of the object.
    """
    try:
        said = _decoder.decode(raw)
    except UNREADABLE:
        return None
    if said.prompt_token_count is None and said.candidates_token_count is None:
        return None
    read = (said.prompt_token_count or 0) + (said.tool_use_prompt_token_count or 0)
    thoughts = said.thoughts_token_count or 0
    written = (said.candidates_token_count or 0) + thoughts
    counts = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {
            "cached_tokens": said.cached_content_token_count,
            "audio_tokens": _uncached(said, "AUDIO"),
            "image_tokens": _uncached(said, "IMAGE"),
        },
        "completion_tokens_details": {
            "reasoning_tokens": thoughts,
            "audio_tokens": _of(said.candidates_tokens_details, "AUDIO"),
            "image_tokens": _of(said.candidates_tokens_details, "IMAGE"),
        },
    }
    return read_usage(_encode(counts))


def _uncached(said: _Reported, modality: str) -> int:
    read = _of(said.prompt_tokens_details, modality)
    read += _of(said.tool_use_prompt_tokens_details, modality)
    return max(read - _of(said.cache_tokens_details, modality), 0)


def _of(counts: list[_Count] | None, modality: str) -> int:
    return sum(c.token_count or 0 for c in counts or () if c.modality == modality)
