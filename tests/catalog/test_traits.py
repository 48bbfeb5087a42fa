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


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("gpt-5.6-luna", ("none", "low", "medium", "high", "xhigh", "max")),
        ("gpt-6.1-sol", ("low", "medium", "high", "xhigh", "max")),
        ("gpt-5.5-pro", ("medium", "high", "xhigh")),
        ("o3", ("low", "medium", "high")),
        ("openai/gpt-oss-120b", ("low", "medium", "high")),
        ("openai/gpt-oss-20b", ("low", "medium", "high")),
        ("grok-4.3", ("none", "low", "medium", "high")),
        ("grok-latest", ("none", "low", "medium", "high")),
        ("grok-4.6", ("low", "medium", "high")),
        ("x-ai/grok-4.7", ("low", "medium", "high", "xhigh")),
        ("grok-4.20-reasoning", ()),
        ("zai-glm-5.3", ("low", "high", "max")),
        ("zai-org/GLM-5.3", ("low", "high", "max")),
        ("zai-org/GLM-5.2", ()),
        ("moonshotai/Kimi-K3", ("low", "high", "max")),
    ],
)
def test_efforts_are_those_that_a_model_knows(model: str, efforts: tuple[str, ...]) -> None:
    """Whoever sells it."""
    assert traits_of(model, None).efforts == efforts


@pytest.mark.parametrize(
    ("model", "refused", "taken"),
    [
        ("grok-4.6", {"stop", "presence_penalty"}, {"reasoning_effort", "openai_chat"}),
        ("grok-4-fast", {"stop", "frequency_penalty"}, {"openai_chat"}),
        ("grok-3-mini", {"stop"}, {"presence_penalty"}),
        ("grok-4.20-non-reasoning", {"reasoning_effort", "reasoning.effort"}, {"openai_chat"}),
        ("grok-4.20-multi-agent", {"openai_chat", "anthropic_messages"}, {"openai_responses"}),
        ("gpt-5.5-pro", {"openai_chat", "temperature"}, {"openai_responses"}),
        ("o3-pro", {"openai_chat", "stop"}, {"openai_responses"}),
        ("gpt-5.4", {"openai_chat.max_tokens"}, {"max_tokens", "openai_chat"}),
        ("gpt-4.1", set(), {"openai_chat.max_tokens"}),
        ("gemini-3.8-flash", {"temperature", "topK"}, {"stop"}),
        ("google/gemini-3.5-flash-lite", {"temperature", "topP"}, set()),
        ("gemini-3.5-flash", set(), {"temperature"}),
        ("claude-opus-4-7", {"messages.system"}, {"tools.strict"}),
        ("claude-opus-4-8", set(), {"messages.system"}),
        ("claude-sonnet-5", set(), {"messages.system"}),
        ("claude-sonnet-4-6", {"messages.system"}, {"thinking.adaptive"}),
        ("claude-haiku-4-5", {"messages.system", "thinking.adaptive"}, {"output_config.format"}),
        ("claude-opus-4-1", {"output_config.format", "thinking.adaptive"}, {"temperature"}),
    ],
)
def test_model_refuses_what_its_family_does(model: str, refused: set[str], taken: set[str]) -> None:
    """By version, and by the name that a reseller gives it."""
    refuses = traits_of(model, None).refuses
    assert refused <= refuses
    assert not taken & refuses


@pytest.mark.parametrize(("effort", "takes"), [(None, True), ("none", True), ("low", False)])
def test_model_that_thinks_when_told_takes_sampling_until_then(
    effort: str | None, *, takes: bool
) -> None:
    """GPT 5.1 to 5.4 think only where the request asks for it."""
    assert ("temperature" not in traits_of("gpt-5.4-mini", effort).refuses) is takes


def test_model_that_thinks_by_itself_is_known() -> None:
    """Magistral shows it unasked."""
    assert traits_of("magistral-medium-2509", None).thinks
    assert not traits_of("mistral-large-4", None).thinks
