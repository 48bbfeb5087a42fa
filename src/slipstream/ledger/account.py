"""What is known of one attempt while it runs, and the row that it leaves.

It is told of each frame and of the end; when to tell it is metering.py's. Of an attempt that is
closed before its end, its race knows whether it has lost or was given up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from slipstream.call import (
    Call,
    Frame,
    Meaning,
    Outcome,
    Price,
    Receipt,
    State,
    Usage,
)
from slipstream.choice import Attempt
from slipstream.errors import Busy, GatewayError, Rejected, StreamCut
from slipstream.ledger.cost import buckets_of, cost_usd_pico, is_plausible
from slipstream.ledger.journal import Journal
from slipstream.ledger.records import Opened, Settled

PriceOf = Callable[[str, str, int], Price | None]
"""From provider, upstream model and moment (wall clock, ns) to the price then."""

# About four bytes of English or JSON make a token; an estimate that a person checks needs no more.
_BYTES_PER_TOKEN: Final = 4
_NOTHING: Final = Usage()
_NS: Final = 1e9
_ANSWERED: Final = 200  # the status of an answer
_CONTENT: Final = Meaning.CONTENT  # looking an enum's member up by name takes longer
_END: Final = Meaning.END


@dataclass(frozen=True, slots=True)
class Meter:
    """What all accounts of a leaf share."""

    journal: Journal
    price_of: PriceOf
    clock_ns: Callable[[], int]
    tell: Callable[[Outcome], None] | None


class _Defect(GatewayError):
    """The leaf raised what is no error of ours, which says nothing of its target."""

    code = "internal_error"


_INTERNAL: Final = _Defect("the attempt ended in a defect of the gateway")


class Account:
    """What is known of one attempt while it runs; writes Opened when made, Settled once."""

    __slots__ = (
        "_attempt",
        "_began_ns",
        "_call",
        "_finish_reason",
        "_first_token_ns",
        "_meter",
        "_num_bytes",
        "_num_content",
        "_usage",
        "held_ns",
        "is_settled",
    )

    def __init__(self, meter: Meter, call: Call, attempt: Attempt) -> None:
        self._meter = meter
        self._call = call
        self._attempt = attempt
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._first_token_ns: int | None = None
        self._num_bytes = self._num_content = 0
        self.held_ns = 0
        self.is_settled = False
        target = attempt.target
        meter.journal.open(
            Opened(
                attempt.attempt_id,
                call.call_id,
                call.key_id,
                attempt.route,
                target.provider,
                target.model,
                target.credential,
                attempt.number,
                call.is_stream,
                attempt.started_at_ns,
                attempt.cause,
            )
        )
        self._began_ns = meter.clock_ns()

    def note(self, frame: Frame) -> Frame:
        """Take from a frame what the ledger needs; return the frame to hand on."""
        is_first = not self._num_bytes
        self._num_bytes += len(frame.data)
        if frame.usage is not None:
            self._usage = frame.usage
        if frame.finish_reason is not None:
            self._finish_reason = frame.finish_reason
        if frame.meaning is _END:
            return self._end(frame)
        if frame.meaning is _CONTENT and not frame.is_empty:
            self._num_content += 1
            if self._first_token_ns is None:
                self._first_token_ns = self._meter.clock_ns()
        if not is_first:
            return frame
        attempt = self._attempt
        receipt = Receipt(
            attempt_id=attempt.attempt_id, target=attempt.target, num_attempts=attempt.number
        )
        return _with_receipt(frame, receipt)

    def fail(self, error: GatewayError) -> None:
        """Settle an attempt that raised an error of ours."""
        if not self.is_settled:
            state: State = "cut" if isinstance(error, StreamCut) else "failed"
            self._settle(state, error, self._used_by_failure())

    def cancel(self) -> None:
        """Settle an attempt that was closed before its end."""
        if self.is_settled:
            return
        race, attempt_id = self._attempt.race, self._attempt.attempt_id
        error = None if race is None else race.failure_of(attempt_id)
        if error is not None:
            self._settle("failed", error)
        elif race is not None and race.is_lost_by(attempt_id):
            self._settle("outraced", None, self._used_by_loser())
        else:
            self._settle("cancelled", None)

    def close(self) -> None:
        """Settle what nothing else settled: the leaf raised what is no error of ours."""
        if not self.is_settled:
            self._settle("failed", _INTERNAL, self._used_by_failure())

    # ---- the end --------------------------------------------------------------------------------

    def _end(self, frame: Frame) -> Frame:
        if self.is_settled:  # a second END says nothing new
            return frame
        attempt = self._attempt
        if self._first_token_ns is None and not (self._call.is_stream or frame.is_empty):
            self._first_token_ns = self._meter.clock_ns()
        # Two plain answers may be whole in the same turn of the loop.
        has_lost = attempt.race is not None and attempt.race.is_lost_by(attempt.attempt_id)
        state: State = "outraced" if has_lost else "complete"
        usage, cost = self._settle(state, None)
        receipt = Receipt(
            attempt_id=attempt.attempt_id,
            target=attempt.target,
            num_attempts=attempt.number,
            state=state,
            usage=usage,
            cost_usd_pico=cost,
        )
        return _with_receipt(frame, receipt)

    def _settle(
        self, state: State, error: Exception | None, usage: Usage | None = None
    ) -> tuple[Usage, int | None]:
        """Write the attempt's end, which happens once; return its usage on record and its cost."""
        usage = usage or self._usage or self._estimate()
        buckets = buckets_of(usage)
        if not is_plausible(buckets):
            usage = self._estimate()
            buckets = buckets_of(usage)
        meter, attempt = self._meter, self._attempt
        target = attempt.target
        price = meter.price_of(target.provider, target.model, attempt.started_at_ns)
        cost, source = cost_usd_pico(usage, price, buckets)
        if usage is _NOTHING and price is not None:
            cost = 0  # not even a fee per request: nothing was answered
        self.is_settled = True
        began_ns, first_ns = self._began_ns, self._first_token_ns
        first_ns = None if first_ns is None else first_ns - began_ns
        total_ns = meter.clock_ns() - began_ns
        http_status, fault, error_code = _blame(state, error)
        meter.journal.settle(
            Settled(
                attempt.attempt_id,
                state,
                buckets,
                usage.is_estimate,
                cost,
                source,
                None if price is None or source != price.source else price.date,
                http_status,
                fault,
                error_code,
                self._finish_reason,
                None if first_ns is None else first_ns // 1000,
                total_ns // 1000,
            )
        )
        if meter.tell is not None:
            outcome = Outcome(
                attempt=attempt,
                state=state,
                error=error,
                usage=usage,
                cost_usd_pico=cost,
                first_token_s=None if first_ns is None else first_ns / _NS,
                total_s=total_ns / _NS,
                held_s=self.held_ns / _NS,
                body_bytes=len(self._call.body),
            )
            meter.tell(outcome)
        return usage, cost

    def _used_by_failure(self) -> Usage | None:
        return None if self._num_bytes else _NOTHING

    def _used_by_loser(self) -> Usage:
        """Return an estimate: what was stated before the end is not all that will be billed."""
        stated = self._usage
        if stated is None or stated.is_estimate:
            return self._estimate()
        return msgspec.structs.replace(stated, is_estimate=True)

    def _estimate(self) -> Usage:
        """Estimate the usage from what was seen."""
        # A stream's frame with content holds about one token; a plain answer is all in its END.
        is_stream = self._call.is_stream
        num_output = self._num_content if is_stream else self._num_bytes // _BYTES_PER_TOKEN
        return Usage(
            input_tokens=len(self._call.body) // _BYTES_PER_TOKEN,
            output_tokens=num_output,
            is_estimate=True,
        )


def _with_receipt(frame: Frame, receipt: Receipt) -> Frame:
    return Frame(
        frame.data,
        frame.meaning,
        frame.usage,
        frame.finish_reason,
        receipt,
        frame.changes,
        frame.is_empty,
    )


def _blame(state: State, error: Exception | None) -> tuple[int | None, str | None, str | None]:
    """Return the status with which a target answered, whose fault an ending is, and its code."""
    if error is None:
        return (_ANSWERED if state == "complete" else None), None, None
    fault = getattr(error, "fault", None)
    code = error.code if isinstance(error, GatewayError) else None
    return _upstream_status(error), None if fault is None else str(fault), code


def _upstream_status(error: Exception) -> int | None:
    """Return the HTTP status with which the target failed, if it answered with one."""
    if isinstance(error, Rejected):
        return error.upstream_status
    return error.status if isinstance(error, Busy) else None
