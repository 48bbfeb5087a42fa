"""What the configuration may say of providers, of served models and of deadlines."""

from dataclasses import dataclass

from slipstream.catalog.providers import BY_NAME
from slipstream.routing.settings import DATA_POLICIES, PROFILES
from slipstream.settings import setting

DIALECTS = (
    "openai_chat",
    "openai_responses",
    "openai_completions",
    "anthropic_messages",
    "gemini",
    "cerebras_chat",
)
CONTRACTS = tuple(policy for policy in DATA_POLICIES if policy != "local")
"""What may be known of a provider's contract; `local` are only the models that we run."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """`[providers.NAME]`: models that others run, reached with your own key."""

    api_key: str | None = setting(
        "`env:NAME`, `file:PATH`, or the key itself; left out, the provider's usual variable.",
        default=None,
        is_secret=True,
    )
    api_keys: tuple[str, ...] = setting(
        "Several keys, each as `api_key`, which stands before them where both are given. A request "
        "goes out with the one that has the most room left; reports call them `1`, `2`, ….",
        default=(),
        is_secret=True,
    )
    base_url: str | None = setting(
        "Everything before `/chat/completions`, `/completions`, `/responses`, `/messages`, "
        "`/embeddings` or, for `gemini`, `/models`; needed for a name that is not built in.",
        default=None,
    )
    like: str | None = setting(
        "The built-in provider or server that it is: it speaks the same, has the same habits and "
        "the same prices. For a second one of the same kind, under a name of your own.",
        default=None,
        choices=tuple(BY_NAME),
    )
    dialect: str | None = setting(
        "What it speaks; needed for a name that is not built in and like none that is.",
        default=None,
        choices=DIALECTS,
    )
    relaxes_schemas: bool = setting(
        "Where it takes only some keywords of a strict JSON Schema: leave the others out, and name "
        "them in `x-slipstream-changed`, instead of refusing the request.",
        default=False,
    )
    warm_connections: int = setting(
        "Connections that are opened at start, so that the first request need not wait.",
        default=1,
        least=0,
        most=64,
    )
    max_concurrent: int | None = setting(
        "Attempts at the same time at each of its models, from this gateway; a target's table may "
        "say otherwise. Left out: no bound.",
        default=None,
        least=1,
        most=1_000_000,
    )
    data: str = setting(
        "What your contract with it says of the requests that it gets: `no_training` on them, or "
        "`no_retention` of them at all. Nothing is claimed for it that is not said here.",
        default="any",
        choices=CONTRACTS,
    )


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`[models.NAME]`: a model that we run; all keys of `[engine]` may stand here, too."""

    profile: str | None = setting(
        "Whose API it imitates to the letter. Left out: `[server] profile` decides.",
        default=None,
        choices=PROFILES,
    )
    aliases: tuple[str, ...] = setting("Further names that it answers to.", default=())


@dataclass(frozen=True, slots=True)
class DeadlineSettings:
    """`[deadlines]`: how long each phase of an answer may take."""

    connect_s: float = setting(
        "Reaching a provider: name, TCP, TLS.", default=5.0, unit="s", least=0.05, most=300.0
    )
    first_token_s: float = setting(
        "From the request's last byte to the first piece of the answer that says something.",
        default=60.0,
        unit="s",
        least=0.05,
        most=3600.0,
    )
    idle_s: float = setting(
        "Between two pieces of an answer.", default=60.0, unit="s", least=0.05, most=3600.0
    )
    total_s: float = setting(
        "A whole request, all its attempts together.",
        default=600.0,
        unit="s",
        least=0.05,
        most=86_400.0,
    )
