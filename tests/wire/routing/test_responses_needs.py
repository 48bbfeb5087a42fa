"""What requests of Responses need, with what they go on with."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.choice import (
    AUDIO,
    CHAT,
    DOCUMENTS,
    IMAGES,
    JSON_SCHEMA,
    LOGPROBS,
    REASONING,
    TOOLS,
    Needs,
)
from slipstream.wire.responses.following import Following, Wish
from slipstream.wire.routing.responses_needs import responses_needs
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.parcels import Parcel, close_parcel

PARCEL = close_parcel(Parcel(seals=(Seal(vendor="anthropic", kind="signature", data="x"),)))
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 9000}


def needs(*items: Any, following: object = None, **more: Any) -> Needs:
    """Return what these items need."""
    body = {"model": "m", "input": list(items) or "hi", **more}
    return responses_needs(json.dumps(body).encode(), following)


MORE: list[tuple[dict[str, Any], int]] = [
    ({}, 0),
    ({"tools": [{"type": "function", "name": "f"}]}, TOOLS),
    ({"reasoning": {"effort": "high"}}, REASONING),
    ({"reasoning": {"effort": "none"}}, 0),
    ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}}, JSON_SCHEMA),
    ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, 0),
    ({"top_logprobs": 3}, LOGPROBS),
    ({"include": ["message.output_text.logprobs"]}, LOGPROBS),
    ({"include": ["reasoning.encrypted_content"]}, 0),
    ({"text": 3, "include": "x", "reasoning": [1]}, REASONING),
]


@pytest.mark.parametrize(("more", "ability"), MORE, ids=[str(at) for at in range(len(MORE))])
def test_fields_of_the_table(more: dict[str, Any], ability: int) -> None:
    """What is asked of the answer."""
    assert needs(**more).abilities == CHAT | ability


def said(*parts: Any) -> dict[str, Any]:
    """Return a message."""
    return {"role": "user", "content": list(parts)}


def reasoning(sealed: str | None) -> dict[str, Any]:
    """Return an item of reasoning."""
    return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed}


ITEMS: list[tuple[Any, int, set[str]]] = [
    (said({"type": "input_text", "text": '"input_image"'}), 0, set()),
    (said(IMAGE), IMAGES, set()),
    (said({"type": "input_file", "file_data": "A" * 9000}), DOCUMENTS, set()),
    (said({"type": "input_audio", "input_audio": {"data": "A"}}), AUDIO, set()),
    ({"role": "user", "content": "text"}, 0, set()),
    ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, TOOLS, set()),
    ({"type": "function_call_output", "call_id": "c", "output": "x"}, TOOLS, set()),
    ({"type": "function_call_output", "call_id": "c", "output": [IMAGE]}, TOOLS | IMAGES, set()),
    (
        {"type": "computer_call_output", "output": {"type": "computer_screenshot"}},
        TOOLS | IMAGES,
        set(),
    ),
    ({"type": "additional_tools", "tools": [{"type": "function"}]}, TOOLS, set()),
    ({"type": "item_reference", "id": "msg_1"}, 0, set()),
    (reasoning("gAAAA"), 0, {"openai"}),
    (reasoning(PARCEL), 0, {"anthropic"}),
    (reasoning(None), 0, set()),
    ({"type": "compaction", "encrypted_content": "gAAAA"}, 0, {"openai"}),
    ({"type": "compaction", "encrypted_content": close_parcel(Parcel(text="x"))}, 0, set()),
    ({"type": "web_search_call", "id": "ws_1"}, 0, {"openai"}),
    ({"type": 3}, 0, set()),
    (7, 0, set()),
]


@pytest.mark.parametrize(
    ("item", "ability", "vendors"), ITEMS, ids=[str(at) for at in range(len(ITEMS))]
)
def test_items_of_the_table(item: Any, ability: int, vendors: set[str]) -> None:
    """By their type; one that cannot be read hides no other."""
    found = needs(item, said())
    assert found.abilities == CHAT | ability
    assert found.sealed_by == frozenset(vendors)


def test_what_it_goes_on_with_counts() -> None:
    """Items of kept answers are read with the request, and whoever keeps them has the edge."""
    earlier = (
        msgspec.Raw(msgspec.json.encode(said(IMAGE))),
        msgspec.Raw(b'{"x":"%b"}' % (b"y" * 900)),
    )
    following = Following(is_kept=True, earlier=earlier, goes_on=True, provider="openai")
    found = needs(following=following)
    assert found.abilities == CHAT | IMAGES
    assert found.input_bytes > 900
    assert found.sealed_by == frozenset({"openai"})


def test_a_wish_or_a_first_turn_adds_nothing() -> None:
    """As at the door, before it is known what is kept."""
    assert needs(following=Wish()) == needs()
    assert needs(following=Following(is_kept=True)) == needs()
