"""What the configuration may say of a route."""

from dataclasses import dataclass

from slipstream.settings import setting

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
