"""The object that a Responses answer is: what it repeats of its request, and what it says itself.

Source: openai-python 3.52.0's `Response`, whose strict validation it passes; 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.call import Usage
from slipstream.wire.responses.reading import ResponsesAsked
from slipstream.wire.responses.usage import usage_object

Item = dict[str, Any]
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_DEFAULTS: Final[Item] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
# Objects of which a client may give a part.
_PARTIAL: Final[dict[str, Item]] = {
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}},
}


class ResponseObject:
    """Makes the object, at whatever stage its answer is.

    Args:
        response_id: `resp_…`.
        created_s: Wall clock, whole seconds.
    """

    __slots__ = ("_head", "_tier")

    def __init__(self, request: ResponsesAsked, *, response_id: str, created_s: int) -> None:
        echo = request.echo
        partial = {
            name: default | (_decode(echo[name]) if name in echo else {})
            for name, default in _PARTIAL.items()
        }
        conversation = request.conversation_id
        self._tier = _known_tier(request.asked.service_tier)
        self._head: Item = {
            "id": response_id,
            "object": "response",
            "created_at": created_s,
            "model": request.asked.model,
            **_DEFAULTS,
            **echo,
            **partial,
            "conversation": None if conversation is None else {"id": conversation},
        }

    def told_tier(self, tier: str | None) -> None:
        """Take the tier that the upstream says it used."""
        self._tier = _known_tier(tier) or self._tier

    def queued(self) -> Item:
        """Return it before anybody has begun with it."""
        return self._with("queued", [], service_tier=self._tier or "auto")

    def begun(self) -> Item:
        """Return it before anything was said."""
        return self._with("in_progress", [], service_tier=self._tier or "auto")

    def ended(
        self, reason: str, output: list[Item], usage: Usage | None, finished_s: int | None
    ) -> Item:
        """Return it whole; of an unknown usage the clients' schemas demand an object, too."""
        cut = _INCOMPLETE.get(reason)
        return self._with(
            "completed" if cut is None else "incomplete",
            output,
            completed_at=finished_s if cut is None else None,
            incomplete_details=None if cut is None else {"reason": cut},
            usage=usage_object(usage or Usage()),
        )

    def failed(self, error: Item, output: list[Item], usage: Usage | None) -> Item:
        """Return it as far as it came."""
        told = None if usage is None else usage_object(usage)
        return self._with("failed", output, error=error, usage=told)

    def _with(self, status: str, output: list[Item], **more: Any) -> Item:
        told = {
            "status": status,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "output": output,
            "usage": None,
            "service_tier": self._tier or "default",
        }
        return self._head | told | more


def _known_tier(tier: str | None) -> str | None:
    """Return a tier if it is in the words of this dialect."""
    return tier if tier in _TIERS else None
