"""The deadlines of one attempt at a model that we run, or of what else it is asked."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple, Protocol, TypeVar

from slipstream.choice import Deadlines
from slipstream.engine.protocol import Delta
from slipstream.errors import Phase, TimedOut
from slipstream.upstream.local_client import Answer, AnswerPart

T = TypeVar("T")


class Bounded(Protocol):
    """Whatever has deadlines: an attempt."""

    @property
    def deadlines(self) -> Deadlines:
        """Of each phase."""

    @property
    def total_deadline_s(self) -> float:
        """On the loop's clock."""


class Bounds(NamedTuple):
    """Deadlines of what is no attempt."""

    deadlines: Deadlines
    total_deadline_s: float


class Waits:
    """Each wait ends at the nearest of its phase's deadline and the total."""

    __slots__ = ("_attempt", "_loop", "_phase", "_until_s")

    def __init__(self, attempt: Bounded) -> None:
        self._attempt = attempt
        self._loop = asyncio.get_running_loop()
        self._phase: Phase = "first_token"
        self._until_s = self._loop.time() + attempt.deadlines.first_token_s

    async def next(self, answer: Answer) -> AnswerPart:
        """Return the next part of an answer.

        Raises:
            TimedOut: In the phase `first_token` until the first text, then `idle`; or `total`.
        """
        part = await self.bounded(answer.next())
        if isinstance(part, Delta):
            self._phase = "idle"
        if self._phase == "idle":
            self._until_s = self._loop.time() + self._attempt.deadlines.idle_s
        return part

    async def bounded(self, wait: Awaitable[T]) -> T:
        """Wait within the deadlines of the present phase."""
        total_s = self._attempt.total_deadline_s
        try:
            async with asyncio.timeout_at(min(self._until_s, total_s)):
                return await wait
        except TimeoutError as exc:
            deadlines = self._attempt.deadlines
            if total_s <= self._until_s:
                raise TimedOut("total", deadlines.total_s) from exc
            is_idle = self._phase == "idle"
            limit_s = deadlines.idle_s if is_idle else deadlines.first_token_s
            raise TimedOut(self._phase, limit_s) from exc
