"""The place of a run: upstreams on one core, contestants on the other, one of them awake.

core 0   the contestant under test; all others are frozen (SIGSTOP)
core 1   wrk or our stream client, and the upstreams: nginx for plain answers, and
         bench.stream_server for streams; `direct` has the same two upstreams on core 0
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import ROWS, Contestant, Ports, Started
from bench.endpoints import (
    ANSWER_BYTES,
    Endpoint,
    free_port,
    plain_body,
    post,
    stream_body,
    wait_for_port,
)
from bench.processes import GATEWAY_CORE, LOAD_CORE, Memory, Tree, start
from bench.upstreams import instant_answer, nginx_command, nginx_config, stream_server_command

_QUIET_LIMIT_S = 10.0
_QUIET_STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Running:
    """A contestant that answers."""

    row: Contestant
    started: Started
    trees: tuple[Tree, ...]
    start_s: float  # from its command to its first whole answer

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    def cpu_s(self) -> float:
        """CPU time of all its processes so far."""
        return sum(tree.cpu_s() for tree in self.trees)

    def memory(self) -> Memory:
        """Memory of all its processes."""
        parts = [tree.memory() for tree in self.trees]
        return Memory(
            sum(part.rss_bytes for part in parts),
            sum(part.pss_bytes for part in parts),
            sum(part.anonymous_bytes for part in parts),
            sum(part.peak_rss_bytes for part in parts),
            sum(part.num_processes for part in parts),
        )

    def freeze(self) -> None:
        """Stop it from running."""
        for tree in self.trees:
            tree.freeze()

    def thaw(self) -> None:
        """Let it run on."""
        for tree in self.trees:
            tree.thaw()


class Arena:
    """Owns every process of a run; leaving it stops them all."""

    def __init__(self) -> None:
        self._work = Path(tempfile.mkdtemp(prefix="slipstream-bench-"))
        self._open = ExitStack()
        self._open.callback(shutil.rmtree, self._work, ignore_errors=True)
        self.running: list[Running] = []
        self._plain_port, self._stream_port = free_port(), free_port()

    def __enter__(self) -> "Arena":
        with ExitStack() as undo:
            undo.push(self._open)
            self._start_upstreams()
            undo.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def admit(self, row: Contestant) -> None:
        """Start a contestant for the rest of the run, check that it answers rightly, freeze it."""
        running = self._open.enter_context(self.fresh(row))
        running.freeze()
        self.running.append(running)

    @contextmanager
    def fresh(self, row: Contestant) -> Iterator[Running]:
        """Start one contestant with nothing behind it; stop it at the end."""
        work = Path(tempfile.mkdtemp(prefix=f"{row.name}-", dir=self._work))
        ports = Ports(free_port(), free_port(), self._plain_port, self._stream_port)
        started = row.prepare(work, ports)
        with ExitStack() as stack:
            began_s = time.monotonic()
            trees = []
            for number, command in enumerate(started.commands):
                log = work / f"output-{number}.log"
                env = {**row.env, **started.env}
                tree = start(command, core=GATEWAY_CORE, log=log, env=env, cwd=work)
                stack.callback(tree.stop)
                trees.append(tree)
            _wait_for_answer(row, started.plain, trees, began_s)
            running = Running(row, started, tuple(trees), time.monotonic() - began_s)
            wait_for_port(started.streams.address[1], limit_s=10.0)
            _check_stream(started.streams, limit_s=20.0)
            yield running

    @contextmanager
    def under_test(self, running: Running) -> Iterator[Running]:
        """Let one contestant run for a while, and then finish what it still has to do."""
        running.thaw()
        try:
            yield running
            _wait_until_quiet(running)
        finally:
            running.freeze()

    def _start_upstreams(self) -> None:
        work = self._work / "upstream"
        work.mkdir()
        config = nginx_config(self._plain_port, instant_answer())
        commands = {
            "nginx": nginx_command(work, config),
            "streams": stream_server_command(self._stream_port),
        }
        for name, command in commands.items():
            tree = start(command, core=LOAD_CORE, log=work / f"{name}.log")
            self._open.callback(tree.stop)
        wait_for_port(self._plain_port, limit_s=10.0)
        wait_for_port(self._stream_port, limit_s=10.0)


def choose(names: Sequence[str], *, with_peers: bool) -> tuple[list[Contestant], list[str]]:
    """Return the rows that can run, and a line for each one that was left out."""
    known = {row.name: row for row in ROWS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no contestant named {unknown[0]!r}; there are: {', '.join(known)}")
    chosen, left_out = [], []
    for row in ROWS:
        if names and row.name not in names:
            continue
        missing = row.missing()
        if row.is_peer and not with_peers and not names:
            left_out.append(f"{row.name}: left out, peers run in the full mode")
        elif missing:
            left_out.append(
                f"{row.name}: left out, not installed ({missing}): {row.how_to_install}"
            )
        else:
            chosen.append(row)
    return chosen, left_out


def tell(text: str) -> None:
    """Say on standard error what goes on; standard output is for the result."""
    print(text, file=sys.stderr, flush=True)


def _wait_until_quiet(running: Running) -> None:
    """Wait for requests that were dropped unanswered: a slow peer works on them for seconds."""
    deadline = time.monotonic() + _QUIET_LIMIT_S
    cpu_s = running.cpu_s()
    while time.monotonic() < deadline:
        time.sleep(_QUIET_STEP_S)
        before_s, cpu_s = cpu_s, running.cpu_s()
        if cpu_s - before_s < 0.2 * _QUIET_STEP_S:
            return


def _wait_for_answer(
    row: Contestant, endpoint: Endpoint, trees: Sequence[Tree], began_s: float
) -> None:
    body = plain_body(endpoint.model)
    seen = "no connection"
    while time.monotonic() < began_s + row.start_limit_s:
        if not all(tree.is_alive() for tree in trees):
            break
        try:
            status, answer = post(endpoint, body, limit_s=10.0)
        except OSError:
            time.sleep(0.01)
            continue
        if status == 200 and b"word word" in answer and len(answer) >= ANSWER_BYTES // 2:
            return
        seen = f"{status} {answer[:300]!r}"
        time.sleep(0.05)
    printed = "\n".join(tree.tail() for tree in trees)
    raise RuntimeError(f"{row.name} does not answer ({seen}); it printed:\n{printed}")


def _check_stream(endpoint: Endpoint, *, limit_s: float) -> None:
    body = stream_body(endpoint.model, num_events=5, events_per_s=0)
    status, answer = post(endpoint, body, limit_s=limit_s)
    num_tokens = answer.count(b'" token')
    if status != 200 or num_tokens != 5 or b"[DONE]" not in answer:
        raise RuntimeError(f"{endpoint.url} does not stream rightly: {status} {answer[:500]!r}")
