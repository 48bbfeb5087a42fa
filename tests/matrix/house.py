"""One gateway for the whole matrix: the scripted upstream as five providers, and our own model."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.seals import close_seal
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.matrix.cells import Upstream
from tests.prepared_model import MODEL, prepared_directory

CONFIG: Final = """
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 167772160
start = "first_use"

[models.{model}]

[providers.openrouter]
dialect = "openai_chat"
base_url = "{origin}/openrouter/api/v1"
api_key = "sk-1"

[providers.openai]
dialect = "openai_responses"
base_url = "{origin}/openai/v1"
api_key = "sk-2"

[providers.anthropic]
base_url = "{origin}/anthropic/v1"
api_key = "sk-3"

[providers.gemini]
base_url = "{origin}/gemini/v1beta/openai"
api_key = "sk-4"

[providers.base]
dialect = "openai_completions"
base_url = "{origin}/v1"
"""


class Place(NamedTuple):
    """Where an upstream's dialect is played.

    Args:
        model: As clients call it.
        paths: How the paths of its requests end: plain, and streamed.
        vendor: Whose seals it gives out.
        overload: The status by which it says that it has too much to do.
    """

    model: str
    paths: tuple[str, str]
    vendor: str = ""
    overload: int = 503


def _both(path: str) -> tuple[str, str]:
    return path, path


PLACES: Final[dict[Upstream, Place]] = {
    "chat": Place("openrouter/z-ai/glm-5.2", _both("/chat/completions"), "openrouter"),
    "responses": Place("openai/gpt-5.4", _both("/responses"), "openai"),
    "messages": Place("anthropic/claude-opus-4-6", _both("/messages"), "anthropic", 529),
    "gemini": Place(
        "gemini/gemini-3.5-flash", (":generateContent", ":streamGenerateContent?alt=sse"), "gemini"
    ),
    "completions": Place("base/pythia-1.4b", _both("/v1/completions")),
    "local": Place(MODEL, ("", "")),
}


@dataclass(frozen=True)
class House:
    """A running gateway and what stands behind it."""

    url: str
    key: str
    home: Path
    mock: ScriptedUpstream

    def sent(self) -> Any:
        """Return what the upstream was sent last."""
        return json.loads(self.mock.log[-1].body)

    def sent_bytes(self) -> bytes:
        """Return it as it came."""
        return self.mock.log[-1].body


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Run the gateway and the scripted upstream."""
    home = folder / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / MODEL).symlink_to(prepared_directory())
    path = folder / "slipstream.toml"
    async with scripted_upstream() as mock:
        path.write_text(CONFIG.format(model=MODEL, origin=mock.origin))
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
            assert gateway.first_key is not None
            yield House(gateway.url, gateway.first_key, home, mock)


def seal_of(upstream: Upstream, reasoning: str) -> str:
    """Return what the vendor gives out for some reasoning, to be handed back."""
    return close_seal(PLACES[upstream].vendor, reasoning)
