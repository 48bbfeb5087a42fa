"""A simulated target at work: a leaf that answers, waits, fails and bills as its Spec says.

What it does to a request depends on the moment, on its own load and on the draws for that request,
and on nothing else; so `forecast` can say beforehand what an oracle would know.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final, Literal

from bench.routing.capacity import Bucket, Servers
from bench.routing.draws import Draws
from bench.routing.specs import Fault, Spec, prices_of, value_at
from bench.routing.traffic import Request
from slipstream.call import Call, Frame, Frames, Meaning, Price, Usage
from slipstream.choice import Attempt, Room
from slipstream.errors import Busy, ConnectFailed, GatewayError, Rejected, StreamCut, TimedOut
from slipstream.ledger.cost import cost_usd_pico

_WAY_S: Final = 0.02  # there and back
_FAILS_AFTER_S: Final = 0.5  # what fails without a fault of the day
_PARETO: Final = 1.5
_MAX_TAIL: Final = 60.0
_TOKEN: Final = Frame(b"data: t\n\n", Meaning.CONTENT)
_DONE: Final = b"data: [DONE]\n\n"

# What a draw is for.
_FIRST, _TAIL, _HOW_LONG, _SPEED, _ERROR, _FAULT = range(6)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would come of a request that is sent now.

    Args:
        total_s: To the answer's end, or to the failure.
    """

    total_s: float
    cost_usd_pico: int
    is_failure: bool = False


class Watch:
    """What a run wants to hear of its sites; this one hears nothing."""

    def began(self, site: "Site", request: Request) -> None:
        """An attempt arrived."""

    def billed(self, request: Request, usd_pico: int) -> None:
        """An attempt cost something."""

    def told(self, site: "Site", room: Room, attempt: Attempt) -> None:
        """A target with limits said how much is left."""


class Site:
    """One target on one simulated day."""

    def __init__(
        self,
        number: int,
        spec: Spec,
        day: Sequence[Request],
        draws: Draws,
        watch: Watch,
        *,
        day_s: float,
        now_s: Callable[[], float],
    ) -> None:
        self.number = number
        self.spec = spec
        self.in_flight = 0
        self._day = day
        self._draws = draws
        self._watch = watch
        self._day_s = day_s
        self._now_s = now_s
        self._prices = prices_of(spec)
        self._warm: dict[int, tuple[int, float]] = {}  # conversation: tokens, until when
        self._servers = None if spec.servers is None else Servers(spec.servers, now_s)
        limits = (spec.requests_per_min, spec.tokens_per_min)
        self._buckets = [None if each is None else Bucket(each) for each in limits]

    # ---- what is known of it ---------------------------------------------------------------------

    def price_at(self, at_s: float) -> Price:
        """Return its list price."""
        moment = at_s / self._day_s
        return next(price for start, price in reversed(self._prices) if start <= moment)

    def can_serve(self, request: Request) -> bool:
        """Tell whether its abilities and its context are enough."""
        spec = self.spec
        whole = request.input_tokens + request.output_tokens
        return not request.abilities & ~spec.abilities and whole <= spec.context_tokens

    @property
    def load(self) -> float:
        """Attempts that it has, for each that it can work at."""
        return self.in_flight / (self.spec.servers or 1)

    def forecast(self, request: Request) -> Forecast:
        """Say what would come of sending it this request now, as a first attempt."""
        now_s, key = self._now_s(), request.number
        if self._limit_s(request, now_s) > 0:
            return Forecast(_WAY_S, 0, is_failure=True)
        if fault := self._fault(key, now_s):
            late_s = fault.after_s if fault.kind != "stalls" else 60.0
            return Forecast(late_s, 0, is_failure=True)
        if self._is_unlucky(key):
            return Forecast(_FAILS_AFTER_S, 0, is_failure=True)
        wait_s = self._servers.wait_s() if self._servers is not None else 0.0
        cached = self._cached(request, now_s)
        first_s, write_s = self._times(request, key, cached, now_s)
        cost = self._cost(_usage(request, cached, request.output_tokens), now_s)
        return Forecast(wait_s + first_s + write_s, cost)

    # ---- the leaf --------------------------------------------------------------------------------

    async def leaf(self, call: Call) -> Frames:
        """Make the attempt that `call.attempt` describes."""
        attempt = call.attempt
        assert attempt is not None, "dispatch sets the attempt before a leaf is asked"
        request = self._day[int(call.call_id)]
        key = request.number + ((attempt.number - 1) << 32)  # another attempt has other luck
        self._watch.began(self, request)
        self.in_flight += 1
        end_s = None
        try:
            await self._let_in(request, key, attempt)
            began_s = self._now_s()
            if self._servers is not None:
                work_s = sum(self._times(request, key, 0, began_s))
                end_s = await self._servers.enter(work_s, attempt.deadlines.first_token_s)
            waited_s = self._now_s() - began_s
            frames = self._answer(request, key, attempt, waited_s)
            try:
                async for frame in frames:
                    yield frame
            finally:
                await frames.aclose()
        finally:
            self.in_flight -= 1
            if self._servers is not None and end_s is not None:
                self._servers.leave(end_s)

    async def _let_in(self, request: Request, key: int, attempt: Attempt) -> None:
        """Raise what keeps a request from being worked at.

        Raises:
            GatewayError: What the relay would have made of a target's answer.
        """
        now_s = self._now_s()
        limit_s = self._limit_s(request, now_s)
        if not limit_s:
            for bucket, wanted in zip(self._buckets, _wanted(request), strict=True):
                if bucket is not None:
                    bucket.take(wanted)
        if any(self._buckets):
            self._watch.told(self, self._left(), attempt)
        if limit_s:
            await asyncio.sleep(_WAY_S)
            raise Busy("a limit of the account is used up", retry_after_s=limit_s)
        if fault := self._fault(key, now_s):
            await self._fail(fault, attempt, now_s)
        if self._is_unlucky(key):
            await asyncio.sleep(_FAILS_AFTER_S)
            raise Rejected("it failed", upstream_status=500)
        if self._servers is not None and self._servers.num_waiting >= self.spec.max_queue:
            await asyncio.sleep(_WAY_S)
            raise Rejected("too many wait already", upstream_status=503)

    async def _answer(
        self, request: Request, key: int, attempt: Attempt, waited_s: float
    ) -> Frames:
        """Work at a request; whatever ends that, bill what was read and written."""
        began_s = self._now_s()
        cached = self._cached(request, began_s)
        first_s, write_s = self._times(request, key, cached, began_s)
        limits = attempt.deadlines
        is_whole = False
        try:
            await _pass(first_s, limits.first_token_s - waited_s, "first_token", attempt)
            self._keep_warm(request, request.input_tokens)
            yield _TOKEN
            await _pass(write_s, attempt.total_deadline_s - self._now_s(), "total", attempt)
            self._keep_warm(request, request.input_tokens + request.output_tokens)
            is_whole = True
            yield Frame(_DONE, Meaning.END, usage=_usage(request, cached, request.output_tokens))
        finally:
            took_s = self._now_s() - began_s - first_s
            share = 1.0 if is_whole else max(0.0, min(took_s / write_s, 1.0))
            usage = _usage(request, cached, round(share * request.output_tokens))
            self._watch.billed(request, self._cost(usage, began_s))

    # ---- its ways --------------------------------------------------------------------------------

    def _cost(self, usage: Usage, at_s: float) -> int:
        cost, _ = cost_usd_pico(usage, self.price_at(at_s))
        assert cost is not None, "every bucket that a site uses has a rate"
        return cost

    def _limit_s(self, request: Request, now_s: float) -> float:
        """Return in how many seconds the account's limits have room for a request; 0: now."""
        return max(
            (
                bucket.wait_s(wanted, now_s)
                for bucket, wanted in zip(self._buckets, _wanted(request), strict=True)
                if bucket is not None
            ),
            default=0.0,
        )

    def _left(self) -> Room:
        requests, tokens = self._buckets
        return Room(
            requests=None if requests is None else int(requests.left),
            requests_reset_s=None if requests is None else requests.reset_s,
            tokens=None if tokens is None else int(tokens.left),
            tokens_reset_s=None if tokens is None else tokens.reset_s,
        )

    def _fault(self, key: int, now_s: float) -> Fault | None:
        moment = now_s / self._day_s
        for fault in self.spec.faults:
            if fault.start <= moment < fault.end:
                is_hit = self._draws.uniform(key, self.number, _FAULT) < fault.share
                return fault if is_hit else None
        return None

    def _is_unlucky(self, key: int) -> bool:
        return self._draws.uniform(key, self.number, _ERROR) < self.spec.error_share

    async def _fail(self, fault: Fault, attempt: Attempt, now_s: float) -> None:
        if fault.kind == "stalls":
            limit_s = attempt.deadlines.first_token_s
            await asyncio.sleep(min(limit_s, max(attempt.total_deadline_s - now_s, 0.0)))
            raise TimedOut("first_token", limit_s)
        await asyncio.sleep(fault.after_s)
        raise _ERRORS[fault.kind]()

    def _times(self, request: Request, key: int, cached: int, now_s: float) -> tuple[float, float]:
        """Return how long the first token takes once work begins, and the rest after it."""
        spec, draws, number = self.spec, self._draws, self.number
        first_s = spec.first_s * exp(spec.first_sigma * draws.normal(key, number, _FIRST))
        if spec.tail_share and draws.uniform(key, number, _TAIL) < spec.tail_share:
            luck = max(draws.uniform(key, number, _HOW_LONG), 1e-6)
            first_s *= min(spec.tail_times * luck ** (-1 / _PARETO), _MAX_TAIL)
        first_s += (request.input_tokens - cached) / spec.read_per_s
        per_s = spec.write_per_s * exp(spec.write_sigma * draws.normal(key, number, _SPEED))
        times = value_at(spec.slowness, now_s / self._day_s)
        return _WAY_S + first_s * times, request.output_tokens / per_s * times

    def _cached(self, request: Request, now_s: float) -> int:
        tokens, until_s = self._warm.get(request.conversation, (0, 0.0))
        return min(tokens, request.shared_tokens) if now_s < until_s else 0

    def _keep_warm(self, request: Request, tokens: int) -> None:
        if self.spec.cache_s:
            self._warm[request.conversation] = (tokens, self._now_s() + self.spec.cache_s)


_ERRORS: Final[dict[str, Callable[[], GatewayError]]] = {
    "refuses": lambda: ConnectFailed("nobody listens"),
    "errors": lambda: Rejected("it failed", upstream_status=500),
    "cuts": lambda: StreamCut("the stream ended before its terminal event"),
}


def _wanted(request: Request) -> tuple[int, int]:
    """Return what a request takes of the limits of requests and of tokens."""
    return 1, request.input_tokens + request.output_tokens


def _usage(request: Request, cached: int, num_out: int) -> Usage:
    return Usage(
        input_tokens=request.input_tokens - cached,
        cache_read_tokens=cached,
        output_tokens=num_out,
    )


async def _pass(
    took_s: float, left_s: float, phase: Literal["first_token", "total"], attempt: Attempt
) -> None:
    """Let a phase of an answer pass.

    Raises:
        TimedOut: Its deadline comes first.
    """
    if took_s <= left_s:
        await asyncio.sleep(took_s)
        return
    await asyncio.sleep(max(left_s, 0.0))
    limits = attempt.deadlines
    raise TimedOut(phase, limits.first_token_s if phase == "first_token" else limits.total_s)
