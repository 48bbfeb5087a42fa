"""Estimates of what a request has: near for text, and no picture counted by its bytes."""

import json
from typing import Any

import pytest

from slipstream.wire.messages.reading import read_asked
from slipstream.wire.talk.counting import estimate_tokens


def tokens(content: Any, **fields: Any) -> int:
    """Return the estimate for one message."""
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
    return estimate_tokens(read_asked(json.dumps(body).encode(), is_count=True))


def test_text_has_a_token_for_four_bytes() -> None:
    """With a few for the turn itself; longer is more."""
    assert tokens("word " * 100) == 4 + 125
    assert tokens("w") == 5


@pytest.mark.parametrize("num_bytes", [30, 300_000])
def test_picture_has_its_own_size(num_bytes: int) -> None:
    """Whatever its file has."""
    source = {"type": "base64", "media_type": "image/png", "data": "A" * num_bytes}
    assert tokens([{"type": "image", "source": source}]) == 1_604


def test_system_tools_and_forms_count() -> None:
    """The model reads them, too."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    tool = {"name": "t", "description": "x" * 40, "input_schema": schema}
    plain = tokens("x")
    assert tokens("x", tools=[tool]) > plain + 10
    assert tokens("x", system="y" * 40) == plain + 14
    form = {"format": {"type": "json_schema", "schema": schema}}
    assert tokens("x", output_config=form) > plain


def test_calls_results_and_documents_count() -> None:
    """Every kind of part has some size."""
    call = {"type": "tool_use", "id": "t1", "name": "t", "input": {"a": "b" * 40}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "c" * 40}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    body = {"model": "m", "messages": turns}
    assert estimate_tokens(read_asked(json.dumps(body).encode(), is_count=True)) > 30
    source = {"type": "base64", "media_type": "application/pdf", "data": "A" * 100_000}
    assert tokens([{"type": "document", "source": source}]) == 2_504
