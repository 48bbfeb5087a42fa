"""How Gemini's generations differ in what they take, by the name of the model.

Source: ../shared/reference/providers.md, section 4, and protocols.md, section F, 2026-11-21.
"""

from typing import Final

# Before 3 a model takes a budget of thinking tokens and no level, asks for no signatures, and
# answers in no form while it may call functions.
_BEFORE_LEVELS: Final = ("gemini-1", "gemini-2", "gemma", "learnlm")
_WITHOUT_MINIMAL: Final = (
    "gemini-3.1-pro",
    "gemini-3.7-flash",
    "gemini-3.8-flash",
    "gemini-4-argon",
    "gemini-4-carbon",
)
_ALWAYS_THINKS: Final = "gemini-2.5-pro"
_LEAST_BUDGET: Final = 128  # of a model that always thinks

BUDGETS: Final = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
"""Thinking tokens for each effort, of models before 3: Google's own for its compatible endpoint."""


def _bare(model: str) -> str:
    return model.removeprefix("models/")


def takes_levels(model: str) -> bool:
    """Tell whether a model's thinking is said in levels; older ones take a number of tokens."""
    return not _bare(model).startswith(_BEFORE_LEVELS)


def demands_signatures(model: str) -> bool:
    """Tell whether a model refuses calls in its history that come without their signature."""
    return takes_levels(model)


def joins_form_and_tools(model: str) -> bool:
    """Tell whether a model answers in a form while it may call functions."""
    return takes_levels(model)


def levels_of(model: str) -> tuple[str, ...]:
    """Return the levels of thinking that a model takes, least first."""
    levels = ("minimal", "low", "medium", "high")
    return levels[1:] if _bare(model).startswith(_WITHOUT_MINIMAL) else levels


def budget_of(model: str, effort: str) -> int:
    """Return the number of thinking tokens for an effort, of a model that takes no levels."""
    budget = BUDGETS.get(effort, BUDGETS["medium"])
    return max(budget, _LEAST_BUDGET) if _bare(model).startswith(_ALWAYS_THINKS) else budget
