"""A wire between an agent and the gateway that passes every byte on and keeps a copy.

What an agent asked and which headers it was answered with is read from the copy afterwards.
"""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Self

_CHUNK_BYTES = 65536
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n(.*?)\r\n\r\n", re.DOTALL)
_INTERIM = b"100"


class Asked(NamedTuple):
    """One request, and the head of its answer; names of headers are in lower case."""

    path: str
    asked_headers: dict[str, str]
    body: bytes
    status: int
    headers: dict[str, str]


@dataclass(slots=True)
class _Copy:
    """What went over one connection."""

    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)


class Tap:
    """Listens on a port of its own and passes on to one address."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._copies: list[_Copy] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @classmethod
    @contextmanager
    def opened(cls, address: tuple[str, int]) -> Iterator[Self]:
        """Listen for as long as the block runs."""
        tap = cls(address)
        threading.Thread(target=tap._accept, daemon=True).start()
        try:
            yield tap
        finally:
            tap._listener.close()

    def take(self) -> list[Asked]:
        """Return what was asked since the last time, connection by connection, and forget it."""
        copies, self._copies = self._copies, []
        return [asked for copy in copies for asked in _read(copy)]

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._address)
                copy = _Copy()
                self._copies.append(copy)
                for source, sink, kept in (
                    (near, far, copy.asked),
                    (far, near, copy.answered),
                ):
                    arguments = (source, sink, kept)
                    threading.Thread(target=_pump, args=arguments, daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    """Pass on until one side is gone, then tell the other."""
    with suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            kept += data
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _read(copy: _Copy) -> Iterator[Asked]:
    answers = [head for head in _HEAD.finditer(bytes(copy.answered)) if head[1] != _INTERIM]
    requests = _requests(bytes(copy.asked))
    for (path, headers, body), head in zip(requests, answers, strict=False):
        yield Asked(path, headers, body, int(head[1]), _headers(head[2]))


def _requests(data: bytes) -> Iterator[tuple[str, dict[str, str], bytes]]:
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return
        line, _, lines = head.partition(b"\r\n")
        headers = _headers(lines)
        length = int(headers.get("content-length", "0"))
        yield line.split(b" ")[1].decode("latin-1"), headers, rest[:length]
        data = rest[length:]


def _headers(lines: bytes) -> dict[str, str]:
    pairs = [line.split(": ", 1) for line in lines.decode("latin-1").split("\r\n")]
    return {pair[0].lower(): pair[1] for pair in pairs if len(pair) == 2}
