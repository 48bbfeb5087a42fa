"""What the configuration may say of a route."""

from dataclasses import dataclass

from slipstream.settings import setting

PROFILES = ("openai", "cerebras")
STRATEGIES = ("pinned", "ordered")


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """`[routes.NAME]`: a public model name and where its requests go."""

    targets: tuple[str, ...] = setting(
        "Where requests go, each `provider/model`, the first choice first."
    )
    strategy: str = setting(
        "`ordered` takes the first target that works; `pinned` only ever the one that is named.",
        default="ordered",
        choices=STRATEGIES,
    )
    max_attempts: int = setting(
        "How many targets one request may try.", default=4, least=1, most=16
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
