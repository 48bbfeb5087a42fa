"""Figure: memory of the whole process tree, idle and at its peak under 256 clients and 500 streams.

    python -m bench.memory

Each contestant is started afresh for this. RSS counts a page shared by two processes twice, PSS
once. The peak is the sum of the processes' own high-water marks of RSS.
"""

import time

from bench.arena import Arena, Running, tell
from bench.command import Figure, Run, main
from bench.cpu_event import open_streams
from bench.results import Metric
from bench.stream_load import StreamLoad
from bench.wrk import run_wrk

_MB = 1e6
_IDLE_S = 2.0
_IDLE_RSS = Metric("memory", "RSS, idle", "MB", False, "≤ 80", 80)
_IDLE_PSS = Metric("memory", "PSS, idle", "MB")
_PEAK_RSS = Metric("memory", "RSS, peak under load", "MB")
_AFTER_PSS = Metric("memory", "PSS, after the load", "MB")


def measure(arena: Arena, run: Run) -> None:
    """Start each contestant, look at it idle, load it, look again."""
    for number in range(run.fresh_rounds):
        for row in run.rows:
            if row.name == "direct":
                continue
            tell(f"memory: round {number + 1}, {row.name}")
            with run.measuring(row.name), arena.fresh(row) as running:
                time.sleep(_IDLE_S)
                idle = running.memory()
                _exert(run, running)
                after = running.memory()
                run.results.add(_IDLE_RSS, row.name, number, idle.rss_bytes / _MB)
                run.results.add(_IDLE_PSS, row.name, number, idle.pss_bytes / _MB)
                run.results.add(_PEAK_RSS, row.name, number, after.peak_rss_bytes / _MB)
                run.results.add(_AFTER_PSS, row.name, number, after.pss_bytes / _MB)


def _exert(run: Run, running: Running) -> None:
    run_wrk(running.started.plain, connections=256, duration_s=run.seconds(2, 5))
    load = StreamLoad(running.started.streams, num_events=4000, events_per_s=40)
    try:
        open_streams(load, 500, limit_s=run.seconds(8, 10))
        load.read(time.monotonic() + run.seconds(1, 3))
    finally:
        load.close()
    time.sleep(0.5)


FIGURE = Figure("memory", measure, needs_running=False)

if __name__ == "__main__":
    main([FIGURE])
