"""The tier of service that answered is in the account, whatever dialect tells it."""

import json
from typing import Any

import pytest

from slipstream.call import Usage
from slipstream.wire.chat import answers_in as chat_in
from slipstream.wire.messages import answers_in as messages_in
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer
from slipstream.wire.responses import answers_in as responses_in
from slipstream.wire.talk.events import Counted, Event
from slipstream.wire.usage import in_tier

CHAT_USAGE = {"prompt_tokens": 1, "completion_tokens": 2}
TOKENS = {"input_tokens": 1, "output_tokens": 2}


def event(said: dict[str, Any]) -> bytes:
    """Write one event of a stream."""
    name = f"event: {said['type']}\n" if "type" in said else ""
    return f"{name}data: {json.dumps(said)}\n\n".encode()


def tier_of(events: list[Event]) -> str | None:
    """Return the tier that was counted."""
    [counted] = [each for each in events if isinstance(each, Counted)]
    return counted.usage.tier


@pytest.mark.parametrize(
    ("said", "tier"),
    [("flex", "flex"), ("priority", "priority"), ("default", None), (None, None), (5, None)],
)
def test_relayed_chat_is_in_its_tier(said: Any, tier: str | None) -> None:
    """Plain and streamed; nonsense in its place breaks no answer."""
    choice = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}
    whole = {"choices": [choice], "usage": CHAT_USAGE, "service_tier": said}
    frame = read_answer(json.dumps(whole).encode())
    assert frame.usage is not None
    assert frame.usage.tier == tier
    chunk = {"choices": [], "usage": CHAT_USAGE, "service_tier": said}
    streamed = AnswerStream(wants_usage=True).read(event(chunk))
    assert streamed.usage == frame.usage


def test_translated_answers_are_in_their_tier() -> None:
    """Chat and Responses say it of the answer, Messages of the usage, as its speed."""
    chunk = {"choices": [], "usage": CHAT_USAGE, "service_tier": "flex"}
    assert tier_of(chat_in.AnswerReader(vendor="openai").read(event(chunk))) == "flex"
    response = {"status": "completed", "output": [], "usage": TOKENS, "service_tier": "priority"}
    completed = {"type": "response.completed", "response": response}
    assert tier_of(responses_in.AnswerReader().read(event(completed))) == "priority"
    message = {"type": "message", "content": [], "usage": {**TOKENS, "speed": "fast"}}
    events = messages_in.AnswerReader().read_whole(json.dumps(message).encode())
    assert tier_of(events) == "fast"


def test_tier_of_no_usage_is_none() -> None:
    """What was not counted is in no tier."""
    assert in_tier(None, "flex") is None
    assert in_tier(Usage(), "standard") == Usage()
