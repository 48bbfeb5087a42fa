"""Routes as the choice needs them: names resolved, money in whole pico-dollars."""

from collections.abc import Mapping

import msgspec

from slipstream.choice import DataPolicy, Deadlines, Strategy, Target, Task
from slipstream.routing.facts import FactsOf


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One public model name with its targets; see RouteSettings for each field.

    Args:
        targets: Each with its provider's first credential.
        weights: As long as `targets`, or empty: all the same.
        deadlines: With the route's own first_token_s.
    """

    name: str
    strategy: Strategy
    targets: tuple[Target, ...]
    deadlines: Deadlines = Deadlines()
    max_attempts: int = 4
    weights: tuple[float, ...] = ()
    max_wait_s: float = 5.0
    least_tokens_per_s: float | None = None
    rate_window_s: float = 1.0
    retries_refusals: bool = False
    hedge_s: float | None = None
    max_runners: int = 2
    race_share: float = 1.0
    race_max_usd_pico: int | None = None
    quality: int | None = None
    task: Task = "general"
    data: DataPolicy = "any"


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a model name can stand for.

    Args:
        routes: By public name.
        served: Model id that we serve, by name and by alias.
        providers: Names of the configured providers.
        models: Targets by a model's plain name, which several providers may have.
        auto: Every target that `auto` may choose.
        facts_of: What is known of any target.
    """

    routes: Mapping[str, Route]
    served: Mapping[str, str]
    providers: frozenset[str]
    deadlines: Deadlines
    models: Mapping[str, tuple[Target, ...]] = {}
    auto: tuple[Target, ...] = ()
    facts_of: FactsOf
