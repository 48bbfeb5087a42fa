"""How tokens are chosen, and how soon: the plain fields of a request in Messages."""

from typing import Any, Final

from slipstream.errors import Unsupported
from slipstream.wire.messages.names import DIALECT, Changes, name_in
from slipstream.wire.talk.asking import Asked

_MAX_TEMPERATURE: Final = 1.0
_MIN_TOP_P_OF_THINKING: Final = 0.95
_THOSE_LEFT_OUT: Final = (
    "min_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
)
# What Anthropic calls the tiers of others; the fast ones are a field of their own there.
_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_FAST_TIERS: Final = frozenset({"fast", "priority"})


def refused(name: str, why: str) -> Unsupported:
    """Return the error for what the target cannot be asked; `name` is the client's."""
    error = Unsupported(f"This target does not offer what '{name}' asks for: {why}.")
    error.param = name
    return error


def write_sampling(
    asked: Asked, thinking: dict[str, Any] | None, changes: Changes
) -> dict[str, Any]:
    """Return the fields that say how tokens are chosen.

    While it thinks, a model takes no temperature but 1, no `top_k`, and hardly any `top_p`; and of
    temperature and `top_p` it takes one.

    Raises:
        Unsupported: It is to stop at white space alone, which Anthropic refuses.
    """
    said, fields = asked.sampling, dict[str, Any]()
    is_thinking = thinking is not None and thinking["type"] in ("adaptive", "enabled")
    for name in _THOSE_LEFT_OUT:
        if getattr(said, name) is not None:
            changes.add(name)
    if said.temperature is not None:
        if is_thinking and said.temperature != _MAX_TEMPERATURE:
            changes.add("temperature")
        else:
            fields["temperature"] = min(said.temperature, _MAX_TEMPERATURE)
            if said.temperature > _MAX_TEMPERATURE:
                changes.add("temperature", "1")
    if said.top_p is not None:
        if "temperature" in fields or (is_thinking and said.top_p < _MIN_TOP_P_OF_THINKING):
            changes.add("top_p")
        else:
            fields["top_p"] = said.top_p
    if said.top_k is not None:
        if is_thinking:
            changes.add("top_k")
        else:
            fields["top_k"] = said.top_k
    if said.stop:
        fields["stop_sequences"] = said.stop
        if not all(stop.strip() for stop in said.stop):
            name = name_in(asked.dialect, "stop_sequences")
            raise refused(name, "it stops at no sequence of white space alone")
    return fields


def write_service_tier(asked: Asked, changes: Changes) -> dict[str, str]:
    """Return the field that says how soon the answer is wanted, whichever it is."""
    tier = asked.service_tier
    if tier is None:
        return {}
    if tier in _FAST_TIERS:
        return {"speed": "fast"}
    if tier in _TIERS:
        return {"service_tier": _TIERS[tier]}
    if asked.dialect == DIALECT:
        return {"service_tier": tier}
    changes.add("service_tier")
    return {}
