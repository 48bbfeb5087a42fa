"""What is queued for the next requests, and what became of those before: script, log, stats.

Times are of the monotonic clock in ms: on one machine they may be compared with another process's.
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import msgspec

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.behaviour import NOTHING, Values

LOG_ROWS: Final = 1000  # the oldest go first
LOG_BYTES: Final = 64 * 2**20  # of bodies
SCRIPT_ROWS: Final = 10_000
_QUOTA_KEYS: Final = 1000  # that are counted; the one that began a window first goes first

Ending = Literal[
    "complete",  # all of the answer was written
    "cut",  # a behaviour closed the connection
    "reset",  # the same with RST
    "client_closed_before_first_byte",
    "client_closed_mid_stream",
    "server_closed",  # the scripted upstream itself was stopped
]

# Headers whose value is a key: the log keeps the beginning of its SHA-256.
SECRET_HEADERS: Final = frozenset(
    {b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key"}
)


def redact(value: bytes) -> bytes:
    """Replace a key by `sha256:` and 12 hexadecimal digits of its hash; a scheme stays."""
    scheme, space, key = value.rpartition(b" ")
    return b"%b%bsha256:%b" % (scheme, space, hashlib.sha256(key).hexdigest()[:12].encode())


def now_ms() -> float:
    """Return the monotonic time in ms."""
    return time.monotonic_ns() / 1e6


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and what became of it; it changes until `ending` is set.

    Args:
        raw_headers: Lower-case names and values in the order they came, keys redacted.
        model: As the request said it; empty if it was not understood.
    """

    serial: int
    connection_id: int
    method: str
    path: str
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes
    started_ms: float
    model: str = ""
    status: int | None = None
    bytes_sent: int = 0
    first_byte_ms: float | None = None
    ended_ms: float | None = None
    ending: Ending | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name; values of a repeated one are joined by commas."""
        joined: dict[str, str] = {}
        for name, value in self.raw_headers:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            joined[key] = f"{joined[key]}, {text}" if key in joined else text
        return joined

    @property
    def key(self) -> str:
        """The hash of the key that it came with, as the log shows it; empty if there was none."""
        for name, value in self.raw_headers:
            if name in SECRET_HEADERS:
                return value.rpartition(b"sha256:")[2].decode("latin-1")
        return ""


class Stats(msgspec.Struct):
    """Counters; connections that speak to the control API are left out once they did."""

    open_connections: int = 0
    total_connections: int = 0
    peak_open_connections: int = 0
    requests: int = 0
    active_requests: int = 0
    peak_active_requests: int = 0


T = TypeVar("T")


@dataclass(slots=True)
class Book:
    """The state that all connections of one scripted upstream share."""

    stats: Stats = field(default_factory=Stats)
    log: deque[Exchange] = field(default_factory=deque)
    standing: tuple[Values, ...] | None = None  # in place of what the upstream was started with
    note: Callable[[Exchange], None] | None = None  # told of each request's begin and end
    _log_bytes: int = 0
    _script: deque[tuple[int, Values]] = field(default_factory=deque)
    _watchers: set[asyncio.Event] = field(default_factory=set)
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict)  # by key: its end, used

    # ---- the script

    def queue(self, values: Values, requests: int) -> None:
        """Give this behaviour to the next `requests` requests that have none queued yet."""
        if len(self._script) >= SCRIPT_ROWS:
            raise BadRequest(f"the script is full: {SCRIPT_ROWS} behaviours", code="script_full")
        self._script.append((requests, values))

    def take(self) -> Values:
        """Take the behaviour of the next request from the queue; empty if there is none."""
        if not self._script:
            return NOTHING
        left, values = self._script[0]
        if left == 1:
            self._script.popleft()
        else:
            self._script[0] = (left - 1, values)
        return values

    def count_queued(self) -> int:
        """Count the requests that a behaviour is queued for."""
        return sum(requests for requests, _ in self._script)

    def clear_script(self) -> None:
        """Forget what is queued."""
        self._script.clear()

    # ---- quotas

    def use(self, key: str, quota: int, window_s: float) -> tuple[int, float]:
        """Count a request of this key; return how many are left, -1 if it is over, and until when.

        A window begins with the first request that comes after the end of the one before.
        """
        now_s = time.monotonic()
        end_s, used = self._windows.get(key, (0.0, 0))
        if end_s <= now_s:
            self._windows.pop(key, None)
            end_s, used = now_s + window_s, 0
        if used < quota:
            used += 1
            self._windows[key] = (end_s, used)
            while len(self._windows) > _QUOTA_KEYS:
                del self._windows[next(iter(self._windows))]
            return quota - used, end_s - now_s
        return -1, end_s - now_s

    # ---- the log

    def begin(self, exchange: Exchange) -> None:
        """Count and log a request."""
        stats = self.stats
        stats.requests += 1
        stats.active_requests += 1
        if stats.active_requests > stats.peak_active_requests:
            stats.peak_active_requests = stats.active_requests
        self.log.append(exchange)
        self._log_bytes += len(exchange.body)
        while len(self.log) > LOG_ROWS or self._log_bytes > LOG_BYTES:
            self._log_bytes -= len(self.log.popleft().body)
        if self.note is not None:
            self.note(exchange)
        if self._watchers:
            self.changed()

    def end(self, exchange: Exchange, ending: Ending) -> None:
        """Note how and when a request ended; only the first ending counts."""
        if exchange.ending is not None:
            return
        exchange.ending = ending
        exchange.ended_ms = now_ms()
        self.stats.active_requests -= 1
        if self.note is not None:
            self.note(exchange)
        if self._watchers:
            self.changed()

    def clear_log(self) -> None:
        """Forget the requests so far; the counters stay."""
        self.log.clear()
        self._log_bytes = 0

    # ---- connections

    def connected(self) -> int:
        """Count a new connection; return its id."""
        stats = self.stats
        stats.open_connections += 1
        stats.total_connections += 1
        stats.peak_open_connections = max(stats.peak_open_connections, stats.open_connections)
        self.changed()
        return stats.total_connections

    def disconnected(self) -> None:
        """Count a connection that is gone."""
        self.stats.open_connections -= 1
        self.changed()

    def uncount(self) -> None:
        """Leave out a connection that turned out to speak to the control API."""
        self.stats.total_connections -= 1
        self.disconnected()

    # ---- waiting

    def changed(self) -> None:
        """Wake those who wait for a state."""
        for watcher in self._watchers:
            watcher.set()

    async def wait_for(self, condition: Callable[[], T], timeout_s: float) -> T:
        """Wait until the condition holds, and return what it gave.

        Raises:
            TimeoutError: It did not hold in time; the text shows the state then.
        """
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := condition()):
                    await watcher.wait()
                    watcher.clear()
                return found
        except TimeoutError as exc:
            last = self.log[-1] if self.log else None
            seen = f"last: {last.method} {last.path} {last.ending}" if last else "no request"
            raise TimeoutError(f"not within {timeout_s:g} s; {self.stats}; {seen}") from exc
        finally:
            self._watchers.discard(watcher)
