"""The shell of the commands: help, version, mistyped names, errors and exit statuses."""

import importlib
import inspect
import subprocess
import sys

import pytest

from slipstream import __version__
from slipstream.cli.main import COMMANDS, GROUPS, main

_LIMIT_S = 30


def _python(code: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)


def _main_with(body: str) -> "subprocess.CompletedProcess[str]":
    """Run `main(["probe"])` in a process whose table has one more command, of this body."""
    return _python(
        "import sys, types\n"
        "from slipstream.cli import main as shell\n"
        "from slipstream.errors import ConfigError, GatewayError\n"
        f"def probe() -> int:\n    {body}\n"
        "sys.modules['probe'] = module = types.ModuleType('probe')\n"
        "module.probe = probe\n"
        "shell.COMMANDS['probe'] = shell.Command('probe:probe', 'A probe.')\n"
        "sys.exit(shell.main(['probe']))"
    )


def test_help_names_every_command_and_group(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` lists all commands of the table with their line, groups as one."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, command in COMMANDS.items():
        group = name.split()[0]
        assert GROUPS.get(group, command.help) in shown


def test_help_of_a_group_names_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`keys --help` lists create, list and revoke."""
    assert main(["keys", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("create", "list", "revoke"))


def test_help_imports_no_command() -> None:
    """Help stays fast because the modules of the commands are not read for it."""
    done = _python(
        "import sys; from slipstream.cli.main import main; main(['--help'])\n"
        "heavy = ('slipstream.', 'openvino', 'numpy', 'sqlalchemy', 'uvicorn', 'openai', 'rich')\n"
        "known = ('slipstream.cli', 'slipstream.cli.main', 'slipstream.errors', "
        "'slipstream.choice')\n"
        "print([m for m in sys.modules if m.startswith(heavy) and m not in known], "
        "file=sys.stderr)"
    )
    assert done.stderr.strip() == "[]"


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the name and the version, nothing else."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"slipstream {__version__}\n"


def test_no_command_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """Calling nothing is a misuse that is answered with the help."""
    assert main([]) == 2
    assert "Usage: slipstream COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["sevre"], "'slipstream serve'"),
        (["key"], "'slipstream keys'"),
        (["keys", "creat"], "'slipstream keys create'"),
        (["xyzzy"], "'slipstream --help'"),
    ],
)
def test_unknown_command_names_the_nearest(
    words: list[str], nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped command gets status 2 and the name that was probably meant."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert nearest in shown.err
    assert shown.out == ""


def test_unknown_option_of_a_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A command takes no option that it does not have."""
    assert main(["models", "--jsno"]) == 2
    assert "--jsno" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(COMMANDS))
def test_commands_of_the_table_exist_and_are_described(name: str) -> None:
    """Every row of the table leads to a function that Typer can read."""
    module, _, function = COMMANDS[name].target.partition(":")
    command = getattr(importlib.import_module(module), function)
    assert inspect.getdoc(command)
    assert main([*name.split(), "--help"]) == 0


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("raise ConfigError('x.toml:3: no key')", 2, "slipstream: x.toml:3: no key\n"),
        ("raise GatewayError('all is lost')", 1, "slipstream: all is lost\n"),
        ("raise KeyboardInterrupt", 130, ""),
        ("return 7", 7, ""),
        ("return 0", 0, ""),
    ],
)
def test_end_of_a_command_becomes_a_status(body: str, status: int, said: str) -> None:
    """Our errors are one line on standard error, Ctrl-C is quiet, a returned status is kept."""
    done = _main_with(body)
    assert (done.returncode, done.stderr) == (status, said)


def test_module_run_is_the_same_command() -> None:
    """`python -m slipstream` is `slipstream`."""
    command = [sys.executable, "-m", "slipstream", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.stdout == f"slipstream {__version__}\n"
