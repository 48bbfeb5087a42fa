"""What each public name stands for, and what is known of each target: the catalogue of routing.

Made of the configuration, the shipped rows of models and their tiers, and the models that run here.
What a person says of a target in the configuration stands over what the rows say.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Final, cast

import msgspec

from slipstream.call import Price
from slipstream.catalog.models import MODELS, row_of
from slipstream.catalog.prices import price_of
from slipstream.catalog.providers import embeddings_of
from slipstream.catalog.tiers import tiers_of
from slipstream.choice import (
    ABILITIES,
    ALL_ABILITIES,
    CHAT,
    CHOICES,
    COMPLETIONS,
    EMBEDDINGS,
    JSON_OBJECT,
    JSON_SCHEMA,
    LOGPROBS,
    REASONING,
    TOOLS,
    DataPolicy,
    Deadlines,
    Strategy,
    Target,
    Task,
)
from slipstream.config import Config
from slipstream.naming import plain_names, targets_of
from slipstream.routing.facts import FactsOf, TargetFacts
from slipstream.routing.names import LOCAL
from slipstream.routing.routes import Catalogue, Route
from slipstream.routing.settings import RouteSettings, TargetSettings
from slipstream.served import ServedModels
from slipstream.upstream.keyed import labels_of

_MAX_CACHED: Final = 4096
_PICO_PER_USD: Final = 10**12
_NOTHING_SAID: Final = TargetSettings()
_TASKS: Final[Mapping[str, Task]] = {
    "quality": "general",
    "quality_code": "code",
    "quality_math": "math",
    "quality_tools": "tools",
    "quality_writing": "writing",
}
_ASKED: Final = CHAT | COMPLETIONS | EMBEDDINGS
# What the engine offers of a model that answers, whatever the model is.
_OF_OURS: Final = CHAT | COMPLETIONS | TOOLS | JSON_SCHEMA | JSON_OBJECT | LOGPROBS | CHOICES


def pricing_of(config: Config) -> Callable[[str, str, int], Price | None]:
    """Return what a provider's model costs at a moment; see catalog.prices.

    A provider that is like another has the other's prices.
    """
    listed_as = {name: endpoint.row for name, endpoint in config.endpoints.items()}

    def price(provider: str, model: str, at_ns: int) -> Price | None:
        return price_of(listed_as.get(provider, provider), model, at_ns)

    return price


def catalogue_of(config: Config, served: ServedModels, today: date) -> Catalogue:
    """Return what each public name of a configuration stands for.

    Args:
        today: Models that are gone by then are not in `auto`.
    """
    said = config.deadlines
    deadlines = Deadlines(
        connect_s=said.connect_s,
        first_token_s=said.first_token_s,
        idle_s=said.idle_s,
        total_s=said.total_s,
    )
    named = config.named
    names, plain = named.served, plain_names(named)

    def resolve(name: str) -> tuple[Target, ...]:
        return targets_of(name, named, names, plain)

    return Catalogue(
        routes={
            name: _route(name, route, resolve, deadlines) for name, route in config.routes.items()
        },
        served=names,
        providers=frozenset(config.endpoints),
        deadlines=deadlines,
        models=plain,
        auto=_auto_of(config, served, today),
        facts_of=facts_from(config, served),
    )


def _route(
    name: str,
    said: RouteSettings,
    resolve: Callable[[str], tuple[Target, ...]],
    deadlines: Deadlines,
) -> Route:
    """Return a route with its targets resolved; those of a plain name share its weight."""
    groups = [resolve(target) for target in said.targets]
    targets = _in_their_order(groups)
    weights = _weights(groups, said.weights) if said.weights else ()
    if said.first_token_s is not None:
        deadlines = msgspec.structs.replace(deadlines, first_token_s=said.first_token_s)
    race_max_usd = said.race_max_usd
    return Route(
        name=name,
        strategy=cast(Strategy, said.strategy),  # checked by its table's choices, as below
        targets=targets,
        deadlines=deadlines,
        max_attempts=said.max_attempts,
        weights=weights if len(weights) == len(targets) else (),  # of one that is repeated: none
        max_wait_s=said.max_wait_s,
        least_tokens_per_s=said.least_tokens_per_s,
        rate_window_s=said.rate_window_s,
        retries_refusals=said.retries_refusals,
        hedge_s=said.hedge_s,
        max_runners=said.max_runners,
        race_share=said.race_share,
        race_max_usd_pico=None if race_max_usd is None else round(race_max_usd * _PICO_PER_USD),
        quality=said.quality,
        task=cast(Task, said.task),
        data=cast(DataPolicy, said.data),
    )


def _in_their_order(groups: list[tuple[Target, ...]]) -> tuple[Target, ...]:
    """Return each target once; a route that only repeats one is to ask it that often."""
    every = [target for group in groups for target in group]
    once = tuple(dict.fromkeys(every))
    return once if len(once) > 1 else tuple(every)


def _weights(groups: list[tuple[Target, ...]], weights: tuple[float, ...]) -> tuple[float, ...]:
    """Return the weight of each target; one that is named twice has both."""
    shares: dict[Target, float] = {}
    for group, weight in zip(groups, weights, strict=True):
        for target in group:
            shares[target] = shares.get(target, 0.0) + weight / len(group)
    return tuple(shares.values())


# ---- auto ----------------------------------------------------------------------------------------


def _auto_of(config: Config, served: ServedModels, today: date) -> tuple[Target, ...]:
    """Return every target that `auto` may choose."""
    found: dict[Target, None] = {}
    for target, is_known in _candidates(config, served, today):
        table = config.targets.get(target.name, _NOTHING_SAID)
        if table.in_auto if table.in_auto is not None else is_known or _is_rated(table):
            found[target] = None
    return tuple(found)


def _candidates(config: Config, served: ServedModels, today: date) -> Iterator[tuple[Target, bool]]:
    """Yield each target that may be in `auto`, and whether it is without being named there."""
    for name in config.models:
        if served.is_installed(name):
            yield Target(LOCAL, name), True
    for name, endpoint in config.endpoints.items():
        credential = labels_of(endpoint)[0]
        for row in MODELS:
            if row.provider == endpoint.row:
                yield Target(name, row.model, credential), row.is_offered_on(today)
        for target in config.targets:
            owner, _, model = target.partition("/")
            if owner == name and row_of(endpoint.row, model) is None:
                yield Target(name, model, credential), False


def _is_rated(table: TargetSettings) -> bool:
    return any(getattr(table, setting) is not None for setting in _TASKS)


# ---- facts ---------------------------------------------------------------------------------------


def facts_from(config: Config, served: ServedModels) -> FactsOf:
    """Return what tells of any target what is known of it.

    Facts of others' models never change and are kept, those of our own say how they are now.
    """
    kept: dict[tuple[str, str], TargetFacts] = {}

    def facts_of(target: Target) -> TargetFacts:
        if target.provider == LOCAL:
            return _of_ours(config, served, target)
        key = (target.provider, target.model)
        found = kept.get(key)
        if found is None:
            if len(kept) >= _MAX_CACHED:
                kept.clear()
            found = kept[key] = _of_others(config, target)
        return found

    return facts_of


def _of_ours(config: Config, served: ServedModels, target: Target) -> TargetFacts:
    table = config.targets.get(target.name, _NOTHING_SAID)
    return TargetFacts(
        target=target,
        vendor=LOCAL,
        abilities=_abilities(table, _abilities_of_ours(served, target.model)),
        context_tokens=table.context_tokens or served.context_tokens(target.model),
        max_output_tokens=table.max_output_tokens,
        qualities=_qualities(_plain_name(config, target), table),
        data="local",
        max_concurrent=table.max_concurrent,
        is_usable=served.is_installed(target.model),
    )


def _abilities_of_ours(served: ServedModels, model: str) -> int:
    match served.kind(model):
        case "embeddings":
            return EMBEDDINGS
        case None:  # it says what it is for when it runs
            return _OF_OURS | EMBEDDINGS | REASONING
        case _:
            return _OF_OURS | REASONING if served.reasons(model) else _OF_OURS


def _of_others(config: Config, target: Target) -> TargetFacts:
    endpoint = config.endpoints[target.provider]
    provider = config.providers[target.provider]
    table = config.targets.get(target.name, _NOTHING_SAID)
    row = row_of(endpoint.row, target.model)
    unknown = ALL_ABILITIES
    if embeddings_of(endpoint.row) is None:
        unknown &= ~EMBEDDINGS
    labels = labels_of(endpoint)
    return TargetFacts(
        target=Target(target.provider, target.model, labels[0]),
        credentials=labels,
        vendor=endpoint.row,
        abilities=_abilities(table, row.abilities if row else unknown),
        context_tokens=table.context_tokens or (row.context_tokens if row else None),
        max_output_tokens=table.max_output_tokens or (row.max_output_tokens if row else None),
        qualities=_qualities(_plain_name(config, target), table),
        data=cast(DataPolicy, provider.data),
        max_concurrent=table.max_concurrent or provider.max_concurrent,
    )


def _plain_name(config: Config, target: Target) -> str:
    """Return the name under which the tiers may know a model."""
    table = config.targets.get(target.name)
    if table is not None and table.name is not None:
        return table.name
    endpoint = config.endpoints.get(target.provider)
    row = row_of(endpoint.row, target.model) if endpoint is not None else None
    return row.name if row is not None else target.model


def _abilities(table: TargetSettings, otherwise: int) -> int:
    """Return what a table says that its target can do, or else what is known of it.

    That it can be asked at all goes without saying, unless the table says for what.
    """
    if table.abilities is None:
        return otherwise
    said = sum(ABILITIES[name] for name in set(table.abilities))
    return said if said & _ASKED else said | CHAT | COMPLETIONS


def _qualities(name: str, table: TargetSettings) -> Mapping[Task, int]:
    """Return the tiers of a model, with what its table says in their place.

    A table that gives a tier for all work, and none for some kind of it, means that kind, too.
    """
    said = {task: getattr(table, setting) for setting, task in _TASKS.items()}
    given = {task: tier for task, tier in said.items() if tier is not None}
    return given if "general" in given else {**tiers_of(name), **given}
