"""Tests of slipstream.wire.gemini.usage."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.wire.gemini.usage import read_gemini_usage


def test_read_gemini_usage_thoughts_and_tools_stand_beside() -> None:
    """Thoughts are output, what tools read is input, cached tokens are in the prompt."""
    said = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 137,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 60},
            {"modality": "AUDIO", "tokenCount": 25},
            {"modality": "IMAGE", "tokenCount": 15},
        ],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 3}],
    }
    usage = read_gemini_usage(msgspec.json.encode(said))
    assert usage == Usage(
        input_tokens=35,
        cache_read_tokens=40,
        input_audio_tokens=20,
        input_image_tokens=15,
        output_tokens=17,
        output_reasoning_tokens=7,
        output_image_tokens=3,
    )
    assert usage.total_input_tokens + usage.total_output_tokens == 137


def test_read_gemini_usage_without_counts_is_unknown() -> None:
    """An answer is not refused for its account."""
    for raw in (b"{}", b"null", b"[]", b'{"totalTokenCount":5}', b'{"promptTokenCount":"x"}'):
        assert read_gemini_usage(raw) is None


_COUNT = st.integers(0, 1000)


@given(_COUNT, _COUNT, _COUNT, _COUNT, _COUNT, _COUNT)
def test_read_gemini_usage_sums_to_the_total(
    prompt: int, tool: int, said: int, thought: int, cached: int, audio: int
) -> None:
    """Whatever the parts are, the buckets sum to what Google calls its total."""
    counts = {
        "promptTokenCount": prompt,
        "toolUsePromptTokenCount": tool,
        "candidatesTokenCount": said,
        "thoughtsTokenCount": thought,
        "cachedContentTokenCount": cached,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": audio}],
    }
    usage = read_gemini_usage(msgspec.json.encode(counts))
    assert usage is not None
    assert usage.total_input_tokens == prompt + tool
    assert usage.total_output_tokens == said + thought


@given(_COUNT, _COUNT, _COUNT, _COUNT)
def test_read_gemini_usage_of_text_alone_is_as_without_details(
    prompt: int, said: int, thought: int, cached: int
) -> None:
    """What most frames say is counted in a shorter way, to the same buckets."""
    counts: dict[str, object] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": said,
        "thoughtsTokenCount": thought,
        "cachedContentTokenCount": cached,
    }
    told = {**counts, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}]}
    longer = {**counts, "promptTokensDetails": [{"modality": "TEXT"}, {"modality": "AUDIO"}]}
    found = [read_gemini_usage(msgspec.json.encode(one)) for one in (counts, told, longer)]
    assert found[0] == found[1] == found[2]
