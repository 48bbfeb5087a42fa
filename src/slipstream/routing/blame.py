"""What the ending of an attempt says of whom: of its target, provider, key or quota, or of nobody.

client, context length              nobody: any other target would have said the same
no connection                       the provider, with all its models
401, 402, 403                       the key, with all its models
429                                 this model with this key, for as long as it asks
5xx, timeouts, cuts, emptiness      the target
"""

from typing import Final, Literal

import msgspec

from slipstream.call import Outcome
from slipstream.errors import (
    Busy,
    ConnectFailed,
    Fault,
    GatewayError,
    OutOfBlocks,
    PoolFull,
    Rejected,
    TimedOut,
)

Scope = Literal["target", "provider", "key", "lane"]

_NOT_FOUND: Final = 404
_FORBIDDEN: Final = 403


class Blame(msgspec.Struct, frozen=True, gc=False):
    """Whose a failure is.

    Args:
        reason: In words, without anything that a caller or a provider wrote.
        count: As how many failures in a row it counts; 0: it opens the breaker at once.
        wait_s: As long as it asks to be left alone.
        is_missing: The model is not there, or not for this key.
    """

    scope: Scope
    reason: str
    count: int = 1
    wait_s: float | None = None
    is_missing: bool = False


_EMPTY: Final = Blame("target", "answered without a word")


def blame_for(outcome: Outcome) -> Blame | None:
    """Return whom a failed or empty attempt is blamed on; None: nobody that can be left alone."""
    error = outcome.error
    if error is None:
        return _EMPTY if outcome.state == "complete" else None
    if not isinstance(error, GatewayError) or isinstance(error, PoolFull | OutOfBlocks):
        return None  # ours, or this request's alone
    match getattr(error, "fault", None):
        case Fault.KEY:
            status = error.upstream_status if isinstance(error, Rejected) else None
            reason = f"key refused (status {status})" if status else "key refused"
            return Blame("key", reason, 0, is_missing=status == _FORBIDDEN)
        case Fault.QUOTA:
            return Blame("lane", "out of quota", 0, error.retry_after_s)
        case Fault.NETWORK:
            return _of_network(error)
        case Fault.TARGET:
            return _of_target(error)
        case _:
            return None


def _of_network(error: GatewayError) -> Blame:
    if isinstance(error, ConnectFailed):
        return Blame("provider", "no connection")
    if isinstance(error, TimedOut) and error.phase == "connect":
        return Blame("provider", "no connection in time", 2)
    return Blame("target", "answers were cut off")


def _of_target(error: GatewayError) -> Blame:
    if error.retry_after_s is not None:
        return Blame("target", "overloaded", 0, error.retry_after_s)
    if isinstance(error, TimedOut):
        # It has cost its request a whole deadline: fewer of them are enough.
        return Blame("target", f"too late in the phase '{error.phase}'", 2)
    if isinstance(error, Rejected):
        status = error.upstream_status
        is_missing = status == _NOT_FOUND
        return Blame("target", f"status {status}", 0 if is_missing else 1, is_missing=is_missing)
    if isinstance(error, Busy):
        return Blame("target", "overloaded")
    return Blame("target", error.code or "failed")


def is_left(outcome: Outcome) -> bool:
    """Tell whether an attempt was ended by somebody's patience, whose end says how long it was."""
    error = outcome.error
    if isinstance(error, TimedOut):
        return error.phase != "connect" and outcome.first_token_s is None
    return outcome.state in ("cancelled", "outraced")


def has_answered(outcome: Outcome) -> bool:
    """Tell whether an attempt has shown that its provider can be reached."""
    is_answer = isinstance(outcome.error, Rejected | Busy)
    return is_answer or outcome.state == "complete" or outcome.first_token_s is not None
