"""Listening: one socket, uvicorn's server over it, and stopping in good order."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from slipstream.errors import ConfigError
from slipstream.server.gateway import Gateway
from slipstream.server.protocol import NoticingProtocol

BACKLOG = 2048
KEEP_ALIVE_S = 75  # longer than the 60 s of common load balancers, so that they close first
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
    gateway: Gateway, sock: socket.socket, *, shutdown_s: float
) -> AsyncIterator[asyncio.Task[None]]:
    """Answer requests while the context is open; then let open answers end.

    Yields the server's task, which ends before the context does only if something is very wrong.

    Args:
        gateway: What answers.
        sock: Already listening; closed here.
        shutdown_s: What has not ended by then is cut.
    """
    config = uvicorn.Config(
        gateway,
        http=NoticingProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(shutdown_s)),
        backlog=BACKLOG,
    )
    server = _Server(config)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[sock]))
    started = asyncio.ensure_future(server.ready.wait())
    await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    try:
        yield task
    finally:
        server.should_exit = True
        await task


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Yield an event that SIGINT and SIGTERM set, instead of ending the process."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, came.set)
    try:
        yield came
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and leaves signals to the process's owner.

    uvicorn raises the signal that stopped it once more, which would end the process before the
    ledger is closed.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
