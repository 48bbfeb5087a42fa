"""The nine providers, and the servers that people run themselves, as rows of data.

A row says what differs between providers; code reads the fields and never the name. What they take
in a chat request stands in wire/chat/habits.py, by the same names.
Base URLs are defaults: the operator's configuration may replace them, a request never can.

Source: the providers' documentation and SDKs, collected 2026-11-21.
"""

from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from slipstream.call import Dialect


class EmbeddingsOffer(Struct, frozen=True, kw_only=True):
    """How a provider's `/embeddings` differs from OpenAI's.

    Args:
        takes_base64: It knows `encoding_format`; otherwise it answers with numbers only.
        renamed_fields: Request fields by another name: (OpenAI's, its own).
        refused_fields: Request fields that it answers with an error and that change nothing when
            left out.
    """

    takes_base64: bool = True
    renamed_fields: tuple[tuple[str, str], ...] = ()
    refused_fields: tuple[str, ...] = ()


class Spoken(Struct, frozen=True, kw_only=True):
    """One dialect that a provider speaks.

    Args:
        base_path: Where it is, in place of the path of `base_url`; None for that path itself.
        key_headers: Which headers hold the key; `authorization` holds it as `Bearer`.
    """

    dialect: Dialect
    base_path: str | None = None
    key_headers: tuple[str, ...] = ("authorization",)


class Listing(Struct, frozen=True, kw_only=True):
    """Where a provider lists its models, in its own shape.

    Args:
        shape: Whose words the list is in.
        base_path: As in Spoken.
        key_headers: As in Spoken.
    """

    shape: Literal["openai", "anthropic", "gemini"] = "openai"
    base_path: str | None = None
    key_headers: tuple[str, ...] = ("authorization",)


_CHAT: Final = Spoken(dialect=Dialect.OPENAI_CHAT)
_RESPONSES: Final = Spoken(dialect=Dialect.OPENAI_RESPONSES)
_MESSAGES: Final = Spoken(dialect=Dialect.ANTHROPIC_MESSAGES)
_TEXTS: Final = Spoken(dialect=Dialect.OPENAI_COMPLETIONS)


class ProviderRow(Struct, frozen=True, kw_only=True):
    """What one provider speaks, where, and its habits.

    Args:
        name: As in `provider/model` and `[providers.NAME]`.
        title: As people write it.
        speaks: Its dialects; requests in another one are said in the first of them that can say
            it, so they stand in the order of what they lose.
        base_url: Everything before `/chat/completions`, `/embeddings` and `/models`.
        key_variables: Environment variables that hold its key, the usual one first.
        is_own: A server that people run themselves; its address is this machine's, and its key is
            what it was started with, if anything.
        asks_usage: A stream reports usage only when `stream_options.include_usage` asks for it.
        is_reasoning_outside: It counts reasoning tokens beside `completion_tokens`.
        embeddings: None for a provider that has no embeddings models.
        listing: Of its models.
        keeps_responses: It keeps answers of Responses, so that a later request may name them.
        compacts_responses: It makes conversations of Responses shorter itself.
    """

    name: str
    title: str
    base_url: str
    speaks: tuple[Spoken, ...] = (_CHAT,)
    key_variables: tuple[str, ...] = ()
    is_own: bool = False
    asks_usage: bool = True
    is_reasoning_outside: bool = False
    embeddings: EmbeddingsOffer | None = None
    listing: Listing = Listing()
    keeps_responses: bool = False
    compacts_responses: bool = False


PROVIDERS: tuple[ProviderRow, ...] = (
    ProviderRow(
        name="cerebras",
        title="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        speaks=(Spoken(dialect=Dialect.CEREBRAS_CHAT),),
        key_variables=("CEREBRAS_API_KEY",),
        asks_usage=False,  # the last chunk always has it
    ),
    ProviderRow(
        name="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        speaks=(_RESPONSES, _CHAT),
        key_variables=("OPENAI_API_KEY",),
        embeddings=EmbeddingsOffer(),
        keeps_responses=True,
        compacts_responses=True,
    ),
    ProviderRow(
        name="anthropic",
        title="Anthropic",
        base_url="https://api.anthropic.com/v1",
        speaks=(Spoken(dialect=Dialect.ANTHROPIC_MESSAGES, key_headers=("x-api-key",)),),
        key_variables=("ANTHROPIC_API_KEY",),
        listing=Listing(shape="anthropic", key_headers=("x-api-key",)),
    ),
    ProviderRow(
        name="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        speaks=(_CHAT, _RESPONSES),
        key_variables=("GROQ_API_KEY",),
    ),
    ProviderRow(
        name="gemini",
        title="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        speaks=(
            Spoken(dialect=Dialect.GEMINI, base_path="/v1beta", key_headers=("x-goog-api-key",)),
        ),
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        # Through the compatible endpoint, since its own tells no usage; 400 for base64.
        embeddings=EmbeddingsOffer(takes_base64=False),
        listing=Listing(shape="gemini", base_path="/v1beta", key_headers=("x-goog-api-key",)),
    ),
    ProviderRow(
        name="deepinfra",
        title="DeepInfra",
        base_url="https://api.deepinfra.com/v1/openai",
        speaks=(
            _CHAT,
            Spoken(dialect=Dialect.OPENAI_RESPONSES, base_path="/v1"),
            Spoken(dialect=Dialect.ANTHROPIC_MESSAGES, base_path="/anthropic/v1"),
        ),
        key_variables=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        embeddings=EmbeddingsOffer(takes_base64=False),  # its schema knows only "float"
    ),
    ProviderRow(
        name="mistral",
        title="Mistral",
        base_url="https://api.mistral.ai/v1",
        speaks=(_CHAT, _RESPONSES),
        key_variables=("MISTRAL_API_KEY",),
        asks_usage=False,  # the last chunk always has it
        embeddings=EmbeddingsOffer(
            renamed_fields=(("dimensions", "output_dimension"),),
            refused_fields=("user",),  # 422, as above
        ),
    ),
    ProviderRow(
        name="xai",
        title="xAI",
        base_url="https://api.x.ai/v1",
        speaks=(_RESPONSES, _CHAT, _MESSAGES),
        key_variables=("XAI_API_KEY",),
        is_reasoning_outside=True,
        keeps_responses=True,
    ),
    ProviderRow(
        name="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        speaks=(_CHAT, _RESPONSES, _MESSAGES),
        key_variables=("OPENROUTER_API_KEY",),
        embeddings=EmbeddingsOffer(),
    ),
)

# A server of somebody's own may look for its key in either place.
_OWN_MESSAGES: Final = Spoken(
    dialect=Dialect.ANTHROPIC_MESSAGES, key_headers=("x-api-key", "authorization")
)
# Text completions last: as a transcript, a conversation loses all but its words.
_EVERY_DIALECT: Final = (_CHAT, _RESPONSES, _OWN_MESSAGES, _TEXTS)

OWN_SERVERS: tuple[ProviderRow, ...] = (
    ProviderRow(
        name="vllm",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        speaks=_EVERY_DIALECT,
        is_own=True,
        embeddings=EmbeddingsOffer(),
    ),
    ProviderRow(
        name="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        speaks=_EVERY_DIALECT,
        is_own=True,
        embeddings=EmbeddingsOffer(),
    ),
    ProviderRow(
        name="llama-server",
        title="llama.cpp's llama-server",
        base_url="http://127.0.0.1:8080/v1",
        speaks=_EVERY_DIALECT,
        is_own=True,
        embeddings=EmbeddingsOffer(),
    ),
    ProviderRow(
        name="lm-studio",
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        speaks=_EVERY_DIALECT,
        is_own=True,
        embeddings=EmbeddingsOffer(takes_base64=False),  # it answers with numbers whatever is asked
    ),
)
"""Servers that people run; without a table of their own in the configuration they are not asked."""

BY_NAME: dict[str, ProviderRow] = {row.name: row for row in (*PROVIDERS, *OWN_SERVERS)}


_GENERIC: Final = {
    Dialect.ANTHROPIC_MESSAGES: _OWN_MESSAGES,
    Dialect.GEMINI: Spoken(dialect=Dialect.GEMINI, key_headers=("x-goog-api-key",)),
}


def spoken_by(name: str, dialect: Dialect | None) -> tuple[Spoken, ...]:
    """Return what a provider speaks, what loses least first.

    Args:
        dialect: What the configuration says instead; without it, a name that is not built in
            speaks OpenAI's chat.
    """
    row = BY_NAME.get(name)
    if dialect is None:
        return (_CHAT,) if row is None else row.speaks
    own = row.speaks if row is not None else ()
    named = [spoken for spoken in own if spoken.dialect is dialect]
    return (*named, _GENERIC.get(dialect, Spoken(dialect=dialect)))[:1]


def listing_of(name: str, dialect: Dialect | None) -> Listing:
    """Return where a provider lists its models; a name that is not built in does it as its dialect.

    Args:
        dialect: As for `spoken_by`.
    """
    row = BY_NAME.get(name)
    if row is not None:
        return row.listing
    if dialect is Dialect.GEMINI:
        return Listing(shape="gemini", key_headers=("x-goog-api-key",))
    if dialect is Dialect.ANTHROPIC_MESSAGES:
        return Listing(shape="anthropic", key_headers=("x-api-key", "authorization"))
    return Listing()


def base_path_of(name: str, spoken: Spoken | Listing, path: str) -> str:
    """Return the path before those of a dialect's own, in an address that ends in this path.

    Where the operator's address ends otherwise than the provider's, it is taken as it is.
    """
    row = BY_NAME.get(name)
    if row is None or spoken.base_path is None:
        return path
    usual = urlsplit(row.base_url).path
    return path.removesuffix(usual) + spoken.base_path if path.endswith(usual) else path


def embeddings_of(name: str) -> EmbeddingsOffer | None:
    """Return what a provider offers; a name that is not built in speaks OpenAI's to the letter."""
    row = BY_NAME.get(name)
    return EmbeddingsOffer() if row is None else row.embeddings
