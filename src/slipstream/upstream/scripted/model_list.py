"""The list of models as the providers give it: OpenAI's, Anthropic's and Gemini's.

Source: ../shared/reference/providers.md, section 2; google-genai 3.4.0's types; 2026-11-21.
"""

from collections.abc import Iterable
from typing import Any, Final

_SINCE_S: Final = 946_684_800
_SINCE: Final = "2000-01-01T00:00:00Z"


def model_object(name: str) -> dict[str, object]:
    """Return a model in OpenAI's words."""
    return {"id": name, "object": "model", "created": _SINCE_S, "owned_by": "slipstream"}


def _anthropic_list(names: Iterable[str]) -> dict[str, Any]:
    data = [
        {
            "id": name,
            "type": "model",
            "display_name": name,
            "created_at": _SINCE,
            "lifecycle": "active",
            "max_input_tokens": 200_000,
            "max_tokens": 64_000,
            "capabilities": {},
        }
        for name in names
    ]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"data": data, "has_more": False, **(ends or {"first_id": None, "last_id": None})}


def _gemini_list(names: Iterable[str]) -> dict[str, Any]:
    methods = ["generateContent", "countTokens"]
    models = [
        {
            "name": f"models/{name}",
            "displayName": name,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": methods,
        }
        for name in names
    ]
    return {"models": models}


_LISTS: Final = {"/anthropic/v1/models": _anthropic_list, "/v1beta/models": _gemini_list}


def list_models(path: str, names: Iterable[str]) -> dict[str, Any]:
    """Return the list that belongs to a path."""
    for suffix, make in _LISTS.items():
        if path.endswith(suffix):
            return make(names)
    return {"object": "list", "data": [model_object(name) for name in names]}
