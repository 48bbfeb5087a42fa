"""Errors in OpenAI's shape, and the headers that an SDK's retry obeys."""

import json

import pytest

from slipstream.choice import Deadlines, Plan, Target, Tried
from slipstream.errors import (
    BadRequest,
    Busy,
    Exhausted,
    GatewayError,
    LedgerUnavailable,
    OverLimit,
    Overloaded,
    Rejected,
    TimedOut,
    Unauthorized,
)
from slipstream.server.render import (
    MESSAGES,
    OPENAI,
    error_headers,
    render_error,
    render_error_event,
    send_error,
)
from tests.server.asking import Asked


def test_error_has_openais_four_fields() -> None:
    """Every field is there, also those that say nothing."""
    error = json.loads(render_error(BadRequest("wrong", param="n", code="c")))
    assert error == {
        "error": {"message": "wrong", "type": "invalid_request_error", "param": "n", "code": "c"}
    }
    assert json.loads(render_error(GatewayError("x")))["error"]["param"] is None


def test_error_event_is_one_event() -> None:
    """Whatever a message holds, it stays one line of one event."""
    event = render_error_event(BadRequest("two\nlines\r\nand é \x1b[0m"))
    assert event.startswith(b'data: {"error":')
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 2
    assert b"\r" not in event


@pytest.mark.parametrize(
    ("error", "should_retry"),
    [
        (BadRequest("x"), b"false"),
        (Unauthorized("x"), b"false"),
        (Busy("x", retry_after_s=2.1), b"true"),
        (Overloaded("x", retry_after_s=1.0), b"true"),
        (TimedOut("idle", 1.0), b"true"),
        (LedgerUnavailable("x"), b"true"),
        (GatewayError("x"), b"false"),  # a 500 of ours: the SDKs would send it twice more
    ],
)
def test_headers_say_whether_to_retry(error: GatewayError, should_retry: bytes) -> None:
    """The SDKs retry every 5xx by themselves; only waiting that may help is worth it."""
    assert dict(error_headers(error))[b"x-should-retry"] == should_retry


@pytest.mark.parametrize(
    ("errors", "shown"),
    [
        ([TimedOut("first_token", 1.0)], (b"true", None)),
        ([TimedOut("first_token", 1.0), TimedOut("first_token", 1.0)], (b"false", None)),
        ([Busy("x"), Busy("y")], (b"false", None)),
        ([Busy("x", retry_after_s=2.0), Busy("y")], (b"true", b"2")),
        ([Busy("x", retry_after_s=2.0), TimedOut("idle", 1.0)], (b"true", b"2")),
        (
            [Rejected("x", upstream_status=401), Rejected("y", upstream_status=503)],
            (b"false", None),
        ),
    ],
    ids=["one", "slow", "busy", "one says when", "a 502 that says when", "no key and overloaded"],
)
def test_attempts_of_ours_are_not_multiplied_by_the_sdk(
    errors: list[GatewayError], shown: tuple[bytes, bytes | None]
) -> None:
    """What we tried several times is not tried again at once, unless a target said when."""
    error = Exhausted(tuple(("a/b", each) for each in errors))
    headers = dict(error_headers(error))
    assert (headers[b"x-should-retry"], headers.get(b"retry-after")) == shown


def test_error_of_a_choice_tells_what_was_tried() -> None:
    """As an answer does; one without a choice does not."""
    target = Target("a", "b")
    plan = Plan(
        route="auto", strategy="race", targets=(target,), deadlines=Deadlines(), max_attempts=1
    )
    tried = (Tried(target=target, cause="first", outcome="upstream_timeout", took_s=1.0),)
    error = Exhausted((("a/b", Busy("x")),), plan=plan, tried=tried)
    headers = dict(error_headers(error))
    assert headers[b"x-slipstream-route"] == b"auto; race"
    assert headers[b"x-slipstream-tried"] == b"a/b=upstream_timeout"
    bare = dict(error_headers(Exhausted((("a/b", Busy("x")),))))
    assert b"x-slipstream-route" not in bare


@pytest.mark.parametrize(("wait_s", "shown"), [(0.0, b"0"), (0.2, b"1"), (2.0, b"2"), (2.1, b"3")])
def test_retry_after_is_rounded_up(wait_s: float, shown: bytes) -> None:
    """A client never comes back too early."""
    assert dict(error_headers(Busy("x", retry_after_s=wait_s)))[b"retry-after"] == shown


def test_exhausted_names_the_last_target_and_the_number_of_attempts() -> None:
    """Headers say where a call ended; names from clients stay legal header text."""
    error = Exhausted((("a/b", Busy("x")), ("c/é\r\nx: y", Busy("y"))))
    headers = dict(error_headers(error))
    assert headers[b"x-slipstream-target"] == b"c/%C3%A9%0D%0Ax: y"
    assert headers[b"x-slipstream-attempts"] == b"2"


@pytest.mark.parametrize(("wait_s", "shown"), [(2.5, ("true", "3")), (None, ("false", None))])
def test_limit_that_time_does_not_mend_is_not_worth_retrying(
    wait_s: float | None, shown: tuple[str, str | None]
) -> None:
    """A request that is larger than a whole limit would be refused again."""
    error = OverLimit("x", what="tokens", unit="minute", retry_after_s=wait_s)
    said = {name.decode(): value.decode() for name, value in error_headers(error)}
    assert (said["x-should-retry"], said.get("retry-after")) == shown


@pytest.mark.parametrize("code", ["budget_exceeded", "insufficient_quota"])
def test_money_that_is_spent_is_not_worth_retrying(code: str) -> None:
    """It says when to come back, and that no SDK is to wait for it by itself."""
    error = Busy("x", retry_after_s=60)
    error.code = code
    headers = dict(error_headers(error))
    assert (headers[b"x-should-retry"], headers[b"retry-after"]) == (b"false", b"60")


@pytest.mark.parametrize(("shape", "has_id"), [(MESSAGES, True), (OPENAI, False)])
async def test_error_tells_the_request_where_its_sdk_looks(shape: object, has_id: bool) -> None:
    """Anthropic's looks into the body and under a name of its own."""
    asked = Asked()
    status = await send_error(asked.send, "req-1", BadRequest("x"), shape)  # type: ignore[arg-type]
    assert status == asked.status == 400
    assert asked.headers["x-request-id"] == "req-1"
    assert (asked.headers.get("request-id") == "req-1") == has_id
    assert (json.loads(asked.body).get("request_id") == "req-1") == has_id
