"""CPU time for each event of a translated stream, for every client and upstream.

    python -m bench.translate              # codecs alone, then the whole gateway; three minutes
    python -m bench.translate --pure       # codecs alone: seconds, and needs one core
    python -m bench.translate --quick      # shorter windows
    python -m bench.translate --pace 100   # where the machine cannot keep 400/s for each stream

The whole gateway: 50 streams at 400 events/s each, as in cpu_event.py, by sockets, keys, ledger and
metrics on; CPU time of its process tree over the events that arrived. Pairs are measured by turns
with the relayed one, and the ratio is to the relayed one just before.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.arena import tell
from bench.conditions import busy_share, machine
from bench.contestants import create_key
from bench.cpu_event import open_streams
from bench.dialect_server import paced
from bench.dialect_streams import PATHS, STREAMS, request_of
from bench.endpoints import Endpoint, free_port, wait_for_port
from bench.processes import GATEWAY_CORE, LOAD_CORE, Tree, end_on_signals, start
from bench.stream_load import StreamLoad
from bench.translate_pure import measure_relayed, measure_translated, spread

_ROOT: Final = Path(__file__).parent.parent
_NUM_STREAMS: Final = 50
_OPEN_LIMIT_S: Final = 8.0
_LIMIT_US: Final = 25.0  # of a translated event, through the whole gateway
_RELAYED: Final = ("openai_chat", "openai_chat")


class _Cost(NamedTuple):
    """What an event cost.

    Args:
        system_us: Of it, in the kernel: reads, writes and waits.
        share: Of the pace that was kept; below 1 several events came in one read, and cost less.
    """

    us: float
    system_us: float
    share: float


class _Place(NamedTuple):
    """A gateway that answers, with an upstream behind it for each dialect, and how it is loaded."""

    tree: Tree
    port: int
    key: str
    per_s: int  # events of each stream
    window_s: float


@contextmanager
def _gateway(work: Path, per_s: int, window_s: float) -> Iterator[_Place]:
    """Start the upstream and a gateway before it."""
    port, upstream_port = free_port(), free_port()
    tables = [
        f'[providers.{name.replace("_", "-")}]\ndialect = "{name}"\napi_key = "sk-upstream"\n'
        f'base_url = "http://127.0.0.1:{upstream_port}/{"v1beta" if name == "gemini" else "v1"}"\n'
        for name in STREAMS
    ]
    server = f'[server]\nhost = "127.0.0.1"\nport = {port}\nworkers = 1\n'
    config = work / "slipstream.toml"
    config.write_text("\n".join([server, *tables]))
    env = {"SLIPSTREAM_HOME": str(work / "home"), "PYTHONPATH": str(_ROOT)}
    upstream = (sys.executable, "-m", "bench.dialect_server", str(upstream_port))
    slipstream = str(Path(sys.executable).with_name("slipstream"))
    key = create_key(work, env)  # before it starts: it hears of new ones a moment later
    with ExitStack() as stack:
        served = start(upstream, core=LOAD_CORE, log=work / "upstream.log", env=env)
        stack.callback(served.stop)
        wait_for_port(upstream_port, limit_s=10.0)
        command = (slipstream, "serve", "--config", str(config))
        tree = start(command, core=GATEWAY_CORE, log=work / "gateway.log", env=env, cwd=work)
        stack.callback(tree.stop)
        wait_for_port(port, limit_s=30.0)
        yield _Place(tree, port, key, per_s, window_s)


def _cost(place: _Place, client: str, upstream: str) -> _Cost:
    """Return the CPU time per event of one pair."""
    per_s, window_s = place.per_s, place.window_s
    num_events = int(per_s * (_OPEN_LIMIT_S + window_s + 5))
    model = f"{upstream.replace('_', '-')}/{paced(num_events, per_s)}"
    url = f"http://127.0.0.1:{place.port}{PATHS[client]}"
    endpoint = Endpoint(url, model, {"Authorization": f"Bearer {place.key}"})
    body = json.dumps(request_of(client, model)).encode()
    load = StreamLoad(endpoint, num_events=num_events, events_per_s=per_s, body=body)
    try:
        open_streams(load, _NUM_STREAMS, limit_s=_OPEN_LIMIT_S)
        if load.num_flowing < _NUM_STREAMS // 2:
            raise RuntimeError(f"{load.num_flowing} streams flow: {load.tally.failures[:1]}")
        tree, before_events = place.tree, load.num_events
        before_s, before_system_s = tree.cpu_s(), tree.system_s()
        load.read(time.monotonic() + window_s)
        used_s, system_s = tree.cpu_s() - before_s, tree.system_s() - before_system_s
        got = max(load.num_events - before_events, 1)
    finally:
        load.close()
    time.sleep(0.3)  # what the gateway does about clients that went away is no event's cost
    share = got / (_NUM_STREAMS * per_s * window_s)
    return _Cost(used_s * 1e6 / got, system_s * 1e6 / got, share)


def _measure_whole(per_s: int, window_s: float) -> dict[str, Any]:
    """Return microseconds per event by client and upstream, also without the kernel, and ratios."""
    cost: dict[str, dict[str, float]] = {}
    own: dict[str, dict[str, float]] = {}
    ratio: dict[str, dict[str, float]] = {}
    shares: list[float] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="slipstream-bench-"))
        place = stack.enter_context(_gateway(Path(folder), per_s, window_s))
        _cost(place, *_RELAYED)  # warm
        for client in PATHS:
            tell(f"translate: clients of {client}")
            relayed = _cost(place, *_RELAYED)
            found = {up: _cost(place, client, up) for up in STREAMS}
            cost[client] = {up: one.us for up, one in found.items()}
            own[client] = {up: one.us - one.system_us for up, one in found.items()}
            ratio[client] = {up: one.us / relayed.us for up, one in found.items()}
            shares += [relayed.share, *(one.share for one in found.values())]
    return {"cost": cost, "own": own, "ratio": ratio, "least_share": min(shares)}


def _print(title: str, table: dict[str, dict[str, float]], show: Callable[[float], str]) -> None:
    print(f"\n{title}")
    print(f"| client | {' | '.join(STREAMS)} |\n|:--|{'--:|' * len(STREAMS)}")
    for client, row in table.items():
        print(f"| {client} | {' | '.join(show(row[name]) for name in STREAMS)} |")


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 if a translated event costs more than the floor."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pure", action="store_true", help="codecs alone")
    parser.add_argument("--quick", action="store_true", help="shorter windows")
    parser.add_argument("--pace", type=int, default=400, help="events/s of each stream")
    options = parser.parse_args(arguments)
    end_on_signals()
    found: dict[str, Any] = {"conditions": machine()}
    found["pure"], found["pure_relayed"] = measure_translated(), measure_relayed()
    _print("codecs alone, µs CPU per event", found["pure"], "{:.2f}".format)
    relayed = (f"{name} {us:.2f}" for name, us in found["pure_relayed"].items())
    print(f"\nhanded on as they are: {', '.join(relayed)}")
    most_us = spread(found["pure"])[2]
    if not options.pure:
        found["busy_without_us"] = busy_share(0.5)
        found["whole"] = _measure_whole(options.pace, 1.5 if options.quick else 4.0)
        cost = found["whole"]["cost"]
        title = f"the whole gateway, {_NUM_STREAMS} streams at {options.pace}/s"
        _print(f"{title}, µs CPU per event", cost, "{:.1f}".format)
        _print(f"{title}, the part outside of the kernel", found["whole"]["own"], "{:.1f}".format)
        _print(f"{title}, over chat relayed", found["whole"]["ratio"], "{:.2f}×".format)
        most_us = spread(cost)[2]
        share = found["whole"]["least_share"]
        print(f"\nmost: {most_us:.1f} µs, floor {_LIMIT_US:g}; pace kept: {share:.0%} at least")
    print(json.dumps(found))
    return int(most_us > _LIMIT_US)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
