"""Ends connections on which nothing goes on: silence, half a request, an answer nobody reads.

    state      since                                 and then
    idle       connected, first byte of a head,      closed after `idle_s`
               or the end of the last answer
    busy       a request's head was whole            aborted after `limit_s`
    closing    the client last took some bytes       aborted after `idle_s`

Upstreams have deadlines of their own. What has none is a client that keeps its connection open and
does nothing. One look at all connections every few seconds is enough for that.
"""

from collections.abc import Callable, Collection
from typing import Any, Protocol

LOOKS = 15  # in `idle_s`: a limit takes effect late by a fifteenth of it


class Watched(Protocol):
    """A client's connection."""

    since_s: float
    unsent_bytes: int
    transport: Any

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being made."""


class Watch:
    """Looks at all connections, not more often than it needs to.

    Args:
        connections: Those that are open; changes while it is watched.
        idle_s: For what has no answer in progress.
        limit_s: For one answer; longer than every deadline of an upstream together.
        now_s: The clock of `since_s`.
    """

    def __init__(
        self,
        connections: Collection[Watched],
        *,
        idle_s: float,
        limit_s: float,
        now_s: Callable[[], float],
    ) -> None:
        self._connections = connections
        self._idle_s = idle_s
        self._limit_s = limit_s
        self._now_s = now_s
        self._next_look_s = 0.0

    def look(self) -> None:
        """End what is overdue, if it is time to look again."""
        now_s = self._now_s()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + min(self._idle_s, self._limit_s) / LOOKS
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
        elif age_s > self._idle_s:
            transport.close()
