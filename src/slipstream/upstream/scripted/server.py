"""Opens and closes a scripted upstream, and gives tests its in-process API.

async with scripted_upstream() as upstream:
    upstream.script("status=429,retry_after=2")
    ...  # a request to upstream.base_url
    await upstream.wait_for(lambda u: u.stats.open_connections == 0, timeout_s=1)
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from slipstream.upstream.scripted.behaviour import Values, merge, parse_header, parse_values
from slipstream.upstream.scripted.book import Book, Exchange, Stats
from slipstream.upstream.scripted.connection import Connection
from slipstream.upstream.scripted.log_file import noting
from slipstream.upstream.scripted.site import Site

MODELS: Final = ("scripted", "lab/scripted-mini")
_BACKLOG = 2048
_CLOSE_S = 2.0

T = TypeVar("T")


class ScriptedUpstream:
    """A running scripted upstream, as its own process sees it."""

    def __init__(self, book: Book, origin: str) -> None:
        self._book = book
        self.origin: Final = origin

    @property
    def base_url(self) -> str:
        """The base URL for an SDK: the origin and `/v1`."""
        return f"{self.origin}/v1"

    @property
    def log(self) -> Sequence[Exchange]:
        """The requests so far, oldest first; a copy of the list, not of its rows."""
        return tuple(self._book.log)

    @property
    def stats(self) -> Stats:
        """The counters, as they are now and as they become."""
        return self._book.stats

    def script(self, behaviour: str | Mapping[str, object], requests: int = 1) -> None:
        """Queue a behaviour for the next requests.

        Args:
            behaviour: As in the header `x-mock`, or values by name.
            requests: How many requests get it, from 1.

        Raises:
            BadRequest: An unknown behaviour, or a value that it does not take.
        """
        if requests < 1:
            raise ValueError(f"requests takes a number from 1, not {requests}")
        values = _values(behaviour)
        merge(values)  # refuses what excludes each other
        self._book.queue(values, requests)

    def behave(self, *behaviours: str | Mapping[str, object]) -> None:
        """Give every request from now on these behaviours; without any, those of the start.

        Raises:
            BadRequest: An unknown behaviour, or a value that it does not take.
        """
        standing = tuple(_values(each) for each in behaviours)
        merge(*standing)  # refuses what excludes each other
        self._book.standing = standing or None

    def clear(self) -> None:
        """Forget the script and the log; counters and connections stay."""
        self._book.clear_script()
        self._book.clear_log()

    async def wait_for(
        self, predicate: Callable[["ScriptedUpstream"], T], timeout_s: float = 5.0
    ) -> T:
        """Wait until the predicate holds, and return what it gave.

        Raises:
            TimeoutError: It did not hold in time; the text shows counters and the last request.
        """
        return await self._book.wait_for(lambda: predicate(self), timeout_s)


@asynccontextmanager
async def scripted_upstream(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    models: Sequence[str] = MODELS,
    behaviour: str | Mapping[str, object] = "",
    ssl_context: ssl.SSLContext | None = None,
    clock: Callable[[], float] = time.time,
    log_path: Path | None = None,
) -> AsyncIterator[ScriptedUpstream]:
    """Run a scripted upstream while the context is open; all connections end with it.

    Args:
        host: Address to listen on.
        port: 0 takes a free one.
        models: What `GET /v1/models` lists; any name is answered.
        behaviour: What every request gets that says nothing else.
        ssl_context: Speak TLS with this certificate.
        clock: Seconds since 1970, for the field `created` and for resets of quotas.
        log_path: A file to which each request's begin and end are appended.
    """
    usual = _values(behaviour)
    merge(usual)
    book = Book()
    site = Site(book, tuple(models), usual, clock)
    connections: set[Connection] = set()
    with ExitStack() as stack:
        if log_path is not None:
            book.note = stack.enter_context(noting(log_path))
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(site, connections), host, port, ssl=ssl_context, backlog=_BACKLOG
        )
        try:
            yield ScriptedUpstream(book, _origin(server, ssl_context is not None))
        finally:
            await _close(server, book, connections)


def _values(behaviour: str | Mapping[str, object]) -> Values:
    return parse_header(behaviour) if isinstance(behaviour, str) else parse_values(behaviour)


def _origin(server: asyncio.Server, is_tls: bool) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"{'https' if is_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


async def _close(server: asyncio.Server, book: Book, connections: set[Connection]) -> None:
    server.close()
    for connection in tuple(connections):
        connection.stop()
    await book.wait_for(lambda: not connections, _CLOSE_S)
    async with asyncio.timeout(_CLOSE_S):
        await server.wait_closed()
