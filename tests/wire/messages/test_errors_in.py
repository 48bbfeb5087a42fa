"""Tests of slipstream.wire.messages.errors_in."""

import msgspec
import pytest

from slipstream.errors import Busy, Fault
from slipstream.wire.messages.errors_in import read_failure


def body(kind: str, message: str = "words") -> bytes:
    """Return an error of Anthropic's."""
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


@pytest.mark.parametrize(
    ("kind", "own_status", "status", "fault", "retryable"),
    [
        ("invalid_request_error", 400, 400, Fault.CLIENT, False),
        ("authentication_error", 401, 502, Fault.KEY, True),
        ("billing_error", 402, 502, Fault.KEY, True),
        ("permission_error", 403, 502, Fault.KEY, True),
        ("not_found_error", 404, 502, Fault.TARGET, True),
        ("request_too_large", 413, 413, Fault.CONTEXT, False),
        ("rate_limit_error", 429, 429, Fault.QUOTA, True),
        ("api_error", 500, 502, Fault.TARGET, True),
        ("timeout_error", 504, 502, Fault.TARGET, True),
        ("overloaded_error", 529, 503, Fault.TARGET, True),
    ],
)
def test_read_failure_blames_the_right_thing(
    kind: str, own_status: int, status: int, fault: Fault, retryable: bool
) -> None:
    """Each of Anthropic's types means the same as an answer and inside a stream."""
    for http_status in (own_status, 200):
        error = read_failure(http_status, body(kind), 3.0)
        assert (error.status, error.fault, error.retryable) == (status, fault, retryable)


def test_read_failure_of_an_overload_says_when_to_come_back() -> None:
    """It is the provider's, not a quota of ours, and keeps the wait."""
    error = read_failure(529, b"<html>", 3.0)
    assert isinstance(error, Busy)
    assert (error.code, error.retry_after_s) == ("overloaded", 3.0)
    assert error.message


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "Your credit balance is too low to …"), (429, "your monthly spend limit was reached")],
)
def test_read_failure_of_an_account_without_money_blames_the_key(status: int, message: str) -> None:
    """Anthropic tells it as a bad request, which another key could mend."""
    error = read_failure(status, body("invalid_request_error", message), None)
    assert (error.fault, error.retryable) == (Fault.KEY, True)
    assert message not in error.message


def test_read_failure_of_a_long_prompt_keeps_the_words() -> None:
    """Claude Code shortens the conversation when it reads them."""
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    error = read_failure(400, body("invalid_request_error", message), None)
    assert (error.fault, error.code) == (Fault.CONTEXT, "context_length_exceeded")
    assert error.message == message


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"error": "x"}', b'{"error": {"type": 3}}'])
def test_read_failure_of_any_shape_is_an_error(raw: bytes) -> None:
    """Proxies on the way answer in their own words."""
    assert read_failure(500, raw, None).fault is Fault.TARGET
