"""The choice of a gateway, put together: who makes plans, who carries them out, who hears of it.

plan ──▶ dispatch ──▶ metering ──▶ leaf
╰── board ◀── outcome ◀╯           what metering and headers tell, the next plan knows
"""

import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from slipstream.call import Outcome, Serve
from slipstream.choice import Room, Target
from slipstream.config import Config
from slipstream.cooling import Sharing, marks_of
from slipstream.dispatch.attempts import dispatch
from slipstream.ledger.journal import Journal
from slipstream.ledger.metering import metered
from slipstream.probing import probing
from slipstream.routing.board import Board
from slipstream.routing.names import LOCAL
from slipstream.routing.plan import Planner
from slipstream.routing.routes import Catalogue
from slipstream.routing.standings import Standing
from slipstream.served import ServedModels
from slipstream.server.routing_metrics import AttemptCounts
from slipstream.targets import catalogue_of, pricing_of
from slipstream.upstream.keyed import Keyed
from slipstream.wire.needs import needs_of


class Choosing(NamedTuple):
    """What chooses, and what it knows."""

    catalogue: Catalogue
    board: Board
    planner: Planner
    counts: AttemptCounts
    now_s: Callable[[], float]

    def answering(
        self,
        config: Config,
        relays: Mapping[str, Serve],
        served: Serve,
        journal: Journal,
    ) -> Serve:
        """Return what carries out the plan for each call, every attempt on record."""
        leaves: dict[str, Serve] = {**relays, LOCAL: served}
        facts_of, price_of = self.catalogue.facts_of, pricing_of(config)
        bounds = [table.max_concurrent for table in config.targets.values()]
        bounds += [table.max_concurrent for table in config.providers.values()]
        return dispatch(
            self.planner.plan,
            {
                name: metered(leaf, journal, price_of, time.monotonic_ns, self.tell)
                for name, leaf in leaves.items()
            },
            self.board,
            now_s=self.now_s,
            wall_ns=time.time_ns,
            max_concurrent=(lambda target: facts_of(target).max_concurrent)
            if any(bounds)
            else None,
            max_queued=config.routing.max_queued,
        )

    def beside(
        self, config: Config, keyed: Mapping[str, Keyed]
    ) -> Iterator[Coroutine[None, None, None]]:
        """Yield what is to run beside the requests: sharing with other gateways, and probes.

        Args:
            keyed: The relays of each provider.

        Raises:
            ConfigError: There is to be a Valkey, and no client for it.
        """
        if config.valkey is not None:
            sharing = Sharing(
                config.valkey,
                marks_of(config),
                self.board.cool,
                max_s=config.routing.max_cooldown_s,
                now_s=self.now_s,
                rng=random.Random(),  # noqa: S311 -- jitter
            )
            self.board.on_cooled = sharing.tell
            yield sharing.run()
        if config.routing.probe_s > 0.0:
            yield probing(self.board, keyed, config.routing.probe_s, self.now_s)

    def standings(self) -> list[Standing]:
        """Return what is known of each target now."""
        return self.board.standings(self.now_s())

    def tell(self, outcome: Outcome) -> None:
        """Hear what came of an attempt."""
        self.board.note(outcome, self.now_s())
        self.planner.note(outcome)
        self.counts.note(outcome)

    def tell_room(self, target: Target, room: Room) -> None:
        """Hear what an answer's headers say of rate limits."""
        self.board.note_room(target, room, self.now_s())


def choosing(config: Config, served: ServedModels, now_s: Callable[[], float]) -> Choosing:
    """Put together what chooses.

    Args:
        now_s: The event loop's clock.
    """
    catalogue = catalogue_of(config, served, datetime.now(UTC).date())
    rng = random.Random()  # noqa: S311 -- spreads load, keeps no secret
    board = Board(catalogue.facts_of, config.routing, rng)
    planner = Planner(
        catalogue,
        board,
        needs_of=needs_of,
        price_of=pricing_of(config),
        now_s=now_s,
        wall_ns=time.time_ns,
        rng=rng,
        explore=config.routing.explore,
    )
    return Choosing(catalogue, board, planner, AttemptCounts(), now_s)
