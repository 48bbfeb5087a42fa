"""A client for many streams at once: one thread on epoll, standard library only.

It counts content events, notes when the first of each stream came, and says of every stream
whether it was whole. It parses no more than that: it must cost less than what it measures.
"""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.endpoints import Endpoint, stream_body

_TOKEN = b'" token'  # once in each content event, in no other
_TERMINAL = b"[DONE]"
_END = b"0\r\n\r\n"
_CARRY = len(_TOKEN) - 1


@dataclass(slots=True)
class Stream:
    """One request and what came of it."""

    sock: socket.socket
    started_s: float
    first_event_s: float | None = None
    num_events: int = 0
    has_terminal: bool = False
    is_over: bool = False
    status_line: bytes = b""
    tail: bytes = b""


@dataclass(slots=True)
class Tally:
    """Streams that ended, by how they did."""

    num_whole: int = 0
    failures: list[str] = field(default_factory=list)


class StreamLoad:
    """Opens streams to one endpoint and reads them until told to stop.

    Args:
        num_events: Content events that each stream has; one with fewer is a failure.
        events_per_s: Pace of each stream at the upstream.
        body: Of the request, where it is no request of chat.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        num_events: int,
        events_per_s: float,
        body: bytes | None = None,
    ) -> None:
        self._endpoint = endpoint
        if body is None:
            body = stream_body(endpoint.model, num_events=num_events, events_per_s=events_per_s)
        self._request = endpoint.raw_request(body)
        self._expected = num_events
        self._poll = select.epoll()
        self._streams: dict[int, Stream] = {}
        self.num_events = 0
        self.tally = Tally()

    @property
    def num_open(self) -> int:
        """Streams that have not ended."""
        return len(self._streams)

    @property
    def num_flowing(self) -> int:
        """Open streams whose first event has come."""
        return sum(1 for stream in self._streams.values() if stream.first_event_s is not None)

    def open(self) -> None:
        """Connect and send one request."""
        sock = socket.create_connection(self._endpoint.address, timeout=10.0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(self._request)
        sock.setblocking(False)
        self._streams[sock.fileno()] = Stream(sock, time.monotonic())
        self._poll.register(sock, select.EPOLLIN)

    def read(self, until_s: float, on_end: Callable[[], None] | None = None) -> None:
        """Read whatever comes until a moment of the monotonic clock."""
        while (left_s := until_s - time.monotonic()) > 0:
            for descriptor, _events in self._poll.poll(left_s):
                stream = self._streams.get(descriptor)
                if stream is not None:
                    self._receive(stream)
                    if stream.is_over and on_end is not None:
                        on_end()

    def close(self) -> None:
        """Drop every open stream, as a client does that goes away."""
        for stream in list(self._streams.values()):
            self._drop(stream)
        self._poll.close()

    def _receive(self, stream: Stream) -> None:
        try:
            data = stream.sock.recv(262144)
        except BlockingIOError:
            return
        except OSError as exc:
            self._finish(stream, f"reading failed: {exc.strerror}")
            return
        if not stream.status_line:
            stream.status_line = data.split(b"\r\n", 1)[0]
        window = stream.tail + data
        count = window.count(_TOKEN)
        if count:
            self.num_events += count
            stream.num_events += count
            if stream.first_event_s is None:
                stream.first_event_s = time.monotonic()
        if _TERMINAL in window:
            stream.has_terminal = True
        if not data or window.endswith(_END):
            self._finish(stream, self._judge(stream))
        stream.tail = window[-_CARRY:]

    def _judge(self, stream: Stream) -> str | None:
        if b" 200 " not in stream.status_line:
            return f"answered {stream.status_line.decode(errors='replace')!r}"
        if stream.num_events != self._expected:
            return f"{stream.num_events} of {self._expected} events"
        return None if stream.has_terminal else "no terminal event"

    def _finish(self, stream: Stream, failure: str | None) -> None:
        stream.is_over = True
        self._drop(stream)
        if failure is None:
            self.tally.num_whole += 1
        else:
            self.tally.failures.append(failure)

    def _drop(self, stream: Stream) -> None:
        descriptor = stream.sock.fileno()
        self._poll.unregister(descriptor)
        del self._streams[descriptor]
        stream.sock.close()


def first_event_times(endpoint: Endpoint, *, num_streams: int, limit_s: float) -> list[float]:
    """Run short streams one after the other; return seconds from sending to the first event.

    One connection carries them all, so that no connect is measured. Stops early at `limit_s`.
    """
    body = stream_body(endpoint.model, num_events=3, events_per_s=0)
    request = endpoint.raw_request(body)
    times: list[float] = []
    deadline = time.monotonic() + limit_s
    with socket.create_connection(endpoint.address, timeout=10.0) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while len(times) < num_streams and time.monotonic() < deadline:
            times.append(_first_event_s(sock, request))
    return times


def _first_event_s(sock: socket.socket, request: bytes) -> float:
    received = b""
    first_s = None
    started_s = time.perf_counter()
    sock.sendall(request)
    while not received.endswith(_END):
        data = sock.recv(65536)
        if not data:
            raise ConnectionError(f"the stream ended early: {received[-200:]!r}")
        received += data
        if first_s is None and _TOKEN in received:
            first_s = time.perf_counter() - started_s
    if first_s is None:
        raise ConnectionError(f"a stream without events: {received[:300]!r}")
    return first_s
