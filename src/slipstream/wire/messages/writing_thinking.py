"""How much the model is to think, in the words that the target takes.

Newer models think as much as they find right, steered by an effort; older ones take a number of
tokens. Either way of saying it is turned into the other where the target wants that one.

Source: protocols.md, section C; the budgets lie within what LiteLLM and pydantic-ai use.
"""

from typing import Any, Final

from slipstream.wire.messages.names import DIALECT, Changes
from slipstream.wire.talk.asking import Asked, Target
from slipstream.wire.talk.means import Thinking

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # in their order
_OWN_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
MIN_BUDGET_TOKENS: Final = 1024
_BUDGET_OF_EFFORT: Final = {
    "minimal": MIN_BUDGET_TOKENS,
    "low": 2048,
    "medium": 8192,
    "high": 16_384,
    "xhigh": 24_576,
    "max": 32_000,
}
_EFFORT_OF_BUDGET: Final = ((2048, "low"), (10_000, "medium"))  # up to here; above, high
_DISPLAYS: Final = {
    "none": "omitted",
    "summary": "summarized",
    "detailed": "summarized",
    "auto": "summarized",
}


def write_thinking(
    asked: Asked,
    target: Target,
    changes: Changes,
    max_tokens: int,
    choice: dict[str, Any] | None,
) -> tuple[dict[str, Any] | None, str | None]:
    """Return `thinking` and `output_config.effort`; None for what is not to be said."""
    wanted = asked.thinking
    if wanted is None:
        return None, None
    if wanted.effort == "none":
        return _write_none(target, changes)
    effort, budget = wanted.effort, wanted.budget_tokens
    if not _is_thinking_asked(asked, wanted):
        return None, _write_effort(effort, target, changes)
    thinking: dict[str, Any] | None = {"type": "adaptive"}
    if target.is_adaptive_only or (
        wanted.is_adaptive and "thinking.adaptive" not in target.refuses
    ):
        if budget is not None:
            effort = effort or _effort_of(budget)
            changes.add("thinking.budget_tokens", "output_config.effort")
    else:
        thinking = _write_budget(wanted, max_tokens, changes)
        effort = None if budget is None else effort  # else the budget says it
    effort = _write_effort(effort, target, changes)
    if thinking is not None and choice is not None and choice["type"] in ("any", "tool"):
        changes.add("thinking")  # a forced call and thinking exclude each other
        return None, effort
    if thinking is not None and (display := _display(asked, wanted, target)):
        thinking["display"] = display
    return thinking, effort


def _is_thinking_asked(asked: Asked, wanted: Thinking) -> bool:
    """Tell a wish to think from one of how much effort an answer is worth, or what is shown."""
    if wanted.is_adaptive or wanted.budget_tokens is not None:
        return True
    return wanted.effort is not None and asked.dialect != DIALECT


def _write_none(target: Target, changes: Changes) -> tuple[dict[str, Any], str | None]:
    """Say that it is not to think, or as little as this model can be told."""
    if "thinking.disabled" not in target.refuses:
        return {"type": "disabled"}, None
    if "thinking.between_tools" not in target.refuses:
        changes.add("thinking", "between_tools")
        return {"type": "between_tools"}, None
    changes.add("thinking", "low")
    return {"type": "adaptive"}, "low"


def _write_effort(effort: str | None, target: Target, changes: Changes) -> str | None:
    """Return the nearest effort that the target takes, the lower of two."""
    if effort is None:
        return None
    if "output_config.effort" in target.refuses:
        changes.add("output_config.effort")
        return None
    known = [word for word in _EFFORTS if word in (target.efforts or _OWN_EFFORTS)]
    wanted = _EFFORTS.index(effort) if effort in _EFFORTS else _EFFORTS.index("high")
    lower = [word for word in known if word != "none" and _EFFORTS.index(word) <= wanted]
    higher = [word for word in known if _EFFORTS.index(word) > wanted]
    nearest = lower[-1] if lower else next(iter(higher), None)
    if nearest != effort:
        changes.add("output_config.effort", nearest)
    return nearest


def _write_budget(wanted: Thinking, max_tokens: int, changes: Changes) -> dict[str, Any] | None:
    """Return thinking of so many tokens; None where the answer leaves no room for it."""
    budget = wanted.budget_tokens
    if budget is None:
        # Half of the answer at most, where the client did not say how much itself.
        budget = min(_BUDGET_OF_EFFORT[wanted.effort or "medium"], max_tokens // 2)
    elif budget >= max_tokens:
        changes.add("thinking.budget_tokens", str(max_tokens - 1))
        budget = max_tokens - 1
    if budget < MIN_BUDGET_TOKENS:
        changes.add("thinking")
        return None
    return {"type": "enabled", "budget_tokens": budget}


def _effort_of(budget: int) -> str:
    return next((effort for most, effort in _EFFORT_OF_BUDGET if budget <= most), "high")


def _display(asked: Asked, wanted: Thinking, target: Target) -> str | None:
    """Return if the client gets to see it; Chat has no word for it and is shown what can be."""
    shows = wanted.shows or ("summary" if asked.dialect == "openai_chat" else None)
    if shows is None or "thinking.display" in target.refuses:
        return None
    return _DISPLAYS.get(shows)
