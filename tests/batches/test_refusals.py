"""What files and batches are refused for: statuses and codes that a client can act on."""

from slipstream.batches.refusals import (
    Conflict,
    NotFound,
    StorageFull,
    StorageUnavailable,
    TooManyBatches,
)
from slipstream.errors import GatewayError


def test_refusals_have_the_status_and_code_that_say_what_to_do() -> None:
    """Gone is 404, in the way is 409, too many is 429, ours is 503 with a time to come back."""
    found: list[GatewayError] = [
        NotFound("x", param="input_file_id"),
        Conflict("x"),
        TooManyBatches("x"),
        StorageFull("x"),
        StorageUnavailable("x"),
    ]
    assert [(error.status, error.code, error.kind) for error in found] == [
        (404, "not_found", "invalid_request_error"),
        (409, "conflict", "invalid_request_error"),
        (429, "too_many_batches", "requests"),
        (400, "storage_limit_exceeded", "invalid_request_error"),
        (503, "storage_unavailable", "server_error"),
    ]
    assert found[0].param == "input_file_id"
    assert found[-1].retry_after_s == 30.0
