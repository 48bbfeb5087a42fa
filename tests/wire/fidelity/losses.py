"""What a request holds, by feature, and which features a dialect cannot keep, each with its reason.

A feature that is in no table survives being written and read; tests hold both sides to it.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from slipstream.wire.talk.asking import (
    Asked,
    Document,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from slipstream.wire.talk.custom_tools import as_arguments
from slipstream.wire.talk.means import ToolChoice

CHAT, MESSAGES, RESPONSES = "openai_chat", "anthropic_messages", "openai_responses"


def _parts(asked: Asked, kind: type[Part]) -> Iterator[Any]:
    return (part for turn in asked.turns for part in turn.parts if isinstance(part, kind))


def _said(asked: Asked) -> list[tuple[str, str]]:
    """Return who says what; neighbours of one role are one."""
    said: list[tuple[str, str]] = []
    for turn in asked.turns:
        text = "".join(part.text for part in turn.parts if isinstance(part, Text))
        if said and said[-1][0] == turn.role:
            text = said.pop()[1] + text
        said.append((turn.role, text))
    return [one for one in said if one[1]]


def _call_places(asked: Asked) -> dict[str, int]:
    return {call.call_id: at for at, call in enumerate(_parts(asked, ToolCall))}


def _calls(asked: Asked) -> list[tuple[str, Any]]:
    """Return names and arguments; those of a tool that takes text as its function's."""
    return [
        (call.name, json.loads(as_arguments(call.arguments) if call.is_custom else call.arguments))
        for call in _parts(asked, ToolCall)
    ]


def _results(asked: Asked) -> list[tuple[int, str]]:
    """Return which call each result answers, and what it says; `Error` is said by flag or word."""
    places = _call_places(asked)
    return [
        (places[result.call_id], "".join(part.text for part in result.parts))
        for result in _parts(asked, ToolResult)
    ]


def _schemas(asked: Asked) -> list[tuple[str, Any]]:
    return [(tool.name, json.loads(tool.schema)) for tool in asked.tools if tool.schema is not None]


def _may_call(asked: Asked) -> bool:
    return asked.tool_choice is None or asked.tool_choice.mode != "none"


def _form(asked: Asked) -> Any:
    return None if asked.form is None else json.loads(asked.form.schema or "null")


FEATURES: Final[dict[str, Callable[[Asked], Any]]] = {
    "text": _said,
    "images": lambda asked: [(i.url, i.data, i.media_type) for i in _parts(asked, Image)],
    "documents": lambda asked: [(d.data, d.media_type, d.title) for d in _parts(asked, Document)],
    "calls": _calls,
    "call ids": lambda asked: [call.call_id for call in _parts(asked, ToolCall)],
    "custom calls": lambda asked: [call.is_custom for call in _parts(asked, ToolCall)],
    "results": lambda asked: [
        (at, text.removeprefix("Error: ").removeprefix("Error")) for at, text in _results(asked)
    ],
    "failed results": lambda asked: [result.is_error for result in _parts(asked, ToolResult)],
    "thoughts": lambda asked: [thought.text for thought in _parts(asked, Reasoning)],
    "seals": lambda asked: [seal for one in _parts(asked, Reasoning) for seal in one.seals],
    "cache marks": lambda asked: [text.cache for text in _parts(asked, Text)],
    "tools": lambda asked: [(tool.name) for tool in asked.tools],
    "schemas": lambda asked: [one for one in _schemas(asked) if one[0] == "look_up"],
    "descriptions": lambda asked: [t.description for t in asked.tools if t.name == "look_up"],
    "custom tools": lambda asked: [tool.custom_format for tool in asked.tools],
    "tool choice": lambda asked: asked.tool_choice or ToolChoice(),  # which is what auto is
    "parallel": lambda asked: asked.is_parallel is False and _may_call(asked),
    "form": _form,
    "effort": lambda asked: asked.thinking and asked.thinking.effort,
    "temperature": lambda asked: asked.sampling.temperature,
    "stop": lambda asked: asked.sampling.stop,
    "limit": lambda asked: asked.max_tokens,
    "stream": lambda asked: asked.is_stream,
    "user": lambda asked: asked.user,
}
"""How each is found in a request, in words that do not depend on a dialect."""

_OTHERS_SEALS: Final = "what a vendor sealed is withheld from the others: test_seals.py"
_FLAG: Final = "a result that failed is told in words: the dialect has no flag for it"

LOST: Final[dict[str, dict[str, str]]] = {
    CHAT: {
        "thoughts": "OpenAI takes no reasoning back in this dialect",
        "seals": _OTHERS_SEALS,
        "failed results": _FLAG,
        "cache marks": "the dialect has other times to live, and marks in user's messages only",
        "call ids": "ids over 64 characters are hashed",
    },
    MESSAGES: {
        "thoughts": _OTHERS_SEALS,
        "seals": _OTHERS_SEALS,
        "custom calls": "tools take JSON only: one of text is a function of one string",
        "custom tools": "as above",
        "call ids": "ids that are not legal are packed, and over 42 bytes hashed",
        "temperature": "while it thinks, a model takes none but 1",
    },
    RESPONSES: {
        "thoughts": _OTHERS_SEALS,
        "seals": _OTHERS_SEALS,
        "failed results": _FLAG,
        "cache marks": "the dialect has other times to live",
        "call ids": "ids over 64 characters are hashed",
        "stop": "refused: the dialect has no word for it",
    },
}
"""By dialect, the features that may come back otherwise, and why."""


def kept(asked: Asked, *dialects: str) -> dict[str, Any]:
    """Return what all of the dialects keep of a request."""
    lost = {feature for dialect in dialects for feature in LOST[dialect]}
    return {name: find(asked) for name, find in FEATURES.items() if name not in lost}
