"""`slipstream demo`: from nothing to a streamed answer, with what it took and what it cost.

Pulls the embedded model, runs a gateway as a child, asks it through the official openai SDK as any
client would, and stays up until Ctrl-C; with CI=true it ends after the answer, with status 0 only
if there was one.
"""

import json
import os
import shlex
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

from slipstream import __version__
from slipstream import config as configuration
from slipstream.cli.accounts import Account, Lent, account_of, database_url, lent_key
from slipstream.cli.answer import Answer, Asker, Message
from slipstream.cli.child import START_LIMIT_S, Child, child_environ, free_port, gateway
from slipstream.cli.health import await_model
from slipstream.cli.pull import pull_with_progress
from slipstream.config import DEFAULT_MODEL
from slipstream.errors import GatewayError
from slipstream.ledger.cost import usd_text

# A model of 135 million parameters knows this, and says it in a few sentences.
QUESTION = "What is the capital of France, and what is it known for?"
MAX_TOKENS = 120
PORT = 8080
LOG_NAME = "demo.log"
_CONFIGURATION = f"# Written by `slipstream demo`, anew each time.\n\n[models.{DEFAULT_MODEL}]\n"


class DemoFailed(GatewayError):
    """There was no answer worth showing."""


def demo() -> None:
    """Get a model, serve it, and stream an answer."""
    signal.signal(signal.SIGTERM, _leave)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]Slipstream[/] {__version__}")
    home = configuration.home_from(os.environ)
    pull_with_progress(DEFAULT_MODEL, home, console)
    path = _write_configuration(home)
    config = configuration.load(path, os.environ)
    arguments = ["--config", str(path), "--host", "127.0.0.1", "--port", str(free_port(PORT))]
    with ExitStack() as stack:
        started_at_s = time.perf_counter()
        lent = stack.enter_context(lent_key(database_url(config), "demo"))
        child = stack.enter_context(gateway(arguments, child_environ(), home / LOG_NAME))
        # The SDK takes half a second to import, which it does while the model loads.
        asker = stack.enter_context(Asker(child.url, lent.token))
        await_model(child.url, DEFAULT_MODEL, START_LIMIT_S)
        console.print(f"  gateway and model up in {time.perf_counter() - started_at_s:.1f} s\n")
        answer = _ask(asker, console)
        account = account_of(database_url(config), answer.headers.get("x-request-id", ""))
        _show_figures(answer, account, console)
        _show_access(child.url, lent, console)
        if os.environ.get("CI") != "true":
            _stay(child, console)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End in good order when asked to: the gateway is stopped and the key revoked."""
    raise SystemExit(128 + number)


def _write_configuration(home: Path) -> Path:
    path = home / "demo.toml"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(_CONFIGURATION)
    return path


def _ask(asker: Asker, console: Console) -> Answer:
    """Ask the question and show the answer as it comes."""
    console.print(f"[bold cyan]›[/] [bold]{QUESTION}[/]\n")
    messages: list[Message] = [{"role": "user", "content": QUESTION}]
    answer = asker.ask(DEFAULT_MODEL, messages, _write, MAX_TOKENS, temperature=0.0)
    _write("\n\n")
    if not answer.text.strip() or answer.finish_reason not in ("stop", "length"):
        raise DemoFailed(f"the answer was empty or broken: finish reason {answer.finish_reason}")
    return answer


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _show_figures(answer: Answer, account: Account | None, console: Console) -> None:
    if account is None:
        raise DemoFailed("the ledger has no row for the answer")
    for name, text in figures(answer, account):
        console.print(f"  [dim]{name:<21}[/] {text}")


def figures(answer: Answer, account: Account) -> list[tuple[str, str]]:
    """Return what the answer took, as names and texts."""
    first_ms = None if answer.first_token_s is None else answer.first_token_s * 1000
    speed = answer.tokens_per_s
    cost = account.cost_usd_pico
    return [
        ("time to first token", "unknown" if first_ms is None else f"{first_ms:.0f} ms"),
        ("speed", "unknown" if speed is None else f"{speed:.0f} tokens/s"),
        ("tokens", f"{answer.input_tokens} in, {answer.output_tokens} out"),
        ("cost", "price not known" if cost is None else _cost_text(cost)),
        ("served by", answer.headers.get("x-slipstream-target", "unknown")),
        ("request", answer.headers.get("x-request-id", "unknown")),
    ]


def _cost_text(cost_usd_pico: int) -> str:
    text = f"${usd_text(cost_usd_pico)}"
    return f"{text}, as it ran on this machine" if cost_usd_pico == 0 else text


def _show_access(url: str, lent: Lent, console: Console) -> None:
    kept = "shown only now; it stays valid" if lent.is_kept else "valid until this ends"
    console.print(f"\n  [dim]{'base URL':<21}[/] {url}/v1")
    console.print(f"  [dim]{'key':<21}[/] {escape(lent.token)} [dim]({kept})[/]\n")
    # One unbroken line, so that it works as pasted whatever the terminal's width.
    _write(f"{curl_line(url, lent.token)}\n\n")


def curl_line(url: str, token: str) -> str:
    """Return a command that asks the gateway, for any shell."""
    messages = [{"role": "user", "content": "Name three planets."}]
    body = {"model": DEFAULT_MODEL, "temperature": 0, "messages": messages}
    words = [
        *("curl", f"{url}/v1/chat/completions"),
        *("-H", f"Authorization: Bearer {token}"),
        *("-H", "Content-Type: application/json"),
        *("-d", json.dumps(body)),
    ]
    return shlex.join(words)


def _stay(child: Child, console: Console) -> None:
    """Wait for Ctrl-C.

    Raises:
        DemoFailed: The gateway ended by itself.
    """
    console.print("[dim]Ctrl-C stops it.[/]")
    try:
        status = child.wait()
    except KeyboardInterrupt:
        console.print("\nStopping.")
    else:
        raise DemoFailed(f"the gateway ended with status {status}; see {LOG_NAME} in its home")
