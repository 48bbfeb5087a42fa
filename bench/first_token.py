"""Figure: time to the first token of a stream, and what is added to direct, one stream at a time.

python -m bench.first_token
"""

from bench.arena import Arena, tell
from bench.command import Figure, Run, main
from bench.results import Metric, quantile
from bench.stream_load import first_event_times

_FIGURE = "first_token"
_WHOLE = {
    0.5: Metric(_FIGURE, "first token p50", "µs"),
    0.99: Metric(_FIGURE, "first token p99", "µs"),
}
_ADDED = {
    0.5: Metric(_FIGURE, "added to first token p50", "µs", False, "≤ 300", 300),
    0.99: Metric(_FIGURE, "added to first token p99", "µs"),
}


def measure(arena: Arena, run: Run) -> None:
    """Time short streams through each contestant, round by round."""
    for number in range(run.rounds):
        tell(f"first_token: round {number + 1}")
        times = {}
        for running in arena.running:
            with run.measuring(running.name), arena.under_test(running):
                first_event_times(running.started.streams, num_streams=10, limit_s=2.0)
                times[running.name] = first_event_times(
                    running.started.streams,
                    num_streams=run.seconds(200, 600),
                    limit_s=run.seconds(3, 6),
                )
        for share in (0.5, 0.99):
            for name, values in times.items():
                taken_us = quantile(values, share) * 1e6
                run.results.add(_WHOLE[share], name, number, taken_us)
                if name != "direct" and "direct" in times:
                    direct_us = quantile(times["direct"], share) * 1e6
                    run.results.add(_ADDED[share], name, number, taken_us - direct_us)


FIGURE = Figure(_FIGURE, measure)

if __name__ == "__main__":
    main([FIGURE])
