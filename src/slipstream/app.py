"""Runs a gateway from a Config: its address, its first key, its books, and its end.

What it is made of is put together in assembly.py.
"""

import asyncio
import logging
import resource
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass

import uvloop

from slipstream.assembly import assemble, database_url
from slipstream.books import KeyRing, keeping_books
from slipstream.config import Config, is_loopback
from slipstream.errors import ConfigError
from slipstream.ledger.store import open_store
from slipstream.limits.keys import create_first_key
from slipstream.server.listen import StopSignals, listen, serving, stop_signals, url_of
from slipstream.tuning import spare_the_collector, spare_the_register

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
    database = database_url(config)
    sock = listen(config.server.host, config.server.port)
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(sock))
        first_key = _first_key(database)
        keys = await stack.enter_async_context(keeping_books(config.home, database))
        _check_reach(config, keys)
        gateway = await assemble(config, keys, stack)
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
