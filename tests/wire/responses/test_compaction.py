"""A conversation made shorter: what a model is asked, and what comes back as the next input."""

import json
from typing import Any

import pytest

from slipstream.wire.responses.compaction import read_summary, write_task
from slipstream.wire.responses.reading import read_asked
from slipstream.wire.talk.asking import Asked, Text

CALL: dict[str, Any] = {
    "type": "function_call",
    "call_id": "c",
    "name": "weather",
    "arguments": '{"city":"Paris"}',
}
IMAGE = {"type": "input_image", "image_url": "https://x.test/a.png"}
PDF = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}
ITEMS: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "Look."}, IMAGE, PDF]},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "secret"}]},
    {"role": "assistant", "content": "I look."},
    CALL,
    {"type": "function_call_output", "call_id": "c", "output": "sunny"},
    {"role": "user", "content": "Thanks."},
]
USAGE = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}


def asked_of(items: Any, **fields: Any) -> tuple[Asked, bytes]:
    """Return a request as it is read, and its bytes."""
    body = json.dumps({"model": "m", "input": items, **fields}).encode()
    return read_asked(body).asked, body


def answer(text: str) -> bytes:
    """Return a model's answer."""
    part = {"type": "output_text", "text": text, "annotations": []}
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "content": [part]}]
    return json.dumps({"id": "resp_7", "created_at": 5, "output": output, "usage": USAGE}).encode()


def test_model_is_asked_with_a_transcript() -> None:
    """Everything that was said and called, as a text; nothing of it is kept anywhere."""
    task = json.loads(
        write_task(*asked_of(ITEMS, service_tier="flex", top_p=0.3, max_output_tokens=9))
    )
    assert (task["model"], task["store"], task["service_tier"]) == ("m", False, "flex")
    assert task["max_output_tokens"] == 9
    assert set(task) == {
        "model",
        "store",
        "service_tier",
        "max_output_tokens",
        "input",
        "instructions",
    }
    said = task["input"]
    for words in (
        "system: Be brief.",
        "user: Look.\n[a picture]\n[a file: a.pdf]",
        'assistant: I look.\n[calls weather with {"city":"Paris"}]',
        "tool: [returned: sunny]",
        "user: Thanks.",
    ):
        assert words in said
    assert "secret" not in said


def test_summary_comes_back_as_a_turn_of_the_next_request() -> None:
    """With what the user said, word for word."""
    asked, _ = asked_of(ITEMS)
    made = read_summary(asked, answer(" It is sunny. "))
    assert made is not None
    assert (made["id"], made["object"], made["created_at"]) == ("resp_7", "response.compaction", 5)
    assert json.loads(bytes(made["usage"])) == USAGE
    [item] = made["output"]
    assert (item["type"], item["id"]) == ("compaction", "cmp_7")
    next_asked, _ = asked_of([item, {"role": "user", "content": "And now?"}])
    first, last = next_asked.turns
    [told] = first.parts
    assert isinstance(told, Text)
    assert told.text == (
        "Summary of the conversation so far:\n\nIt is sunny.\n\n"
        "What the user said, word for word:\n\nLook.\n\nThanks."
    )
    assert (first.role, last.parts) == ("user", (Text("And now?"),))


def test_long_words_of_the_user_are_kept_from_their_end() -> None:
    """A compaction must not be as long as what it stands for."""
    asked, _ = asked_of([{"role": "user", "content": "a" * 90_000 + "end"}])
    made = read_summary(asked, answer("s"))
    assert made is not None
    [turn] = asked_of(made["output"])[0].turns
    [told] = turn.parts
    assert isinstance(told, Text)
    assert 40_000 < len(told.text) < 41_000
    assert told.text.endswith("end")


@pytest.mark.parametrize("body", [answer("  "), b"{}", b"["])
def test_answer_without_a_summary_is_none(body: bytes) -> None:
    """A model may refuse, or say nothing."""
    asked, _ = asked_of("x")
    assert read_summary(asked, body) is None
