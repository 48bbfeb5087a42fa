"""Figure: how long loading takes: the import, `--help`, and from the command to the first answer.

    python -m bench.startup

Files are in the page cache: the first run of each command is thrown away.
"""

import os
import subprocess
import time
from collections.abc import Sequence

from bench.arena import Arena, tell
from bench.command import Figure, Run, main
from bench.contestants import Contestant
from bench.processes import GATEWAY_CORE
from bench.results import Metric

_IMPORT = Metric("startup", "process that only imports it", "ms", False, "≤ 150", 150)
_HELP = Metric("startup", "--help", "ms", False, "≤ 300", 300)
_SERVE = Metric("startup", "from start to first answer", "ms")
_COMMAND_LIMIT_S = 120


def measure(arena: Arena, run: Run) -> None:
    """Time each command and each start."""
    for row in run.rows:
        tell(f"startup: {row.name}")
        _measure_command(run, row, _IMPORT, row.import_command)
        _measure_command(run, row, _HELP, row.help_command)
        for number in range(run.fresh_rounds):
            with run.measuring(row.name), arena.fresh(row) as running:
                run.results.add(_SERVE, row.name, number, running.start_s * 1000)


def _measure_command(run: Run, row: Contestant, metric: Metric, command: Sequence[str]) -> None:
    """Time a command three times, after one that fills the page cache."""
    for number in range(1 + 3 if command else 0):
        with run.measuring(row.name):
            taken_ms = _time_ms(row, command)
            if number:
                run.results.add(metric, row.name, number, taken_ms)


def _time_ms(row: Contestant, command: Sequence[str]) -> float:
    started_s = time.perf_counter()
    subprocess.run(
        ["taskset", "-c", str(GATEWAY_CORE), *command],
        env={**os.environ, **row.env},
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_COMMAND_LIMIT_S,
    )
    return (time.perf_counter() - started_s) * 1000


FIGURE = Figure("startup", measure, needs_running=False)

if __name__ == "__main__":
    main([FIGURE])
