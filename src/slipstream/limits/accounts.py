"""What one key has used of one model: a bucket for each limit, and who has been let in.

An admission takes from all buckets or from none. It holds its tokens until it is settled, which
every admission must be, in every ending.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from slipstream.errors import OverLimit
from slipstream.limits.buckets import Bucket
from slipstream.limits.plan import PERIOD_US, Limit, LimitPlan
from slipstream.limits.standing import Level, duration_text

_MAX_SHOWN_CHARS: Final = 100


class Admission:
    """One request that was let in; holds what it may use until it is settled."""

    __slots__ = ("_account", "_num_held", "_number")

    def __init__(self, account: "Account | None", number: int, num_held: int) -> None:
        self._account = account
        self._number = number
        self._num_held = num_held

    def settle(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> None:
        """Put what was used in the place of what was held; does nothing a second time.

        Args:
            input_tokens: All that were read, cached ones too.
            cached_tokens: Those of them that were cached; they count only in total.
            output_tokens: All that were written.
        """
        account, self._account = self._account, None
        if account is not None:
            total = input_tokens + output_tokens
            account.close(self._number, self._num_held, max(0, total - cached_tokens), total)

    def keep(self) -> None:
        """Leave it at what was held, where something was answered and nobody counted it."""
        self.settle(self._num_held, 0, 0)

    def cancel(self) -> None:
        """Give all tokens back, where nothing was answered; the request stays counted."""
        self.settle(0, 0, 0)


FREE: Final = Admission(None, 0, 0)
"""The admission of all whom nothing limits, or whose tokens nothing limits."""


class Account:
    """The buckets of one key for one model, or for all.

    Args:
        plan: The limits.
        now_us: The clock.
    """

    __slots__ = (
        "_now_us",
        "_num_admitted",
        "_open",
        "_pairs",
        "_plan",
        "_requests",
        "_tokens",
        "_total",
        "_uncached",
    )

    def __init__(self, plan: LimitPlan, now_us: Callable[[], int]) -> None:
        self._plan = plan
        self._now_us = now_us
        made_us = now_us()
        self._requests = _buckets(plan.requests, made_us)
        self._uncached = _buckets(plan.uncached, made_us)
        self._total = _buckets(plan.total, made_us)
        self._tokens = self._uncached + self._total
        self._pairs = tuple(
            zip(
                (*plan.requests, *plan.uncached, *plan.total),
                (*self._requests, *self._tokens),
                strict=True,
            )
        )
        self._num_admitted = 0
        self._open: list[int] = []  # numbers of admissions, in the order of charges in each bucket

    def admit(self, model: str, input_tokens: int, output_tokens: int) -> Admission:
        """Take one request and its tokens from every bucket, or nothing from any.

        Raises:
            OverLimit: See `RateLimits.admit`.
        """
        num_tokens = input_tokens + output_tokens
        now_us = self._now_us()
        is_over = False
        for bucket in self._requests:
            if bucket.wait_us(1, now_us):
                is_over = True
        for bucket in self._tokens:
            if num_tokens > bucket.limit:
                raise self._too_large(model, input_tokens, output_tokens)
            if bucket.wait_us(num_tokens, now_us):
                is_over = True
        if is_over:
            raise self._over(model, input_tokens, output_tokens, now_us)
        for bucket in self._requests:
            bucket.take(1)
        if not self._tokens:
            return FREE
        for bucket in self._tokens:
            bucket.hold(num_tokens)
        self._num_admitted = number = self._num_admitted + 1
        self._open.append(number)
        return Admission(self, number, num_tokens)

    def close(self, number: int, num_held: int, uncached_tokens: int, total_tokens: int) -> None:
        """Correct an open admission's charges to what was used, and end it."""
        now_us = self._now_us()
        index = bisect_left(self._open, number)
        del self._open[index]
        for bucket in self._uncached:
            bucket.settle(index, num_held, uncached_tokens, now_us)
        for bucket in self._total:
            bucket.settle(index, num_held, total_tokens, now_us)

    def is_idle(self) -> bool:
        """Say whether it is as a new one would be: all buckets full, nobody inside."""
        now_us = self._now_us()
        return not self._open and not any(
            bucket.reset_us(now_us) for bucket in (*self._requests, *self._tokens)
        )

    def levels(self) -> list[Level]:
        """Return how far each bucket is used: requests, uncached and total tokens."""
        now_us = self._now_us()
        return [
            Level(
                limit.what,
                limit.unit,
                limit.size,
                bucket.remaining(now_us),
                bucket.reset_us(now_us),
            )
            for limit, bucket in self._pairs
        ]

    # ---- refusals -------------------------------------------------------------------------------

    def _over(self, model: str, input_tokens: int, output_tokens: int, now_us: int) -> OverLimit:
        """Return the refusal that names the limit for which the wait is the longest."""
        wants = {"requests": 1, "tokens": input_tokens + output_tokens}
        waits = [
            (bucket.wait_us(wants[limit.what], now_us), limit, bucket)
            for limit, bucket in self._pairs
        ]
        wait_us, limit, bucket = max(waits, key=lambda each: each[0])
        left = bucket.remaining(now_us)
        text = f"{self._reached(model, limit)}, of which {_left(left)}"
        if limit.what == "tokens":
            text += f", and the request asks for {_asked(input_tokens, output_tokens)}"
        return OverLimit(
            f"{text}. Please try again in {duration_text(wait_us)}.",
            what=limit.what,
            unit=limit.unit,
            retry_after_s=wait_us / 1e6,
        )

    def _too_large(self, model: str, input_tokens: int, output_tokens: int) -> OverLimit:
        limit = min((*self._plan.uncached, *self._plan.total), key=lambda each: each.size)
        if input_tokens < limit.size:
            remedy = (
                "Bound the length of the answer to at most "
                f"{limit.size - input_tokens:,} tokens in all, or shorten the messages."
            )
        else:
            remedy = "Shorten the messages."
        return OverLimit(
            f"The request is too large for the rate limit{self._of(model)}: it asks for "
            f"{_asked(input_tokens, output_tokens)}, and the limit is {limit.size:,} "
            f"{limit.words} per {limit.unit}. It cannot succeed, however long it waits. {remedy}",
            what=limit.what,
            unit=limit.unit,
            retry_after_s=None,
        )

    def _reached(self, model: str, limit: Limit) -> str:
        words = limit.words if limit.size > 1 else limit.words.removesuffix("s")
        return f"Rate limit reached{self._of(model)}: {limit.size:,} {words} per {limit.unit}"

    def _of(self, model: str) -> str:
        """Say whose the limit is: the model's, or without a word the whole key's."""
        if not self._plan.is_per_model:
            return ""
        short = model if len(model) <= _MAX_SHOWN_CHARS else f"{model[:_MAX_SHOWN_CHARS]}…"
        return f" for '{short}'"


def _buckets(limits: tuple[Limit, ...], now_us: int) -> tuple[Bucket, ...]:
    return tuple(Bucket(limit.size, PERIOD_US[limit.unit], now_us) for limit in limits)


def _left(number: int) -> str:
    if number == 0:
        return "none is left"
    return f"{number:,} {'is' if number == 1 else 'are'} left"


def _asked(input_tokens: int, output_tokens: int) -> str:
    total = f"{input_tokens + output_tokens:,}"
    return f"{total} ({input_tokens:,} of input, {output_tokens:,} reserved for the answer)"
