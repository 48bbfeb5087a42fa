"""Puts the parts of a gateway together: the one place where concrete classes meet.

    bookkeeper ◀── journal ◀── metering ── relay ────────▶ providers
        │                         │
        ╰── keys ──▶ gateway ── dispatch
                                  │
                                metering ── served model ─▶ the engine's process

The parts open in the order in which they need each other and close in the reverse one.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from functools import partial

from slipstream.batches.records import Answered, Ask
from slipstream.batches.run import Runner
from slipstream.batches.store import Store
from slipstream.books import KeyRing
from slipstream.choosing import choosing
from slipstream.config import Config
from slipstream.errors import UpstreamError
from slipstream.kept import PATH as RESPONSES_PATH
from slipstream.kept import KeptResponses
from slipstream.ledger.journal import Journal
from slipstream.ledger.notices import journal_directory
from slipstream.ledger.store import sqlite_url
from slipstream.limits.rates import RateLimits
from slipstream.offer import Offer
from slipstream.served import serving_models
from slipstream.server.batches import BatchesApi
from slipstream.server.counting import CountEndpoints
from slipstream.server.doors import doors_of
from slipstream.server.exchange import Terms
from slipstream.server.files import FilesApi
from slipstream.server.gateway import Gateway
from slipstream.server.inside import ask_inside
from slipstream.server.log import open_log
from slipstream.server.models import ModelEndpoints
from slipstream.server.profiles import Profiles
from slipstream.server.routing_admin import RoutingEndpoints
from slipstream.server.routing_metrics import routing_families
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.keyed import Keyed, first_of, leaf_of, relays_of
from slipstream.upstream.model_lists import ModelLists
from slipstream.upstream.relay import Relay
from slipstream.upstream.rooms import TellRoom

_logger = logging.getLogger(__name__)

JOURNAL_RETRY_S = 1.0


def database_url(config: Config) -> str:
    """Return where attempts, keys and kept answers are."""
    return config.ledger.database or sqlite_url(config.home)


async def assemble(config: Config, keys: KeyRing, stack: AsyncExitStack) -> Gateway:
    """Return a gateway that answers; what needs closing at its end goes onto the stack."""
    loop = asyncio.get_running_loop()
    journal = stack.enter_context(closing(Journal(journal_directory(config.home))))
    stack.push_async_callback(_ending(_retry_journal(journal)))
    client = HttpClient(config.upstream)
    stack.push_async_callback(client.close)
    served = await stack.enter_async_context(serving_models(config.engines, config.home))
    choice = choosing(config, served, loop.time)
    keyed = _relays(config, client, choice.tell_room)
    relays = {name: first_of(each) for name, each in keyed.items()}
    answer = choice.answering(config, {n: leaf_of(k) for n, k in keyed.items()}, served, journal)
    _warm(config, client, relays, stack)
    for work in choice.beside(config, keyed):
        stack.push_async_callback(_ending(work))
    planner = choice.planner
    offer = Offer(config, served, choice.catalogue, planner, ModelLists(relays, loop.time), relays)
    rate_limits = partial(RateLimits, config.limits, keys.name_of, time.monotonic)
    terms = Terms(
        find_key=keys.find if config.server.require_key else None,
        profiles=Profiles(config.server.profile, config.profiles),
        limits=rate_limits(),
        max_body_bytes=config.server.max_body_bytes,
    )
    models = ModelEndpoints(offer.all_models, offer.own_models, terms, offer.is_public)
    store = _open_store(config)
    runner = Runner(
        store,
        lambda ask: _answer_line(gateway, ask),
        max_concurrent=config.batches.max_concurrent,
    )
    kept = KeptResponses(
        config,
        database_url(config),
        lambda body, key_id: ask_inside(gateway, RESPONSES_PATH, body, key_id),
    )
    doors = doors_of(offer.row_of)
    gateway = Gateway(
        kept.around(answer, lambda call: planner.plan_of(call.model)),
        terms,
        doors,
        health=served.health,
        call_prefix=f"req-{secrets.token_hex(6)}-",
        max_concurrent=config.server.max_concurrent,
        log=stack.enter_context(open_log(config.server.log, loop.call_later)),
        more=kept.endpoints(terms, offer.count_tokens, rate_limits())
        | models.endpoints()
        | CountEndpoints(terms, offer, rate_limits()).endpoints()
        | RoutingEndpoints(terms, doors, planner.explain, choice.standings).endpoints()
        | FilesApi(store, terms.find_key).endpoints()
        | BatchesApi(store, runner, terms.find_key).endpoints(),
    )
    runner.start()
    stack.push_async_callback(runner.stop)
    kept.start()
    stack.push_async_callback(kept.stop)
    gateway.metrics.show_engines(served.figures)
    gateway.metrics.show_routing(lambda: routing_families(choice.counts, choice.standings))
    return gateway


def _relays(config: Config, client: HttpClient, tell_room: TellRoom) -> dict[str, Keyed]:
    """Return the relays of each provider, one for each of its keys."""
    return {
        name: relays_of(endpoint, client, now=_now, tell_room=tell_room)
        for name, endpoint in config.endpoints.items()
    }


def _open_store(config: Config) -> Store:
    """Return the files and batches that there are."""
    store = Store(
        config.home / "batches",
        max_key_bytes=config.batches.max_key_bytes,
        max_active=config.batches.max_active,
    )
    store.open()
    return store


async def _answer_line(gateway: Gateway, ask: Ask) -> Answered:
    """Answer a line of a batch as if its owner had sent it over HTTP."""
    told = await ask_inside(gateway, ask.url, ask.body, ask.key_id)
    wait = told.headers.get(b"retry-after")
    return Answered(
        status=told.status,
        request_id=told.headers[b"x-request-id"].decode(),
        body=told.body,
        retry_after_s=None if wait is None else float(wait),
    )


def _warm(
    config: Config, client: HttpClient, relays: Mapping[str, Relay], stack: AsyncExitStack
) -> None:
    """Open connections to the configured providers, so that no first request waits for TLS."""

    async def warm(name: str, relay: Relay) -> None:
        try:
            await client.warm(relay.origin, config.warm_connections.get(name, 0))
        except UpstreamError as error:
            _logger.warning("provider %s: no connection yet: %s", name, error.message)

    async def warm_all() -> None:
        async with asyncio.TaskGroup() as group:
            for name, relay in relays.items():
                group.create_task(warm(name, relay))

    stack.push_async_callback(_ending(warm_all()))


async def _retry_journal(journal: Journal) -> None:
    """Write what a full disk refused, also when no request comes; keep the next file ready."""
    while True:
        if journal.num_waiting:
            journal.retry()
        journal.prepare()
        await asyncio.sleep(JOURNAL_RETRY_S)


def _ending(work: Coroutine[None, None, None]) -> Callable[[], Awaitable[None]]:
    """Begin work beside the requests; return what ends it."""
    task = asyncio.get_running_loop().create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return end


def _now() -> datetime:
    return datetime.now(UTC)
