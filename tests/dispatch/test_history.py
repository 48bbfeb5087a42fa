"""What came of attempts: in the order of their beginnings, and as the error of a call."""

import msgspec
import pytest

from slipstream.call import Receipt
from slipstream.choice import Deadlines, Plan, Target
from slipstream.dispatch.history import History, none_asked
from slipstream.errors import BadRequest, Broken, Busy, GatewayError, Overloaded
from tests.dispatch.scene import WORD, Leaf
from tests.dispatch.test_runners import runner_of

PLAN = Plan(
    route="fast",
    strategy="ordered",
    targets=(Target("a", "m"), Target("b", "m")),
    deadlines=Deadlines(),
    max_attempts=2,
)


def history_of(*errors: GatewayError) -> History:
    """Note attempts 1, 2, … at a, b, …, which failed in this order."""
    history = History(lambda: 1010.0)
    for number, (name, error) in enumerate(zip("abcd", errors, strict=False), 1):
        made, _ = runner_of(Leaf(()), number=number, name=name)
        history.fail(made, error, is_verdict=isinstance(error, BadRequest))
    return history


def test_first_frame_tells_tries_in_the_order_of_their_beginnings() -> None:
    """Not in that of their ends; whoever runs beside the winner has lost."""
    history = History(lambda: 1010.0)
    first, _ = runner_of(Leaf(()), number=1, name="a")
    second, _ = runner_of(Leaf(()), number=2, name="b", cause="hedge")
    third, _ = runner_of(Leaf(()), number=3, name="c", cause="hedge")
    history.fail(second, Busy("full"), is_verdict=False)
    receipt = Receipt(attempt_id="c-3", target=Target("c", "m"), num_attempts=3)
    third.held.append(msgspec.structs.replace(WORD, receipt=receipt))
    history.tell(PLAN, third, [third, first])
    told = third.held[0].receipt
    assert told is not None
    assert told.plan is PLAN
    found = [(tried.target.provider, tried.cause, tried.outcome) for tried in told.tried]
    assert found == [
        ("a", "first", "outraced"),
        ("b", "hedge", "rate_limit_exceeded"),
        ("c", "hedge", "ok"),
    ]
    assert {tried.took_s for tried in told.tried} == {6.0}


def test_frame_without_a_receipt_stays_as_it_is() -> None:
    """There is nothing to tell it on."""
    history, (runner, _) = History(lambda: 1010.0), runner_of(Leaf(()))
    runner.held.append(WORD)
    history.tell(PLAN, runner, [runner])
    assert runner.held == [WORD]


def test_verdict_stands_last_though_others_failed_after_it() -> None:
    """It is what the client can mend; the order of the tries stays."""
    error = history_of(BadRequest("mine"), Broken("b")).exhausted(PLAN, None, is_all_cooling=False)
    assert [name for name, _ in error.attempts] == ["b/m", "a/m"]
    assert (error.status, error.message) == (400, "mine")
    assert [tried.target.provider for tried in error.tried] == ["a", "b"]
    assert isinstance(error.__cause__, BadRequest)


@pytest.mark.parametrize(
    ("errors", "is_all_cooling", "status"),
    [
        ((Busy("a"), Busy("b")), True, 429),
        ((Broken("a"), Busy("b")), True, 503),
        ((Broken("a"), Busy("b")), False, 502),
    ],
    ids=["quota", "mixed", "not all"],
)
def test_status_says_that_waiting_helps_where_it_is_all_that_is_left(
    errors: tuple[GatewayError, ...], is_all_cooling: bool, status: int
) -> None:
    """With the least wait that is known."""
    error = history_of(*errors).exhausted(PLAN, 4.5, is_all_cooling=is_all_cooling)
    assert (error.status, error.retry_after_s) == (status, 4.5)


def test_wait_that_nobody_knows_leaves_what_the_attempts_said() -> None:
    """The least of their own."""
    errors = Busy("a", retry_after_s=9.0), Busy("b", retry_after_s=8.0)
    error = history_of(*errors).exhausted(PLAN, None, is_all_cooling=False)
    assert error.retry_after_s == 8.0


def test_call_for_which_nobody_was_asked_says_why() -> None:
    """A queue that is full is told as such; breakers as what they are."""
    full = Overloaded("full", retry_after_s=1.0)
    assert none_asked(PLAN, full, 30.0) is full
    cooling = none_asked(PLAN, None, 30.0)
    assert (cooling.status, cooling.code, cooling.retry_after_s) == (503, "targets_cooling", 30.0)
    assert "'fast'" in cooling.message
    assert cooling.plan is PLAN
    assert none_asked(PLAN, None, None).retry_after_s == 1.0
