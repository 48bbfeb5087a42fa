"""Looks after connections on which nothing goes on: ends what is overdue, and lets streams ping.

    state      since                                 and then
    idle       connected, first byte of a head,      closed after `idle_s`
               or the end of the last answer
    busy       a request's head was whole            aborted after `limit_s`
      stream   something was written of it           a sign of life after `ping_s`
    closing    the client last took some bytes       aborted after `idle_s`

Upstreams have deadlines of their own. What has none is a client that keeps its connection open and
does nothing. One look at all connections every few seconds is enough for that, and a stream pays
for its pings with the count of its writes alone: it has no timer.
"""

from collections.abc import Callable, Collection
from math import inf
from typing import Any, Protocol

LOOKS = 15  # in `idle_s`: a limit takes effect late by a fifteenth of it
PING_LOOKS = 8  # in `ping_s`


class Watched(Protocol):
    """A client's connection; `seen_writes` and `spoke_s` are the watch's own notes."""

    since_s: float
    unsent_bytes: int
    seen_writes: int
    spoke_s: float
    transport: Any

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being made."""

    @property
    def num_writes(self) -> int:
        """How often something was written."""

    def ping(self) -> None:
        """Write a sign of life, if the answer is a stream that has begun."""


class Watch:
    """Looks at all connections, not more often than it needs to.

    Args:
        connections: Those that are open; changes while it is watched.
        idle_s: For what has no answer in progress.
        limit_s: For one answer; longer than every deadline of an upstream together.
        now_s: The clock of `since_s`.
        ping_s: How long a stream may be silent; 0 for as long as it will.
    """

    def __init__(
        self,
        connections: Collection[Watched],
        *,
        idle_s: float,
        limit_s: float,
        now_s: Callable[[], float],
        ping_s: float = 0.0,
    ) -> None:
        self._connections = connections
        self._idle_s = idle_s
        self._limit_s = limit_s
        self._ping_s = ping_s or inf
        self._now_s = now_s
        self._look_s = min(idle_s / LOOKS, limit_s / LOOKS, self._ping_s / PING_LOOKS)
        self._next_look_s = 0.0

    def look(self) -> None:
        """End what is overdue, if it is time to look again."""
        now_s = self._now_s()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + self._look_s
        for connection in tuple(self._connections):
            self._check(connection, now_s)

    def _check(self, connection: Watched, now_s: float) -> None:
        transport = connection.transport
        age_s = now_s - connection.since_s
        if transport.is_closing():
            unsent_bytes = transport.get_write_buffer_size()
            if unsent_bytes < connection.unsent_bytes:
                connection.unsent_bytes = unsent_bytes
                connection.since_s = now_s
            elif age_s > self._idle_s:
                transport.abort()
        elif connection.is_busy:
            if age_s > self._limit_s:
                transport.abort()
            else:
                self._keep_alive(connection, now_s)
        elif age_s > self._idle_s:
            transport.close()

    def _keep_alive(self, connection: Watched, now_s: float) -> None:
        """Let a stream ping that has been silent; one whose client does not read needs no more."""
        if connection.num_writes != connection.seen_writes:
            connection.seen_writes, connection.spoke_s = connection.num_writes, now_s
        elif now_s - connection.spoke_s >= self._ping_s:
            if not connection.transport.get_write_buffer_size():
                connection.ping()
            connection.seen_writes, connection.spoke_s = connection.num_writes, now_s
