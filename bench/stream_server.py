"""The upstream for streams: OpenAI chat chunks at an exact pace, one write for each event.

    python -m bench.stream_server PORT

`max_tokens` of the request is the number of content events, `seed` the events per second (0: all
at once). dialect_server.py serves other streams with the same loop. One thread on epoll, standard
library only: it must cost less than what it measures. Not a model and not `slipstream mock`: it
obeys nothing else, and it reads only what it must.
"""

import heapq
import json
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_CHUNK = (
    '{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
    '"model":"any-model","choices":[%s]%s}'
)
_LAST = b"0\r\n\r\n"
_COARSE_S = 0.0015  # shorter waits are slept, not polled
_GRID_S = 0.0001  # events due within so long are written in one turn of the loop


class Script(NamedTuple):
    """One stream, in whole HTTP chunks: what comes at once, the events that are paced, the rest.

    Args:
        tokens: Used in turns.
        interval_s: Between two events; 0 for none.
    """

    start: bytes
    tokens: list[bytes]
    num_events: int
    interval_s: float
    tail: bytes


def chunk_of(data: bytes) -> bytes:
    """Return one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(payload: str) -> bytes:
    return chunk_of(f"data: {payload}\n\n".encode())


def _choice(delta: str, finish: str = "null") -> str:
    return f'{{"index":0,"delta":{delta},"finish_reason":{finish}}}'


_ROLE = _event(_CHUNK % (_choice('{"role":"assistant","content":""}'), ""))
# Tokens differ from one to the next: LiteLLM ends a stream that repeats itself a hundred times.
_TOKENS = [_event(_CHUNK % (_choice(f'{{"content":" token{n}"}}'), "")) for n in range(100)]
_FINISH = _event(_CHUNK % (_choice("{}", '"stop"'), ""))
_DONE = _event("[DONE]")


def _usage(num_events: int) -> bytes:
    usage = (
        f',"usage":{{"prompt_tokens":25,"completion_tokens":{num_events},'
        f'"total_tokens":{25 + num_events}}}'
    )
    return _event(_CHUNK % ("", usage))


def chat_script(target: bytes, body: bytes) -> Script:
    """Return the stream that a request asks for, whatever its path."""
    asked = json.loads(body)
    wants_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    num_events, rate = int(asked["max_tokens"]), float(asked.get("seed") or 0)
    tail = _FINISH + (_usage(num_events) if wants_usage else b"") + _DONE
    return Script(_ROLE, _TOKENS, num_events, 1 / rate if rate else 0.0, tail)


@dataclass(slots=True)
class _Peer:
    """One connection: what arrived, and the stream being sent on it."""

    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)
    pending: bytearray = field(default_factory=bytearray)  # what the socket did not take
    script: Script | None = None
    num_left: int = 0


class StreamServer:
    """Accepts connections and paces their streams.

    Args:
        script_of: From the target and the body of a request to its stream.
    """

    def __init__(
        self, port: int, script_of: Callable[[bytes, bytes], Script] = chat_script
    ) -> None:
        self._script_of = script_of
        self._listener = socket.create_server(("127.0.0.1", port), backlog=2048)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._peers: dict[int, _Peer] = {}
        self._due: list[tuple[float, int, _Peer]] = []  # (when, serial number, peer)
        self._serial = count()

    def run(self) -> None:
        """Serve until the process is ended."""
        while True:
            wait_s = self._due[0][0] - time.monotonic() if self._due else 1.0
            if 0 < wait_s < _COARSE_S:
                time.sleep(wait_s)  # epoll rounds up to milliseconds, and two events become one
                wait_s = 0.0
            for descriptor, events in self._poll.poll(max(0.0, wait_s)):
                self._turn(descriptor, events)
            self._write_due()

    def _turn(self, descriptor: int, events: int) -> None:
        if descriptor == self._listener.fileno():
            self._accept()
            return
        peer = self._peers.get(descriptor)
        if peer is None:
            return
        if events & select.EPOLLOUT:
            self._send(peer, b"")
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._read(peer)

    def _accept(self) -> None:
        for _ in range(64):
            try:
                sock, _address = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peers[sock.fileno()] = _Peer(sock)
            self._poll.register(sock, select.EPOLLIN)

    def _read(self, peer: _Peer) -> None:
        try:
            data = peer.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(peer)
            return
        peer.received += data
        target = bytes(peer.received[: peer.received.find(b"\r\n")])
        body = take_request(peer.received)
        if body is not None:
            self._open(peer, self._script_of(target, body))

    def _open(self, peer: _Peer, script: Script) -> None:
        peer.script, peer.num_left = script, script.num_events
        # The start and the first token are two writes, as they are with every provider.
        self._send(peer, _HEAD + script.start)
        self._schedule(peer, time.monotonic())

    def _schedule(self, peer: _Peer, at_s: float) -> None:
        heapq.heappush(self._due, (at_s, next(self._serial), peer))

    def _write_due(self) -> None:
        horizon_s = time.monotonic() + _GRID_S
        while self._due and self._due[0][0] <= horizon_s:
            at_s, _number, peer = heapq.heappop(self._due)
            script = peer.script
            if script is None or peer.sock.fileno() < 0:
                continue
            if peer.num_left == 0:
                self._send(peer, script.tail + _LAST)
                continue
            peer.num_left -= 1
            self._send(peer, script.tokens[peer.num_left % len(script.tokens)])
            if peer.sock.fileno() >= 0:
                self._schedule(peer, at_s + script.interval_s)

    def _send(self, peer: _Peer, data: bytes) -> None:
        if peer.pending:
            peer.pending += data
            data = bytes(peer.pending)
            peer.pending.clear()
        try:
            num_sent = peer.sock.send(data) if data else 0
        except BlockingIOError:
            num_sent = 0
        except OSError:
            self._close(peer)
            return
        was_full = num_sent < len(data)
        if was_full:
            peer.pending += data[num_sent:]
        wanted = select.EPOLLIN | (select.EPOLLOUT if was_full else 0)
        if was_full or not data:
            self._poll.modify(peer.sock, wanted)

    def _close(self, peer: _Peer) -> None:
        descriptor = peer.sock.fileno()
        if descriptor >= 0:
            self._poll.unregister(descriptor)
            del self._peers[descriptor]
            peer.sock.close()


def take_request(received: bytearray) -> bytes | None:
    """Cut one whole request off the front; return its body, or None if more must come."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(received[:end]).lower()
    start = end + 4
    marker = head.find(b"content-length:")
    if marker < 0:
        return _take_chunked(received, start)
    length = int(head[marker + 15 :].split(b"\r\n", 1)[0])
    if len(received) < start + length:
        return None
    body = bytes(received[start : start + length])
    del received[: start + length]
    return body


def _take_chunked(received: bytearray, start: int) -> bytes | None:
    body = bytearray()
    while True:
        end = received.find(b"\r\n", start)
        if end < 0:
            return None
        length = int(bytes(received[start:end]).split(b";")[0], 16)
        if len(received) < end + 2 + length + 2:
            return None
        body += received[end + 2 : end + 2 + length]
        start = end + 2 + length + 2
        if length == 0:
            del received[:start]
            return bytes(body)


if __name__ == "__main__":
    StreamServer(int(sys.argv[1])).run()
