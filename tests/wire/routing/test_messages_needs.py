"""What requests of Messages need."""

import json
from typing import Any

import pytest

from slipstream.choice import CHAT, DOCUMENTS, IMAGES, JSON_SCHEMA, REASONING, TOOLS, Needs
from slipstream.wire.routing.messages_needs import messages_needs
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.parcels import Parcel, close_parcel

IMAGE = {"type": "image", "source": {"type": "base64", "data": "A" * 9000}}
PARCEL = close_parcel(Parcel(seals=(Seal(vendor="gemini", kind="thought_signature", data="x"),)))


def needs(*blocks: Any, role: str = "user", **more: Any) -> Needs:
    """Return what a message with these blocks needs."""
    message = {"role": role, "content": list(blocks) or "hi"}
    body = {"model": "m", "max_tokens": 9, "messages": [message], **more}
    return messages_needs(json.dumps(body).encode())


MORE: list[tuple[dict[str, Any], int]] = [
    ({}, 0),
    ({"tools": [{"name": "f", "input_schema": {}}]}, TOOLS),
    ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, REASONING),
    ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, 0),
    ({"thinking": {"type": "disabled"}}, 0),
    ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, JSON_SCHEMA),
    ({"output_format": {"type": "json_schema", "schema": {}}}, JSON_SCHEMA),
    ({"output_config": [1], "thinking": 3, "tools": {}}, 0),
]


@pytest.mark.parametrize(("more", "ability"), MORE, ids=[str(at) for at in range(len(MORE))])
def test_fields_of_the_table(more: dict[str, Any], ability: int) -> None:
    """An effort alone is a measure, and no wish that there be thinking."""
    assert needs(**more).abilities == CHAT | ability


def result(*content: Any) -> dict[str, Any]:
    """Return a tool's result."""
    return {"type": "tool_result", "tool_use_id": "t", "content": list(content) or "x"}


def document(**source: Any) -> dict[str, Any]:
    """Return a document."""
    return {"type": "document", "source": source}


BLOCKS: list[tuple[Any, int, set[str]]] = [
    ({"type": "text", "text": '{"type":"image"}'}, 0, set()),
    (IMAGE, IMAGES, set()),
    (result(), TOOLS, set()),
    (result(IMAGE), TOOLS | IMAGES, set()),
    ({"type": "tool_use", "id": "t", "name": "f", "input": {"type": "image"}}, TOOLS, set()),
    (document(type="base64", data="A" * 9000), DOCUMENTS, set()),
    (document(type="url", url="https://x"), DOCUMENTS, set()),
    (document(type="text", data="plain"), 0, set()),
    (document(type="content", content=[IMAGE]), IMAGES, set()),
    ({"type": "search_result", "content": []}, 0, set()),
    ({"type": "thinking", "thinking": "x", "signature": "EqQB"}, 0, {"anthropic"}),
    ({"type": "thinking", "thinking": "x", "signature": PARCEL}, 0, {"gemini"}),
    ({"type": "thinking", "thinking": "x"}, 0, set()),
    ({"type": "redacted_thinking", "data": "EqQB"}, 0, {"anthropic"}),
    ({"type": "server_tool_use", "name": "web_search"}, 0, {"anthropic"}),
    ({"type": "compaction", "content": "x"}, 0, {"anthropic"}),
    ({"type": 7}, 0, set()),
    ("text", 0, set()),
]


@pytest.mark.parametrize(
    ("block", "ability", "vendors"), BLOCKS, ids=[str(at) for at in range(len(BLOCKS))]
)
def test_blocks_of_the_table(block: Any, ability: int, vendors: set[str]) -> None:
    """By their type, within results too; what only Anthropic knows is sealed by it."""
    found = needs(block, {"type": "text", "text": "hi"})
    assert found.abilities == CHAT | (ability if isinstance(block, dict) else 0)
    assert found.sealed_by == frozenset(vendors)


def test_input_bytes_have_the_system_and_no_pictures() -> None:
    """Media are tokens."""
    found = needs({"type": "text", "text": "x" * 1000}, IMAGE, system="y" * 500)
    assert 1500 <= found.input_bytes < 1800
    assert found.media_tokens == 1600
    assert needs(document(type="text", data="x" * 1000)).input_bytes > 1000
