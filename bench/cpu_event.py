"""Figure: CPU time for each relayed server-sent event, at 1, 50 and 500 streams.

    python -m bench.cpu_event

Streams are opened first; then, for a few seconds in which none starts or ends, the contestant's
CPU time is divided by the events that arrived. One that cannot keep the pace is named in a note.
"""

import time

from bench.arena import Arena, Running, tell
from bench.command import Figure, Run, main
from bench.results import SUBJECT, Metric
from bench.stream_load import StreamLoad

PACES = {1: 900, 50: 400, 500: 40}  # streams: events/s of each
_OPEN_LIMIT_S = 8.0
_STEP_S = 0.002  # between two streams, so that their events do not come in one burst
_METRICS = {
    n: Metric(
        "cpu_event",
        f"CPU per event, {n} stream{'s' if n > 1 else ''} at {pace}/s",
        "µs",
        budget="≤ 10",
        limit=10,
    )
    for n, pace in PACES.items()
}


def measure(arena: Arena, run: Run) -> None:
    """Relay streams through each contestant, round by round."""
    for number in range(run.rounds):
        for num_streams, metric in _METRICS.items():
            tell(f"cpu_event: round {number + 1}, {num_streams} streams")
            for running in arena.running:
                if running.name == "direct":
                    continue
                with run.measuring(running.name), arena.under_test(running):
                    cost_us = _cpu_per_event_us(run, running, num_streams)
                    run.results.add(metric, running.name, number, cost_us)


def _cpu_per_event_us(run: Run, running: Running, num_streams: int) -> float:
    pace, window_s = PACES[num_streams], run.seconds(2, 4)
    num_events = int(pace * (_OPEN_LIMIT_S + window_s + 5))
    load = StreamLoad(running.started.streams, num_events=num_events, events_per_s=pace)
    try:
        open_streams(load, num_streams, limit_s=_OPEN_LIMIT_S)
        before_s, before_events = running.cpu_s(), load.num_events
        load.read(time.monotonic() + window_s)
        used_s, got = running.cpu_s() - before_s, load.num_events - before_events
        _judge(run, running, load, got / (num_streams * pace * window_s), num_streams)
    finally:
        load.close()
    return used_s * 1e6 / max(got, 1)


def open_streams(load: StreamLoad, num_streams: int, *, limit_s: float) -> None:
    """Open streams one by one and read until the first event of each has come."""
    for _ in range(num_streams):
        load.open()
        load.read(time.monotonic() + _STEP_S)
    deadline = time.monotonic() + limit_s
    while load.num_flowing < load.num_open and time.monotonic() < deadline:
        load.read(time.monotonic() + 0.05)
    load.read(time.monotonic() + 0.3)


def _judge(run: Run, running: Running, load: StreamLoad, share: float, num_streams: int) -> None:
    is_ours = running.name == SUBJECT
    if load.num_flowing < num_streams:
        why = load.tally.failures[:1] or ["no event within the limit"]
        text = f"{load.num_flowing} of {num_streams} streams flowed ({why[0]})"
        run.fail_if(is_ours, f"{running.name}: {text}")
    if share < 0.95:
        run.results.note(
            f"{running.name} could not keep the pace of {num_streams} streams at "
            f"{PACES[num_streams]}/s in every round: its core was full, and events came late"
        )


FIGURE = Figure("cpu_event", measure)

if __name__ == "__main__":
    main([FIGURE])
