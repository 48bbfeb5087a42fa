"""The one place where concrete classes meet: builds the stack from a Config and runs it.

    bookkeeper ◀── journal ◀── metering ── relay ────────▶ providers
        │                         │
        ╰── keys ──▶ gateway ── dispatch
                                  │
                                metering ── served model ─▶ the engine's process

The parts open in the order in which they need each other and close in the reverse one.
"""

import asyncio
import logging
import resource
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import uvloop

from slipstream.books import KeyRing, keeping_books
from slipstream.call import Deadlines, Serve
from slipstream.catalog.prices import price_of
from slipstream.config import Config, is_loopback
from slipstream.dispatch.attempts import dispatch
from slipstream.errors import ConfigError, UpstreamError
from slipstream.ledger.journal import Journal
from slipstream.ledger.metering import metered
from slipstream.ledger.notices import journal_directory
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import create_first_key
from slipstream.routing.plan import LOCAL, Catalogue, Planner, Route, find_target
from slipstream.served import ServedModels, serving_models
from slipstream.server.gateway import Gateway, ModelList
from slipstream.server.listen import StopSignals, listen, serving, stop_signals, url_of
from slipstream.server.log import open_log
from slipstream.tuning import spare_the_collector, spare_the_register
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.model_lists import ModelLists
from slipstream.upstream.relay import Relay

_logger = logging.getLogger(__name__)

JOURNAL_RETRY_S = 1.0
_WATCH_MARGIN_S = 30.0  # what an upstream's own deadlines get before a client's silence counts
_STARTED_AT = int(time.time())  # "created" of the models that have no date of their own


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers.

    Args:
        url: `http://HOST:PORT`.
        first_key: The key that was made because there was none; shown once, kept nowhere.
    """

    url: str
    first_key: str | None


def serve(config: Config) -> int:
    """Run the gateway until SIGINT or SIGTERM; return the process's exit status.

    Raises:
        ConfigError: It cannot start as configured.
    """
    logging.basicConfig(level=logging.WARNING, format="slipstream %(levelname)s: %(message)s")
    _raise_file_limit()
    uvloop.run(_serve(config))
    return 0


async def _serve(config: Config) -> None:
    with stop_signals() as stop:  # also while starting: then it stops as soon as it has started
        await _serve_until(config, stop)


async def _serve_until(config: Config, stop: StopSignals) -> None:
    async with running(config, hurry=stop.second) as gateway:
        if gateway.first_key is not None:
            print(f"first key, shown only now: {gateway.first_key}", flush=True)  # noqa: T201
        print(f"listening on {gateway.url}", flush=True)  # noqa: T201
        await stop.first.wait()


@asynccontextmanager
async def running(config: Config, *, hurry: asyncio.Event | None = None) -> AsyncIterator[Running]:
    """Run a gateway while the context is open.

    Args:
        config: All that can be decided.
        hurry: When it is set, open answers are not waited for at the end.

    Raises:
        ConfigError: It cannot start as configured; nothing is left running.
        LedgerUnavailable: Likewise.
    """
    _make_home(config)
    database_url = config.ledger.database or sqlite_url(config.home)
    sock = listen(config.server.host, config.server.port)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(sock))
        first_key = _first_key(database_url)
        keys = await stack.enter_async_context(keeping_books(config.home, database_url))
        _check_reach(config, keys)
        gateway = await _build(config, keys, stack)
        server = serving(
            gateway,
            sock,
            shutdown_s=config.server.shutdown_s,
            max_answer_s=config.deadlines.total_s + _WATCH_MARGIN_S,
            hurry=hurry,
        )
        await stack.enter_async_context(server)
        spare_the_collector()
        spare_the_register()
        yield Running(url_of(sock), first_key)


def _make_home(config: Config) -> None:
    try:
        config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"SLIPSTREAM_HOME: {config.home} cannot be made: {exc}") from exc


def _raise_file_limit() -> None:
    """Take as many open files as we may: each request needs two, and 1,024 is the usual limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems name a hard limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))


def _first_key(database_url: str) -> str | None:
    with closing(open_store(database_url)) as store:
        made = create_first_key(store, time.time_ns())
    return made[1] if made else None


def _check_reach(config: Config, keys: KeyRing) -> None:
    """Refuse to be reached from elsewhere while nobody could prove who they are."""
    if not is_loopback(config.server.host) and len(keys) == 0:
        raise ConfigError(
            f"server.host is {config.server.host}, which other machines can reach, and there is no "
            "key: make one with `slipstream keys create NAME`, or listen on 127.0.0.1"
        )


async def _build(config: Config, keys: KeyRing, stack: AsyncExitStack) -> Gateway:
    """Put the parts together; what needs closing goes onto the stack."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(
        connect_s=config.deadlines.connect_s,
        first_token_s=config.deadlines.first_token_s,
        idle_s=config.deadlines.idle_s,
        total_s=config.deadlines.total_s,
    )
    journal = stack.enter_context(closing(Journal(journal_directory(config.home))))
    stack.push_async_callback(_ending(_retry_journal(journal)))
    client = HttpClient(config.upstream)
    stack.push_async_callback(client.close)
    relays = {
        name: Relay(endpoint, client, now=_now) for name, endpoint in config.endpoints.items()
    }
    served = await stack.enter_async_context(serving_models(config.engines, config.home))

    def meter(leaf: Serve) -> Serve:
        return metered(leaf, journal, price_of, time.monotonic_ns)

    leaves = {name: meter(relay) for name, relay in relays.items()}
    leaves[LOCAL] = meter(served)
    planner = Planner(_catalogue(config, deadlines))
    answer = dispatch(planner.plan, leaves, now_s=loop.time, wall_ns=time.time_ns)
    lists = ModelLists(relays, loop.time)
    _warm(config, client, relays, stack)
    gateway = Gateway(
        answer,
        find_key=keys.find if config.server.require_key else None,
        list_models=lambda: _list_models(config, served, lists),
        health=served.health,
        call_prefix=f"req-{secrets.token_hex(6)}-",
        max_body_bytes=config.server.max_body_bytes,
        max_concurrent=config.server.max_concurrent,
        log=stack.enter_context(open_log(config.server.log, loop.call_later)),
        refused_fields={
            name: endpoint.refused_fields
            for name, endpoint in config.endpoints.items()
            if endpoint.refused_fields
        },
    )
    gateway.metrics.show_engines(served.figures)
    return gateway


def _catalogue(config: Config, deadlines: Deadlines) -> Catalogue:
    served = config.served
    routes = {}
    for name, route in config.routes.items():
        targets = [find_target(target, served, config.endpoints) for target in route.targets]
        routes[name] = Route(
            name=name,
            strategy=route.strategy,
            targets=tuple(target for target in targets if target is not None),
            max_attempts=route.max_attempts,
        )
    return Catalogue(
        routes=routes,
        served=served,
        providers=frozenset(config.endpoints),
        deadlines=deadlines,
    )


async def _list_models(config: Config, served: ServedModels, lists: ModelLists) -> ModelList:
    """Return everything that a client may name: routes, served models, the providers' own lists."""
    own = [*config.routes, *(n for n, model in config.served.items() if served.is_installed(model))]
    entries: ModelList = [_entry(name, _STARTED_AT, "slipstream") for name in own]
    for provider, model in await lists.entries():
        owner = model.owned_by or provider
        entries.append(_entry(f"{provider}/{model.id}", model.created or _STARTED_AT, owner))
    return entries


def _entry(model_id: str, created: int, owner: str) -> dict[str, object]:
    return {"id": model_id, "object": "model", "created": created, "owned_by": owner}


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
