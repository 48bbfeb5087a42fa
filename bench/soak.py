"""Soak: 500 concurrent streams for a minute; memory flat, no error, no socket left behind.

    python -m bench.soak [--streams 500] [--seconds 60] [--contestant slipstream]

Each stream lives two seconds and is then opened again on a connection of its own: 250 a second
come and go. Memory is what the processes allocated; pages of a mapped journal count in RSS, go
with their segment, and are only reported. Ends with a verdict for each rule, one JSON line, and
status 1 if a rule is broken.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.arena import Arena, Running, choose, tell
from bench.conditions import machine
from bench.processes import end_on_signals
from bench.stream_load import StreamLoad

_EVENTS, _PER_S = 40, 20
_EARLY_S = 10.0  # everything has been used once by then: pools, buffers, code paths
_DRAIN_LIMIT_S = 15.0
_LISTEN, _CLOSE_WAIT = "0A", "08"  # states in /proc/net/tcp
_GROWTH_BYTES = 4_000_000  # SQLite fills its page cache of 2 MB; a leak of 300 bytes a stream shows


@dataclass(frozen=True, slots=True)
class Seen:
    """What was counted."""

    num_whole: int
    failures: tuple[str, ...]
    early_rss_bytes: int
    late_rss_bytes: int
    early_anonymous_bytes: int
    late_anonymous_bytes: int
    clients_left: int  # connections on the gateway's port that are not closed
    half_closed_left: int  # of the gateway's, to either side: closed by the peer, not by it
    idle_sockets: int
    sockets_left: int
    cpu_share: float


def soak(running: Running, *, num_streams: int, duration_s: float) -> Seen:
    """Keep so many streams open for so long; look at memory twice, and at what is left."""
    idle_sockets = sum(tree.num_sockets() for tree in running.trees)
    load = StreamLoad(running.started.streams, num_events=_EVENTS, events_per_s=_PER_S)
    began_s, began_cpu_s = time.monotonic(), running.cpu_s()
    for _ in range(num_streams):
        load.open()
        load.read(time.monotonic() + 2.0 / num_streams)
    load.read(began_s + min(_EARLY_S, duration_s / 2), load.open)
    early = running.memory()
    load.read(began_s + duration_s, load.open)
    late = running.memory()
    cpu_share = (running.cpu_s() - began_cpu_s) / (time.monotonic() - began_s)
    deadline = time.monotonic() + _DRAIN_LIMIT_S
    while load.num_open and time.monotonic() < deadline:
        load.read(time.monotonic() + 0.1)
    num_unfinished = load.num_open
    load.close()
    time.sleep(1.0)
    failures = list(load.tally.failures)
    failures += ["did not end"] * num_unfinished
    clients, half_closed = _connections(running)
    return Seen(
        num_whole=load.tally.num_whole,
        failures=tuple(failures),
        early_rss_bytes=early.rss_bytes,
        late_rss_bytes=late.rss_bytes,
        early_anonymous_bytes=early.anonymous_bytes,
        late_anonymous_bytes=late.anonymous_bytes,
        clients_left=clients,
        half_closed_left=half_closed,
        idle_sockets=idle_sockets,
        sockets_left=sum(tree.num_sockets() for tree in running.trees),
        cpu_share=round(cpu_share, 3),
    )


def judge(seen: Seen, *, num_streams: int) -> dict[str, bool]:
    """Say of each rule whether it was kept."""
    early_bytes = seen.early_anonymous_bytes
    growth = seen.late_anonymous_bytes - early_bytes
    return {
        f"no error ({len(seen.failures)} of {seen.num_whole + len(seen.failures)})": (
            not seen.failures and seen.num_whole >= num_streams
        ),
        f"memory flat ({growth / 1e6:+.1f} MB on {early_bytes / 1e6:.1f})": (
            growth < _GROWTH_BYTES
        ),
        f"no client's socket left ({seen.clients_left})": seen.clients_left == 0,
        f"no socket half closed ({seen.half_closed_left})": seen.half_closed_left == 0,
    }


def _connections(running: Running) -> tuple[int, int]:
    """Count the gateway's open connections to clients, and those it failed to close."""
    port = running.started.streams.address[1]
    own = _socket_inodes(running)
    clients = half_closed = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] not in own:
            continue
        is_client = int(fields[1].rpartition(":")[2], 16) == port and fields[3] != _LISTEN
        clients += is_client
        half_closed += fields[3] == _CLOSE_WAIT
    return clients, half_closed


def _socket_inodes(running: Running) -> set[str]:
    return {
        link.removeprefix("socket:[").removesuffix("]")
        for tree in running.trees
        for link in tree.open_files()
        if link.startswith("socket:")
    }


def main() -> None:
    """Soak one contestant; exit with 1 if it broke a rule."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--contestant", default="slipstream")
    options = parser.parse_args()
    end_on_signals()
    rows, left_out = choose([options.contestant], with_peers=True)
    if left_out:
        raise SystemExit(left_out[0])
    tell(f"soak: {options.streams} streams through {rows[0].name} for {options.seconds:g} s")
    with Arena() as arena, arena.fresh(rows[0]) as running:
        seen = soak(running, num_streams=options.streams, duration_s=options.seconds)
        tail = running.trees[0].tail(600)
    verdicts = judge(seen, num_streams=options.streams)
    for rule, is_kept in verdicts.items():
        print(f"{'kept  ' if is_kept else 'BROKEN'} {rule}")
    print(
        f"RSS: {seen.early_rss_bytes / 1e6:.1f} MB after {_EARLY_S:g} s, "
        f"{seen.late_rss_bytes / 1e6:.1f} MB at the end"
    )
    print(
        f"sockets: {seen.idle_sockets} before, {seen.sockets_left} after (kept-alive upstream "
        f"connections among them); core {seen.cpu_share:.0%} busy"
    )
    for failure in sorted(set(seen.failures))[:5]:
        print(f"failure: {seen.failures.count(failure)} × {failure}")
    if not all(verdicts.values()):
        print(f"it printed last:\n{tail}")
    print(json.dumps({"soak": rows[0].name, **asdict(seen), "conditions": machine()}))
    sys.exit(0 if all(verdicts.values()) else 1)


if __name__ == "__main__":
    main()
