"""The error tree: class data, blame, and what a caller reads when every target failed."""

from collections.abc import Iterator

import pytest

from slipstream import errors
from slipstream.errors import (
    BadRequest,
    Broken,
    Busy,
    ConnectFailed,
    ContextTooLong,
    Exhausted,
    Fault,
    GatewayError,
    LedgerUnavailable,
    Overloaded,
    Phase,
    Rejected,
    RequestError,
    StreamCut,
    TimedOut,
    UpstreamError,
)


def _tree(cls: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)


OURS = [cls for cls in _tree(GatewayError) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", OURS)
def test_error_class_is_in_the_drawn_tree_with_its_data(cls: type[GatewayError]) -> None:
    """Every class stands in the module's docstring, and its data is usable as it is."""
    assert errors.__doc__ is not None
    assert cls.__name__ in errors.__doc__
    assert 400 <= cls.status < 600
    assert cls.kind
    assert isinstance(cls.retryable, bool)


def test_request_errors_are_never_retried_but_for_our_own_queue() -> None:
    """Another target cannot mend what the caller sent."""
    retried = {cls for cls in _tree(RequestError) if cls.retryable}
    assert retried == {Overloaded}


@pytest.mark.parametrize(
    ("upstream_status", "status", "fault", "is_retryable"),
    [
        (400, 400, Fault.CLIENT, False),
        (401, 502, Fault.KEY, True),
        (402, 502, Fault.KEY, True),
        (403, 502, Fault.KEY, True),
        (404, 502, Fault.TARGET, True),
        (408, 502, Fault.TARGET, True),
        (409, 502, Fault.TARGET, True),
        (413, 413, Fault.CONTEXT, False),
        (418, 418, Fault.CLIENT, False),
        (422, 422, Fault.CLIENT, False),
        (425, 502, Fault.TARGET, True),
        (500, 502, Fault.TARGET, True),
        (503, 503, Fault.TARGET, True),
        (599, 502, Fault.TARGET, True),
    ],
)
def test_rejected_blames_by_the_upstreams_status(
    upstream_status: int, status: int, fault: Fault, is_retryable: bool
) -> None:
    """The caller's own fault keeps its status; what is ours to mend is a 502."""
    error = Rejected("m", upstream_status=upstream_status)
    assert (error.status, error.fault, error.retryable) == (status, fault, is_retryable)


@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        ("connect", Fault.NETWORK),
        ("first_token", Fault.TARGET),
        ("idle", Fault.TARGET),
        ("total", Fault.TARGET),
    ],
)
def test_timed_out_names_phase_and_limit(phase: Phase, fault: Fault) -> None:
    """Only a connection that did not come about is the network's."""
    error = TimedOut(phase, 0.5)
    assert (error.phase, error.fault, error.status) == (phase, fault, 504)
    assert "0.5 s" in error.message
    assert phase in error.message


def test_exhausted_single_attempt_speaks_for_itself() -> None:
    """With one target the caller reads that target's own error."""
    busy = Busy("slow down", retry_after_s=7.0)
    error = Exhausted((("a/m", busy),))
    assert (error.status, error.code, error.message) == (429, busy.code, "slow down")
    assert (error.kind, error.retry_after_s) == (busy.kind, 7.0)
    assert error.attempts == (("a/m", busy),)


def test_exhausted_last_error_that_no_target_mends_is_the_verdict() -> None:
    """The caller's own mistake is told in its own words, with the field."""
    last = BadRequest("wrong n", param="n", code="invalid_value")
    error = Exhausted((("a/m", Busy("b", retry_after_s=7.0)), ("b/m", last)))
    assert (error.status, error.code, error.param) == (400, "invalid_value", "n")
    assert (error.kind, error.message) == ("invalid_request_error", "wrong n")


def test_exhausted_verdict_asks_for_its_own_wait_only() -> None:
    """Regression: a mistake of the caller came with the Retry-After of an earlier target."""
    last = BadRequest("wrong n")
    assert Exhausted((("a/m", Busy("b", retry_after_s=7.0)), ("b/m", last))).retry_after_s is None
    full = LedgerUnavailable("disk full")
    assert Exhausted((("a/m", Busy("b", retry_after_s=1.0)), ("b/m", full))).retry_after_s == 5.0


def test_exhausted_several_failures_are_all_named_with_the_shortest_wait() -> None:
    """Each target's words are there; the status is theirs if they agree."""
    busy = (("a/m", Busy("a is full", retry_after_s=9.0)), ("b/m", Busy("b is", retry_after_s=4.0)))
    error = Exhausted(busy)
    assert (error.status, error.code, error.retry_after_s) == (429, "all_targets_failed", 4.0)
    assert "a/m: a is full" in error.message
    assert "b/m: b is" in error.message


@pytest.mark.parametrize(
    ("last", "status"),
    [(ConnectFailed("c"), 502), (TimedOut("idle", 1), 502), (Busy("b"), 429), (Broken("x"), 502)],
)
def test_exhausted_different_statuses_become_a_502(last: UpstreamError, status: int) -> None:
    """There is no one status for targets that failed in different ways."""
    error = Exhausted((("a/m", Busy("a")), ("b/m", last)))
    assert error.status == status
    assert error.retry_after_s is None


def test_exhausted_is_not_retried_by_a_layer_above() -> None:
    """Its attempts were the retries."""
    assert not Exhausted((("a/m", StreamCut("c")),)).retryable


def test_exhausted_without_attempts_is_our_own_mistake() -> None:
    """A plan has at least one target."""
    with pytest.raises(AssertionError):
        Exhausted(())


def test_context_too_long_is_the_callers_and_not_retryable() -> None:
    """A prompt that does not fit this model is answered at once."""
    error = ContextTooLong("too long")
    assert (error.status, error.code, error.fault) == (
        400,
        "context_length_exceeded",
        Fault.CONTEXT,
    )
    assert not error.retryable
