"""`slipstream doctor`: looks at what the gateway needs, and says of each what to do."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from slipstream import config as configuration
from slipstream.cli import checks
from slipstream.cli.checks import Finding
from slipstream.errors import ConfigError

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def doctor(
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Check this machine, and say what to do."""
    findings = []
    console = Console(highlight=False, soft_wrap=True)
    for finding in examine(config):
        findings.append(finding)
        if not json:
            console.print(_line(finding))
    if json:
        encoded = msgspec.json.encode([asdict(finding) for finding in findings])
        print(msgspec.json.format(encoded, indent=2).decode())
    return 1 if any(finding.status == "fail" for finding in findings) else 0


def examine(path: Path | None) -> Iterator[Finding]:
    """Carry out all checks, one after the other; what a wrong configuration hides is left out."""
    yield checks.check_python()
    yield checks.check_memory(checks.available_memory_bytes())
    yield checks.check_home(configuration.home_from(os.environ))
    try:
        config = configuration.load(path, os.environ)
    except ConfigError as exc:
        for problem in exc.message.splitlines():
            yield Finding("configuration", "fail", problem, "docs/config.md says what is accepted")
        return
    yield Finding("configuration", "ok", str(config.path or "none, so the defaults hold"))
    yield from checks.check_models(config)
    yield checks.check_keys(config.home / "slipstream.db", config.server.require_key)
    yield from checks.check_providers(config)
    yield checks.check_port(config.server.host, config.server.port)


def _line(finding: Finding) -> Text:
    mark, colour = _MARKS[finding.status]
    line = Text.assemble((mark, colour), f" {finding.subject:<14}{finding.text}")
    if finding.advice:
        line.append(f"\n  {'':<14}→ {finding.advice}", style="bold")
    return line
