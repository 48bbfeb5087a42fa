"""The log as a file: a line of JSON when a request begins and one when it ended.

Each line is with the kernel before the request is answered: a process that is killed with SIGKILL
has told all that it saw. The file grows as long as the process runs.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from slipstream.upstream.scripted.book import Exchange


@contextmanager
def noting(path: Path) -> Iterator[Callable[[Exchange], None]]:
    """Yield what writes a request's begin or end, appended to the file.

    Raises:
        OSError: It cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield lambda exchange: _write(descriptor, exchange)
    finally:
        os.close(descriptor)


def _write(descriptor: int, exchange: Exchange) -> None:
    row: dict[str, object] = {"serial": exchange.serial}
    if exchange.ending is None:
        row |= {
            "connection_id": exchange.connection_id,
            "method": exchange.method,
            "path": exchange.path,
            "key": exchange.key,
            "started_ms": exchange.started_ms,
        }
    else:
        row |= {
            "model": exchange.model,
            "status": exchange.status,
            "bytes_sent": exchange.bytes_sent,
            "first_byte_ms": exchange.first_byte_ms,
            "ended_ms": exchange.ended_ms,
            "ending": exchange.ending,
        }
    os.write(descriptor, msgspec.json.encode(row) + b"\n")
