"""Usage of a Gemini answer into disjoint buckets.

Thoughts and what its own tools read stand beside the other counts, not in them; cached tokens stand
in the prompt's. The same in OpenAI's words goes to the one place where buckets are made. Nearly
every frame of a stream tells it, so what is not there costs nothing.

Source: ../shared/reference/providers.md, section 0, and protocols.md, section F, 2026-11-21.
"""

from typing import Final

import msgspec

from slipstream.call import Usage
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.usage import InputDetails, OutputDetails, Reported, usage_of


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
    said_aloud = said.candidates_token_count or 0
    cached = said.cached_content_token_count or 0
    if _is_all_text(said) and 0 <= cached <= read and thoughts >= 0 <= said_aloud:
        return Usage(
            input_tokens=read - cached,
            cache_read_tokens=cached,
            output_tokens=said_aloud,
            output_reasoning_tokens=thoughts,
        )
    written = said_aloud + thoughts
    return usage_of(
        Reported(
            prompt_tokens=read,
            completion_tokens=written,
            total_tokens=read + written,
            prompt_tokens_details=InputDetails(
                cached_tokens=cached,
                audio_tokens=_uncached(said, "AUDIO"),
                image_tokens=_uncached(said, "IMAGE"),
            ),
            completion_tokens_details=OutputDetails(
                reasoning_tokens=thoughts,
                audio_tokens=_of(said.candidates_tokens_details, "AUDIO"),
                image_tokens=_of(said.candidates_tokens_details, "IMAGE"),
            ),
        )
    )


def _is_all_text(said: _Reported) -> bool:
    """Tell cheaply what most frames tell: nothing but text was read and written."""
    return (
        _is_text(said.prompt_tokens_details)
        and _is_text(said.candidates_tokens_details)
        and _is_text(said.tool_use_prompt_tokens_details)
        and _is_text(said.cache_tokens_details)
    )


def _is_text(counts: list[_Count] | None) -> bool:
    return not counts or (len(counts) == 1 and counts[0].modality == "TEXT")


def _uncached(said: _Reported, modality: str) -> int:
    read = _of(said.prompt_tokens_details, modality)
    read += _of(said.tool_use_prompt_tokens_details, modality)
    return max(read - _of(said.cache_tokens_details, modality), 0)


def _of(counts: list[_Count] | None, modality: str) -> int:
    if not counts:
        return 0
    return sum(c.token_count or 0 for c in counts if c.modality == modality)
