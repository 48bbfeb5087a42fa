"""The layer around a leaf that makes one ledger row of each attempt, whatever happens to it.

Theory of operation

    Opened ──▶ journal      before the leaf is pulled for the first time; refused: nothing is sent
    frame, frame, …         handed on untouched, but for a Receipt on the first and the last
    Settled ──▶ journal     before the END frame is handed on, or when anything else ends it
    Outcome ──▶ tell        right after it, for those who learn from it

Rules
 1. Exactly one Settled per Opened, in every ending: END, error, cancellation, a closed generator.
 2. Usage that the provider states is taken as it is; otherwise it is estimated and flagged.
 3. Tokens without a known price cost None, never 0.
 4. An answer that ends without its END frame was cut.
 5. Time that the consumer takes with a frame is nobody else's: it is in `held_s`.
 6. A runner that is closed after another has won its race is `outraced`; its cost is an estimate.
    One that is closed because it was given up has failed as its race says.
"""

import asyncio
from collections.abc import Callable

from slipstream.call import Call, Frames, Outcome, Serve
from slipstream.errors import GatewayError, StreamCut
from slipstream.ledger.account import Account, Meter, PriceOf
from slipstream.ledger.journal import Journal


def metered(
    leaf: Serve,
    journal: Journal,
    price_of: PriceOf,
    clock_ns: Callable[[], int],
    tell: Callable[[Outcome], None] | None = None,
) -> Serve:
    """Wrap a leaf so that each of its attempts is put on record.

    Args:
        leaf: Makes the attempt that `call.attempt` describes.
        journal: This worker's.
        price_of: Asked once per attempt, for the moment at which it started.
        clock_ns: A clock that only goes forward, such as `time.monotonic_ns`; for durations.
        tell: Hears of each attempt once, when it is settled; may not block.

    Raises:
        LedgerUnavailable: From the first pull, when the attempt cannot be put on record.
        GatewayError: What the leaf raises, unchanged.
        StreamCut: The leaf ended without an END frame.
    """
    meter = Meter(journal, price_of, clock_ns, tell)

    async def serve(call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch sets the attempt before a leaf is asked"
        account = Account(meter, call, attempt)
        handed_ns = 0  # when the consumer was handed the last frame
        frames = leaf(call)
        try:
            async for frame in frames:
                noted = account.note(frame)
                handed_ns = clock_ns()
                yield noted
                account.held_ns += clock_ns() - handed_ns
            if not account.is_settled:
                raise StreamCut("the answer ended before its terminal event")
        except GatewayError as error:
            account.fail(error)
            raise
        except asyncio.CancelledError:
            account.cancel()
            raise
        except GeneratorExit:
            account.held_ns += clock_ns() - handed_ns
            account.cancel()
            raise
        finally:
            account.close()
            await frames.aclose()

    return serve
