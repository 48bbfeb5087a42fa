"""The connections to one origin: idle ones are reused last-in first-out, their number is bounded.

When all are busy and no more may be opened, requests wait in a bounded first-in first-out queue.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from slipstream.choice import Deadlines
from slipstream.errors import ConnectFailed, GatewayError, PoolFull, StreamCut, TimedOut
from slipstream.upstream.http.connection import Connection
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.http.sweeper import Sweeper

# Slots: _num_open counts every connection from the decision to dial until its socket is closed.
#
#     take ──▶ an idle connection, newest first
#     acquire ─▶ a free slot: dial · none free: wait ─▶ a released connection, or a freed slot
#     release ─▶ to the first who waits, else idle, else closed
#     forget ──▶ the slot goes to the first who waits, else it is free
#
# A slot is given away at most once: by `forget` for a connection that was attached, by `_dial_in`
# for one that never was.

_HINT: Final = b"timeout="
_HINT_MARGIN_S: Final = 1.0  # how much earlier than the upstream we give an idle connection up


class _Turn:
    """A place in the queue; its result is a connection, or None for leave to dial."""

    __slots__ = ("_connect_deadline_s", "_deadlines", "_total_deadline_s", "future")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deadlines: Deadlines,
        connect_deadline_s: float,
        total_deadline_s: float,
    ) -> None:
        self.future: asyncio.Future[Connection | None] = loop.create_future()
        self._deadlines = deadlines
        self._connect_deadline_s = connect_deadline_s
        self._total_deadline_s = total_deadline_s

    def check(self, now_s: float) -> None:
        if now_s >= self._total_deadline_s:
            self.fail(TimedOut("total", self._deadlines.total_s))
        elif now_s >= self._connect_deadline_s:
            self.fail(TimedOut("connect", self._deadlines.connect_s))

    def fail(self, error: GatewayError) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def hand_back_to(self, pool: "Pool") -> None:
        """Return what was granted in the moment of the cancellation."""
        future = self.future
        if future.done() and not future.cancelled() and future.exception() is None:
            pool.give_back(future.result())


class Pool:
    """The connections to one origin."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: HttpSettings,
        sweeper: Sweeper,
        dial: Callable[[], Awaitable[Connection]],
        remember: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._sweeper = sweeper
        self._dial = dial
        self._remember = remember
        self._idle: list[Connection] = []  # the oldest first
        self._attached: set[Connection] = set()
        self._queue: deque[_Turn] = deque()
        self._num_open = 0
        self._reaper: asyncio.TimerHandle | None = None
        self._all_gone: asyncio.Future[None] | None = None  # set once the pool is closed
        self.num_created = 0
        self.num_reused = 0

    @property
    def num_open(self) -> int:
        """Connections that are being made, busy or idle."""
        return self._num_open

    @property
    def num_idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    @property
    def num_waiting(self) -> int:
        """Requests that wait for a connection."""
        return len(self._queue)

    def take(self) -> Connection | None:
        """Return the connection that became idle last, or None; never waits."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.is_usable:
                continue  # its end is on the way: `forget` will be called
            if connection.idle_expires_s <= self._loop.time():
                connection.abort()
                continue
            self.num_reused += 1
            return connection
        return None

    async def acquire(
        self, deadlines: Deadlines, total_deadline_s: float
    ) -> tuple[Connection, bool]:
        """Return a connection that was not idle, and whether it has carried answers before.

        It is a new one, or at the bound one that was handed over by the request before.

        Raises:
            PoolFull: The queue is at its bound.
            ConnectFailed: It could not be made.
            TimedOut: connect (waiting for a turn included) or total.
        """
        if self._all_gone is not None:
            raise _closed()
        connect_deadline_s = self._loop.time() + deadlines.connect_s
        while self._num_open >= self._settings.max_connections:
            turn = _Turn(self._loop, deadlines, connect_deadline_s, total_deadline_s)
            handed_over = await self._wait_turn(turn)
            if handed_over is None:
                break  # the slot of a connection that ended is ours
            if handed_over.is_usable:  # else it ended on its way here, and its slot is free
                self.num_reused += 1
                return handed_over, True
        else:
            self._num_open += 1
        try:
            async with asyncio.timeout_at(min(connect_deadline_s, total_deadline_s)):
                return await self._dial_in(), False
        except TimeoutError as exc:
            if total_deadline_s < connect_deadline_s:
                raise TimedOut("total", deadlines.total_s) from exc
            raise TimedOut("connect", deadlines.connect_s) from exc

    async def warm(self, deadlines: Deadlines) -> None:
        """Make one connection and leave it idle; at the bound nothing happens."""
        if self._num_open >= self._settings.max_connections:
            return
        connection, _ = await self.acquire(deadlines, float("inf"))
        self.release(connection)

    def release(self, connection: Connection) -> None:
        """Take an idle connection back: for the first who waits, else for later."""
        if not connection.is_usable:
            return  # its end is on the way or was told: `forget` frees its slot
        turn = self._next_turn()
        if turn is not None:
            turn.future.set_result(connection)
            return
        expiry_s = self._settings.idle_expiry_s
        if connection.keep_alive_hint is not None:
            expiry_s = min(expiry_s, _hinted_expiry_s(connection.keep_alive_hint))
        if len(self._idle) >= self._settings.max_idle_connections or expiry_s <= 0:
            connection.abort()
            return
        connection.idle_expires_s = self._loop.time() + expiry_s
        self._idle.append(connection)
        if self._reaper is None:
            self._reaper = self._loop.call_later(expiry_s, self._reap)

    def note_first_answer(self, connection: Connection) -> None:
        """Learn what a connection knows once it has carried an answer: its TLS session."""
        self._remember(connection)

    def forget(self, connection: Connection) -> None:
        """Note that a connection's socket is closed; its slot goes to the first who waits."""
        self._attached.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._free_slot()

    async def close(self) -> None:
        """Abort every connection, refuse all who wait, and wait until the sockets are closed.

        A connection that is still being made ends with its caller's deadline or cancellation, and
        is closed then.
        """
        if self._all_gone is None:
            self._all_gone = self._loop.create_future()
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        while (turn := self._next_turn()) is not None:
            turn.fail(_closed())
        for connection in tuple(self._attached):
            connection.drop(_closed())
        if self._attached:
            await asyncio.shield(self._all_gone)

    # ---- internals ------------------------------------------------------------------------------

    async def _dial_in(self) -> Connection:
        """Fill a slot that was taken; give it back if that fails."""
        try:
            connection = await self._dial()
            if connection.is_closed or not connection.is_usable:
                raise ConnectFailed("the upstream closed the connection as soon as it was made")
            if self._all_gone is not None:
                connection.abort()
                raise _closed()
        except BaseException:
            self._free_slot()
            raise
        connection.attach(self)
        self._attached.add(connection)
        self.num_created += 1
        return connection

    async def _wait_turn(self, turn: _Turn) -> Connection | None:
        if len(self._queue) >= self._settings.max_waiting:
            raise PoolFull(
                f"{self._settings.max_connections} connections to the upstream are busy and"
                f" {self._settings.max_waiting} requests wait for one already"
            )
        if self._idle:  # a request that must not have an idle connection: make room for a new one
            self._idle.pop(0).abort()
        self._queue.append(turn)
        self._sweeper.add(turn)
        try:
            return await turn.future
        except asyncio.CancelledError:
            turn.hand_back_to(self)
            raise
        finally:
            self._sweeper.discard(turn)
            if turn in self._queue:
                self._queue.remove(turn)

    def give_back(self, granted: Connection | None) -> None:
        """Take back what a turn was granted and cannot use."""
        if granted is None:
            self._free_slot()
        else:
            self.release(granted)

    def _next_turn(self) -> _Turn | None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.future.done():
                return turn
        return None

    def _free_slot(self) -> None:
        turn = self._next_turn()
        if turn is not None:
            turn.future.set_result(None)  # the slot stays taken, by the one who waited
            return
        self._num_open -= 1
        if self._all_gone is not None and not self._attached and not self._all_gone.done():
            self._all_gone.set_result(None)

    def _reap(self) -> None:
        """Close the idle connections that have expired; come back when the next one does."""
        self._reaper = None
        now_s = self._loop.time()
        for connection in tuple(self._idle):
            if connection.idle_expires_s <= now_s:
                self._idle.remove(connection)
                connection.abort()
        if self._idle:
            next_s = min(connection.idle_expires_s for connection in self._idle)
            self._reaper = self._loop.call_at(next_s, self._reap)


def _hinted_expiry_s(hint: bytes) -> float:
    """Read `Keep-Alive: timeout=5, max=100`: a little less than what it says, inf if nothing."""
    for part in hint.lower().split(b","):
        value = part.strip().removeprefix(_HINT)
        if part.strip().startswith(_HINT) and value.isdigit():
            seconds = float(value)
            return seconds - min(_HINT_MARGIN_S, seconds / 2)
    return float("inf")


def _closed() -> StreamCut:
    return StreamCut("the upstream client was closed")
