"""The commit point: what of an answer is held back, and when it is good enough to be handed on.

    SILENT SILENT CONTENT                     the first meaning commits
    SILENT finish END                         nothing was said: a failure, if another may be asked
    SILENT CONTENT CONTENT … ╎ CONTENT        where a route asks for a speed: once it is proven
                             ╰ or never: a failure, if another may be asked

What is held is bounded; an upstream that sends more than that is committed to.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from slipstream.call import Frame, Frames, Meaning
from slipstream.errors import EmptyAnswer, GatewayError, Refused, StreamCut, TooSlow

MAX_HELD_FRAMES: Final = 64  # the bounds of the one peer that has a commit point, too
MAX_HELD_BYTES: Final = 256 * 1024

# Why an answer in which nothing is said ended, in the dialects' own words.
_REFUSALS: Final = frozenset({"content_filter", "refusal", "safety"})
_LIMITS: Final = frozenset({"length", "max_tokens", "max_output_tokens"})

# About four bytes of English or JSON make a token.
_BYTES_PER_TOKEN: Final = 4
_LEAST_SPAN_S: Final = 1e-6  # what comes in one piece came infinitely fast
_CONTENT: Final = Meaning.CONTENT  # looking an enum's member up by name takes longer
_END: Final = Meaning.END


async def until_commit(frames: Frames, held: list[Frame], *, is_stream: bool) -> None:
    """Pull frames into `held` until they say something, end, or are as many as may be held.

    Raises:
        StreamCut: They ended without an END frame. (The generator has then ended, too.)
        EmptyAnswer: The answer is all held, and says nothing.
        Refused: Likewise, and it says that this is why.
        GatewayError: What the leaf raised.
    """
    held_bytes = 0
    async for frame in frames:
        held.append(frame)
        held_bytes += len(frame.data)
        meaning = frame.meaning
        if meaning is _END:
            if is_stream or frame.is_empty:
                _require_some_meaning(held)
            return
        if meaning is _CONTENT and not frame.is_empty:
            return
        if len(held) >= MAX_HELD_FRAMES or held_bytes >= MAX_HELD_BYTES:
            return
    raise StreamCut("the answer ended before it said anything")


def _require_some_meaning(held: Sequence[Frame]) -> None:
    reasons = [frame.finish_reason for frame in held if frame.finish_reason is not None]
    reason = reasons[-1].lower() if reasons else None
    if reason in _REFUSALS:
        raise Refused("the target refused to answer and gave no reason")
    if reason not in _LIMITS:  # a limit so low is the client's, and would be as low elsewhere
        raise EmptyAnswer("the answer came to its end without a word")


async def until_proven(
    frames: Frames,
    held: list[Frame],
    *,
    least_tokens_per_s: float,
    window_s: float,
    may_leave: Callable[[GatewayError], bool],
) -> None:
    """Pull more frames after the first meaning, until they prove how fast they come.

    A stream that fills what may be held is judged by then; one that ends is fast enough.

    Args:
        frames: Whose first meaning is the last frame of `held`.
        window_s: How long may be looked, at most.
        may_leave: Told that the stream is slow, by an error that is not the one that is raised, so
            that whoever keeps it keeps no traceback. True where the stream is to be left; otherwise
            it is pulled up to the next frame, and goes on.

    Raises:
        TooSlow: It is slow, and is to be closed if it is not.
        StreamCut: The frames ended without an END frame.
        GatewayError: What the leaf raised.
    """
    loop = asyncio.get_running_loop()
    proof = _Proof(frames, held, least_tokens_per_s, window_s, loop.time)
    found: list[TooSlow] = []

    def judge(*, has_stopped: bool) -> bool:
        slow = proof.slowness(has_stopped=has_stopped)
        if slow is not None and may_leave(slow):
            found.append(slow)
        return bool(found)

    def expire() -> None:
        if judge(has_stopped=False):
            limit.reschedule(loop.time())
        proof.is_enough = True

    # In this task and no other: whoever commits here may have to know it before the loop turns.
    timer = loop.call_later(window_s, expire)
    try:
        async with asyncio.timeout(None) as limit:
            await proof.pull()
    except TimeoutError:
        raise found[0].again() from None
    finally:
        timer.cancel()
    if found or (not proof.is_enough and judge(has_stopped=True)):
        raise found[0].again()


class _Proof:
    """What a stream's beginning says of its speed."""

    __slots__ = (
        "_began_s",
        "_frames",
        "_held",
        "_least",
        "_needed",
        "_now_s",
        "_start",
        "is_enough",
    )

    def __init__(
        self,
        frames: Frames,
        held: list[Frame],
        least_tokens_per_s: float,
        window_s: float,
        now_s: Callable[[], float],
    ) -> None:
        self._frames, self._held = frames, held
        self._least, self._needed = least_tokens_per_s, least_tokens_per_s * window_s
        self._now_s, self._began_s = now_s, now_s()
        self._start = len(held)  # the first meaning starts the clock; what comes after it counts
        self.is_enough = False

    async def pull(self) -> None:
        """Pull until the stream ends, has proven its speed, or is as long as may be held."""
        held = self._held
        held_bytes = sum(len(frame.data) for frame in held)
        async for frame in self._frames:
            held.append(frame)
            held_bytes += len(frame.data)
            is_full = len(held) >= MAX_HELD_FRAMES or held_bytes >= MAX_HELD_BYTES
            if self.is_enough or is_full or frame.meaning is _END:
                return
            if num_tokens(held[self._start - 1 :]) - 1 >= self._needed:
                return
        raise StreamCut("the answer ended before it was handed on")

    def slowness(self, *, has_stopped: bool) -> TooSlow | None:
        """Return what is wrong with the speed so far; None if nothing is."""
        held = self._held
        num_after = num_tokens(held[self._start - 1 :]) - 1
        if has_stopped and (held[-1].meaning is _END or num_after >= self._needed):
            return None
        rate = num_after / max(self._now_s() - self._began_s, _LEAST_SPAN_S)
        return TooSlow(rate, self._least) if rate < self._least else None


def num_tokens(frames: Sequence[Frame]) -> int:
    """Estimate how many tokens frames with content hold: some providers send several in one.

    What all frames have around their text is as long as the shortest of them.
    """
    sizes = [len(frame.data) for frame in frames if frame.meaning is _CONTENT]
    shortest = min(sizes, default=0)
    return sum(1 + (size - shortest) // _BYTES_PER_TOKEN for size in sizes)
