"""The layer around a leaf that makes one ledger row of each attempt, whatever happens to it.

Theory of operation

    Opened ──▶ journal      before the leaf is pulled for the first time; refused: nothing is sent
    frame, frame, …         handed on untouched, but for a Receipt on the first and the last
    Settled ──▶ journal     before the END frame is handed on, or when anything else ends it

Rules
 1. Exactly one Settled per Opened, in every ending: END, error, cancellation, a closed generator.
 2. Usage that the provider states is taken as it is; otherwise it is estimated and flagged.
 3. Tokens without a known price cost None, never 0.
 4. An answer that ends without its END frame was cut.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from slipstream.call import Call, Frame, Frames, Meaning, Price, Receipt, Serve, State, Usage
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
_CONTENT: Final = Meaning.CONTENT  # looking an enum's member up by name takes longer
_END: Final = Meaning.END


def metered(leaf: Serve, journal: Journal, price_of: PriceOf, clock_ns: Callable[[], int]) -> Serve:
    """Wrap a leaf so that each of its attempts is put on record.

    Args:
        leaf: Makes the attempt that `call.attempt` describes.
        journal: This worker's.
        price_of: Asked once per attempt, for the moment at which it started.
        clock_ns: A clock that only goes forward, such as `time.monotonic_ns`; for durations.

    Raises:
        LedgerUnavailable: From the first pull, when the attempt cannot be put on record.
        GatewayError: What the leaf raises, unchanged.
        StreamCut: The leaf ended without an END frame.
    """
    meter = _Meter(journal, price_of, clock_ns)

    async def serve(call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch sets the attempt before a leaf is asked"
        account = _Account(meter, call, attempt)
        frames = leaf(call)
        try:
            async for frame in frames:
                yield account.note(frame)
            if not account.is_settled:
                raise StreamCut("the answer ended before its terminal event")
        except GatewayError as error:
            account.fail(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            account.cancel()
            raise
        finally:
            account.close()
            await frames.aclose()

    return serve


@dataclass(frozen=True, slots=True)
class _Meter:
    """What all accounts of a leaf share."""

    journal: Journal
    price_of: PriceOf
    clock_ns: Callable[[], int]


class _Account:
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
        "is_settled",
    )

    def __init__(self, meter: _Meter, call: Call, attempt: Attempt) -> None:
        self._meter = meter
        self._call = call
        self._attempt = attempt
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._first_token_ns: int | None = None
        self._num_bytes = self._num_content = 0
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
        if frame.meaning is _CONTENT:
            self._num_content += 1
            if self._first_token_ns is None:
                self._first_token_ns = self._meter.clock_ns()
        if not is_first:
            return frame
        attempt = self._attempt
        receipt = Receipt(
            attempt_id=attempt.attempt_id, target=attempt.target, num_attempts=attempt.number
        )
        return Frame(
            frame.data, frame.meaning, frame.usage, frame.finish_reason, receipt, frame.changes
        )

    def fail(self, error: GatewayError) -> None:
        """Settle an attempt that raised an error of ours."""
        if self.is_settled:
            return
        state: State = "cut" if isinstance(error, StreamCut) else "failed"
        fault = getattr(error, "fault", None)
        blame = _Blame(_upstream_status(error), None if fault is None else str(fault), error.code)
        self._settle(state, blame, self._used_by_failure())

    def cancel(self) -> None:
        """Settle an attempt whose caller went away before its end."""
        if not self.is_settled:
            self._settle("cancelled", _NO_BLAME)

    def close(self) -> None:
        """Settle what nothing else settled: the leaf raised what is no error of ours."""
        if not self.is_settled:
            self._settle("failed", _INTERNAL, self._used_by_failure())

    # ---- the end --------------------------------------------------------------------------------

    def _end(self, frame: Frame) -> Frame:
        if self.is_settled:  # a second END says nothing new
            return frame
        if self._first_token_ns is None:
            self._first_token_ns = self._meter.clock_ns()
        usage, cost = self._settle("complete", _ANSWERED)
        attempt = self._attempt
        receipt = Receipt(
            attempt_id=attempt.attempt_id,
            target=attempt.target,
            num_attempts=attempt.number,
            state="complete",
            usage=usage,
            cost_usd_pico=cost,
        )
        return Frame(frame.data, _END, frame.usage, frame.finish_reason, receipt, frame.changes)

    def _settle(
        self, state: State, blame: "_Blame", usage: Usage | None = None
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
        meter.journal.settle(
            Settled(
                attempt.attempt_id,
                state,
                buckets,
                usage.is_estimate,
                cost,
                source,
                None if price is None or source != price.source else price.date,
                blame.http_status,
                blame.fault,
                blame.error_code,
                self._finish_reason,
                None if first_ns is None else (first_ns - began_ns) // 1000,
                (meter.clock_ns() - began_ns) // 1000,
            )
        )
        return usage, cost

    def _used_by_failure(self) -> Usage | None:
        return None if self._num_bytes else _NOTHING

    def _estimate(self) -> Usage:
        """Estimate the usage from what was seen."""
        # A stream's frame holds about one token; a plain answer has none but its END.
        num_output = self._num_content or self._num_bytes // _BYTES_PER_TOKEN
        return Usage(
            input_tokens=len(self._call.body) // _BYTES_PER_TOKEN,
            output_tokens=num_output,
            is_estimate=True,
        )


@dataclass(frozen=True, slots=True)
class _Blame:
    """How an attempt ended, beside its state."""

    http_status: int | None = None
    fault: str | None = None
    error_code: str | None = None


_ANSWERED: Final = _Blame(http_status=200)
_NO_BLAME: Final = _Blame()
_INTERNAL: Final = _Blame(error_code="internal_error")


def _upstream_status(error: GatewayError) -> int | None:
    """Return the HTTP status with which the target failed, if it answered with one."""
    if isinstance(error, Rejected):
        return error.upstream_status
    return error.status if isinstance(error, Busy) else None
