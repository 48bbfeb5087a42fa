"""Figure: requests/s, p50 and p99 at 1, 8, 32 and 256 connections, and what is added to direct.

python -m bench.throughput
"""

from bench.arena import Arena, Running, tell
from bench.command import Figure, Run, main
from bench.results import SUBJECT, Metric
from bench.wrk import Load, run_wrk

CONNECTIONS = (1, 8, 32, 256)
_AT = {c: f"{c} connection{'s' if c > 1 else ''}" for c in CONNECTIONS}
_FIGURE = "throughput"
_RATE = {
    c: Metric(_FIGURE, f"requests/s, {_AT[c]}", "1/s", is_more_better=True) for c in CONNECTIONS
} | {
    32: Metric(_FIGURE, "requests/s, 32 connections", "1/s", True, "≥ 15,000", 15_000, 0.14),
}
_P50 = {c: Metric(_FIGURE, f"p50, {_AT[c]}", "µs") for c in CONNECTIONS}
_P99 = {c: Metric(_FIGURE, f"p99, {_AT[c]}", "µs") for c in CONNECTIONS}
_ADDED_P50 = Metric(_FIGURE, "added p50, 1 connection", "µs", False, "≤ 60", 60, 2.3)
_ADDED_P99 = Metric(_FIGURE, "added p99, 1 connection", "µs", False, "≤ 300", 300)


def measure(arena: Arena, run: Run) -> None:
    """Measure every contestant at every number of connections, round by round."""
    for number in range(run.rounds):
        for connections in CONNECTIONS:
            tell(f"throughput: round {number + 1}, {_AT[connections]}")
            _measure_setting(arena, run, number, connections)


def _measure_setting(arena: Arena, run: Run, number: int, connections: int) -> None:
    loads: dict[str, Load] = {}
    for running in arena.running:
        with run.measuring(running.name):
            load = _load(arena, run, running, connections)
            if load.num_requests:
                loads[running.name] = load
    for name, load in loads.items():
        run.results.add(_RATE[connections], name, number, load.requests_per_s)
        run.results.add(_P50[connections], name, number, load.p50_us)
        run.results.add(_P99[connections], name, number, load.p99_us)
    if connections == 1:
        _add_differences(run, number, loads)


def _load(arena: Arena, run: Run, running: Running, connections: int) -> Load:
    duration_s = run.seconds(1, 5 if connections == CONNECTIONS[-1] else 3)
    with arena.under_test(running):
        load = run_wrk(running.started.plain, connections=connections, duration_s=duration_s)
    if load.num_errors or not load.num_requests:
        text = f"{load.num_errors} errors, {load.num_requests} answers in {duration_s} s"
        run.fail_if(running.name == SUBJECT, f"{running.name}, {_AT[connections]}: {text}")
    return load


def _add_differences(run: Run, number: int, loads: dict[str, Load]) -> None:
    if "direct" not in loads:
        return
    direct = loads["direct"]
    for name, load in loads.items():
        if name != "direct":
            run.results.add(_ADDED_P50, name, number, load.p50_us - direct.p50_us)
            run.results.add(_ADDED_P99, name, number, load.p99_us - direct.p99_us)


FIGURE = Figure(_FIGURE, measure)

if __name__ == "__main__":
    main([FIGURE])
