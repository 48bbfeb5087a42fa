"""What holds for a request: what its route says, and what it wishes itself, as one record.

A wish takes the place of what the route says; but deadlines and attempts it can only lower, and of
two data policies the stricter one holds.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from slipstream.choice import DataPolicy, Deadlines, Strategy, Target, Task, Wishes
from slipstream.errors import BadRequest
from slipstream.routing.names import find_route, unknown_name
from slipstream.routing.routes import Catalogue, Route

MAX_CANDIDATES: Final = 256
"""Targets of one request; a caller's list is cut off behind them."""

_LIST_ATTEMPTS: Final = 4  # for a caller's own list, as for routes: whom it names shall be tried

PROMISES: Final[tuple[DataPolicy, ...]] = ("any", "no_training", "no_retention", "local")
"""Data policies; what each promises includes all that stands before it."""


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What holds for a request.

    Args:
        model: As the caller named it; for errors.
        places: Each target with its place; targets of one place are alike to `ordered`.
        weights: As long as `places`, or empty.
        is_grouped: Some targets have the same place.
        is_auto: It keeps to good targets where nobody asks for a quality.
        max_cost_usd_pico: Expected cost that a target may have at most.
    """

    model: str
    route: Route
    strategy: Strategy
    places: tuple[tuple[int, Target], ...]
    weights: tuple[float, ...]
    deadlines: Deadlines
    max_attempts: int
    hedge_s: float | None
    max_runners: int
    quality: int | None
    task: Task
    data: DataPolicy
    is_auto: bool
    is_grouped: bool = False
    max_cost_usd_pico: int | None = None
    is_explained: bool = False


def terms_of(route: Route, model: str, *, is_auto: bool) -> Terms:
    """Return what holds for requests of a route that wish nothing."""
    return Terms(
        model=model,
        route=route,
        strategy=route.strategy,
        places=tuple(enumerate(route.targets[:1] if route.strategy == "pinned" else route.targets)),
        weights=route.weights,
        deadlines=route.deadlines,
        max_attempts=route.max_attempts,
        hedge_s=route.hedge_s,
        max_runners=route.max_runners,
        quality=route.quality,
        task=route.task,
        data=route.data,
        is_auto=is_auto,
    )


def wished(terms: Terms, wishes: Wishes, catalogue: Catalogue) -> Terms:
    """Return the terms with a request's wishes in them.

    Raises:
        BadRequest: It names a target that does not exist.
    """
    deadlines, said = terms.deadlines, wishes.timeout_s
    if said is not None and said < deadlines.total_s:
        deadlines = msgspec.structs.replace(deadlines, total_s=said)
    attempts, data = wishes.max_attempts, wishes.data or "any"
    named: dict[str, object] = {}
    if wishes.targets:
        places = tuple(_places(wishes.targets, catalogue))[:MAX_CANDIDATES]
        named = {"places": places, "weights": (), "is_auto": False}
        named["is_grouped"] = len({place for place, _ in places}) < len(places)
        named["max_attempts"] = max(terms.max_attempts, _LIST_ATTEMPTS)
        if terms.strategy == "pinned" or terms.model in wishes.targets:
            named["strategy"] = "ordered"
    terms = msgspec.structs.replace(terms, **named)
    strategy = wishes.strategy or terms.strategy
    return msgspec.structs.replace(
        terms,
        strategy=strategy,
        places=terms.places[:1] if strategy == "pinned" else terms.places,
        deadlines=deadlines,
        max_attempts=terms.max_attempts if attempts is None else min(terms.max_attempts, attempts),
        hedge_s=terms.hedge_s if wishes.hedge_s is None else wishes.hedge_s,
        max_runners=wishes.max_runners or terms.max_runners,
        quality=terms.quality if wishes.quality is None else wishes.quality,
        task=wishes.task or terms.task,
        data=max(terms.data, data, key=PROMISES.index),
        max_cost_usd_pico=wishes.max_cost_usd_pico,
        is_explained=wishes.is_explained,
    )


def _places(names: tuple[str, ...], catalogue: Catalogue) -> Iterator[tuple[int, Target]]:
    """Yield the targets of each name, once each."""
    seen = set()
    for place, name in enumerate(names):
        route = find_route(name, catalogue)
        if route is None:
            raise BadRequest(unknown_name(name, catalogue), param="targets")
        for target in route.targets:
            if target not in seen:
                seen.add(target)
                yield place, target
