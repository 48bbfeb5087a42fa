"""The choice: which targets a call may try, in which order. Pure: no I/O, no clock.

A model name is looked up in this order:

    1. a route of the configuration                      "fast"
    2. a model that we serve, by its name or an alias    "smollm2-135m", "local/smollm2-135m"
    3. a configured provider and its model               "groq/openai/gpt-oss-120b"
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import msgspec

from slipstream.call import Call
from slipstream.choice import Deadlines, Plan, Strategy, Target
from slipstream.errors import UnknownModel

LOCAL = "local"
"""The provider name of models that we serve."""

_MAX_CACHED_PINS = 4096


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One public model name with its targets."""

    name: str
    strategy: Strategy
    targets: tuple[Target, ...]
    max_attempts: int


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a model name can stand for.

    Args:
        routes: By public name.
        served: Model id that we serve, by name and by alias.
        providers: Names of the configured providers.
    """

    routes: Mapping[str, Route]
    served: Mapping[str, str]
    providers: frozenset[str]
    deadlines: Deadlines


class Planner:
    """Answers `plan` from a catalogue; remembers what names stand for, which never changes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._plans: dict[str, Plan] = {}

    def plan(self, call: Call) -> Plan:
        """Return what to try for this call.

        Raises:
            UnknownModel: The name stands for nothing; the error names the nearest that do.
        """
        return self.plan_of(call.model)

    def plan_of(self, model: str) -> Plan:
        """Return what to try for calls of this public name.

        Raises:
            UnknownModel: It stands for nothing.
        """
        found = self._plans.get(model)
        if found is None:
            found = self._resolve(model)
            if len(self._plans) >= _MAX_CACHED_PINS:
                self._plans.clear()
            self._plans[model] = found
        return found

    def _resolve(self, model: str) -> Plan:
        catalogue = self._catalogue
        if route := catalogue.routes.get(model):
            return Plan(
                route=route.name,
                strategy=route.strategy,
                targets=route.targets,
                deadlines=catalogue.deadlines,
                max_attempts=route.max_attempts,
            )
        target = find_target(model, catalogue.served, catalogue.providers)
        if target is None:
            raise UnknownModel(_unknown(model, catalogue))
        return Plan(
            route=target.name,
            strategy="pinned",
            targets=(target,),
            deadlines=catalogue.deadlines,
            max_attempts=1,
        )


def find_target(name: str, served: Mapping[str, str], providers: Iterable[str]) -> Target | None:
    """Return the target that a name pins, or None if it names none."""
    if name in served:
        return Target(LOCAL, served[name])
    provider, _, model = name.partition("/")
    if provider == LOCAL and model in served:
        return Target(LOCAL, served[model])
    if provider in providers and model:
        return Target(provider, model)
    return None


def _unknown(model: str, catalogue: Catalogue) -> str:
    names = sorted({*catalogue.routes, *catalogue.served})
    prefixes = [f"{provider}/…" for provider in sorted(catalogue.providers)]
    provider, slash, _ = model.partition("/")
    near = get_close_matches(model, names, n=3, cutoff=0.5)
    if slash and not near:
        near = [f"{p}/…" for p in get_close_matches(provider, catalogue.providers, n=2)]
    hint = f" Did you mean {_either(near)}?" if near else ""
    offered = ", ".join(f"'{name}'" for name in [*names[:10], *prefixes]) or "nothing yet"
    return f"The model '{model}' does not exist here.{hint} Offered: {offered}."


def _either(names: list[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
