"""The rows of the providers: complete, distinct, and usable as they stand."""

from urllib.parse import urlsplit

import pytest

from slipstream.call import Dialect
from slipstream.catalog.providers import (
    BY_NAME,
    PROVIDERS,
    EmbeddingsOffer,
    ProviderRow,
    dialect_of,
    embeddings_of,
)


def test_providers_are_the_nine_by_name() -> None:
    """The design's nine, each found by the name that routes use."""
    assert list(BY_NAME) == [
        "cerebras",
        "openai",
        "anthropic",
        "groq",
        "gemini",
        "deepinfra",
        "mistral",
        "xai",
        "openrouter",
    ]
    assert tuple(BY_NAME.values()) == PROVIDERS


@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: row.name)
def test_provider_row_is_usable(row: ProviderRow) -> None:
    """HTTPS, no trailing slash, a name without a slash, a variable for the key."""
    url = urlsplit(row.base_url)
    assert (url.scheme, url.query, url.fragment, url.username) == ("https", "", "", None)
    assert url.hostname
    assert not row.base_url.endswith("/")
    assert "/" not in row.name
    assert row.name == row.name.lower()
    assert row.title
    assert row.dialect in Dialect
    assert row.key_variables
    assert all(name.isupper() and name.isidentifier() for name in row.key_variables)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("cerebras", "https://api.cerebras.ai/v1/chat/completions"),
        ("openai", "https://api.openai.com/v1/chat/completions"),
        ("anthropic", "https://api.anthropic.com/v1/chat/completions"),
        ("groq", "https://api.groq.com/openai/v1/chat/completions"),
        (
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        ("deepinfra", "https://api.deepinfra.com/v1/openai/chat/completions"),
        ("mistral", "https://api.mistral.ai/v1/chat/completions"),
        ("xai", "https://api.x.ai/v1/chat/completions"),
        ("openrouter", "https://openrouter.ai/api/v1/chat/completions"),
    ],
)
def test_provider_endpoint_is_the_documented_one(name: str, url: str) -> None:
    """Base URL and the dialect's path make the address that the provider documents."""
    assert f"{BY_NAME[name].base_url}/chat/completions" == url


def test_providers_share_no_variable_and_no_address() -> None:
    """No key goes to another provider than its own."""
    variables = [variable for row in PROVIDERS for variable in row.key_variables]
    assert len(set(variables)) == len(variables)
    assert len({row.base_url for row in PROVIDERS}) == len(PROVIDERS)


def test_provider_habits_are_in_the_rows() -> None:
    """Two report usage unasked, Mistral refuses `stream_options`, xAI counts reasoning outside."""
    assert [row.name for row in PROVIDERS if not row.asks_usage] == ["cerebras", "mistral"]
    assert BY_NAME["mistral"].refused_fields == ("stream_options",)
    assert [row.name for row in PROVIDERS if row.is_reasoning_outside] == ["xai"]


def test_providers_with_embeddings_are_those_that_have_models_for_them() -> None:
    """The others are never asked; a name that is not built in speaks OpenAI's to the letter."""
    with_embeddings = [row.name for row in PROVIDERS if row.embeddings is not None]
    assert with_embeddings == ["openai", "gemini", "deepinfra", "mistral", "openrouter"]
    assert embeddings_of("cerebras") is None
    assert embeddings_of("lab") == EmbeddingsOffer()


def test_habits_with_embeddings_are_in_the_rows() -> None:
    """Two know no base64; Mistral has a name of its own for dimensions and refuses `user`."""
    offers = {row.name: row.embeddings for row in PROVIDERS if row.embeddings is not None}
    assert [name for name, offer in offers.items() if not offer.takes_base64] == [
        "gemini",
        "deepinfra",
    ]
    assert embeddings_of("mistral") == EmbeddingsOffer(
        renamed_fields=(("dimensions", "output_dimension"),), refused_fields=("user",)
    )


def test_chats_are_openais_but_for_the_one_that_speaks_cerebras() -> None:
    """A provider that an operator names speaks OpenAI's, as the built-in ones do."""
    strict = [row.name for row in PROVIDERS if row.dialect is not Dialect.OPENAI_CHAT]
    assert strict == ["cerebras"]
    assert dialect_of("cerebras") is Dialect.CEREBRAS_CHAT
    assert dialect_of("openai") is dialect_of("lab") is Dialect.OPENAI_CHAT
