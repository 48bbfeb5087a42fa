"""A Valkey, or the Redis of an older system, as a process of its own that a test may end."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = shutil.which("valkey-server") or shutil.which("redis-server")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class ValkeyServer:
    """One that keeps nothing on disk.

    Args:
        options: Further ones of its command line.
    """

    def __init__(self, port: int, *options: str) -> None:
        self.port, self._options = port, options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        assert COMMAND is not None, "install valkey-server or redis-server, as .ci/run does"
        self._process = subprocess.Popen(
            [
                COMMAND,
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        until_s = time.monotonic() + 20.0
        while time.monotonic() < until_s:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return
            except OSError:
                time.sleep(0.01)
        raise TimeoutError("the server does not take connections")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def valkey(*options: str) -> Iterator[ValkeyServer]:
    """Run a server while the context is open."""
    server = ValkeyServer(free_port(), *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
