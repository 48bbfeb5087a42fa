"""Plans over scripted leaves in virtual time, and all that can be seen of what became of them."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import msgspec

from slipstream.call import Call, Dialect, Frame, Frames, Meaning, Outcome, Price, Receipt, Serve
from slipstream.choice import Attempt, Deadlines, Plan, Target
from slipstream.dispatch.attempts import dispatch
from slipstream.errors import GatewayError
from slipstream.ledger.metering import metered
from slipstream.ledger.records import Opened, Settled

CALL = Call(
    call_id="c1", dialect=Dialect.OPENAI_CHAT, body=b"{}", model="fast", key_id="k", is_stream=True
)
QUIET = Frame(b": quiet\n\n", Meaning.SILENT)
WORD = Frame(b"data: word\n\n", Meaning.CONTENT)
STOP = Frame(b"data: stop\n\n", Meaning.CONTENT, finish_reason="stop", is_empty=True)
DONE = Frame(b"data: [DONE]\n\n", Meaning.END)
WHOLE = Frame(b"{}", Meaning.END, finish_reason="stop")

Step = Frame | BaseException | float
"""What a leaf does next: yield, raise, or take so many seconds."""
Script = tuple[Step, ...]


class Leaf:
    """A target that plays a script for each attempt, the last one again and again."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self.attempts: list[Attempt] = []
        self.began_s: list[float] = []
        self.closed_s: list[float] = []

    async def __call__(self, call: Call) -> Frames:
        """Play; for ever silent where the script ends with infinity."""
        assert call.attempt is not None
        now_s = asyncio.get_running_loop().time
        script = self._scripts[min(len(self.attempts), len(self._scripts) - 1)]
        self.attempts.append(call.attempt)
        self.began_s.append(now_s())
        try:
            for step in script:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, float):
                    await (asyncio.Event().wait() if step == float("inf") else asyncio.sleep(step))
                else:
                    yield step
        finally:
            self.closed_s.append(now_s())

    @property
    def num_running(self) -> int:
        """How many of its answers were begun and not closed."""
        return len(self.began_s) - len(self.closed_s)


class Watch:
    """Health that counts, and lets through whom the test says."""

    def __init__(self) -> None:
        self.in_flight: Counter[Target] = Counter()
        self.num_begun = 0
        self.ended_s: list[float] = []
        self.open_until_s: dict[str, float] = {}  # by the target's name
        self.context: dict[str, int] = {}
        self.refuses: str | None = None  # lets nobody through, though its breaker is not open
        self.opens_until_s: float | None = None  # every target is left alone after an attempt

    def begin(self, target: Target, now_s: float) -> bool:
        """Count, unless it is left alone."""
        if self.is_open(target, now_s) or target.name == self.refuses:
            return False
        self.in_flight[target] += 1
        self.num_begun += 1
        return True

    def end(self, target: Target) -> None:
        """Count out what was counted in."""
        self.in_flight[target] -= 1
        self.ended_s.append(asyncio.get_running_loop().time())
        assert self.in_flight[target] >= 0, "more attempts ended than were begun"
        if self.opens_until_s is not None:
            self.open_until_s.setdefault(target.name, self.opens_until_s)

    def is_open(self, target: Target, now_s: float) -> bool:
        """Tell whether it is left alone."""
        return self.wait_s(target, now_s) > 0

    def wait_s(self, target: Target, now_s: float) -> float:
        """Return how long it still is."""
        return max(0.0, self.open_until_s.get(target.name, 0.0) - now_s)

    def is_roomier(self, target: Target, than: Target) -> bool:
        """Compare contexts that are known."""
        return self.context.get(target.name, 0) > self.context.get(than.name, 0)


class Book:
    """A journal in memory."""

    def __init__(self) -> None:
        self.opened: dict[str, Opened] = {}
        self.settled: dict[str, Settled] = {}
        self.refuses_at: int | None = None  # the attempt that cannot be put on record
        self.error: GatewayError | None = None

    def open(self, record: Opened) -> None:
        """Take an attempt's beginning."""
        if self.error is not None and record.number == self.refuses_at:
            raise self.error
        assert record.attempt_id not in self.opened
        self.opened[record.attempt_id] = record

    def settle(self, record: Settled) -> None:
        """Take its end."""
        assert record.attempt_id in self.opened
        assert record.attempt_id not in self.settled, "an attempt was settled twice"
        self.settled[record.attempt_id] = record

    @property
    def states(self) -> list[str]:
        """State of each attempt, in the order of their beginnings."""
        assert self.opened.keys() == self.settled.keys(), "an attempt was never settled"
        return [self.settled[attempt_id].state for attempt_id in self.opened]


class Scene:
    """Leaves named a, b, c …, a plan over them, and what the client saw.

    Args:
        scripts: One for each leaf, or several, one for each attempt at it.
        plan: Fields of the plan.
    """

    def __init__(
        self,
        *scripts: Script | list[Script],
        call: Call = CALL,
        max_concurrent: Callable[[Target], int | None] | None = None,
        max_queued: int = 1000,
        **plan: Any,
    ) -> None:
        made = [Leaf(*script) if isinstance(script, list) else Leaf(script) for script in scripts]
        self.leaves = dict(zip("abcdefgh", made, strict=False))
        fields: dict[str, Any] = {
            "route": "fast",
            "strategy": "ordered",
            "targets": tuple(Target(name, "m") for name in self.leaves),
            "deadlines": Deadlines(total_s=100.0),
            "max_attempts": 8,
        }
        self.plan = Plan(**(fields | plan))
        self.call = call
        self.health, self.book = Watch(), Book()
        self.told: list[Outcome] = []
        self.seen: list[Frame] = []
        self.slept_s: list[float] = []
        self._turns = (max_concurrent, max_queued)

    def serve(self, call: Call | None = None) -> Frames:
        """Begin to answer a call."""
        if not hasattr(self, "_serve"):
            self._serve = self._build()
        return self._serve(self.call if call is None else call)

    def _build(self) -> Serve:
        loop = asyncio.get_running_loop()

        def meter(leaf: Serve) -> Serve:
            clock_ns = lambda: round(loop.time() * 1e9)  # noqa: E731
            book: Any = self.book
            return metered(leaf, book, _no_price, clock_ns, self.told.append)

        max_concurrent, max_queued = self._turns
        return dispatch(
            lambda call: self.plan,
            {name: meter(leaf) for name, leaf in self.leaves.items()},
            self.health,
            now_s=loop.time,
            wall_ns=lambda: 77,
            rng=random.Random(7),
            max_concurrent=max_concurrent,
            max_queued=max_queued,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        await asyncio.sleep(seconds)

    async def run(self, *, max_frames: int | None = None, pause_s: float = 0.0) -> Exception | None:
        """Read as `read` does, and check what holds after every call."""
        try:
            return await self.read(max_frames=max_frames, pause_s=pause_s)
        finally:
            self.check()

    async def read(
        self, *, max_frames: int | None = None, pause_s: float = 0.0
    ) -> Exception | None:
        """Read the answer, or so many frames of it, and close it; return the error it ended with.

        Args:
            pause_s: How long the client takes with each frame.
        """
        try:
            async with aclosing(self.serve()) as frames:
                async for frame in frames:
                    self.seen.append(frame)
                    await asyncio.sleep(pause_s)
                    if len(self.seen) == max_frames:
                        break
        except GatewayError as error:
            return error
        return None

    def check(self) -> None:
        """Check what holds after every call: nothing runs, each attempt has one row and is told."""
        assert not any(leaf.num_running for leaf in self.leaves.values())
        assert not +self.health.in_flight, "an attempt was begun and not ended"
        assert self.book.opened.keys() == self.book.settled.keys()
        assert sorted(told.attempt.attempt_id for told in self.told) == sorted(self.book.settled)

    @property
    def data(self) -> bytes:
        """What the client saw."""
        return b"".join(frame.data for frame in self.seen)

    @property
    def tried(self) -> str:
        """Names of the leaves that were asked, in the order in which they were."""
        asked = [(at, name) for name, leaf in self.leaves.items() for at in leaf.attempts]
        return "".join(name for at, name in sorted(asked, key=lambda each: each[0].number))

    @property
    def receipt(self) -> Receipt:
        """What the first frame tells."""
        receipt = self.seen[0].receipt
        assert receipt is not None
        return receipt

    @property
    def outcomes(self) -> list[tuple[str, str, str]]:
        """Of each try that the first frame tells: leaf, cause and what came of it."""
        return [(tried.target.provider, tried.cause, tried.outcome) for tried in self.receipt.tried]


def word(name: str) -> Frame:
    """Make a frame with content of one leaf's own."""
    return Frame(f"data: {name}\n\n".encode(), Meaning.CONTENT)


def with_wishes(call: Call = CALL, **changes: Any) -> Call:
    """Change fields of a call."""
    return msgspec.structs.replace(call, **changes)


def _no_price(provider: str, model: str, at_ns: int) -> Price | None:
    return None


async def drained(frames: AsyncIterator[Frame]) -> list[Frame]:
    """Read all frames."""
    return [frame async for frame in frames]
