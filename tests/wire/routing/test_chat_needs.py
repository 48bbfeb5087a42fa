"""What chat requests need: tools, media, forms, and whose reasoning they hold."""

import json
from typing import Any

import pytest

from slipstream.choice import (
    AUDIO,
    CHAT,
    CHOICES,
    DOCUMENTS,
    IMAGES,
    JSON_OBJECT,
    JSON_SCHEMA,
    LOGPROBS,
    REASONING,
    TOOLS,
    Needs,
)
from slipstream.wire.routing.chat_needs import chat_needs

HI = {"role": "user", "content": "hi"}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 8000}}
TOOL = {"type": "function", "function": {"name": "f"}}
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def needs(*messages: Any, **more: Any) -> Needs:
    """Return what these messages need."""
    return chat_needs(json.dumps({"model": "m", "messages": messages or [HI], **more}).encode())


MORE: list[tuple[dict[str, Any], int]] = [
    ({"tools": [TOOL]}, TOOLS),
    ({"tools": [TOOL], "tool_choice": "none"}, TOOLS),
    ({"tools": []}, 0),
    ({"functions": [{"name": "f"}]}, TOOLS),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, JSON_SCHEMA),
    ({"response_format": {"type": "json_object"}}, JSON_OBJECT),
    ({"response_format": {"type": "text"}}, 0),
    ({"response_format": "json"}, 0),
    ({"reasoning_effort": "high"}, REASONING),
    ({"reasoning_effort": "none"}, 0),
    ({"reasoning_effort": None}, 0),
    ({"reasoning": {"effort": "low"}}, REASONING),
    ({"thinking": {"type": "enabled"}}, REASONING),
    ({"logprobs": True, "top_logprobs": 2}, LOGPROBS),
    ({"logprobs": False, "top_logprobs": 0}, 0),
    ({"n": 2}, CHOICES),
    ({"n": 1}, 0),
    ({"modalities": ["text", "audio"]}, AUDIO),
    ({"modalities": ["text"]}, 0),
    ({"audio": {"voice": "x"}}, AUDIO),
    ({"metadata": {"image_url": "input_audio", "tools": "x"}}, 0),
]


@pytest.mark.parametrize(("more", "ability"), MORE, ids=[str(at) for at in range(len(MORE))])
def test_fields_of_the_table(more: dict[str, Any], ability: int) -> None:
    """What is asked for counts; what says that nothing is asked for does not."""
    assert needs(**more).abilities == CHAT | ability


def said(content: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    """Return a message."""
    return {"role": role, "content": content, **more}


MESSAGES: list[tuple[dict[str, Any], int]] = [
    (said('{"type":"image_url","image_url":{"url":"x"}}'), 0),
    (said([{"type": "text", "text": '"type":"image_url","input_audio","file"'}]), 0),
    (said([{"type": "text", "text": "x", "image_url": {"url": "x"}}]), 0),
    (said([PNG]), IMAGES),
    (said([{"type": "image_url", "image_url": "https://x/y.png"}]), IMAGES),
    (said([{"type": "image", "image": "data:image/png;base64,AA"}]), IMAGES),
    (said([{"type": "input_audio", "input_audio": {"data": "A" * 8000}}]), AUDIO),
    (said([{"type": "file", "file": {"file_data": "A"}}]), DOCUMENTS),
    (said(None, "assistant", tool_calls=CALLS), TOOLS),
    (said(None, "assistant", function_call={"name": "f"}), TOOLS),
    (said("x", "tool", tool_call_id="c"), TOOLS),
    (said([PNG], "tool", tool_call_id="c"), TOOLS | IMAGES),
    (said(None, "assistant", audio={"id": "a"}), AUDIO),
    (said("x", "assistant", tool_calls=[], audio=None, function_call=None), 0),
    (said([3, None, {"type": 5}, {}]), 0),
    (said({"type": "image_url"}), 0),
]


@pytest.mark.parametrize(
    ("message", "ability"), MESSAGES, ids=[str(at) for at in range(len(MESSAGES))]
)
def test_messages_of_the_table(message: dict[str, Any], ability: int) -> None:
    """Parts count by their type wherever they stand in the conversation; texts never do."""
    assert needs(message, HI).abilities == CHAT | ability
    assert needs(HI, HI, message).abilities == CHAT | ability


def test_escaped_type_is_seen() -> None:
    """What is decoded is compared, not bytes."""
    body = json.dumps({"messages": [said([PNG])]}).replace("image_url", "im\\u0061ge_url")
    assert chat_needs(body.encode()).abilities == CHAT | IMAGES


def test_input_bytes_are_those_of_text() -> None:
    """Pictures are counted as tokens instead, and other fields are not read by the model."""
    text = needs(said("x" * 1000), metadata={"a": "y" * 500})
    assert 1000 <= text.input_bytes < 1100
    assert text.media_tokens == 0
    shown = needs(said([{"type": "text", "text": "x" * 1000}, PNG]))
    assert 1000 <= shown.input_bytes < 1200
    assert shown.media_tokens == 1600
    assert needs(tools=[TOOL] * 20).input_bytes > 20 * len(json.dumps(TOOL))


def detail(form: str | None, **more: Any) -> dict[str, Any]:
    """Return an assistant's message with one item of reasoning."""
    return said("x", "assistant", reasoning_details=[{"format": form, **more}])


def extra(**more: Any) -> list[dict[str, Any]]:
    """Return calls of which one has what a vendor wants back."""
    return [{**CALLS[0], "extra_content": more}]


SEALS: list[tuple[dict[str, Any], set[str]]] = [
    (detail("slipstream/anthropic/signature", data="x"), {"anthropic"}),
    (detail("anthropic-claude-v1", signature="x"), {"openrouter"}),
    (detail("openai-responses-v1", data="x"), {"openrouter"}),
    (detail(None, text="I think"), set()),
    (said("x", "assistant", reasoning_content="I think"), set()),
    (
        said(None, "assistant", tool_calls=extra(google={"thought_signature": "x"})),
        {"gemini"},
    ),
    (
        said(
            None,
            "assistant",
            tool_calls=extra(
                slipstream=[{"vendor": "openai", "kind": "encrypted_content", "data": "x"}]
            ),
        ),
        {"openai"},
    ),
    (said("x", "assistant", extra_content={"google": {"thought_signature": "x"}}), {"gemini"}),
    (said("x", "assistant", extra_content={"google": {}}), set()),
    (said([{"type": "thinking", "thinking": [], "signature": "x"}], "assistant"), {"mistral"}),
    (said([{"type": "thinking", "thinking": []}], "assistant"), set()),
    (said("slipstream.1.x thought_signature extra_content"), set()),
]


@pytest.mark.parametrize(("message", "vendors"), SEALS, ids=[str(at) for at in range(len(SEALS))])
def test_seals_of_the_table(message: dict[str, Any], vendors: set[str]) -> None:
    """Whose opaque reasoning a turn holds; what anybody can read is nobody's."""
    assert needs(HI, message, HI).sealed_by == frozenset(vendors)
