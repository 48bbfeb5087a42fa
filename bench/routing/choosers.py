"""How a run is told what to try: by the real Planner under one of its strategies, or by a peer.

Both see the same candidates and the same Board, whose breakers are open for all alike.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bench.routing.peers import PEERS, Always, Peer
from bench.routing.sites import Site
from bench.routing.traffic import Request
from slipstream.call import Call, Outcome, Price
from slipstream.choice import Deadlines, Needs, Plan, Strategy, Target
from slipstream.routing.board import Board
from slipstream.routing.facts import TargetFacts
from slipstream.routing.plan import Planner
from slipstream.routing.routes import Catalogue, Route
from slipstream.routing.settings import RoutingSettings

BYTES_PER_TOKEN: Final = 4
ROUTE: Final = "day"
DEADLINES: Final = Deadlines(first_token_s=20.0)
MAX_ATTEMPTS: Final = 4
MAX_WAIT_S: Final = 5.0
SETTINGS: Final = RoutingSettings()

OURS: Final[tuple[Strategy, ...]] = (
    "cheapest",
    "fastest",
    "balanced",
    "race",
    "ordered",
    "weighted",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a strategy has to work with."""

    sites: Sequence[Site]
    day: Sequence[Request]
    board: Board
    weights: tuple[float, ...]
    now_s: Callable[[], float]
    wall_ns: Callable[[], int]
    rng: random.Random

    def price_of(self, provider: str, model: str, at_ns: int) -> Price | None:
        """Return the list price of a target; prices change with the simulated day."""
        site = next(site for site in self.sites if site.spec.name == provider)
        return site.price_at(self.now_s())

    def request_of(self, call: Call) -> Request:
        """Return what a call was made from."""
        return self.day[int(call.call_id)]


class Choosing(Protocol):
    """One strategy at work."""

    def plan(self, call: Call) -> Plan:
        """Return what to try."""
        ...

    def note(self, outcome: Outcome) -> None:
        """Learn from an attempt."""
        ...


Chooser = Callable[[Scene], Choosing]


def ours(strategy: Strategy) -> Chooser:
    """Return the real planner with a route of this strategy over all targets."""

    def choosing(scene: Scene) -> Choosing:
        def needs_of(call: Call) -> Needs:
            request = scene.request_of(call)
            return Needs(
                abilities=request.abilities, input_bytes=request.input_tokens * BYTES_PER_TOKEN
            )

        targets = tuple(site.spec.target for site in scene.sites)
        route = Route(
            name=ROUTE,
            strategy=strategy,
            targets=targets,
            deadlines=DEADLINES,
            max_attempts=MAX_ATTEMPTS,
            max_wait_s=MAX_WAIT_S,
            weights=scene.weights if strategy == "weighted" else (),
        )
        catalogue = Catalogue(
            routes={ROUTE: route},
            served={},
            providers=frozenset(target.provider for target in targets),
            deadlines=DEADLINES,
            facts_of=facts_from(scene.sites),
        )
        return Planner(
            catalogue,
            scene.board,
            needs_of=needs_of,
            price_of=scene.price_of,
            now_s=scene.now_s,
            wall_ns=scene.wall_ns,
            rng=scene.rng,
            explore=SETTINGS.explore,
        )

    return choosing


def peer(make: Callable[[random.Random], Peer]) -> Chooser:
    """Return a strategy that only orders those candidates whose breaker is closed."""

    def choosing(scene: Scene) -> Choosing:
        return _OfPeer(make(scene.rng), scene)

    return choosing


def always(number: int) -> Chooser:
    """Return the strategy that takes one target all day."""
    return peer(lambda rng: Always(number))


CHOOSERS: Final[dict[str, Chooser]] = {
    **{strategy: ours(strategy) for strategy in OURS},
    **{name: peer(make) for name, make in PEERS.items()},
}
"""Every strategy but hindsight, which is one `always` for each target."""


def facts_from(sites: Sequence[Site]) -> Callable[[Target], TargetFacts]:
    """Return what the catalogue would know of each target."""
    facts = {
        site.spec.target: TargetFacts(
            target=site.spec.target,
            vendor=site.spec.name,
            abilities=site.spec.abilities,
            context_tokens=site.spec.context_tokens,
        )
        for site in sites
    }
    return facts.__getitem__


class _OfPeer:
    """A peer's order, as a Plan."""

    def __init__(self, peer: Peer, scene: Scene) -> None:
        self._peer = peer
        self._scene = scene
        self._by_target = {site.spec.target: site for site in scene.sites}

    def plan(self, call: Call) -> Plan:
        """Return the peer's order of those that can serve this call and are not left alone."""
        scene = self._scene
        request, now_s = scene.request_of(call), scene.now_s()
        able = [site for site in scene.sites if site.can_serve(request)]
        well = [site for site in able if not scene.board.is_open(site.spec.target, now_s)]
        order = self._peer.order(request, well, now_s) if well else []
        # Who is left alone stands last: their time may have come when all others have failed.
        order += [site for site in able if site not in well]
        return Plan(
            route=ROUTE,
            strategy="ordered",
            targets=tuple(site.spec.target for site in order),
            deadlines=DEADLINES,
            max_attempts=MAX_ATTEMPTS,
            max_wait_s=MAX_WAIT_S,
        )

    def note(self, outcome: Outcome) -> None:
        """Tell the peer."""
        site = self._by_target[outcome.attempt.target]
        self._peer.ended(site, outcome, self._scene.now_s())
