"""What the frameworks are tried against: `slipstream serve` on loopback, and what is behind it.

openai, lab, anthropic, gemini, cerebras   the scripted upstream, in one dialect each
own                                        the embedded model
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipstream import config as configuration
from slipstream.cli.accounts import database_url, lent_key
from slipstream.cli.child import child_environ, gateway
from slipstream.cli.health import await_model
from tests.flows.ledger_rows import read_rows
from tests.prepared_model import MODEL, prepared_directory

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 15.0

# A name of Claude for each target stands beside its own, for classes that know only such names.
_CONFIG = """# Written by scripts/try-frameworks, anew each time.
[server]
port = 0

[providers.openai]
dialect = "openai_chat"
base_url = "{mock}/openai/v1"
api_key = "any"

[providers.lab]
dialect = "openai_responses"
base_url = "{mock}/openai/v1"

[providers.anthropic]
base_url = "{mock}/anthropic/v1"
api_key = "any"

[providers.gemini]
base_url = "{mock}/gemini/v1beta/openai"
api_key = "any"

[providers.cerebras]
base_url = "{mock}/cerebras/v1"
api_key = "any"

[engine]
kv_cache_bytes = 167772160

[models.{model}]
aliases = ["claude-sonnet-4-6"]
{routes}"""
_ROUTE = '\n[routes."{name}"]\ntargets = ["{target}"]\n'
_QUIET = {"max_tokens": 60, "temperature": 0}


@dataclass(frozen=True, slots=True)
class Target:
    """A model to ask.

    Args:
        dialect: What Slipstream speaks to whoever serves it.
        claude: The name of Claude that it answers to as well.
        is_forced: Calls of tools must be asked for; it would not call one by itself.
        is_echo: It says the user's last words again.
        settings: What is said of every request for it.
    """

    name: str
    dialect: str
    model: str
    claude: str
    is_forced: bool = False
    is_echo: bool = True
    settings: dict[str, int] | None = None


TARGETS = (
    Target("chat", "Chat", "openai/gpt-5.4", "claude-sonnet-4-0"),
    Target("responses", "Responses", "lab/gpt-5.4", "claude-sonnet-4-5"),
    Target("messages", "Messages", "anthropic/claude-opus-4-6", "claude-opus-4-6"),
    Target("gemini", "Gemini", "gemini/gemini-3.5-flash", "claude-haiku-4-5"),
    Target("cerebras", "Cerebras's Chat", "cerebras/gpt-oss-120b", "claude-opus-4-5"),
    Target("own", "the embedded engine", MODEL, "claude-sonnet-4-6", True, False, _QUIET),
)
ECHO = Target("mock", "its own", "claude-opus-4-6", "claude-opus-4-6")
"""The scripted upstream, asked without a gateway; its name is one that every class takes."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A running gateway."""

    url: str
    key: str
    home: Path

    def accounts(self) -> list[dict[str, object]]:
        """Return the ledger's rows: one for each attempt."""
        return read_rows(self.home)


@contextmanager
def mock() -> Iterator[str]:
    """Run `slipstream mock`; give where it listens."""
    command = [sys.executable, "-m", "slipstream", "mock", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise SystemExit("the scripted upstream did not start")
        yield found.group()
    finally:
        process.terminate()
        process.wait(_STOP_LIMIT_S)
        process.stdout.close()


@contextmanager
def open_scene(room: Path) -> Iterator[Scene]:
    """Run the gateway and the scripted upstream while the context is open.

    Args:
        room: A folder that is emptied first; what was written there stays.
    """
    shutil.rmtree(room, ignore_errors=True)
    home = room / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / MODEL).symlink_to(prepared_directory())
    path = room / "slipstream.toml"
    environ = {**os.environ, "SLIPSTREAM_HOME": str(home)}
    with ExitStack() as stack:
        path.write_text(_configuration(stack.enter_context(mock())))
        url = database_url(configuration.load(path, environ))
        key = stack.enter_context(lent_key(url, "frameworks"))
        arguments = ["--config", str(path)]
        child = stack.enter_context(gateway(arguments, child_environ(environ), room / "serve.log"))
        await_model(child.url, MODEL, _START_LIMIT_S)
        yield Scene(child.url, key.token, home)


def _configuration(mock: str) -> str:
    routes = "".join(
        _ROUTE.format(name=target.claude, target=target.model)
        for target in TARGETS
        if target.model != MODEL
    )
    return _CONFIG.format(mock=mock, model=MODEL, routes=routes)
