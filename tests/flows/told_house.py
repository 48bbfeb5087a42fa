"""A gateway with two scripted providers and whatever routes a test wants, and SDKs that ask it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from anthropic import AsyncAnthropic
from cerebras.cloud.sdk import AsyncCerebras
from openai import AsyncOpenAI

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import scripted_upstream
from tests.flows.conftest import House

LIMIT_S: Final = 20.0
HELLO: Final[list[dict[str, str]]] = [{"role": "user", "content": "one two three"}]

_CONFIG = """
[server]
port = 0
log = "{home}/log"

[providers.lab]
dialect = "openai_chat"
base_url = "{lab}"
api_key = "lab-secret-key"

[providers.spare]
dialect = "openai_chat"
base_url = "{spare}"
api_key = "spare-secret-key"

[models]

{more}
"""


@asynccontextmanager
async def told_house(folder: Path, more: str) -> AsyncIterator[House]:
    """Run a gateway with these further tables."""
    home = folder / "home"
    async with scripted_upstream() as lab, scripted_upstream() as spare:
        path = folder / "slipstream.toml"
        text = _CONFIG.format(home=home, lab=lab.base_url, spare=spare.base_url, more=more)
        path.write_text(text)
        config = load(path, {"SLIPSTREAM_HOME": str(home)})
        async with running(config) as gateway:
            assert gateway.first_key is not None
            yield House(gateway.url, gateway.first_key, home, lab, spare)


class Sdk(NamedTuple):
    """A vendor's own client, asking for a chat in the way that it does."""

    name: str

    async def ask(self, house: House, model: str, *, max_retries: int) -> Mapping[str, str]:
        """Return the headers of the answer; raises the SDK's own error."""
        settings: dict[str, Any] = {
            "api_key": house.key,
            "max_retries": max_retries,
            "timeout": LIMIT_S,
        }
        asked: dict[str, Any] = {"model": model, "messages": HELLO}
        if self.name == "anthropic":
            async with AsyncAnthropic(base_url=house.url, **settings) as client:
                told: Any = await client.messages.with_raw_response.create(**asked, max_tokens=20)
                return dict(told.headers)
        if self.name == "cerebras":
            async with AsyncCerebras(
                base_url=house.url, warm_tcp_connection=False, **settings
            ) as client:
                answer: Any = await client.chat.completions.with_raw_response.create(**asked)
                return dict(answer.headers)
        async with AsyncOpenAI(base_url=f"{house.url}/v1", **settings) as client:
            said: Any = await client.chat.completions.with_raw_response.create(**asked)
            return dict(said.headers)


SDKS: Final = (Sdk("openai"), Sdk("anthropic"), Sdk("cerebras"))


async def ask(
    house: House, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Ask the gateway with a client that adds nothing of its own; POST where there is a body."""
    sent = {"authorization": f"Bearer {house.key}", **(headers or {})}
    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
        if body is None:
            return await client.get(f"{house.url}{path}", headers=sent)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await client.post(f"{house.url}{path}", content=content, headers=sent)
