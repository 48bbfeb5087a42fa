"""A gateway, the scripted upstream behind it as nine providers, and a tap before it."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from scripts.agents.tap import Tap
from slipstream import config as configuration
from slipstream.cli.accounts import database_url, lent_key
from slipstream.cli.child import START_LIMIT_S, child_environ, gateway
from slipstream.cli.health import await_model
from slipstream.config import DEFAULT_MODEL

# Under which path each provider's own API is.
PROVIDERS: Final[Mapping[str, str]] = {
    "anthropic": "/anthropic/v1",
    "openai": "/openai/v1",
    "gemini": "/gemini/v1beta/openai",
    "cerebras": "/cerebras/v1",
    "groq": "/groq/openai/v1",
    "mistral": "/mistral/v1",
    "xai": "/xai/v1",
    "openrouter": "/openrouter/api/v1",
    "deepinfra": "/deepinfra/v1/openai",
}
# Names that an agent asks for by itself, led to the model of another vendor.
ROUTES: Final[Mapping[str, str]] = {
    "claude-opus-5-5": "gemini/gemini-3.5-flash",
    "gpt-6.1-sol": "anthropic/claude-opus-5-5",
}
_LISTENING: Final = re.compile(r"listening on (http://\S+)")
_MANY: Final = 10_000
_LIMIT_S: Final = 30.0


class Mock:
    """The running scripted upstream."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def play(self, behaviour: Mapping[str, object]) -> None:
        """Give every request from now on this behaviour, and forget those so far."""
        self._call("DELETE", "/mock/script")
        self._call("DELETE", "/mock/log")
        self._call("POST", "/mock/script", {"requests": _MANY, "behaviour": behaviour})

    def log(self) -> list[dict[str, Any]]:
        """Return the requests since `play`."""
        rows: list[dict[str, Any]] = self._call("GET", "/mock/log")["requests"]
        return rows

    def _call(self, method: str, path: str, document: object = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.origin}{path}", body, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_LIMIT_S) as answer:
            return json.loads(answer.read())


@dataclass(frozen=True, slots=True)
class House:
    """All that runs: `url` is the tap's, so that what an agent asks is seen."""

    url: str
    key: str
    home: Path
    config: Path
    log: Path
    mock: Mock
    tap: Tap

    def lines(self) -> list[str]:
        """Return the lines of the gateway's log, once no more come."""
        text = ""
        give_up_at_s = time.monotonic() + _LIMIT_S
        while time.monotonic() < give_up_at_s:
            time.sleep(0.15)  # it writes every tenth of a second
            before, text = text, self.log.read_text() if self.log.exists() else ""
            if text and before == text:
                break
        return text.splitlines()

    def report(self) -> str:
        """Return what `slipstream cost` says."""
        command = [sys.executable, "-m", "slipstream", "cost", "--config", str(self.config)]
        environ = {**child_environ(), "SLIPSTREAM_HOME": str(self.home), "COLUMNS": "100"}
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, check=True, timeout=_LIMIT_S
        ).stdout


@contextmanager
def opened(folder: Path, models: Path | None) -> Iterator[House]:
    """Run everything for as long as the block runs.

    Args:
        folder: An empty one, for all that is written.
        models: Where the embedded model is; None leaves it out.
    """
    home, log = folder / "home", folder / "gateway.log"
    home.mkdir()
    if models is not None:
        (home / "models").symlink_to(models)
    with ExitStack() as stack:
        mock = stack.enter_context(_mock(folder / "mock.out"))
        path = folder / "slipstream.toml"
        path.write_text(_configuration(mock.origin, log, has_model=models is not None))
        environ = {**os.environ, "SLIPSTREAM_HOME": str(home)}
        config = configuration.load(path, environ)
        lent = stack.enter_context(lent_key(database_url(config), "agents"))
        arguments = ["--config", str(path)]
        child = stack.enter_context(
            gateway(arguments, child_environ(environ), folder / "gateway.out")
        )
        if models is not None:
            await_model(child.url, DEFAULT_MODEL, START_LIMIT_S)
        address = urlsplit(child.url)
        assert address.hostname is not None
        assert address.port is not None
        tap = stack.enter_context(Tap.opened((address.hostname, address.port)))
        yield House(tap.url, lent.token, home, path, log, mock, tap)


@contextmanager
def _mock(said: Path) -> Iterator[Mock]:
    command = [sys.executable, "-m", "slipstream", "mock", "--port", "0"]
    with said.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=child_environ())
    try:
        give_up_at_s = time.monotonic() + _LIMIT_S
        while not (found := _LISTENING.search(said.read_text())):
            if process.poll() is not None or time.monotonic() > give_up_at_s:
                raise RuntimeError(f"the scripted upstream did not start: {said.read_text()}")
            time.sleep(0.02)
        yield Mock(found[1])
    finally:
        process.terminate()
        process.wait()


def _configuration(origin: str, log: Path, *, has_model: bool) -> str:
    tables = [
        f'[server]\nport = 0\nlog = "{log}"',
        # A busy machine may take minutes to read an agent's first words to the embedded model.
        "[deadlines]\nfirst_token_s = 300",
        f'[providers.lab]\ndialect = "openai_chat"\nbase_url = "{origin}/v1"',
        *(
            f'[providers.{name}]\nbase_url = "{origin}{path}"\napi_key = "key-of-{name}"'
            for name, path in PROVIDERS.items()
        ),
        *(f'[routes."{name}"]\ntargets = ["{target}"]' for name, target in ROUTES.items()),
        f"[models.{DEFAULT_MODEL}]" if has_model else "[models]",
    ]
    return "\n\n".join(tables) + "\n"
