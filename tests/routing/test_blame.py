"""Whose an attempt's end is: invariant 7, by every kind of error."""

import pytest

from slipstream.call import Outcome
from slipstream.errors import (
    BadRequest,
    Broken,
    Busy,
    ConnectFailed,
    ContextTooLong,
    EmptyAnswer,
    Fault,
    GatewayError,
    LedgerUnavailable,
    LoadFailed,
    OutOfBlocks,
    PoolFull,
    Refused,
    Rejected,
    StreamCut,
    TimedOut,
    TooSlow,
    Unsupported,
)
from slipstream.routing.blame import Blame, blame_for, has_answered, is_left
from tests.routing.outcomes import outcome


def _rejected(status: int) -> Rejected:
    return Rejected("words of the provider", upstream_status=status)


def _overload(wait_s: float | None) -> Busy:
    error = Busy("overloaded", retry_after_s=wait_s)
    error.fault = Fault.TARGET
    return error


@pytest.mark.parametrize(
    ("error", "scope", "count", "wait_s"),
    [
        pytest.param(ConnectFailed("no"), "provider", 1, None, id="connect"),
        pytest.param(TimedOut("connect", 5.0), "provider", 2, None, id="connect-timeout"),
        pytest.param(TimedOut("first_token", 5.0), "target", 2, None, id="first-token"),
        pytest.param(TimedOut("idle", 5.0), "target", 2, None, id="idle"),
        pytest.param(StreamCut("cut"), "target", 1, None, id="cut"),
        pytest.param(Broken("html"), "target", 1, None, id="broken"),
        pytest.param(EmptyAnswer("nothing"), "target", 1, None, id="empty"),
        pytest.param(TooSlow(1.0, 5.0), "target", 1, None, id="too-slow"),
        pytest.param(LoadFailed("no"), "target", 1, None, id="load"),
        pytest.param(Busy("429", retry_after_s=7.0), "lane", 0, 7.0, id="429-wait"),
        pytest.param(Busy("429"), "lane", 0, None, id="429"),
        pytest.param(_overload(9.0), "target", 0, 9.0, id="529-wait"),
        pytest.param(_overload(None), "target", 1, None, id="529"),
        *(
            pytest.param(_rejected(status), "key", 0, None, id=str(status))
            for status in (401, 402, 403)
        ),
        *(
            pytest.param(_rejected(status), "target", 1, None, id=str(status))
            for status in (408, 409, 500, 502, 503, 504)
        ),
        pytest.param(_rejected(404), "target", 0, None, id="404"),
    ],
)
def test_blame_for_names_who_is_left_alone(
    error: GatewayError, scope: str, count: int, wait_s: float | None
) -> None:
    """Target, provider, key or quota; and what cannot heal by itself at once."""
    blame = blame_for(outcome(error=error))
    assert blame is not None
    assert (blame.scope, blame.count, blame.wait_s) == (scope, count, wait_s)
    assert "words of the provider" not in blame.reason


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(_rejected(400), id="400"),
        pytest.param(_rejected(422), id="422"),
        pytest.param(_rejected(413), id="413"),
        pytest.param(ContextTooLong("long"), id="context"),
        pytest.param(OutOfBlocks("large"), id="blocks"),
        pytest.param(Unsupported("images"), id="unsupported"),
        pytest.param(PoolFull("full"), id="pool"),
        pytest.param(Refused("policy"), id="refused"),
        pytest.param(LedgerUnavailable("disk"), id="ledger"),
        pytest.param(BadRequest("bad"), id="bad-request"),
        pytest.param(RuntimeError("ours"), id="ours"),
    ],
)
def test_blame_for_what_is_the_callers_or_ours_is_nobody(error: Exception) -> None:
    """Another request would have been served: nothing cools."""
    assert blame_for(outcome(error=error)) is None


def test_blame_for_an_overload_with_a_wait_counts_the_wait() -> None:
    """A 503 that says when to come back is asked again no sooner."""
    error = _rejected(503)
    error.retry_after_s = 12.0
    assert blame_for(outcome(error=error)) == Blame("target", "overloaded", 0, 12.0)


def test_blame_for_an_answer_without_a_word_is_the_targets() -> None:
    """Instant nothing is no fast answer."""
    blame = blame_for(outcome(first_s=None))
    assert blame is not None
    assert blame.scope == "target"


@pytest.mark.parametrize("state", ["cancelled", "outraced"])
def test_blame_for_an_attempt_that_was_left_is_nobody(state: str) -> None:
    """Who leaves, or wins, says nothing bad of whom they left."""
    assert blame_for(outcome(state=state, first_s=None)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "is_so"),
    [
        (outcome(state="outraced", first_s=None), True),
        (outcome(state="cancelled"), True),
        (outcome(error=TimedOut("first_token", 5.0)), True),
        (outcome(error=TimedOut("connect", 5.0)), False),
        (outcome(error=StreamCut("cut")), False),
        (outcome(), False),
    ],
)
def test_is_left_is_whom_patience_ended(told: Outcome, is_so: bool) -> None:
    """A deadline says as much of how long an answer takes as a race that was lost."""
    assert is_left(told) is is_so


def test_has_answered_is_whatever_needs_a_connection() -> None:
    """Any status shows that the provider can be reached; a timeout does not."""
    assert has_answered(outcome(error=_rejected(500)))
    assert has_answered(outcome(error=Busy("429")))
    assert has_answered(outcome(state="cancelled"))
    assert not has_answered(outcome(error=ConnectFailed("no")))
    assert not has_answered(outcome(state="cancelled", first_s=None))
