"""Our errors in the words of the Responses dialect."""

import json

import pytest
from openai.types.responses import ResponseError, ResponseErrorEvent

from slipstream.errors import (
    BadRequest,
    Broken,
    Busy,
    ContextTooLong,
    GatewayError,
    Rejected,
    UnknownModel,
)
from slipstream.wire.responses.errors_out import (
    error_body,
    error_event,
    failure_object,
    failure_told,
    status_of,
)
from slipstream.wire.sse import event_data


def test_error_body_is_openais() -> None:
    """Message, type, param and code."""
    error = BadRequest("bad", param="input[0]", code="invalid_value")
    assert json.loads(error_body(error)) == {
        "error": {
            "message": "bad",
            "type": "invalid_request_error",
            "param": "input[0]",
            "code": "invalid_value",
        }
    }
    assert status_of(error) == 400


def test_error_body_names_the_field_of_this_dialect() -> None:
    """The engine knows `messages`; the client wrote `input`."""
    assert json.loads(error_body(ContextTooLong("long")))["error"]["param"] == "input"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Busy("b"), "rate_limit_exceeded"),
        (Broken("b"), "server_error"),
        (Rejected("b", upstream_status=400), "invalid_prompt"),
        (ContextTooLong("b"), "invalid_prompt"),
        (UnknownModel("b"), "server_error"),
    ],
)
def test_failure_object_passes_strict_validation(error: GatewayError, code: str) -> None:
    """The list of codes is closed; our own word is told beside it."""
    said = ResponseError.model_validate(failure_object(error), strict=True)
    assert (said.code, said.message, said.type) == (code, "b", error.code)


def test_error_event_is_flat_and_read_by_the_sdk() -> None:
    """A top-level `error` would make the SDK raise before the client sees it."""
    data = event_data(error_event(Busy("b"), 7))
    assert data is not None
    said = ResponseErrorEvent.model_validate_json(data, strict=True)
    assert (said.message, said.code, said.sequence_number) == ("b", "rate_limit_exceeded", 7)
    assert "error" not in json.loads(data)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            429,
            error_body(BadRequest("no", code="slow")),
            {"code": "rate_limit_exceeded", "message": "no", "type": "slow"},
        ),
        (
            502,
            error_body(BadRequest("no")),
            {"code": "server_error", "message": "no", "type": "invalid_request_error"},
        ),
        (
            500,
            b"<html>",
            {
                "code": "server_error",
                "message": "The answer could not be made.",
                "type": "server_error",
            },
        ),
    ],
)
def test_error_of_an_answer_becomes_that_of_a_failed_one(
    status: int, body: bytes, told: dict[str, str]
) -> None:
    """As an answer in the background tells it; the SDK's closed list has its code."""
    assert failure_told(status, body) == told
    ResponseError.model_validate(told, strict=True)
