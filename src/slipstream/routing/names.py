"""What a model name stands for. Pure, and the same for as long as the configuration is.

A name is looked up in this order, and what exists as it is written wins over every suffix:

    1. a route of the configuration                      "fast"
    2. a model that we serve, by its name or an alias    "smollm2-135m", "local/smollm2-135m"
    3. a configured provider and its model               "groq/openai/gpt-oss-120b"
    4. a model's plain name, at all who have it          "gpt-oss-120b"
    5. everything that is configured                     "auto"
    6. one of these with a strategy of its own           "fast:nitro", "auto:cheapest"
"""

from bisect import bisect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import msgspec

from slipstream.choice import Strategy, Target
from slipstream.routing.routes import Catalogue, Route

LOCAL: Final = "local"
"""The provider name of models that we serve."""

AUTO: Final = "auto"
"""The name of everything that may be chosen, unless a route has it."""

SUFFIXES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        "floor": "cheapest",  # OpenRouter's words
        "nitro": "fastest",
        "cheapest": "cheapest",
        "fastest": "fastest",
        "balanced": "balanced",
        "race": "race",
    }
)
"""Strategy by what may follow a name and a colon."""

_NUM_OFFERED: Final = 10  # names that an error lists: with a thousand routes it stays readable
_MAX_COMPARED: Final = 100  # names: it takes a few tens of microseconds for each
_MAX_ECHO_CHARS: Final = 200  # of a name that does not exist


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


def find_route(name: str, catalogue: Catalogue) -> Route | None:
    """Return what a public name stands for as a route, or None if it stands for nothing.

    A suffix changes the route's strategy and its name; what was said of the route otherwise holds.
    """
    found = _find_as_written(name, catalogue)
    if found is not None:
        return found
    base, colon, suffix = name.rpartition(":")
    strategy = SUFFIXES.get(suffix) if colon else None
    if strategy is None:
        return None
    found = _find_as_written(base, catalogue)
    if found is None:
        return None
    return msgspec.structs.replace(found, name=f"{found.name}:{suffix}", strategy=strategy)


def _find_as_written(name: str, catalogue: Catalogue) -> Route | None:
    if route := catalogue.routes.get(name):
        return route
    if target := find_target(name, catalogue.served, catalogue.providers):
        return Route(
            name=target.name,
            strategy="pinned",
            targets=(target,),
            deadlines=catalogue.deadlines,
            max_attempts=1,
        )
    targets = catalogue.models.get(name, ())
    if name == AUTO:
        targets = targets or catalogue.auto
    if not targets:
        return None
    return Route(name=name, strategy="balanced", targets=targets, deadlines=catalogue.deadlines)


def unknown_name(name: str, catalogue: Catalogue) -> str:
    """Return what to tell of a name that stands for nothing: the nearest, and what there is."""
    own = sorted({*catalogue.routes, *catalogue.served})
    general = [AUTO] if catalogue.auto and AUTO not in catalogue.routes else []
    prefixes = [f"{provider}/…" for provider in sorted(catalogue.providers)]
    near = _nearest(name[:_MAX_ECHO_CHARS], own, catalogue)
    hint = f" Did you mean {_either(near)}?" if near else ""
    offered = [*own[:_NUM_OFFERED], *general, *prefixes[:_NUM_OFFERED]]
    listed = ", ".join(f"'{each}'" for each in offered) or "nothing yet"
    return f"The model '{name[:_MAX_ECHO_CHARS]}' does not exist here.{hint} Offered: {listed}."


def _nearest(name: str, own: list[str], catalogue: Catalogue) -> list[str]:
    base, colon, suffix = name.rpartition(":")
    ending = ""
    if colon and (suffix in SUFFIXES or get_close_matches(suffix, SUFFIXES, n=1)):
        name = base
        ending = f":{get_close_matches(suffix, SUFFIXES, n=1)[0]}"
    known = {*own, *catalogue.models, *((AUTO,) if catalogue.auto else ())}
    if name in known:
        return [f"{name}{ending}"]
    alike = get_close_matches(name, _around(name, known), n=3, cutoff=0.5)
    near = [f"{each}{ending}" for each in alike]
    provider, slash, _ = name.partition("/")
    if slash:
        providers = get_close_matches(provider, sorted(catalogue.providers), n=2)
        near = [*(f"{each}/…" for each in providers), *near]
    return near[:3]


def _around(name: str, known: set[str]) -> list[str]:
    """Return the names worth comparing: all, or of many those that begin or end most like it.

    A slip leaves either the beginning or the end as it was meant.
    """
    if len(known) <= _MAX_COMPARED:
        return sorted(known)
    half = _MAX_COMPARED // 4
    forward, backward = sorted(known), sorted(each[::-1] for each in known)
    start, end = bisect(forward, name), bisect(backward, name[::-1])
    near = {*forward[max(start - half, 0) : start + half]}
    near |= {each[::-1] for each in backward[max(end - half, 0) : end + half]}
    return sorted(near)


def _either(names: list[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
