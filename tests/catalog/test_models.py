"""The rows of models: complete, without contradictions, and each with a price and a tier."""

from datetime import date

import pytest

from slipstream.catalog.models import MODELS, ModelRow, row_of
from slipstream.catalog.prices import price_of
from slipstream.catalog.providers import PROVIDERS
from slipstream.catalog.tiers import TIERS
from slipstream.choice import CHAT, CHOICES, COMPLETIONS, EMBEDDINGS, LOGPROBS, REASONING

AT_NS = 1_795_262_400_000_000_000  # 2026-11-21


@pytest.mark.parametrize("row", MODELS, ids=lambda row: f"{row.provider}/{row.model}")
def test_row_is_whole(row: ModelRow) -> None:
    """It has a price, a tier, a window that holds its longest answer, and can be asked at all."""
    assert price_of(row.provider, row.model, AT_NS) is not None
    assert row.name in TIERS
    assert 0 < (row.max_output_tokens or 1) <= row.context_tokens
    assert row.abilities & CHAT
    assert row.abilities & COMPLETIONS
    assert not row.abilities & EMBEDDINGS
    assert "/" not in row.name
    assert row.name == row.name.lower()
    assert row.until is None or row.until > date(2026, 12, 31)


def test_every_provider_has_rows_and_no_model_has_two() -> None:
    """`auto` knows something to choose wherever somebody has a key."""
    assert {row.provider for row in MODELS} == {row.name for row in PROVIDERS}
    assert len({(row.provider, row.model) for row in MODELS}) == len(MODELS)


def test_same_weights_have_the_same_name_everywhere() -> None:
    """Providers write it in their own ways."""
    sold = {(row.provider, row.model) for row in MODELS if row.name == "gpt-oss-120b"}
    assert {provider for provider, _ in sold} == {"cerebras", "groq", "deepinfra", "openrouter"}
    assert ("groq", "openai/gpt-oss-120b") in sold


@pytest.mark.parametrize(
    ("provider", "model", "ability", "is_there"),
    [
        ("groq", "openai/gpt-oss-120b", CHOICES, False),
        ("cerebras", "gpt-oss-120b", CHOICES, True),
        ("cerebras", "gpt-oss-120b", LOGPROBS, True),
        ("openai", "gpt-6.1-sol", LOGPROBS, False),
        ("openai", "gpt-4.1", LOGPROBS, True),
        ("openai", "gpt-4.1", REASONING, False),
        ("anthropic", "claude-opus-5-5", CHOICES, False),
    ],
)
def test_abilities_are_the_providers_and_the_models(
    provider: str, model: str, ability: int, is_there: bool
) -> None:
    """What a provider answers with an error, or a model refuses, it cannot do."""
    row = row_of(provider, model)
    assert row is not None
    assert bool(row.abilities & ability) is is_there


def test_row_that_is_not_there_is_none() -> None:
    """Nothing is claimed of a model by its likeness to another."""
    assert row_of("groq", "gpt-oss-120b") is None
    assert row_of("nobody", "x") is None


def test_offer_ends_on_its_day() -> None:
    """Not before, and not after."""
    row = row_of("openai", "gpt-4.1")
    assert row is not None
    assert row.is_offered_on(date(2027, 1, 13))
    assert not row.is_offered_on(date(2027, 1, 14))
