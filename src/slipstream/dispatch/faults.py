"""What each failure before the commit point leads to, as tables.

Only of failures: what they are blamed on, and whether they may be retried at all, is data of the
errors themselves. What is cooled after them is routing's.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from slipstream.errors import (
    ContextTooLong,
    EmptyAnswer,
    Fault,
    GatewayError,
    LoadFailed,
    OutOfBlocks,
    Overloaded,
    PoolFull,
    Refused,
    Rejected,
    TimedOut,
    TooSlow,
    Unsupported,
)


class Lead(Enum):
    """Where a call goes from a target that failed."""

    NEXT = auto()  # to any target that is left
    ELSEWHERE = auto()  # not to the same model with another key, which would fail alike
    OTHER_KEY = auto()  # to the same model with another key first
    ROOMIER = auto()  # only to a larger context
    OTHER_PROVIDER = auto()  # only to one with another policy, where the plan allows it
    NOWHERE = auto()


class Consequence(NamedTuple):
    """What one failure leads to.

    Args:
        may_mend: The same target may answer if it is asked again a little later.
    """

    lead: Lead
    may_mend: bool = False


_OF_FAULT: Final[Mapping[Fault, Consequence]] = {
    Fault.CLIENT: Consequence(Lead.NOWHERE),
    Fault.CONTEXT: Consequence(Lead.ROOMIER),
    Fault.KEY: Consequence(Lead.OTHER_KEY),
    Fault.QUOTA: Consequence(Lead.OTHER_KEY, may_mend=True),
    Fault.TARGET: Consequence(Lead.ELSEWHERE, may_mend=True),
    Fault.NETWORK: Consequence(Lead.ELSEWHERE, may_mend=True),
}

# Errors whose fault alone does not say it.
_OF_CLASS: Final[Mapping[type[GatewayError], Consequence]] = {
    ContextTooLong: Consequence(Lead.ROOMIER),
    EmptyAnswer: Consequence(Lead.ELSEWHERE),
    LoadFailed: Consequence(Lead.ELSEWHERE),
    OutOfBlocks: Consequence(Lead.ELSEWHERE),
    Overloaded: Consequence(Lead.ELSEWHERE, may_mend=True),
    PoolFull: Consequence(Lead.ELSEWHERE, may_mend=True),
    Refused: Consequence(Lead.OTHER_PROVIDER),
    TooSlow: Consequence(Lead.ELSEWHERE),
    Unsupported: Consequence(Lead.ELSEWHERE),
}

# By which providers say that a request is against their policy: OpenAI's, Azure's, OpenRouter's.
_POLICY_CODES: Final = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "input_moderated",
        "invalid_prompt",
        "moderation",
        "moderation_blocked",
        "responsibleaipolicyviolation",
    }
)
# A quota that waiting does not fill: the account's money is spent.
_SPENT_CODES: Final = frozenset({"insufficient_quota"})
# Answers that waiting does not change, though they are the target's fault: the model is not there.
_LASTING_STATUSES: Final = frozenset({404, 501})
_NOWHERE: Final = Consequence(Lead.NOWHERE)


def consequence_of(error: GatewayError, *, retries_refusals: bool) -> Consequence:
    """Return what a failure leads to.

    Args:
        retries_refusals: What one target finds against its policy may go to the next.
    """
    found = _OF_CLASS.get(type(error)) or _by_blame(error)
    if found.lead is Lead.OTHER_PROVIDER and not retries_refusals:
        return _NOWHERE
    return found


def _by_blame(error: GatewayError) -> Consequence:
    if isinstance(error, TimedOut) and error.phase == "total":
        return _NOWHERE  # the call's time is over, too
    fault = getattr(error, "fault", None)
    if fault is Fault.CONTEXT:
        return _OF_FAULT[fault]
    if _is_against_policy(error):
        return Consequence(Lead.OTHER_PROVIDER)
    if not error.retryable:
        return _NOWHERE
    if isinstance(error, Rejected) and error.upstream_status in _LASTING_STATUSES:
        return Consequence(Lead.ELSEWHERE)
    if error.code in _SPENT_CODES:
        return Consequence(Lead.OTHER_KEY)
    return Consequence(Lead.NEXT) if fault in (None, Fault.CLIENT) else _OF_FAULT[fault]


def _is_against_policy(error: GatewayError) -> bool:
    if not isinstance(error, Rejected) or error.retryable:
        return False
    return bool({(error.code or "").lower(), error.kind.lower()} & _POLICY_CODES)
