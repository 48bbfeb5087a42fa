"""Every async test here runs on asyncio's own loop and on uvloop, and ends within a minute."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import pytest
import pytest_asyncio
import uvloop

from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from tests.upstream.http.servers import Authority

_LIMIT_S = 60.0


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each async test on both loops that the gateway supports."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _deadline() -> Iterator[None]:
    """Break a test off that would wait for ever."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the test took longer than {_LIMIT_S:g} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, _LIMIT_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest_asyncio.fixture
async def make_client() -> AsyncIterator[Callable[..., HttpClient]]:
    """Make clients that know no proxy; after the test each must have nothing left."""
    clients: list[HttpClient] = []

    def make(environ: Mapping[str, str] | None = None, **settings: object) -> HttpClient:
        made = HttpClient(HttpSettings(**settings), environ=environ or {})  # type: ignore[arg-type]
        clients.append(made)
        return made

    yield make
    for client in clients:
        await client.close()
        stats = client.stats
        assert (stats.open, stats.idle, stats.waiting, stats.in_flight) == (0, 0, 0, 0)


@pytest.fixture
def client(make_client: Callable[..., HttpClient]) -> HttpClient:
    """A client with the default settings."""
    return make_client()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The certificate authority of the tests."""
    return Authority()


@pytest.fixture
def ca_file(authority: Authority, tmp_path: Path) -> str:
    """A file with the authority's certificate."""
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.pem)
    return str(path)
