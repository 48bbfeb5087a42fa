"""Listening: one socket, uvicorn's server over it, and stopping in good order."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import uvicorn

from slipstream.errors import ConfigError
from slipstream.server.gateway import Gateway
from slipstream.server.protocol import NoticingProtocol
from slipstream.server.watch import Watch

_logger = logging.getLogger(__name__)

BACKLOG = 2048
KEEP_ALIVE_S = 75.0  # longer than the 60 s of common load balancers, so that they close first
CUT_S = 1.0  # for what was cut to say so, and to put itself on record
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket.

    Raises:
        ConfigError: The address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except (OSError, OverflowError) as exc:
        sock.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {exc}; choose another with --port, 0 for any"
        ) from exc
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def url_of(sock: socket.socket) -> str:
    """Return `http://HOST:PORT` of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(
    gateway: Gateway,
    sock: socket.socket,
    *,
    shutdown_s: float,
    max_answer_s: float,
    idle_s: float = KEEP_ALIVE_S,
    ping_s: float = 0.0,
    hurry: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Answer requests while the context is open; then let open answers end.

    Args:
        gateway: What answers.
        sock: Already listening; closed here.
        shutdown_s: What has not ended by then is cut.
        max_answer_s: A client that takes longer to send its request and read the answer is cut.
        idle_s: How long a connection may do nothing.
        ping_s: How long a stream may be silent before it tells that it goes on; 0 does not.
        hurry: When it is set, `shutdown_s` is over.
    """
    config = uvicorn.Config(
        gateway,
        http=NoticingProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
    )
    server = _Server(config, idle_s, max_answer_s, ping_s)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[sock]))
    await _first_of(task, server.ready)
    if task.done():
        await task  # raises why it could not begin
    try:
        yield
    finally:
        server.should_exit = True
        await _first_of(task, hurry or asyncio.Event(), shutdown_s)
        server.force_exit = True
        await task
        await server.cut()


@dataclass(frozen=True, slots=True)
class StopSignals:
    """Set by SIGINT or SIGTERM: `first` asks to stop in good order, `second` to stop at once."""

    first: asyncio.Event = field(default_factory=asyncio.Event)
    second: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        """Count one signal."""
        (self.second if self.first.is_set() else self.first).set()


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Yield events that SIGINT and SIGTERM set, instead of ending the process."""
    loop = asyncio.get_running_loop()
    signals = StopSignals()
    for number in _SIGNALS:
        loop.add_signal_handler(number, signals.note)
    try:
        yield signals
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and leaves signals to the process's owner.

    uvicorn raises the signal that stopped it once more, which would end the process before the
    ledger is closed.
    """

    def __init__(
        self, config: uvicorn.Config, idle_s: float, max_answer_s: float, ping_s: float
    ) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._watch = Watch(
            self.server_state.connections,  # type: ignore[arg-type]  # all are ours
            idle_s=idle_s,
            limit_s=max_answer_s,
            now_s=asyncio.get_running_loop().time,
            ping_s=ping_s,
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        self._watch.look()
        return await super().on_tick(counter)

    async def cut(self) -> None:
        """End the answers that are still open, and all connections."""
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _logger.warning("%d open answers were cut", len(tasks))
            await asyncio.wait(tasks, timeout=CUT_S)
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # they are told in the loop's next turn

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _first_of(
    task: asyncio.Task[None], event: asyncio.Event, limit_s: float | None = None
) -> None:
    """Wait until the task has ended, the event is set or the time is over."""
    waiter = asyncio.ensure_future(event.wait())
    await asyncio.wait((task, waiter), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
