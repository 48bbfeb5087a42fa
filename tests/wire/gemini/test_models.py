"""Tests of slipstream.wire.gemini.models."""

from slipstream.wire.gemini.models import (
    budget_of,
    demands_signatures,
    joins_form_and_tools,
    levels_of,
    takes_levels,
)


def test_models_before_3_take_budgets_and_no_signatures() -> None:
    """The generation is in the name, with or without Google's prefix."""
    for model in ("gemini-2.5-flash", "models/gemini-2.5-pro", "gemma-3"):
        assert not takes_levels(model)
        assert not demands_signatures(model)
        assert not joins_form_and_tools(model)
    assert takes_levels("models/gemini-3.1-pro-preview")
    assert demands_signatures("gemini-4-argon")


def test_levels_minimal_is_not_everywhere() -> None:
    """Some models have no `minimal`."""
    assert levels_of("gemini-3.5-flash") == ("minimal", "low", "medium", "high")
    assert levels_of("models/gemini-4-argon") == ("low", "medium", "high")


def test_budget_of_a_model_that_always_thinks_is_not_nothing() -> None:
    """2.5 Pro cannot be told to think nothing."""
    assert budget_of("gemini-2.5-flash", "none") == 0
    assert budget_of("gemini-2.5-pro", "none") == 128
    assert budget_of("gemini-2.5-pro", "high") == 24_576
