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
from functools import partial

import uvloop

from slipstream.batches.records import Answered, Ask
from slipstream.batches.run import Runner
from slipstream.batches.store import Store
from slipstream.books import KeyRing, keeping_books
from slipstream.call import Serve
from slipstream.config import Config, is_loopback
from slipstream.dispatch.attempts import dispatch
from slipstream.errors import ConfigError, UpstreamError
from slipstream.kept import PATH as RESPONSES_PATH
from slipstream.kept import KeptResponses
from slipstream.ledger.journal import Journal
from slipstream.ledger.metering import metered
from slipstream.ledger.notices import journal_directory
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import create_first_key
from slipstream.limits.rates import RateLimits
from slipstream.offer import Offer, catalogue_of, pricing_of
from slipstream.routing.plan import LOCAL, Planner
from slipstream.served import serving_models
from slipstream.server.batches import BatchesApi
from slipstream.server.counting import CountEndpoints
from slipstream.server.doors import doors_of
from slipstream.server.exchange import Terms
from slipstream.server.files import FilesApi
from slipstream.server.gateway import Gateway
from slipstream.server.inside import ask_inside
from slipstream.server.listen import StopSignals, listen, serving, stop_signals, url_of
from slipstream.server.log import open_log
from slipstream.server.models import ModelEndpoints
from slipstream.server.profiles import Profiles
from slipstream.tuning import spare_the_collector, spare_the_register
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.model_lists import ModelLists
from slipstream.upstream.relay import Relay

_logger = logging.getLogger(__name__)

JOURNAL_RETRY_S = 1.0
_WATCH_MARGIN_S = 30.0  # what an upstream's own deadlines get before a client's silence counts


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
    database_url = _database_url(config)
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
            ping_s=config.server.ping_s,
            hurry=hurry,
        )
        await stack.enter_async_context(server)
        spare_the_collector()
        spare_the_register()
        yield Running(url_of(sock), first_key)


def _database_url(config: Config) -> str:
    """Return where attempts, keys and kept answers are."""
    return config.ledger.database or sqlite_url(config.home)


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
    journal = stack.enter_context(closing(Journal(journal_directory(config.home))))
    stack.push_async_callback(_ending(_retry_journal(journal)))
    client = HttpClient(config.upstream)
    stack.push_async_callback(client.close)
    relays = {
        name: Relay(endpoint, client, now=_now) for name, endpoint in config.endpoints.items()
    }
    served = await stack.enter_async_context(serving_models(config.engines, config.home))

    def meter(leaf: Serve) -> Serve:
        return metered(leaf, journal, pricing_of(config), time.monotonic_ns)

    leaves = {name: meter(relay) for name, relay in relays.items()}
    leaves[LOCAL] = meter(served)
    planner = Planner(catalogue_of(config))
    answer = dispatch(planner.plan, leaves, now_s=loop.time, wall_ns=time.time_ns)
    _warm(config, client, relays, stack)
    offer = Offer(config, served, planner, ModelLists(relays, loop.time), relays)
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
        _database_url(config),
        lambda body, key_id: ask_inside(gateway, RESPONSES_PATH, body, key_id),
    )
    gateway = Gateway(
        kept.around(answer, planner.plan),
        terms,
        doors_of(offer.row_of),
        health=served.health,
        call_prefix=f"req-{secrets.token_hex(6)}-",
        max_concurrent=config.server.max_concurrent,
        log=stack.enter_context(open_log(config.server.log, loop.call_later)),
        more=kept.endpoints(terms, offer.count_tokens, rate_limits())
        | models.endpoints()
        | CountEndpoints(terms, offer, rate_limits()).endpoints()
        | FilesApi(store, terms.find_key).endpoints()
        | BatchesApi(store, runner, terms.find_key).endpoints(),
    )
    runner.start()
    stack.push_async_callback(runner.stop)
    kept.start()
    stack.push_async_callback(kept.stop)
    gateway.metrics.show_engines(served.figures)
    return gateway


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
