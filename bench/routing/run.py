"""Runs one strategy through one world's day: real dispatch, real metering, simulated clock.

    client ─▶ dispatch ─▶ metering ─▶ Site.leaf        as in the gateway, but for HTTP
                 │           │
               plan_for    Outcome ─▶ board, strategy

Only `plan_for` differs between strategies: ours is the real Planner, a peer's is `Peer.order`.
"""

import asyncio
import gc
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bench.routing import clock
from bench.routing.choosers import (
    BYTES_PER_TOKEN,
    ROUTE,
    SETTINGS,
    Chooser,
    Choosing,
    Scene,
    facts_from,
)
from bench.routing.draws import Draws
from bench.routing.measures import Measured, Tally
from bench.routing.sites import Site, Watch
from bench.routing.traffic import DAY_S, Request, Traffic, day_of
from bench.routing.worlds import World
from slipstream.call import Call, Dialect, Outcome, Serve
from slipstream.choice import Attempt, Room
from slipstream.dispatch.attempts import dispatch
from slipstream.errors import GatewayError
from slipstream.ledger.journal import Journal
from slipstream.ledger.metering import metered
from slipstream.ledger.records import Opened, Settled
from slipstream.routing.board import Board

START_NS: Final = 1_790_000_000 * 10**9
_FILLER: Final = b"word " * 200_000


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run depends on beside its world and strategy: equal settings, equal figures.

    Args:
        day_s: How long the day is; everything that happens in it keeps its share of it.
    """

    seed: int = 1
    day_s: float = DAY_S


def run(world: World, chooser: Chooser, setting: Setting) -> Measured:
    """Return how a strategy did on a world's day."""
    with _no_collector():
        return clock.run(_run(world, chooser, setting))


async def _run(world: World, chooser: Chooser, setting: Setting) -> Measured:
    loop = asyncio.get_running_loop()
    day = _day_of(world.traffic, setting)
    watch = _Watch()
    draws = _draws_of(setting.seed)
    sites = [
        Site(number, spec, day, draws, watch, day_s=setting.day_s, now_s=loop.time)
        for number, spec in enumerate(world.specs)
    ]
    # The board draws its jitter from its own stream, so that no strategy's draws shift another's.
    board = Board(facts_from(sites), SETTINGS, random.Random(setting.seed + 1))
    scene = Scene(
        sites=sites,
        day=day,
        board=board,
        weights=world.weights,
        now_s=loop.time,
        wall_ns=lambda: START_NS + round(loop.time() * 1e9),
        rng=random.Random(setting.seed + 2),
    )
    tally = watch.tally = Tally(sites)
    watch.scene = scene
    answer = _stack(scene, chooser(scene), random.Random(setting.seed + 3))
    async with asyncio.TaskGroup() as clients:
        for request in day:
            await asyncio.sleep(request.at_s - loop.time())
            clients.create_task(_ask(answer, request, tally))
    # A client whose task was cancelled would have no time, and the group would not say so.
    assert len(tally.took_s) == len(day), "every request ends, and is counted"
    return tally.measured()


def _stack(scene: Scene, choosing: Choosing, rng: random.Random) -> Serve:
    """Put the gateway's layers together, as the app does."""

    def tell(outcome: Outcome) -> None:
        scene.board.note(outcome, scene.now_s())
        choosing.note(outcome)

    journal = _NoJournal()
    leaves = {
        site.spec.name: metered(
            site.leaf, journal, scene.price_of, lambda: round(scene.now_s() * 1e9), tell
        )
        for site in scene.sites
    }
    return dispatch(
        choosing.plan,
        leaves,
        scene.board,
        now_s=scene.now_s,
        wall_ns=scene.wall_ns,
        rng=rng,
    )


async def _ask(answer: Serve, request: Request, tally: Tally) -> None:
    """Be a client: read an answer to its end, and note how long that took."""
    now_s = asyncio.get_running_loop().time
    began_s = now_s()
    frames = answer(_call_of(request))
    try:
        async for _ in frames:
            pass
    except GatewayError:
        tally.failures += 1
    finally:
        await frames.aclose()
    tally.took_s.append(now_s() - began_s)


def _call_of(request: Request) -> Call:
    """Return the call; turns of one conversation begin with the same bytes, and no others do."""
    head = b"conversation %d " % request.conversation
    size = request.input_tokens * BYTES_PER_TOKEN
    return Call(
        call_id=str(request.number),
        dialect=Dialect.OPENAI_CHAT,
        body=head + _FILLER[: size - len(head)] if size > len(head) else head,
        model=ROUTE,
        key_id="none",
        is_stream=True,
    )


class _Watch(Watch):
    """Hands what sites say on to the tally and, as headers would be, to the board."""

    tally: Tally
    scene: Scene

    def began(self, site: Site, request: Request) -> None:
        self.tally.began(site, request, self.scene.now_s())

    def billed(self, request: Request, usd_pico: int) -> None:
        self.tally.cost_usd_pico += usd_pico

    def told(self, site: Site, room: Room, attempt: Attempt) -> None:
        self.scene.board.note_room(attempt.target, room, self.scene.now_s())


class _NoJournal(Journal):
    """Takes records and keeps none: what is measured here is not the ledger."""

    def __init__(self) -> None:
        pass

    def open(self, record: Opened) -> None:
        pass

    def settle(self, record: Settled) -> None:
        pass


@lru_cache(maxsize=2)
def _day_of(traffic: Traffic, setting: Setting) -> Sequence[Request]:
    return day_of(traffic, setting.seed, setting.day_s)


@lru_cache(maxsize=2)
def _draws_of(seed: int) -> Draws:
    return Draws(seed)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Spare the run a third of its time: what it makes is kept until its end anyway."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.collect()
