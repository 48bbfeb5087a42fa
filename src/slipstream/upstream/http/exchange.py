"""One request and its answer: what has arrived, who waits for it, and until when.

The connection writes into an exchange, one reader takes out of it, the sweeper looks at its clock.
It outlives its connection: a whole answer can be read after the connection serves someone else.
"""

import asyncio
from typing import Final, Protocol

from slipstream.choice import Deadlines
from slipstream.errors import Broken, GatewayError, Phase, StreamCut, TimedOut

STALE_RACE_S: Final = 5.0  # an end that comes later is no race, but an upstream that gave up

Headers = tuple[tuple[bytes, bytes], ...]

_NO_BODY_STATUSES: Final = frozenset((204, 304))
# Nothing was offered with Accept-Encoding or TE, so any other coding is a fault; and unpacking one
# unasked would make the bound on the body meaningless.
_ACCEPTED_CODINGS: Final = {
    b"content-encoding": ("Content-Encoding", frozenset((b"", b"identity"))),
    b"transfer-encoding": ("Transfer-Encoding", frozenset((b"chunked",))),
}


class Carrier(Protocol):
    """The connection, as an exchange sees it."""

    def drop(self, error: GatewayError) -> None:
        """End the exchange with this error and abort the transport, at once."""

    def resume_reading(self) -> None:
        """Let more bytes come."""


class Exchange:
    """The state of one request on one connection.

    At most one coroutine waits at a time. `carrier` is None once the connection has let go of it:
    after the whole answer came, or after a failure (then `error` is set).
    """

    __slots__ = (
        "_loop",
        "_waiter",
        "begun_s",
        "buffered_bytes",
        "carrier",
        "chunks",
        "deadlines",
        "error",
        "fields",
        "first_token_deadline_s",
        "has_bytes",
        "headers",
        "is_complete",
        "is_head_request",
        "is_left",
        "is_silent",
        "is_unanswered",
        "is_whole",
        "phase",
        "phase_deadline_s",
        "status",
        "total_deadline_s",
        "trailers",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        carrier: Carrier,
        deadlines: Deadlines,
        total_deadline_s: float,
        is_head_request: bool,
    ) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self.carrier: Carrier | None = carrier
        self.deadlines = deadlines
        self.total_deadline_s = total_deadline_s
        self.is_head_request = is_head_request
        self.phase: Phase = "first_token"
        self.begun_s = loop.time()
        self.phase_deadline_s = self.begun_s + deadlines.first_token_s
        self.first_token_deadline_s = self.phase_deadline_s
        self.status = 0  # until the head is whole
        self.headers: Headers = ()
        self.trailers: Headers = ()
        self.fields: dict[bytes, bytes] = {}  # of repeated headers the last
        self.chunks: list[bytes] = []
        self.buffered_bytes = 0
        self.has_bytes = False  # any byte of an answer, also of a 1xx
        self.is_whole = False  # the reader wants the body in one piece
        self.is_complete = False
        self.is_silent = False  # the reader says so: bytes came, and none that mean anything
        self.is_left = False  # the reader has what it needs; the rest is only waited for
        self.is_unanswered = False  # the connection ended soon and before any byte came
        self.error: GatewayError | None = None

    # ---- the connection's side ------------------------------------------------------------------

    def accept_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> GatewayError | None:
        """Take the final status and headers; return why the answer cannot be read, if so."""
        fields = dict(headers)
        has_body = not self.is_head_request and status not in _NO_BODY_STATUSES
        if has_body and (b"content-encoding" in fields or b"transfer-encoding" in fields):
            error = _refuse_codings(headers)
            if error is not None:
                return error
        self.status = status
        self.headers = tuple(headers)
        self.fields = fields
        self.is_complete = self.is_head_request
        return None

    def note_end(self) -> None:
        """Record whether the connection ended as a stale one does: soon, without any byte."""
        is_soon = self._loop.time() - self.begun_s <= STALE_RACE_S
        self.is_unanswered = is_soon and not self.has_bytes

    def ends_with_connection(self) -> bool:
        """Return whether the end of the connection is this answer's regular end."""
        fields = self.fields
        return (
            self.status != 0
            and b"content-length" not in fields
            and b"transfer-encoding" not in fields
        )

    def progress(self) -> None:
        """Note that bytes came after the head; wake the reader if it can use them."""
        if self.chunks or self.phase == "idle":
            self.phase = "idle"
            self.phase_deadline_s = self._loop.time() + self.deadlines.idle_s
        if not self.is_whole:
            self.wake()

    def begin_phase(self, phase: Phase, limit_s: float) -> None:
        """Start the clock of a phase."""
        self.phase = phase
        self.phase_deadline_s = self._loop.time() + limit_s
        if phase == "first_token":
            self.first_token_deadline_s = self.phase_deadline_s

    def wake(self) -> None:
        """Let the waiting coroutine look again; without one nothing happens."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def check(self, now_s: float) -> None:
        """Fail the exchange if a deadline has passed.

        A phase counts only while somebody waits: a slow client is no fault of the upstream's.
        """
        if now_s >= self.total_deadline_s:
            error = TimedOut("total", self.deadlines.total_s)
        elif self._waiter is not None and now_s >= self.phase_deadline_s:
            is_idle = self.phase == "idle"
            limit_s = self.deadlines.idle_s if is_idle else self.deadlines.first_token_s
            error = TimedOut(self.phase, limit_s)
        elif self.is_silent and self._waiter is not None and now_s >= self.first_token_deadline_s:
            error = TimedOut("first_token", self.deadlines.first_token_s)
        else:
            return
        self.abandon(error)

    # ---- the reader's side ----------------------------------------------------------------------

    def abandon(self, error: GatewayError) -> None:
        """Give the answer up: the connection is aborted, later reads raise the error."""
        if self.carrier is not None:
            self.carrier.drop(error)

    def close(self) -> None:
        """Give up what has not arrived yet, unless it was left."""
        if self.carrier is not None and not self.is_left:
            self.carrier.drop(StreamCut("the answer was closed before its end was read"))

    def leave(self, limit_s: float) -> None:
        """Read no more; the connection is kept if the answer ends within the limit."""
        if self.carrier is not None:
            self.is_left = True
            self.total_deadline_s = min(self.total_deadline_s, self._loop.time() + limit_s)

    async def wait(self) -> None:
        """Wait for the next wake; a cancelled wait aborts the connection."""
        assert self._waiter is None, "an exchange has one reader"
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self._waiter = None
            self.close()
            raise

    async def wait_head(self) -> None:
        """Wait until status and headers are there; with `status` still 0, `error` says why not.

        A failure after the head belongs to the body, however the segments happened to fall.
        """
        while self.status == 0 and self.error is None:
            await self.wait()

    async def next_chunk(self) -> bytes:
        """Return what has arrived since the last call, or wait for it; empty at the end.

        Raises:
            UpstreamError: After everything that arrived before the failure was handed out.
        """
        while not self.chunks:
            if self.is_complete:
                return b""
            if self.error is not None:
                raise self.error
            if self.phase == "idle":
                self.begin_phase("idle", self.deadlines.idle_s)
            await self.wait()
        return self._take()

    async def read_whole(self, max_bytes: int) -> bytes:
        """Return the rest of the body in one piece.

        Raises:
            Broken: The body has more than `max_bytes`; the connection is aborted.
            UpstreamError: The body is not whole.
        """
        self.is_whole = True
        if self.carrier is not None:
            self.carrier.resume_reading()
        known_bytes = int(self.fields.get(b"content-length", b"0")) if self.carrier else 0
        while max(known_bytes, self.buffered_bytes) <= max_bytes:
            if self.is_complete:
                return self._take()
            if self.error is not None:
                raise self.error
            if self.phase == "idle":
                self.begin_phase("idle", self.deadlines.idle_s)
            await self.wait()
        error = Broken(f"the upstream's answer has more than {max_bytes} bytes; that is the bound")
        self.abandon(error)
        raise error

    def _take(self) -> bytes:
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.chunks = []
        self.buffered_bytes = 0
        if self.carrier is not None:
            self.carrier.resume_reading()
        return data


def _refuse_codings(headers: list[tuple[bytes, bytes]]) -> Broken | None:
    for name, value in headers:
        if name in _ACCEPTED_CODINGS:
            title, accepted = _ACCEPTED_CODINGS[name]
            if value.strip().lower() not in accepted:
                coding = value.decode("ascii", "backslashreplace")[:40]
                return Broken(f"the upstream sent {title} '{coding}', which was not asked for")
    return None
