"""`slipstream pull`: gets a model and makes it ready to be served here.

One display of all phases on a terminal, one line for each elsewhere. What is fetched and how is in
engine/weights.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Display

from slipstream import config as configuration
from slipstream.engine.weights.manifest import ModelFacts
from slipstream.engine.weights.pull import KNOWN_MODELS, Progress
from slipstream.engine.weights.pull import check as check_model
from slipstream.engine.weights.pull import pull as pull_model

_WORDS: Final = {
    "wait": "waiting for another pull of this model",
    "download": "download",
    "check": "check",
    "convert": "convert",
    "prepare": "prepare",
}
_REFRESH_PER_S: Final = 10
_KNOWN: Final = ", ".join(model.name for model in KNOWN_MODELS)

_Report = Callable[[Progress], None]


def pull(
    source: Annotated[
        str,
        typer.Argument(
            help=f"A known name ({_KNOWN}), a .gguf file, a folder or archive with OpenVINO "
            "files, an http(s) URL of one (#sha256=… is checked), or "
            "hf:owner/repo[/file.gguf][@revision]."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; else after the file.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make it anew though it is there.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare every file with its SHA-256.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the installation; else SLIPSTREAM_HOME.")
    ] = None,
) -> None:
    """Get a model to run here."""
    folder = home if home is not None else configuration.home_from(os.environ)
    console = Console(highlight=False, soft_wrap=True, quiet=quiet)
    try:
        pull_with_progress(source, folder, console, name=name, force=force, with_check=check)
    except KeyboardInterrupt:
        print(
            "slipstream: interrupted; the same command goes on where this one stopped",
            file=sys.stderr,
        )
        raise


def pull_with_progress(
    source: str,
    home: Path,
    console: Console,
    *,
    name: str | None = None,
    force: bool = False,
    with_check: bool = False,
) -> ModelFacts:
    """Pull a model and show how it goes; for commands that need one.

    Raises:
        LoadFailed: It cannot be had; what was there before is still there.
    """
    started_at_s = time.perf_counter()
    with _shown(console) as report:
        has_worked = False

        def on_progress(progress: Progress) -> None:
            nonlocal has_worked
            has_worked = has_worked or progress.phase != "wait"
            report(progress)

        facts = pull_model(source, home, name=name, force=force, on_progress=on_progress)
        if with_check:
            check_model(facts, home, report)
    took = f" in {time.perf_counter() - started_at_s:.1f} s" if has_worked else ""
    console.print(f"[bold]{facts.name}[/] is ready{took}: {escape(_summary(facts, home))}")
    if has_worked and not facts.source.startswith("pypi:"):
        console.print(f"  made of {escape(facts.source)}, SHA-256 {facts.source_sha256}")
    return facts


def _summary(facts: ModelFacts, home: Path) -> str:
    size = f"{facts.total_bytes / 1e6:,.0f} MB"
    return f"{facts.weights_format}, {size} in {home / 'models' / facts.name}"


def _shown(console: Console) -> AbstractContextManager[_Report]:
    if console.quiet:
        return nullcontext(lambda _: None)
    return _Bars(console) if console.is_terminal else _Lines(console)


class _Bars:
    """All phases in one display that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._display = Display(
            TextColumn("  {task.description:<8}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[size]:>17}"),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=_REFRESH_PER_S,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Report:
        self._display.start()
        return self._report

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish_all()
        self._display.stop()

    def _report(self, progress: Progress) -> None:
        task = self._tasks.get(progress.phase)
        if task is None:
            self._finish_all()
            task = self._display.add_task(_WORDS[progress.phase], total=None, size="")
            self._tasks[progress.phase] = task
        done, total = progress.done_bytes, progress.total_bytes
        self._display.update(task, completed=done, total=total, size=_size(done, total))

    def _finish_all(self) -> None:
        for task in self._display.tasks:
            # A phase that measures nothing, or that came short of its estimate, is done too.
            total = task.completed or 1
            self._display.update(task.id, total=total, completed=total)
            self._display.stop_task(task.id)


def _size(done_bytes: int, total_bytes: int | None) -> str:
    if total_bytes is None:
        return f"{done_bytes / 1e6:,.1f} MB" if done_bytes else ""
    return f"{done_bytes / 1e6:,.1f}/{total_bytes / 1e6:,.1f} MB"


class _Lines:
    """One line when a phase begins; for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def __call__(self, progress: Progress) -> None:
        if progress.phase == self._phase:
            return
        self._phase = progress.phase
        size = f", {progress.total_bytes / 1e6:,.0f} MB" if progress.total_bytes else ""
        self._console.print(f"  {_WORDS[progress.phase]}{size}")
