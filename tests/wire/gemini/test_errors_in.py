"""Tests of slipstream.wire.gemini.errors_in."""

import msgspec
import pytest

from slipstream.errors import Busy, Fault, Rejected
from slipstream.wire.gemini.errors_in import read_failure

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
QUOTA = {
    "error": {
        "code": 429,
        "message": "quota",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"violations": []}, RETRY],
    }
}


@pytest.mark.parametrize("body", [QUOTA, [QUOTA]])
@pytest.mark.parametrize("status", [429, 200])
def test_read_failure_wait_is_in_the_details(body: object, status: int) -> None:
    """Alone or in an array, before or inside a stream; a header goes first."""
    raw = msgspec.json.encode(body)
    error = read_failure(status, raw, None)
    assert isinstance(error, Busy)
    assert error.retry_after_s == 34.5
    assert read_failure(status, raw, 2.0).retry_after_s == 2.0


def test_read_failure_without_details_says_no_wait() -> None:
    """Any other shape is read as others' errors are."""
    for body in (b"[]", b"busy", b'{"error":{"message":"m","details":[{"retryDelay":"soon"}]}}'):
        assert read_failure(429, body, None).retry_after_s is None


def test_read_failure_blames_the_right_thing() -> None:
    """A wrong key is the key's fault, though Google calls it an invalid argument."""
    said = {"code": 400, "status": "INVALID_ARGUMENT"}
    wrong_key = {"error": {**said, "message": "API key not valid. Please pass a valid one."}}
    error = read_failure(400, msgspec.json.encode(wrong_key), None)
    assert error.fault is Fault.KEY
    wrong = {"error": {**said, "message": "Invalid value at 'contents'"}}
    error = read_failure(200, msgspec.json.encode([wrong]), None)
    assert isinstance(error, Rejected)
    assert (error.fault, error.upstream_status) == (Fault.CLIENT, 400)
