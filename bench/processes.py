"""Child processes on a chosen core: start, stop, freeze, and what their whole tree costs.

Linux only: everything is read from /proc. A tree is the process, its descendants and whatever
else runs in its session, so that a helper process which detached itself is still counted.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

GATEWAY_CORE = 0
LOAD_CORE = 1
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STOP_LIMIT_S = 8.0
_ORPHAN_LIMIT_S = 0.5  # for helper processes to notice that their parent ended


@dataclass(frozen=True, slots=True)
class Memory:
    """What a tree holds. RSS counts a shared page once per process, PSS shares it out.

    Anonymous memory is what it allocated itself, without mapped files such as the journal.
    """

    rss_bytes: int
    pss_bytes: int
    anonymous_bytes: int
    peak_rss_bytes: int  # sum of each process's own high-water mark
    num_processes: int


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    parent: int
    session: int
    own_ticks: int
    reaped_ticks: int  # CPU of children that ended and were waited for
    system_ticks: int  # of its own, those in the kernel


class Tree:
    """A started process and everything under it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Say whether the started process still runs."""
        return self._process.poll() is None

    def status(self) -> int | None:
        """Return the started process's exit status; None while it runs."""
        return self._process.poll()

    def pids(self) -> list[int]:
        """Return the processes of the tree, the started one first."""
        return [stat.pid for stat in self._members()]

    def cpu_s(self) -> float:
        """Return user and system time of the tree so far, ended children included."""
        ticks = os.sysconf("SC_CLK_TCK")
        total = 0.0
        for stat in self._members():
            # Ticks are coarse but count threads that ended; nanoseconds are fine but do not.
            own = max(_run_time_ns(stat.pid) / 1e9, stat.own_ticks / ticks)
            total += own + stat.reaped_ticks / ticks
        return total

    def system_s(self) -> float:
        """Return the part of it that living processes spent in the kernel, to a tick of 10 ms."""
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(stat.system_ticks for stat in self._members()) / ticks

    def memory(self) -> Memory:
        """Return what the tree holds now, and the most it ever held."""
        rss = pss = anonymous = peak = count = 0
        for pid in self.pids():
            rollup = _fields(f"/proc/{pid}/smaps_rollup")
            if "Rss" not in rollup:
                continue
            count += 1
            rss += rollup["Rss"]
            pss += rollup["Pss"]
            anonymous += rollup["Anonymous"]
            peak += _fields(f"/proc/{pid}/status").get("VmHWM", 0)
        return Memory(rss * 1024, pss * 1024, anonymous * 1024, peak * 1024, count)

    def open_files(self) -> list[str]:
        """Return what the tree's descriptors point to; `socket:[INODE]` for a socket."""
        return [link for pid in self.pids() for link in _open_files(pid)]

    def num_sockets(self) -> int:
        """Return how many sockets the tree has open, listening ones included."""
        return sum(1 for link in self.open_files() if link.startswith("socket:"))

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the started process alone."""
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop the tree from running, so that it costs the others nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen tree run on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the tree: politely, then by force; return when nothing of it runs."""
        members = self.pids()
        self.thaw()
        if self.is_alive():
            self._process.terminate()
        _wait_while(self.is_alive, _STOP_LIMIT_S)
        _wait_while(lambda: bool(_running(members)), _ORPHAN_LIMIT_S)
        members = [*_running(members), *self.pids()]
        self._signal(signal.SIGKILL, members)
        self._process.wait(_STOP_LIMIT_S)
        _wait_while(lambda: bool(_running(members)), _STOP_LIMIT_S)

    def tail(self, num_chars: int = 1500) -> str:
        """Return the end of what the process printed."""
        return self.log.read_text(errors="replace")[-num_chars:]

    def _signal(self, number: signal.Signals, pids: Sequence[int] | None = None) -> None:
        for pid in self.pids() if pids is None else pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _members(self) -> list[_Stat]:
        root = self.pid
        inside = {root}
        stats = sorted(_all_stats(), key=lambda stat: stat.pid != root)
        found: list[_Stat] = []
        grew = True
        while grew:
            fresh = [
                stat
                for stat in stats
                if stat not in found
                and (stat.pid in inside or stat.parent in inside or stat.session == root)
            ]
            found += fresh
            inside |= {stat.pid for stat in fresh}
            grew = bool(fresh)
        return found


def start(
    command: Sequence[str | Path],
    *,
    core: int | None,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Tree:
    """Start a command in a session of its own, on one core, its output in `log`."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*pin, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd or log.parent,
            start_new_session=True,
        )
    return Tree(process, log)


def end_on_signals() -> None:
    """Turn SIGTERM and SIGHUP into an ordinary exit, so that every started tree is stopped."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def _wait_while(holds: Callable[[], bool], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while holds() and time.monotonic() < deadline:
        time.sleep(0.01)


def _all_stats() -> Iterator[_Stat]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = Path("/proc", name, "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        rest = text[text.rindex(")") + 2 :].split()
        if rest[0] != "Z":
            own, reaped = int(rest[11]) + int(rest[12]), int(rest[13]) + int(rest[14])
            yield _Stat(int(name), int(rest[1]), int(rest[3]), own, reaped, int(rest[12]))


def _running(pids: Sequence[int]) -> list[int]:
    alive = {stat.pid for stat in _all_stats()}
    return [pid for pid in pids if pid in alive]


def _run_time_ns(pid: int) -> int:
    """Sum the living threads' time on a core."""
    total = 0
    for path in Path("/proc", str(pid), "task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def _fields(path: str) -> dict[str, int]:
    """Read the `Name:   123 kB` lines of a file under /proc."""
    try:
        lines = Path(path).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith("kB") and ":" in line)
    return {name: int(value.split()[0]) for name, value in pairs}


def _open_files(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except FileNotFoundError:
            continue
