"""A gateway with kept answers behind it, two keys, and a database in a folder."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from slipstream.call import Serve
from slipstream.ledger.store import open_store
from slipstream.responses.archive import Archive
from slipstream.server.exchange import Terms
from slipstream.server.gateway import Gateway
from slipstream.server.paths import Endpoints
from slipstream.server.profiles import Profiles
from tests.responses.place import url_in
from tests.server.asking import NO_LIMITS, gateway_of, whole

KEYS = {"sk-a": "key-a", "sk-b": "key-b"}


def terms_of() -> Terms:
    """Return ordinary terms, for two keys."""
    return Terms(KEYS.get, Profiles(), NO_LIMITS, 1_000_000)


@asynccontextmanager
async def archive_in(folder: Path) -> AsyncIterator[Archive]:
    """Open an archive."""
    archive = Archive(
        lambda: open_store(url_in(folder)),
        keep_days=30,
        max_bytes=1_000_000,
        now_ns=time.time_ns,
    )
    try:
        yield archive
    finally:
        await archive.close()


def with_endpoints(more: Endpoints, serve: Serve | None = None) -> Gateway:
    """Return a gateway that answers at these paths, too."""
    return gateway_of(serve or whole(), find_key=KEYS.get, more=more)
