"""What every benchmark script shares: options, the run's frame, and how a run ends.

A run ends with a table, the conditions, remarks, and, as the last line, everything as JSON.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.arena import Arena, choose, tell
from bench.conditions import busy_share, machine
from bench.contestants import Contestant
from bench.endpoints import ANSWER_BYTES, REQUEST_BYTES
from bench.processes import GATEWAY_CORE, LOAD_CORE, end_on_signals
from bench.results import SUBJECT, Results, as_json, table
from bench.wrk import run_wrk

_ROUNDS = 3


@dataclass(slots=True)
class Run:
    """What one invocation measures, and what it found."""

    rows: list[Contestant]
    rounds: int
    is_quick: bool
    results: Results = field(default_factory=Results)
    failures: list[str] = field(default_factory=list)

    @property
    def fresh_rounds(self) -> int:
        """Rounds of what needs a new process each time; a slow peer takes 20 s to start."""
        return min(self.rounds, 2)

    def seconds(self, quick: int, full: int) -> int:
        """Choose a length, in seconds or pieces."""
        return quick if self.is_quick else full

    def fail_if(self, is_failure: bool, text: str) -> None:
        """Note a remark, which also fails the run if it is about Slipstream."""
        self.results.note(text)
        if is_failure:
            self.failures.append(text)

    @contextmanager
    def measuring(self, name: str) -> Iterator[None]:
        """Go on without a sample if a contestant breaks down; if it is Slipstream, fail the run."""
        try:
            yield
        except (OSError, RuntimeError, subprocess.SubprocessError) as exc:
            self.fail_if(name == SUBJECT, f"{name}: a sample is missing: {exc}")


@dataclass(frozen=True, slots=True)
class Figure:
    """One benchmark.

    Args:
        needs_running: False if it starts its contestants itself.
    """

    name: str
    measure: Callable[[Arena, Run], None]
    needs_running: bool = True


def main(figures: Sequence[Figure]) -> None:
    """Parse the options, measure, print, and exit with 0 if Slipstream was measured rightly."""
    options = _options(figures)
    end_on_signals()
    rows, left_out = choose(options.contestants, with_peers=not options.quick)
    run = Run(rows, options.rounds or (1 if options.quick else _ROUNDS), options.quick)
    for line in left_out:
        tell(line)
        run.results.note(line)
    wanted = [f for f in figures if not options.figures or f.name in options.figures]
    conditions = _conditions(run)  # now: others may commit while it runs
    conditions["busy_without_us"] = [round(share, 3) for share in _measure(wanted, run)]
    _print(run, conditions, options.json)
    sys.exit(1 if run.failures else 0)


def _options(figures: Sequence[Figure]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(sys.modules["__main__"].__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="one short round, without peers")
    parser.add_argument("--rounds", type=int, default=0, help=f"default: {_ROUNDS}, quick 1")
    parser.add_argument("--contestants", type=_names, default=[], metavar="A,B", help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON line there too")
    names = [figure.name for figure in figures]
    parser.add_argument(
        "--figures", type=_names, default=[], metavar="A,B", help=f"of: {', '.join(names)}"
    )
    options = parser.parse_args()
    unknown = [name for name in options.figures if name not in names]
    if unknown:
        parser.error(f"no figure named {unknown[0]!r}; there are: {', '.join(names)}")
    return options


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _measure(figures: Sequence[Figure], run: Run) -> list[float]:
    """Run the figures; return how busy the machine was while nothing of ours ran."""
    busy = [busy_share(0.5)]
    with Arena() as arena:
        for figure in figures:
            if not figure.needs_running:
                figure.measure(arena, run)
        running = [figure for figure in figures if figure.needs_running]
        if running:
            _admit(arena, run)
        for figure in running:
            busy.append(busy_share(0.5))
            figure.measure(arena, run)
            busy.append(busy_share(0.5))
    return busy


def _admit(arena: Arena, run: Run) -> None:
    for row in run.rows:
        tell(f"starting {row.name}")
        with run.measuring(row.name):
            arena.admit(row)
            _warm(arena, run)


def _warm(arena: Arena, run: Run) -> None:
    with arena.under_test(arena.running[-1]) as running:
        run_wrk(running.started.plain, connections=8, duration_s=run.seconds(1, 3))


def _conditions(run: Run) -> dict[str, Any]:
    return {
        **machine(),
        "commit": _commit(),
        "versions": {row.name: row.version() for row in run.rows},
        "gateway_core": GATEWAY_CORE,
        "load_core": LOAD_CORE,
        "request_bytes": REQUEST_BYTES,
        "answer_bytes": ANSWER_BYTES,
        "rounds": run.rounds,
        "is_quick": run.is_quick,
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=10,
    )
    return done.stdout.strip() or "unknown"


def _print(run: Run, conditions: dict[str, Any], path: Path | None) -> None:
    is_measured = any(SUBJECT in per for per in run.results.samples.values())
    print(table(run.results))
    print("\nmedian (least–most) of the rounds; ratios are medians of each round's own ratio")
    print("conditions: " + ", ".join(f"{key} {value}" for key, value in conditions.items()))
    for text in run.results.notes:
        print(f"note: {text}")
    if not is_measured:
        print(f"note: {SUBJECT} was not measured in this run")
    line = as_json(run.results, conditions)
    if path is not None:
        path.write_text(line + "\n")
    print(line)
