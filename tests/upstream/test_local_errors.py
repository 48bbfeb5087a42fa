"""Tests of slipstream.upstream.local_errors."""

import pytest

from slipstream.engine.protocol import Failed
from slipstream.errors import (
    BadRequest,
    ContextTooLong,
    EngineError,
    GatewayError,
    LoadFailed,
    OutOfBlocks,
    Overloaded,
)
from slipstream.upstream.local_errors import error_of

TOO_LONG = ContextTooLong("m")
TOO_LONG.param = "input"  # of embeddings
SENT = (
    TOO_LONG,
    BadRequest("m", param="tools[0]", code="invalid_value"),
    BadRequest("m"),
    ContextTooLong("m"),
    OutOfBlocks("m"),
    LoadFailed("m"),
    EngineError("m"),
    Overloaded("m", retry_after_s=2.5),
)


@pytest.mark.parametrize("error", SENT, ids=lambda error: type(error).__name__)
def test_error_that_the_engine_names_comes_back_as_it_was(error: GatewayError) -> None:
    """What is raised in the process is raised here: kind, text, field, code and waiting time."""
    found = error_of(
        Failed(
            request_id=1,
            code=error.code or "",
            message=error.message,
            param=error.param,
            retry_after_s=error.retry_after_s,
        )
    )

    assert type(found) is type(error)
    for name in ("message", "code", "param", "status", "retry_after_s", "retryable"):
        assert getattr(found, name) == getattr(error, name)
