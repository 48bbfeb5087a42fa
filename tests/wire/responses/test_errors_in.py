"""Errors of upstreams that speak Responses."""

import json
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseError

from slipstream.errors import Busy, Fault, Rejected
from slipstream.wire.responses.errors_in import _STATUS_OF_CODE, read_failed, read_failure


def test_read_failure_reads_openais_shape() -> None:
    """As Chat's."""
    body = b'{"error":{"message":"no","type":"invalid_request_error","param":"input","code":"x"}}'
    error = read_failure(400, body, None)
    assert (error.message, error.param, error.code, error.status) == ("no", "input", "x", 400)


def test_read_failure_reads_xais_shape() -> None:
    """Its `error` is a string."""
    error = read_failure(429, b'{"code":"slow","error":"too fast"}', 2.0)
    assert isinstance(error, Busy)
    assert (error.message, error.retry_after_s) == ("too fast", 2.0)


@pytest.mark.parametrize(
    ("said", "status", "fault"),
    [
        ({"code": "server_error", "message": "m"}, 502, Fault.TARGET),
        ({"code": "invalid_prompt", "message": "m"}, 400, Fault.CLIENT),
        ({"code": "image_too_large", "message": "m"}, 400, Fault.CLIENT),
        ({"code": "rate_limit_exceeded", "message": "m"}, 429, Fault.QUOTA),
        ({"code": "context_length_exceeded", "message": "m"}, 400, Fault.CONTEXT),
        ({"code": "never_heard_of", "message": "m"}, 502, Fault.TARGET),
        ({"type": "error", "code": "server_error", "message": "m"}, 502, Fault.TARGET),
        ({"type": "error", "error": {"code": "invalid_image", "message": "m"}}, 400, Fault.CLIENT),
    ],
)
def test_read_failed_blames_by_its_code(said: Any, status: int, fault: Fault) -> None:
    """A failed answer has no status; its code stands for one."""
    error = read_failed(json.dumps(said).encode())
    assert (error.message, error.status, error.fault) == ("m", status, fault)
    assert error.kind != "error"


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"1", b"{"])
def test_read_failed_of_nothing_is_the_targets(raw: bytes) -> None:
    """It failed, whatever it says of it."""
    error = read_failed(raw)
    assert isinstance(error, Rejected)
    assert (error.fault, error.retryable) == (Fault.TARGET, True)


def test_every_code_of_the_sdk_is_known() -> None:
    """Its list is closed; a new version that adds one is noticed here."""
    codes = set(get_args(ResponseError.model_fields["code"].annotation))
    assert codes - {"rate_limit_exceeded"} <= set(_STATUS_OF_CODE)
