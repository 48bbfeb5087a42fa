"""Tests of slipstream.wire.messages.errors_out."""

import msgspec
import pytest

from slipstream.errors import (
    BadRequest,
    BodyTooLarge,
    Busy,
    ContextTooLong,
    GatewayError,
    LedgerUnavailable,
    OutOfBlocks,
    Overloaded,
    Rejected,
    StreamCut,
    TimedOut,
    Unauthorized,
    UnknownModel,
    WrongMethod,
)
from slipstream.wire.messages.errors_in import read_failure
from slipstream.wire.messages.errors_out import error_body, error_event, status_of


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (BadRequest("x"), 400, "invalid_request_error"),
        (Unauthorized("x"), 401, "authentication_error"),
        (UnknownModel("x"), 404, "not_found_error"),
        (WrongMethod("x"), 405, "invalid_request_error"),
        (BodyTooLarge("x"), 413, "request_too_large"),
        (Busy("x"), 429, "rate_limit_error"),
        (StreamCut("x"), 502, "api_error"),
        (Rejected("x", upstream_status=500), 502, "api_error"),
        (Overloaded("x", retry_after_s=1), 529, "overloaded_error"),
        (OutOfBlocks("x"), 529, "overloaded_error"),
        (LedgerUnavailable("x"), 503, "api_error"),
        (TimedOut("idle", 3), 504, "timeout_error"),
        (GatewayError("x"), 500, "api_error"),
    ],
)
def test_error_has_the_status_and_type_of_anthropic(
    error: GatewayError, status: int, kind: str
) -> None:
    """The SDK chooses its exception by the status, other clients by the type."""
    said = msgspec.json.decode(error_body(error, "req_1"))
    assert said == {
        "type": "error",
        "error": {"type": kind, "message": error.message},
        "request_id": "req_1",
    }
    assert status_of(error) == status


def test_error_of_a_budget_is_billing() -> None:
    """Claude Code tells its user then, and does not wait for a quota to come back."""
    error = Busy("over")
    error.code = "budget_exceeded"
    assert (status_of(error), b"billing_error" in error_body(error)) == (429, True)


@pytest.mark.parametrize("message", ["4097 tokens are over 4096", "prompt is too long: 3 > 2"])
def test_error_of_a_long_prompt_has_the_words_that_claude_code_knows(message: str) -> None:
    """Its automatic shortening keys on them, whoever the upstream is."""
    error = ContextTooLong(message)
    said = msgspec.json.decode(error_body(error))["error"]
    assert said["type"] == "invalid_request_error"
    assert said["message"].lower().startswith("prompt is too long: ")
    assert said["message"].lower().count("prompt is too long") == 1
    assert status_of(error) == 400


def test_error_of_a_prompt_too_large_elsewhere_is_a_bad_request() -> None:
    """A 413 that means the context is told as Anthropic tells it."""
    error = read_failure(413, b'{"error":{"message":"maximum context length is 8"}}', None)
    assert status_of(error) == 400


def test_error_event_is_the_body_as_an_event() -> None:
    """A stream ends with it, and with no `message_stop`."""
    error = Busy("x")
    assert error_event(error) == b"event: error\ndata: " + error_body(error) + b"\n\n"


def test_error_overloaded_upstream_is_overloaded_for_the_client() -> None:
    """What Anthropic calls 529 is 529 again."""
    assert status_of(read_failure(529, b"{}", None)) == 529
