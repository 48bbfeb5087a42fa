"""The whole gateway in this process, over real sockets, with a scripted upstream behind it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream

CONFIG = """
[server]
port = 0
log = "off"
{server}

[deadlines]
{deadlines}

[providers.lab]
dialect = "openai_chat"
base_url = "{lab}"
api_key = "lab-secret-key"

[providers.spare]
dialect = "openai_chat"
base_url = "{spare}"

[routes.chain]
targets = ["lab/first", "spare/second"]

[models]
"""


@dataclass(frozen=True)
class House:
    """A running gateway and what stands behind it."""

    url: str
    key: str
    home: Path
    lab: ScriptedUpstream
    spare: ScriptedUpstream

    def client(self, **options: object) -> AsyncOpenAI:
        """Return an SDK client of this gateway that does not retry by itself."""
        settings: dict[str, object] = {"api_key": self.key, "max_retries": 0, "timeout": 20.0}
        return AsyncOpenAI(base_url=f"{self.url}/v1", **{**settings, **options})  # type: ignore[arg-type]


OpenHouse = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def open_house(tmp_path: Path) -> OpenHouse:
    """Return what opens a gateway with two scripted providers, `lab` and `spare`."""

    @asynccontextmanager
    async def opened(server: str = "", deadlines: str = "") -> AsyncIterator[House]:
        async with scripted_upstream() as lab, scripted_upstream() as spare:
            path = tmp_path / "slipstream.toml"
            path.write_text(
                CONFIG.format(
                    server=server, deadlines=deadlines, lab=lab.base_url, spare=spare.base_url
                )
            )
            home = tmp_path / "home"
            config = load(path, {"SLIPSTREAM_HOME": str(home)})
            async with running(config) as gateway:
                assert gateway.first_key is not None
                yield House(gateway.url, gateway.first_key, home, lab, spare)

    return opened


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[House]:
    """A gateway with default settings."""
    async with open_house() as opened:
        yield opened
