"""The object that an answer is, at every stage."""

import json
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response

from slipstream.call import Usage
from slipstream.wire.responses.reading import read_asked
from slipstream.wire.responses.response_object import Item, ResponseObject


def _object(**fields: Any) -> ResponseObject:
    body = json.dumps({"model": "m", "input": "hi", **fields}).encode()
    return ResponseObject(read_asked(body), response_id="resp_1", created_s=5)


def _checked(item: Item) -> dict[str, Any]:
    """Return the object as a client decodes it, which its SDK reads strictly."""
    data = msgspec.json.encode(item)
    Response.model_validate_json(data, strict=True)
    said: dict[str, Any] = json.loads(data)
    return said


def test_begun_of_the_shortest_request_has_all_defaults() -> None:
    """Fields that are not optional in the SDK, and those that OpenAI always repeats."""
    said = _checked(_object().begun())
    assert said == {
        "id": "resp_1",
        "object": "response",
        "created_at": 5,
        "completed_at": None,
        "model": "m",
        "status": "in_progress",
        "background": False,
        "conversation": None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "auto",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def test_queued_is_begun_by_another_name() -> None:
    """An answer in the background that nobody has begun with."""
    asked = {"background": True, "store": True}
    queued = _checked(_object(**asked).queued())
    assert queued == _checked(_object(**asked).begun()) | {"status": "queued"}
    assert (queued["background"], queued["output"]) == (True, [])


def test_begun_repeats_what_was_asked() -> None:
    """Word for word, parts of objects filled up."""
    said = _checked(
        _object(
            conversation="conv_1",
            reasoning={"effort": "low"},
            text={"verbosity": "high"},
            truncation="auto",
            max_output_tokens=3,
            top_p=None,
        ).begun()
    )
    assert said["conversation"] == {"id": "conv_1"}
    assert said["reasoning"] == {"effort": "low", "summary": None}
    assert said["text"] == {"format": {"type": "text"}, "verbosity": "high"}
    assert (said["truncation"], said["max_output_tokens"], said["top_p"]) == ("auto", 3, 1.0)


@pytest.mark.parametrize(
    ("asked", "used", "told"),
    [
        (None, None, "default"),
        ("flex", None, "flex"),
        ("auto", "priority", "priority"),
        ("auto", "standard", "auto"),
        (None, "on_demand", "default"),
    ],
)
def test_ended_tells_the_tier_in_its_words(asked: Any, used: Any, told: str) -> None:
    """Of another vendor's word, what was asked for is told."""
    response = _object(service_tier=asked)
    response.told_tier(used)
    assert _checked(response.ended("stop", [], None, None))["service_tier"] == told


def test_ended_without_usage_counts_nothing() -> None:
    """Clients' schemas demand the object: the AI SDK's refuses null."""
    assert _checked(_object().ended("stop", [], None, 9))["usage"]["total_tokens"] == 0


def test_failed_keeps_what_was_said() -> None:
    """And what it cost, where that is known."""
    error = {"code": "server_error", "message": "m"}
    said = _checked(_object().failed(error, [], Usage(input_tokens=2)))
    assert (said["status"], said["error"], said["usage"]["input_tokens"]) == ("failed", error, 2)
    assert _checked(_object().failed(error, [], None))["usage"] is None
