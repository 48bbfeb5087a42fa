"""Tests of slipstream.wire.messages.citations."""

import msgspec
import pytest

from slipstream.wire.messages.citations import citation_object


def test_citation_of_anthropic_is_kept_word_for_word() -> None:
    """It may hold what only Anthropic can read."""
    raw = '{"type": "char_location", "x": 1.0}'
    assert bytes(citation_object(raw, "anthropic_messages")).decode() == raw


@pytest.mark.parametrize(
    "raw",
    [
        '{"type":"url_citation","url":"http://a","title":"T","start_index":0,"end_index":1}',
        '{"type":"url_citation","url_citation":{"url":"http://a","title":"T","end_index":1}}',
    ],
)
def test_citation_of_a_page_is_one_of_a_search(raw: str) -> None:
    """OpenAI's, flat or not, has the shape that Anthropic's SDK reads."""
    said = citation_object(raw, "openai_chat")
    assert (said["type"], said["url"], said["title"]) == (
        "web_search_result_location",
        "http://a",
        "T",
    )
    assert msgspec.json.encode(said)


@pytest.mark.parametrize("raw", ["nonsense", "[]", '{"type":"url_citation"}', '{"type":"x"}'])
def test_citation_of_another_kind_is_left_out(raw: str) -> None:
    """What has no word in the dialect is not made up."""
    assert citation_object(raw, "openai_responses") is None
