"""Which names a configuration gives to what, and whether each of them means one thing.

Routes and models that we run have the names that their tables say; a plain name is a model's at all
who have it, from the catalogue or from `[targets."provider/model"]`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from slipstream.catalog.models import MODELS
from slipstream.choice import ABILITIES, Target
from slipstream.routing.names import AUTO, LOCAL, find_target
from slipstream.routing.settings import RouteSettings, TargetSettings
from slipstream.toml_settings import Problems, nearest
from slipstream.upstream.keyed import labels_of
from slipstream.upstream.relay import Endpoint
from slipstream.upstream.settings import ModelSettings
from slipstream.wire.cerebras.models import MODELS as CEREBRAS_MODELS

_RACING: Final = ("hedge_s", "max_runners", "race_share", "race_max_usd")
_PLAIN: Final = RouteSettings(targets=())


@dataclass(frozen=True, slots=True)
class Named:
    """The tables of a configuration that give names, by name.

    Args:
        endpoints: The providers.
        models: Those that we run.
        targets: By `provider/model`.
    """

    endpoints: Mapping[str, Endpoint]
    models: Mapping[str, ModelSettings]
    routes: Mapping[str, RouteSettings]
    targets: Mapping[str, TargetSettings]

    @property
    def served(self) -> dict[str, str]:
        """Model id by every name that it answers to."""
        names = {name: name for name in self.models}
        for name, model in self.models.items():
            names.update(dict.fromkeys(model.aliases, name))
        return names


def plain_names(named: Named) -> dict[str, tuple[Target, ...]]:
    """Return the targets of each plain name, providers in the order of the configuration.

    Targets have the first of their provider's credentials.
    """
    rows: dict[str, list[tuple[str, str]]] = {}  # by provider: model, plain name
    for row in MODELS:
        rows.setdefault(row.provider, []).append((row.model, row.name))
    found: dict[str, list[Target]] = {}
    for name, endpoint in named.endpoints.items():
        credential = labels_of(endpoint)[0]
        for model, plain in _models_of(name, rows.get(endpoint.row, ()), named.targets):
            found.setdefault(plain, []).append(Target(name, model, credential))
    return {plain: tuple(targets) for plain, targets in found.items()}


def _models_of(
    provider: str, rows: Iterable[tuple[str, str]], tables: Mapping[str, TargetSettings]
) -> list[tuple[str, str]]:
    """Return the models of a provider that have a plain name, with it."""
    names = dict(rows)
    for target, table in tables.items():
        owner, _, model = target.partition("/")
        if owner == provider and table.name is not None:
            names[model] = table.name
    return list(names.items())


def targets_of(
    name: str, named: Named, served: Mapping[str, str], plain: Mapping[str, tuple[Target, ...]]
) -> tuple[Target, ...]:
    """Return what a target of a route stands for: several for a plain name, none for nothing.

    Args:
        served: `named.served`, which a caller with many names makes once.
        plain: The same of `plain_names`.
    """
    target = find_target(name, served, named.endpoints)
    if target is None:
        return plain.get(name, ())
    endpoint = named.endpoints.get(target.provider)
    if endpoint is None:
        return (target,)
    return (Target(target.provider, target.model, labels_of(endpoint)[0]),)


def check_names(named: Named, problems: Problems) -> None:
    """Check that every name means one thing and every target exists."""
    taken = _check_models(named.models, problems)
    _check_providers(named.endpoints, problems)
    served, plain = named.served, plain_names(named)
    for name, table in named.targets.items():
        _check_target(name, table, named, taken, problems)
    for name, route in named.routes.items():
        if name in taken:
            problems.add(f"routes.{name}", f"'{name}' is also a name of the model '{taken[name]}'")
        num_targets = 0
        for target in route.targets:
            found = targets_of(target, named, served, plain)
            num_targets += len(found)
            if not found:
                known = [*served, *plain, *(f"{one}/MODEL" for one in named.endpoints)]
                problems.add(
                    f"routes.{name}.targets", f"no such target '{target}'{nearest(target, known)}"
                )
        _check_route(name, route, num_targets, problems)


def _check_models(models: Mapping[str, ModelSettings], problems: Problems) -> dict[str, str]:
    """Return the model by each of the names of those that we run."""
    taken: dict[str, str] = {}
    for name, model in models.items():
        for alias in (name, *model.aliases):
            if alias in taken:
                problems.add(f"models.{name}", f"'{alias}' is also a name of '{taken[alias]}'")
            taken[alias] = name
    return taken


def _check_providers(names: Iterable[str], problems: Problems) -> None:
    for name in names:
        if name == LOCAL:
            problems.add(f"providers.{name}", "the name 'local' is kept for models that we run")
        if not name or "/" in name:
            problems.add(
                f"providers.{name}",
                "expected a name without '/', which ends it in 'provider/model'",
            )


def _check_target(
    name: str, table: TargetSettings, named: Named, taken: Mapping[str, str], problems: Problems
) -> None:
    """Check a table of a single target: that it is one, and what it is called and can do."""
    key = f"targets.{name}"
    provider, _, model = name.partition("/")
    owned = named.models if provider == LOCAL else (model,) if provider in named.endpoints else ()
    if not model or model not in owned:
        ours = [f"{LOCAL}/{one}" for one in named.models]
        known = [*ours, *(f"{one}/MODEL" for one in named.endpoints)]
        problems.add(key, f"no such target{nearest(name, known)}")
    for ability in table.abilities or ():
        if ability not in ABILITIES:
            problems.add(
                f"{key}.abilities", f"no such ability '{ability}'{nearest(ability, ABILITIES)}"
            )
    if table.name is None:
        return
    if table.name in named.routes or table.name in taken:
        what = "route" if table.name in named.routes else "model that runs here"
        problems.add(f"{key}.name", f"'{table.name}' is also the name of a {what}, which hides it")
    if not table.name or "/" in table.name or table.name == AUTO:
        problems.add(f"{key}.name", f"expected a name without '/', and not '{AUTO}'")


def _check_route(name: str, route: RouteSettings, num_targets: int, problems: Problems) -> None:
    """Check what a route says of itself.

    Args:
        num_targets: That its names stand for; plain ones may stand for several.
    """
    key = f"routes.{name}"
    if not route.targets:
        problems.add(f"{key}.targets", f"the strategy '{route.strategy}' needs a target")
    elif route.strategy == "pinned" and max(num_targets, len(route.targets)) != 1:
        problems.add(f"{key}.targets", "the strategy 'pinned' needs exactly one target")
    elif route.strategy == "race" and max(num_targets, len(route.targets)) < 2:
        problems.add(f"{key}.targets", "the strategy 'race' needs two targets")
    if route.strategy == "race" and route.max_attempts < 2:
        problems.add(f"{key}.max_attempts", "the strategy 'race' needs at least 2")
    if route.like is not None and route.like not in CEREBRAS_MODELS:
        hint = nearest(route.like, CEREBRAS_MODELS)
        problems.add(f"{key}.like", f"'{route.like}' is no model of Cerebras's{hint}")
    if route.strategy == "pinned":
        for setting in _RACING:
            if getattr(route, setting) != getattr(_PLAIN, setting):
                problems.add(f"{key}.{setting}", "the strategy 'pinned' has nobody to race with")
    _check_weights(key, route, problems)


def _check_weights(key: str, route: RouteSettings, problems: Problems) -> None:
    weights = route.weights
    if not weights:
        return
    if route.strategy != "weighted":
        problems.add(f"{key}.weights", f"only 'weighted' has weights, not '{route.strategy}'")
    elif len(weights) != len(route.targets):
        wanted = f"expected {len(route.targets)}, one for each target"
        problems.add(f"{key}.weights", f"{wanted}, got {len(weights)}")
    elif min(weights) < 0 or sum(weights) <= 0:
        problems.add(f"{key}.weights", "expected none below 0, and at least one above it")
