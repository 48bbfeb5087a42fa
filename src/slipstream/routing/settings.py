"""What the configuration may say of routes, of single targets, and of choosing as a whole."""

from dataclasses import dataclass

from slipstream.choice import ABILITIES
from slipstream.settings import setting

PROFILES = ("openai", "cerebras")
STRATEGIES = ("pinned", "ordered", "weighted", "cheapest", "fastest", "balanced", "race")
TASKS = ("general", "code", "math", "tools", "writing")
DATA_POLICIES = ("any", "no_training", "no_retention", "local")


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """`[routes.NAME]`: a public model name and where its requests go."""

    targets: tuple[str, ...] = setting(
        "Where requests go: `provider/model`, a model that runs here, or a model's plain name for "
        "every provider that has it. The first choice first."
    )
    strategy: str = setting(
        "`ordered` takes the first target that works, `weighted` spreads by `weights`, `cheapest` "
        "and `fastest` take the one that is expected to be, `balanced` weighs both, `race` starts "
        "several and keeps the first to say something; `pinned` only ever the one that is named.",
        default="ordered",
        choices=STRATEGIES,
    )
    weights: tuple[float, ...] = setting(
        "Under `weighted`: each target's share, in their order. Left out: the same for all.",
        default=(),
    )
    max_attempts: int = setting(
        "How many attempts one request may cost, runners of a race included.",
        default=4,
        least=1,
        most=16,
    )
    max_wait_s: float = setting(
        "How long a request may wait for targets that said when to come back, once no other is "
        "left.",
        default=5.0,
        unit="s",
        least=0.0,
        most=300.0,
    )
    first_token_s: float | None = setting(
        "In place of `[deadlines] first_token_s`.", default=None, unit="s", least=0.05, most=3600.0
    )
    least_tokens_per_s: float | None = setting(
        "A stream that begins slower than this is left for the next target, before the client has "
        "seen anything of it. Left out: any speed will do.",
        default=None,
        unit="tokens/s",
        least=0.1,
        most=100_000.0,
    )
    rate_window_s: float = setting(
        "How long a stream's beginning is looked at for `least_tokens_per_s`, at most.",
        default=1.0,
        unit="s",
        least=0.05,
        most=60.0,
    )
    retries_refusals: bool = setting(
        "A request that one target finds against its policy goes to the next.", default=False
    )
    hedge_s: float | None = setting(
        "Under `race`: how long the first runner is alone before the next one starts; 0 starts all "
        "at once. Left out: as long as 95 of 100 of its first tokens have taken.",
        default=None,
        unit="s",
        least=0.0,
        most=600.0,
    )
    max_runners: int = setting(
        "Under `race`: how many run at the same time, at most.", default=2, least=2, most=8
    )
    race_share: float = setting(
        "Under `race`: the share of requests for which a further runner may start, averaged over "
        "the last hundred or so. At 1 every request may.",
        default=1.0,
        least=0.0,
        most=1.0,
    )
    race_max_usd: float | None = setting(
        "Under `race`: what further runners of one request are expected to cost, at most; those of "
        "an unknown price do not run then. Left out: any cost.",
        default=None,
        unit="USD",
        least=0.0,
        most=1000.0,
    )
    quality: int | None = setting(
        "Least tier of quality that targets must have; those of unknown quality do not count.",
        default=None,
        least=0,
        most=5,
    )
    task: str = setting(
        "What requests are mostly about, for `quality`.", default="general", choices=TASKS
    )
    data: str = setting(
        "Least that a target's provider must promise: `no_training` on requests, `no_retention` of "
        "them, or `local`, which is this gateway's own models only.",
        default="any",
        choices=DATA_POLICIES,
    )
    profile: str | None = setting(
        "Whose API it imitates to the letter. Left out: `[server] profile` decides.",
        default=None,
        choices=PROFILES,
    )
    like: str | None = setting(
        "Under the Cerebras profile: the Cerebras model whose abilities and limits it has. Left "
        "out: the one of its own name; any other name refuses nothing for the model's sake.",
        default=None,
    )


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """`[targets."provider/model"]`: what the shipped catalogue does not know, or knows wrongly."""

    name: str | None = setting(
        "The model's plain name, under which all providers that have it are one choice.",
        default=None,
    )
    in_auto: bool | None = setting(
        "Whether `auto` may choose it. Left out: if the catalogue has it, or its table gives a "
        "`quality`.",
        default=None,
    )
    context_tokens: int | None = setting(
        "Input and output together.", default=None, unit="tokens", least=1, most=100_000_000
    )
    max_output_tokens: int | None = setting(
        "Of one answer.", default=None, unit="tokens", least=1, most=100_000_000
    )
    abilities: tuple[str, ...] | None = setting(
        f"All that it can do, of: {', '.join(ABILITIES)}. `chat` and `completions` go without "
        "saying unless one of the last three is there.",
        default=None,
    )
    quality: int | None = setting(
        "Its tier: 0 toy, 1 small, 2 good, 3 strong, 4 best, 5 beyond.",
        default=None,
        least=0,
        most=5,
    )
    quality_code: int | None = setting("The same for code.", default=None, least=0, most=5)
    quality_math: int | None = setting("The same for mathematics.", default=None, least=0, most=5)
    quality_tools: int | None = setting(
        "The same for work with tools.", default=None, least=0, most=5
    )
    quality_writing: int | None = setting("The same for prose.", default=None, least=0, most=5)
    max_concurrent: int | None = setting(
        "Attempts at the same time from this gateway, in place of its provider's; more wait for "
        "their turn, each key's in fair alternation.",
        default=None,
        least=1,
        most=1_000_000,
    )


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """`[routing]`: how targets are measured and chosen."""

    explore: float = setting(
        "Share of measured choices that look at a target of which too little is known.",
        default=0.02,
        least=0.0,
        most=0.5,
    )
    memory_s: float = setting(
        "Half-life of what was measured.", default=120.0, unit="s", least=1.0, most=86_400.0
    )
    max_cooldown_s: float = setting(
        "How long a failing target or key is left alone, at most, whatever it asks for.",
        default=300.0,
        unit="s",
        least=1.0,
        most=86_400.0,
    )
    probe_s: float = setting(
        "How often a target that is left alone is asked for its list of models, to find it well "
        "again before a request has to. 0: never; requests find out.",
        default=0.0,
        unit="s",
        least=0.0,
        most=3600.0,
    )
    max_queued: int = setting(
        "Requests that may wait for their turn at one target with `max_concurrent`.",
        default=1000,
        least=0,
        most=1_000_000,
    )
    valkey: str | None = setting(
        "URL of a Valkey or Redis (`redis://HOST:PORT/0`; or `env:NAME`, `file:PATH`), through "
        "which several gateways tell each other what to leave alone. Needs the extra `fleet`.",
        default=None,
        is_secret=True,
    )
