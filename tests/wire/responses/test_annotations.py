"""Citations of other dialects as annotations."""

import json
from typing import Any

import pytest

from slipstream.wire.responses.annotations import read_annotation
from slipstream.wire.talk.events import Cited

WEB = {"type": "url_citation", "url": "u", "title": "T", "start_index": 1, "end_index": 2}


@pytest.mark.parametrize(
    ("said", "dialect", "annotation"),
    [
        (WEB, "openai_responses", WEB),
        (
            {"type": "file_path", "file_id": "f"},
            "openai_responses",
            {"type": "file_path", "file_id": "f"},
        ),
        ({"type": "url_citation", "url_citation": WEB}, "openai_chat", WEB),
        (
            {"type": "web_search_result_location", "url": "u", "title": None, "cited_text": "x"},
            "anthropic_messages",
            {**WEB, "title": "", "start_index": 9, "end_index": 9},
        ),
        ({"type": "char_location", "document_index": 0}, "anthropic_messages", None),
        ([], "openai_chat", None),
    ],
)
def test_read_annotation_of_every_dialect(said: Any, dialect: str, annotation: Any) -> None:
    """What has no address has no place; what has no place in the text stands at its end."""
    assert read_annotation(Cited(json.dumps(said), dialect), 9) == annotation


def test_read_annotation_unreadable_is_none() -> None:
    """A citation is no reason to fail."""
    assert read_annotation(Cited("{", "openai_responses"), 0) is None
