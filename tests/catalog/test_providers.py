"""The rows of the providers: complete, distinct, and usable as they stand."""

from urllib.parse import urlsplit

import pytest

from slipstream.call import Dialect
from slipstream.catalog.providers import (
    BY_NAME,
    OWN_SERVERS,
    PROVIDERS,
    EmbeddingsOffer,
    Listing,
    ProviderRow,
    Spoken,
    base_path_of,
    embeddings_of,
    listing_of,
    spoken_by,
)


def test_providers_are_the_nine_by_name() -> None:
    """The design's nine, and servers that people run, found by the names that routes use."""
    assert [row.name for row in OWN_SERVERS] == ["vllm", "ollama", "llama-server", "lm-studio"]
    assert [row.name for row in PROVIDERS] == [
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
    assert tuple(BY_NAME.values()) == (*PROVIDERS, *OWN_SERVERS)


@pytest.mark.parametrize("row", BY_NAME.values(), ids=lambda row: row.name)
def test_provider_row_is_usable(row: ProviderRow) -> None:
    """HTTPS, or this machine; no trailing slash, a name without one, a variable for the key."""
    url = urlsplit(row.base_url)
    scheme = "http" if row.is_own else "https"
    assert (url.scheme, url.query, url.fragment, url.username) == (scheme, "", "", None)
    assert (url.hostname == "127.0.0.1") is row.is_own
    assert not row.base_url.endswith("/")
    assert "/" not in row.name
    assert row.name == row.name.lower()
    assert row.title
    assert row.speaks
    assert len({spoken.dialect for spoken in row.speaks}) == len(row.speaks)
    assert bool(row.key_variables) is not row.is_own
    assert all(name.isupper() and name.isidentifier() for name in row.key_variables)


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("cerebras", {"cerebras_chat": "https://api.cerebras.ai/v1"}),
        (
            "openai",
            {
                "openai_responses": "https://api.openai.com/v1",
                "openai_chat": "https://api.openai.com/v1",
            },
        ),
        ("anthropic", {"anthropic_messages": "https://api.anthropic.com/v1"}),
        (
            "groq",
            {
                "openai_chat": "https://api.groq.com/openai/v1",
                "openai_responses": "https://api.groq.com/openai/v1",
            },
        ),
        ("gemini", {"gemini": "https://generativelanguage.googleapis.com/v1beta"}),
        (
            "deepinfra",
            {
                "openai_chat": "https://api.deepinfra.com/v1/openai",
                "openai_responses": "https://api.deepinfra.com/v1",
                "anthropic_messages": "https://api.deepinfra.com/anthropic/v1",
            },
        ),
        (
            "mistral",
            {
                "openai_chat": "https://api.mistral.ai/v1",
                "openai_responses": "https://api.mistral.ai/v1",
            },
        ),
        (
            "xai",
            {
                "openai_responses": "https://api.x.ai/v1",
                "openai_chat": "https://api.x.ai/v1",
                "anthropic_messages": "https://api.x.ai/v1",
            },
        ),
        (
            "openrouter",
            {
                "openai_chat": "https://openrouter.ai/api/v1",
                "openai_responses": "https://openrouter.ai/api/v1",
                "anthropic_messages": "https://openrouter.ai/api/v1",
            },
        ),
    ],
)
def test_provider_dialects_are_where_they_are_documented(name: str, bases: dict[str, str]) -> None:
    """In the order in which they are tried, each behind the path that the provider documents."""
    url = urlsplit(BY_NAME[name].base_url)
    found = {
        str(spoken.dialect): f"{url.scheme}://{url.netloc}{base_path_of(name, spoken, url.path)}"
        for spoken in spoken_by(name, None)
    }
    assert list(found.items()) == list(bases.items())


@pytest.mark.parametrize(
    ("name", "path", "base"),
    [
        ("gemini", "/proxy/v1beta/openai", "/proxy/v1beta"),
        ("gemini", "/proxy", "/proxy"),
        ("deepinfra", "/v1/openai", "/anthropic/v1"),
        ("lab", "/v1/openai", "/v1/openai"),
    ],
)
def test_operators_own_address_keeps_what_is_before_the_providers(
    name: str, path: str, base: str
) -> None:
    """A proxy's path stays in front; an address that ends otherwise is taken as it is."""
    assert base_path_of(name, spoken_by(name, None)[-1], path) == base


def test_providers_share_no_variable_and_no_address() -> None:
    """No key goes to another provider than its own."""
    variables = [variable for row in PROVIDERS for variable in row.key_variables]
    assert len(set(variables)) == len(variables)
    assert len({row.base_url for row in PROVIDERS}) == len(PROVIDERS)


def test_provider_habits_are_in_the_rows() -> None:
    """Two report usage unasked, xAI counts reasoning outside."""
    rows = BY_NAME.values()
    assert [row.name for row in rows if not row.asks_usage] == ["cerebras", "mistral"]
    assert [row.name for row in rows if row.is_reasoning_outside] == ["xai"]


@pytest.mark.parametrize("row", OWN_SERVERS, ids=lambda row: row.name)
def test_own_server_speaks_all_that_a_client_may(row: ProviderRow) -> None:
    """Chat first; a server that wants a key in Messages may look for it in either place."""
    chat, responses, messages, texts = row.speaks
    assert chat.dialect is Dialect.OPENAI_CHAT
    assert responses.dialect is Dialect.OPENAI_RESPONSES
    assert messages.dialect is Dialect.ANTHROPIC_MESSAGES
    assert texts.dialect is Dialect.OPENAI_COMPLETIONS
    assert messages.key_headers == ("x-api-key", "authorization")


@pytest.mark.parametrize(
    ("name", "dialect", "listing"),
    [
        ("openai", None, Listing()),
        ("anthropic", None, Listing(shape="anthropic", key_headers=("x-api-key",))),
        (
            "gemini",
            None,
            Listing(shape="gemini", base_path="/v1beta", key_headers=("x-goog-api-key",)),
        ),
        ("lab", None, Listing()),
        ("lab", Dialect.GEMINI, Listing(shape="gemini", key_headers=("x-goog-api-key",))),
        (
            "lab",
            Dialect.ANTHROPIC_MESSAGES,
            Listing(shape="anthropic", key_headers=("x-api-key", "authorization")),
        ),
    ],
)
def test_models_are_listed_in_the_providers_own_shape(
    name: str, dialect: Dialect | None, listing: Listing
) -> None:
    """Two have lists of their own; a server of somebody's own lists as what it speaks does."""
    assert listing_of(name, dialect) == listing


def test_providers_with_embeddings_are_those_that_have_models_for_them() -> None:
    """The others are never asked; a name that is not built in speaks OpenAI's to the letter."""
    with_embeddings = [row.name for row in PROVIDERS if row.embeddings is not None]
    assert with_embeddings == ["openai", "gemini", "deepinfra", "mistral", "openrouter"]
    assert embeddings_of("cerebras") is None
    assert embeddings_of("lab") == EmbeddingsOffer()


def test_habits_with_embeddings_are_in_the_rows() -> None:
    """Some know no base64; Mistral has a name of its own for dimensions and refuses `user`."""
    offers = {row.name: row.embeddings for row in PROVIDERS if row.embeddings is not None}
    assert [name for name, offer in offers.items() if not offer.takes_base64] == [
        "gemini",
        "deepinfra",
    ]
    assert embeddings_of("mistral") == EmbeddingsOffer(
        renamed_fields=(("dimensions", "output_dimension"),), refused_fields=("user",)
    )


@pytest.mark.parametrize(
    ("name", "dialect", "spoken"),
    [
        ("lab", None, Spoken(dialect=Dialect.OPENAI_CHAT)),
        ("lab", Dialect.CEREBRAS_CHAT, Spoken(dialect=Dialect.CEREBRAS_CHAT)),
        (
            "lab",
            Dialect.ANTHROPIC_MESSAGES,
            Spoken(dialect=Dialect.ANTHROPIC_MESSAGES, key_headers=("x-api-key", "authorization")),
        ),
        (
            "anthropic",
            Dialect.ANTHROPIC_MESSAGES,
            Spoken(dialect=Dialect.ANTHROPIC_MESSAGES, key_headers=("x-api-key",)),
        ),
        ("anthropic", Dialect.OPENAI_CHAT, Spoken(dialect=Dialect.OPENAI_CHAT)),
    ],
)
def test_configured_dialect_is_the_only_one(
    name: str, dialect: Dialect | None, spoken: Spoken
) -> None:
    """A server of somebody's own may look for its key where Anthropic's does, or as a Bearer."""
    assert spoken_by(name, dialect) == (spoken,)
