"""The whole gateway with OpenAI's own Responses and a provider of chat behind it, both scripted."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from slipstream.app import running
from slipstream.config import Config, load
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream

CONFIG = """
[server]
port = 0
log = "off"
{more}

[providers.openai]
base_url = "{origin}/openai/v1"
api_key = "openai-secret"

[providers.anthropic]
base_url = "{origin}/anthropic/v1"
api_key = "anthropic-secret"

[providers.gemini]
base_url = "{origin}/gemini/v1beta/openai"
api_key = "gemini-secret"

[providers.lab]
dialect = "openai_chat"
base_url = "{origin}/v1"

[models]
"""
OPENAI, LAB = "openai/gpt-5.4", "lab/any"
CLAUDE, GEMINI = "anthropic/claude-opus-4-6", "gemini/gemini-3.5-flash"


@dataclass(frozen=True)
class ResponsesHouse:
    """A running gateway, its SDK client that believes nothing, and what stands behind it."""

    url: str
    key: str
    config: Config
    client: AsyncOpenAI
    upstream: ScriptedUpstream

    @property
    def sent(self) -> dict[str, Any]:
        """What the upstream got last."""
        fields: dict[str, Any] = json.loads(self.upstream.log[-1].body)
        return fields

    @property
    def sent_to(self) -> str:
        """Where the upstream got it."""
        return self.upstream.log[-1].path


def strict_client(url: str, key: str) -> AsyncOpenAI:
    """Return an SDK client that neither retries nor believes."""
    return AsyncOpenAI(
        base_url=f"{url}/v1",
        api_key=key,
        max_retries=0,
        timeout=20.0,
        _strict_response_validation=True,
    )


@asynccontextmanager
async def responses_house(folder: Path, more: str = "") -> AsyncIterator[ResponsesHouse]:
    """Open a house; `more` is configuration."""
    async with scripted_upstream() as upstream:
        path = folder / "slipstream.toml"
        path.write_text(CONFIG.format(origin=upstream.origin, more=more))
        config = load(path, {"SLIPSTREAM_HOME": str(folder / "home")})
        async with running(config) as gateway:
            assert gateway.first_key is not None
            async with strict_client(gateway.url, gateway.first_key) as client:
                yield ResponsesHouse(gateway.url, gateway.first_key, config, client, upstream)


def texts(messages: list[dict[str, Any]]) -> list[str]:
    """Return the texts of chat messages."""
    return [message["content"] for message in messages]
