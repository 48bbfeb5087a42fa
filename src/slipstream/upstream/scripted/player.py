"""Carries the steps of one response out on a transport; the only place that writes an answer.

It is driven by the event loop's callbacks and not by a task, because it must be cheap: an answer
without pauses is played to its end before `start` returns.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Final, Literal

from slipstream.upstream.scripted.plan import Mark, Pace, Step, Wait

Ending = Literal["complete", "cut", "reset"]

_RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds
_FLUSH_STEP_S = 0.001
_FLUSH_LIMIT_S = 1.0  # how long a reset waits for a client that does not read what comes before


class Player:
    """Plays one response; after `on_end` was called, or `stop`, it does nothing more."""

    __slots__ = ("_handle", "_is_paused", "_is_waiting", "_loop", "_on_end", "_start_s", "_steps",
                 "_transport", "_write")  # fmt: skip

    def __init__(
        self,
        steps: Iterator[Step],
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        write: Callable[[bytes], None],
        on_end: Callable[[Ending], None],
    ) -> None:
        self._steps = steps
        self._transport = transport
        self._loop = loop
        self._write = write
        self._on_end = on_end
        self._handle: asyncio.Handle | None = None
        self._start_s: float | None = None
        self._is_paused = False  # the client does not read fast enough
        self._is_waiting = False  # for it to read

    def start(self) -> None:
        """Play until the first pause, or to the end."""
        self._handle = None
        for step in self._steps:
            if isinstance(step, bytes):
                self._write(step)
            elif self._act(step):
                return
        self._on_end("complete")

    def stop(self) -> None:
        """Play nothing more."""
        self._steps = iter(())
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def pause(self) -> None:
        """Stop at the next step that is not bytes, because the write buffer is full."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        self._is_paused = False
        if self._is_waiting:
            self._is_waiting = False
            self.start()

    def _act(self, step: Wait | Pace | Mark) -> bool:
        """Carry out a step; return whether the player stops here."""
        match step:
            case Mark.TURN if self._is_paused:
                self._is_waiting = True
            case Mark.TURN:
                self._handle = self._loop.call_soon(self.start)
            case Wait(wait_s):
                self._handle = self._loop.call_later(wait_s, self.start)
            case Pace(offset_s):
                return self._keep_pace(offset_s)
            case Mark.HANG:
                pass
            case Mark.FINISH | Mark.CUT:
                self._transport.close()
                self._on_end("complete" if step is Mark.FINISH else "cut")
            case Mark.RESET:
                self._reset(self._loop.time() + _FLUSH_LIMIT_S)
        return True

    def _keep_pace(self, offset_s: float) -> bool:
        now = self._loop.time()
        if self._start_s is None:
            self._start_s = now
        due_s = self._start_s + offset_s
        if due_s <= now:
            return False
        self._handle = self._loop.call_at(due_s, self.start)
        return True

    def _reset(self, deadline_s: float) -> None:
        """Abort with RST as soon as what was written has left, or the deadline passed."""
        if self._transport.get_write_buffer_size() and self._loop.time() < deadline_s:
            self._handle = self._loop.call_later(_FLUSH_STEP_S, self._reset, deadline_s)
            return
        peer: socket.socket = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self._transport.abort()
        self._on_end("reset")
