"""`slipstream`: one table of commands; the module of a command is imported when it is asked for.

Help and version come from the table alone, so they answer at once. Typer reads the options of
the one command that runs. Errors of ours become one line on standard error.
"""

import difflib
import importlib
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import typer

from slipstream import __version__
from slipstream.errors import ConfigError, GatewayError

FAILED = 1  # exit status when a command could not do what it was asked
MISUSED = 2  # exit status for wrong arguments and a wrong configuration
INTERRUPTED = 130  # as a shell reports Ctrl-C


class Command(NamedTuple):
    """Where a command lives, as `module:function`, and what it does."""

    target: str
    help: str


# In the order in which a newcomer needs them. Two words make a command of a group.
COMMANDS: dict[str, Command] = {
    "demo": Command("slipstream.cli.demo:demo", "Get a model, serve it, and stream an answer."),
    "serve": Command("slipstream.cli.serve:serve", "Run the gateway."),
    "chat": Command("slipstream.cli.chat:chat", "Talk to a model."),
    "pull": Command("slipstream.cli.pull:pull", "Get a model to run here."),
    "models": Command("slipstream.cli.models:models", "List the models that can be asked."),
    "explain": Command(
        "slipstream.cli.explain:explain", "Show where a request would go and why, or one went."
    ),
    "keys create": Command("slipstream.cli.keys:create", "Make a key and print it, once."),
    "keys list": Command("slipstream.cli.keys:list_", "List the keys."),
    "keys revoke": Command("slipstream.cli.keys:revoke", "Make a key worthless."),
    "cost": Command("slipstream.cli.cost:cost", "Show what was used and what it cost."),
    "doctor": Command("slipstream.cli.doctor:doctor", "Check this machine, and say what to do."),
    "mock": Command("slipstream.cli.mock:run", "Run a scripted provider, for tests."),
}
GROUPS: dict[str, str] = {"keys": "Keys of those who may call the gateway."}

_HELP_WORDS = ("-h", "--help", "help")
_VERSION_WORDS = ("-V", "--version", "version")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except GatewayError as error:
        print(f"slipstream: {error.message}", file=sys.stderr)
        return MISUSED if isinstance(error, ConfigError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in _HELP_WORDS:
        print(_usage(""))
        return 0 if words else MISUSED
    if words[0] in _VERSION_WORDS:
        print(f"slipstream {__version__}")
        return 0
    if words[0] in GROUPS:
        return _dispatch_group(words[0], words[1:])
    if words[0] in COMMANDS:
        return _run(words[0], words[1:])
    return _refuse(words[0], [name.split()[0] for name in COMMANDS], "")


def _dispatch_group(group: str, words: list[str]) -> int:
    if not words or words[0] in _HELP_WORDS:
        print(_usage(group))
        return 0 if words else MISUSED
    name = f"{group} {words[0]}"
    if name in COMMANDS:
        return _run(name, words[1:])
    return _refuse(words[0], [each.split()[-1] for each in _names(group)], group)


def _refuse(word: str, known: list[str], group: str) -> int:
    """Say what is wrong with a word that names no command."""
    where = f"slipstream {group}".rstrip()
    what = "option" if word.startswith("-") else "command"
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"Did you mean '{where} {near[0]}'?" if near else f"See '{where} --help'."
    print(f"slipstream: no {what} '{word}'. {hint}", file=sys.stderr)
    return MISUSED


def _names(group: str) -> list[str]:
    """Return the commands of a group; of the top level, where groups stand for theirs, if ''."""
    if group:
        return [name for name in COMMANDS if name.startswith(f"{group} ")]
    return list(dict.fromkeys(name.split()[0] for name in COMMANDS))


def _usage(group: str) -> str:
    names = _names(group)
    width = max(len(name.split()[-1]) for name in names)
    about = GROUPS.get(group, "One endpoint in front of every model.")
    lines = [f"Usage: {f'slipstream {group}'.rstrip()} COMMAND [OPTIONS]", "", about, ""]
    for name in names:
        text = GROUPS[name] if name in GROUPS else COMMANDS[name].help
        lines.append(f"  {name.split()[-1]:<{width}}  {text}")
    lines += ["", "`COMMAND --help` says more of one."]
    return "\n".join(lines)


def _run(name: str, words: list[str]) -> int:
    """Import a command, let Typer read its words, and run it."""
    module, _, function = COMMANDS[name].target.partition(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(help=COMMANDS[name].help)(
        _exiting(getattr(importlib.import_module(module), function))
    )
    try:
        typer.main.get_command(app).main(args=words, prog_name=f"slipstream {name}")
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else FAILED
    return 0


def _exiting(command: Callable[..., int | None]) -> Callable[..., None]:
    """Make a command's result its exit status."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        status = command(*args, **options)
        if status:
            raise typer.Exit(status)

    return run
