"""`slipstream chat`: one question or a conversation, streamed.

Asks the gateway that is named, else the one that runs where the configuration says, else one of
its own, which ends with it. The key comes from SLIPSTREAM_API_KEY; for a gateway of this
installation one is lent, so that nothing need be set up.
"""

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from slipstream import config as configuration
from slipstream.cli.accounts import database_url, lent_key
from slipstream.cli.answer import Asker, AskFailed, Message
from slipstream.cli.child import child_environ, gateway
from slipstream.cli.health import read_health
from slipstream.config import Config
from slipstream.errors import GatewayError

KEY_VARIABLE = "SLIPSTREAM_API_KEY"
URL_VARIABLE = "SLIPSTREAM_BASE_URL"
_NO_KEY = "none"  # the SDK wants one, and a gateway that asks for none ignores it
_KEY_SEEN_LIMIT_S = 10.0  # a running gateway looks for new keys every second or so
_LOOK_LIMIT_S = 0.5  # on this machine a gateway answers in milliseconds
_POLL_S = 0.2
_PROMPT = "› "

with contextlib.suppress(ImportError):
    import readline  # noqa: F401 -- gives input() a history and editing keys


class NothingAsked(GatewayError):
    """There was no question, and nobody to ask for one."""


def chat(
    question: Annotated[
        list[str] | None, typer.Argument(help="What to ask; left out, a conversation starts.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="Model; the first one offered, if left out.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer.", min=1)] = None,
    temperature: Annotated[
        float | None, typer.Option(help="0 for the likeliest words, up to 2.", min=0, max=2)
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(envvar=URL_VARIABLE, help="Gateway to ask.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file.")] = None,
) -> None:
    """Talk to a model."""
    text = asked(question or [], sys.stdin)
    if text is None and not sys.stdin.isatty():
        raise NothingAsked("nothing was asked: slipstream chat 'QUESTION'")
    with _asker(base_url, config, os.environ) as asker:
        model = model or _first_model(asker)
        talk = Conversation(
            asker, model, system=system, max_tokens=max_tokens, temperature=temperature
        )
        if text is not None:
            talk.ask(text)
        else:
            _converse(talk)


def asked(words: list[str], stdin: TextIO) -> str | None:
    """Return the question: the words, then what was piped in; None if there is neither."""
    piped = piped_in(stdin) or ""
    return "\n\n".join(part for part in (" ".join(words).strip(), piped) if part) or None


def piped_in(stdin: TextIO) -> str | None:
    """Return what a pipe or a file holds that someone redirected here; None if it is nothing."""
    return (stdin.read().strip() or None) if _is_piped(stdin) else None


def _is_piped(stdin: TextIO) -> bool:
    """Say whether someone redirected a pipe or a file here, rather than merely no terminal."""
    try:
        mode = os.fstat(stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


class Conversation:
    """Questions and answers so far; a question that failed leaves no trace in it."""

    def __init__(
        self,
        asker: Asker,
        model: str,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> None:
        self.model = model
        self._asker = asker
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._messages: list[Message] = []
        if system:
            self._messages.append({"role": "system", "content": system})

    def ask(self, text: str) -> None:
        """Ask, and write the answer to standard output as it comes."""
        messages: list[Message] = [*self._messages, {"role": "user", "content": text}]
        screen = _Screen()
        try:
            answer = self._asker.ask(
                self.model, messages, screen.write, self._max_tokens, self._temperature
            )
        finally:
            screen.end_line()
        self._messages = [*messages, {"role": "assistant", "content": answer.text}]


class _Screen:
    """Standard output, which knows whether a line has been begun."""

    def __init__(self) -> None:
        self._is_begun = False

    def write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        self._is_begun = True

    def end_line(self) -> None:
        if self._is_begun:
            self.write("\n")
            self._is_begun = False


def _converse(talk: Conversation) -> None:
    """Ask what is typed, line by line, until Ctrl-D; Ctrl-C ends an answer, or all of it."""
    print(f"{talk.model}. Ctrl-C stops an answer, Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            text = input(_PROMPT).strip()
        except EOFError:
            print()
            return
        if not text:
            continue
        try:
            talk.ask(text)
        except AskFailed as exc:
            print(f"slipstream: {exc.message}", file=sys.stderr)
        except KeyboardInterrupt:
            continue


@contextmanager
def _asker(base_url: str | None, path: Path | None, environ: Mapping[str, str]) -> Iterator[Asker]:
    key = environ.get(KEY_VARIABLE)
    if base_url:
        with Asker(base_url, key or _NO_KEY) as asker:
            yield asker
        return
    config = configuration.load(path, environ)
    url = f"http://{config.server.host}:{config.server.port}"
    if key and read_health(url, _LOOK_LIMIT_S) is not None:
        with Asker(url, key) as asker:
            yield asker
        return
    with (
        lent_key(database_url(config), "chat") as lent,
        _running(url, config, environ) as found,
        Asker(found, lent.token) as asker,
    ):
        if lent.is_kept:
            print(f"first key, shown only now: {lent.token}", file=sys.stderr)
        _await_key(asker)
        yield asker


@contextmanager
def _running(url: str, config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """Give the URL of the gateway that runs, or of one for as long as the block does."""
    if read_health(url, _LOOK_LIMIT_S) is not None:
        yield url
        return
    arguments = ["--host", "127.0.0.1", "--port", "0"]
    if config.path is not None:
        arguments += ["--config", str(config.path)]
    log_path = config.home / "chat.log"
    with gateway(arguments, child_environ(environ), log_path) as child:
        yield child.url


def _await_key(asker: Asker) -> None:
    """Wait until a gateway that was running before has seen the key that was lent.

    Raises:
        AskFailed: It is another installation's, which never will.
    """
    give_up_at_s = time.monotonic() + _KEY_SEEN_LIMIT_S
    while True:
        try:
            asker.models()
        except AskFailed as exc:
            if exc.answer_status != 401 or time.monotonic() > give_up_at_s:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _first_model(asker: Asker) -> str:
    models = asker.models()
    if not models:
        raise AskFailed("this gateway offers no model: slipstream pull smollm2-135m, or set a key")
    return models[0]
