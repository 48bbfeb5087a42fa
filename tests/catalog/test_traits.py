"""Traits: what single models refuse, by names as providers write them."""

import pytest

from slipstream.catalog.traits import Traits, traits_of

FORCED = {"tool_choice.any", "tool_choice.tool"}


@pytest.mark.parametrize(
    ("model", "refused", "taken", "is_adaptive_only", "most"),
    [
        ("claude-sonnet-4-5-20250929", {"thinking.adaptive"}, {"temperature"}, False, 64_000),
        ("claude-opus-4-6", {"prefill"}, {"temperature"}, False, 128_000),
        ("claude-opus-4-7", {"prefill", "temperature", "top_k"}, FORCED, True, 128_000),
        (
            "anthropic/claude-opus-5.5",
            {*FORCED, "thinking.disabled", "top_p"},
            set(),
            True,
            128_000,
        ),
        ("claude-sonnet-5-5", {"thinking.disabled"}, {"thinking.between_tools"}, True, 128_000),
        ("claude-haiku-4-5", {"output_config.effort"}, {"temperature"}, False, 64_000),
        ("us.anthropic.claude-sonnet-5", {"temperature"}, FORCED, True, 128_000),
        ("claude-opus-4-20250514", set(), {"temperature", "prefill"}, False, None),
    ],
)
def test_claude_refuses_what_its_version_does(
    model: str,
    refused: set[str],
    taken: set[str],
    is_adaptive_only: bool,
    most: int | None,
) -> None:
    """A date at the end is no version, and resellers' names tell the same."""
    traits = traits_of(model, None)
    assert refused <= traits.refuses
    assert not taken & traits.refuses
    assert (traits.is_adaptive_only, traits.max_output_tokens) == (is_adaptive_only, most)


@pytest.mark.parametrize(
    ("model", "effort", "takes_temperature"),
    [
        ("gpt-4.1", None, True),
        ("gpt-4o-mini", None, True),
        ("gpt-5-mini", None, False),
        ("gpt-5.4", None, True),
        ("gpt-5.5", None, False),
        ("gpt-5.5", "none", True),
        ("openai/gpt-5.6-luna", "low", False),
        ("gpt-6.1-sol", "none", False),
        ("gpt-6-astra", None, False),
        ("o3-mini", None, False),
        ("openai/gpt-oss-120b", None, True),
    ],
)
def test_gpt_refuses_sampling_while_it_thinks(
    model: str, effort: str | None, *, takes_temperature: bool
) -> None:
    """Some always do, some unless told otherwise, some only when told."""
    assert ("temperature" not in traits_of(model, effort).refuses) is takes_temperature


def test_unknown_model_takes_what_its_dialect_has() -> None:
    """Nothing is left out on a guess."""
    assert traits_of("llama-3.3-70b", None) == Traits()
