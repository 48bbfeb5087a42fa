"""uvicorn's HTTP protocol with two things added, for what a request costs and how fast it ends.

An application hears at once that its client left. ASGI offers this only to whoever awaits
`receive()`, which would take a second task for each request. Here the application puts a callable
under `ON_GONE` into its scope, and a lost connection calls it.

Head and first piece of an answer go out in one write. uvicorn makes two, and so two packets: a
system call more for each request, and up to 40 ms where Nagle meets a delayed acknowledgement.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ON_GONE = "slipstream.on_gone"

_HEAD = b"HTTP/1.1 "
_CONTINUE = b"HTTP/1.1 100"  # the client waits for it before it sends a body


class NoticingProtocol(HttpToolsProtocol):
    """Tells the running application when its connection is lost."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the joining transport between uvicorn and the socket."""
        super().connection_made(JoiningTransport(transport))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """Let uvicorn clean up, then notify a request that has not been answered whole."""
        super().connection_lost(exc)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            on_gone = cycle.scope.get(ON_GONE)
            if callable(on_gone):
                on_gone()


class JoiningTransport:
    """Holds an answer's head back until the next write, which every answer has at once.

    All else goes to the real transport. The body of an answer that is sent in one piece is the
    write after its head; chunks begin with their length: neither is taken for a head.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write, together with the head that waits."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD) and not data.startswith(_CONTINUE):
            self._head = data
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close, after a head that nothing followed was written."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
