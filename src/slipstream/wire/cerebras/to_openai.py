"""A chat request of a Cerebras client, made one that OpenAI-like providers take.

The body has passed the profile's reader, so its shape is known. What only Cerebras has is said in
the others' words where they have any, and else left out; each change is named.

Source: ../shared/reference/cerebras-api.md sections 2 and 10; providers.md, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.wire.cerebras.draft import Draft
from slipstream.wire.cerebras.outbound import Adapted
from slipstream.wire.invalid import UNREADABLE

# Cerebras's own, for which others have no word. Tiers have the same names elsewhere and mean other
# prices and queues.
_LEFT_OUT: Final = (
    "reasoning_format",
    "clear_thinking",
    "min_tokens",
    "min_completion_tokens",
    "model_parameters",
    "service_tier",
)
_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_UP_TO_THE_MODEL: Final = -1


class _PlainMessage(msgspec.Struct, forbid_unknown_fields=True):
    role: str
    content: str


class _Glance(msgspec.Struct):
    messages: list[_PlainMessage]


_glance_decoder: Final = msgspec.json.Decoder(_Glance)
_fields_of: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_OWN: Final = frozenset([*_LEFT_OUT, *_LIMITS, "disable_reasoning"])


def adapt_to_openai(body: bytes) -> Adapted:
    """Take out of a body what only Cerebras knows.

    Args:
        body: A body that `read_cerebras_request` accepted.
    """
    if _is_plain(body):
        return Adapted(body, ())
    draft = Draft(body)
    said = draft.said
    for field in _LEFT_OUT:
        if field in said:
            draft.drop(field)
    for field in _LIMITS:
        if said.get(field) == _UP_TO_THE_MODEL:
            draft.drop(field)
    _adapt_switch(draft)
    for at, message in enumerate(said["messages"]):
        _adapt_message(draft, at, message)
    return Adapted(draft.encode(), draft.changes)


def _is_plain(body: bytes) -> bool:
    """Tell cheaply a body that has nothing of Cerebras's own."""
    try:
        _glance_decoder.decode(body)
        return _OWN.isdisjoint(_fields_of(body))
    except UNREADABLE:
        return False


def _adapt_switch(draft: Draft) -> None:
    """Say the old switch in the words of what replaced it."""
    if "disable_reasoning" not in draft.said:
        return
    if draft.said["disable_reasoning"] is not True:
        draft.drop("disable_reasoning")
        return
    draft.take("disable_reasoning")
    draft.put("reasoning_effort", value="none")
    draft.note("disable_reasoning", to="reasoning_effort")


def _adapt_message(draft: Draft, at: int, message: dict[str, Any]) -> None:
    if "reasoning" in message:
        thought = draft.take("messages", at, "reasoning")
        if thought:
            draft.put("messages", at, "reasoning_content", value=_text(thought))
            draft.note("messages", at, "reasoning", to="reasoning_content")
    for number, call in enumerate(message.get("tool_calls") or ()):
        if "index" in call:
            draft.drop("messages", at, "tool_calls", number, "index")
    content = message.get("content")
    for number, part in enumerate(content if isinstance(content, list) else ()):
        if part.get("type") == "image":
            image = {"type": "image_url", "image_url": {"url": part["image"]}}
            draft.put("messages", at, "content", number, value=image)
            draft.note("messages", at, "content", number, "image", to="image_url")


def _text(thought: str | list[dict[str, str]]) -> str:
    if isinstance(thought, str):
        return thought
    return "".join(part["text"] for part in thought)
