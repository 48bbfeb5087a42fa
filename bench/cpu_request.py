"""Figure: CPU time for each plain request, of the contestant's whole process tree.

python -m bench.cpu_request
"""

from bench.arena import Arena, tell
from bench.command import Figure, Run, main
from bench.results import Metric
from bench.wrk import run_wrk

CONNECTIONS = (8, 32)
_METRICS = {
    c: Metric("cpu_request", f"CPU per request, {c} connections", "µs") for c in CONNECTIONS
}


def measure(arena: Arena, run: Run) -> None:
    """Load each contestant for a while and divide its CPU time by the answers."""
    for number in range(run.rounds):
        for connections, metric in _METRICS.items():
            tell(f"cpu_request: round {number + 1}, {connections} connections")
            for running in arena.running:
                if running.name == "direct":
                    continue
                with run.measuring(running.name), arena.under_test(running):
                    before_s = running.cpu_s()
                    load = run_wrk(
                        running.started.plain,
                        connections=connections,
                        duration_s=run.seconds(2, 3),
                    )
                    used_s = running.cpu_s() - before_s
                    cost_us = used_s * 1e6 / max(load.num_requests, 1)
                    run.results.add(metric, running.name, number, cost_us)


FIGURE = Figure("cpu_request", measure)

if __name__ == "__main__":
    main([FIGURE])
