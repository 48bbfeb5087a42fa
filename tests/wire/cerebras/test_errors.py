"""Tests of slipstream.wire.cerebras.errors, one row for each body in the contract's section 5.3."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import (
    BadRequest,
    BodyTooLarge,
    Busy,
    ConnectFailed,
    ContextTooLong,
    Exhausted,
    GatewayError,
    LoadFailed,
    NoKey,
    OverLimit,
    Overloaded,
    Rejected,
    Unauthorized,
    UnknownModel,
    UnknownPath,
    WrongMethod,
)
from slipstream.wire.cerebras import errors

_QUEUE = "We're experiencing high traffic right now! Please try again soon."


def _over(what: Any, unit: Any) -> OverLimit:
    return OverLimit("ours", what=what, unit=unit, retry_after_s=1.0)


def _flat(message: str, kind: str, param: str, code: str) -> dict[str, str]:
    return {"message": message, "type": kind, "param": param, "code": code}


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            Unauthorized("ours"),
            401,
            _flat("Wrong API Key", "invalid_request_error", "api_key", "wrong_api_key"),
        ),
        (NoKey("ours"), 403, {"detail": "Not authenticated"}),
        (WrongMethod("ours"), 405, {"detail": "Method Not Allowed"}),
        (
            UnknownModel("Model x does not exist or you do not have access to it."),
            404,
            _flat(
                "Model x does not exist or you do not have access to it.",
                "not_found_error",
                "model",
                "model_not_found",
            ),
        ),
        (
            BadRequest("body.a: …", param="validation_error", code="wrong_api_format"),
            400,
            _flat("body.a: …", "invalid_request_error", "validation_error", "wrong_api_format"),
        ),
        (
            ContextTooLong("5 tokens, 4 fit."),
            400,
            _flat(
                f"5 tokens, 4 fit. {errors.REDUCE}",
                "invalid_request_error",
                "messages",
                "context_length_exceeded",
            ),
        ),
        (
            BodyTooLarge("9 bytes"),
            413,
            _flat("9 bytes", "invalid_request_error", "validation_error", "content_too_large"),
        ),
        (
            _over("requests", "minute"),
            429,
            _flat(
                "Requests per minute limit exceeded - too many requests sent.",
                "too_many_requests_error",
                "quota",
                "request_quota_exceeded",
            ),
        ),
        (
            _over("tokens", "day"),
            429,
            _flat(
                "Tokens per day limit exceeded - too many tokens processed.",
                "too_many_tokens_error",
                "quota",
                "token_quota_exceeded",
            ),
        ),
        (
            Overloaded("ours", retry_after_s=1.0),
            429,
            _flat(_QUEUE, "too_many_requests_error", "queue", "queue_exceeded"),
        ),
        (
            Rejected("no credit", upstream_status=400, param="n", code="c", kind="k"),
            400,
            _flat("no credit", "k", "n", "c"),
        ),
        (
            GatewayError("secret"),
            500,
            {
                "status_code": 500,
                "error": {
                    "message": "Encountered a server error, please try again.",
                    "type": "server_error",
                    "param": "",
                    "code": "",
                    "id": "",
                },
            },
        ),
        (
            LoadFailed("not installed: run x"),
            503,
            {
                "status_code": 503,
                "error": {
                    "message": "not installed: run x",
                    "type": "server_error",
                    "param": "",
                    "code": "",
                    "id": "",
                },
            },
        ),
    ],
)
def test_error_has_the_recorded_status_and_body(
    error: GatewayError, status: int, body: dict[str, Any]
) -> None:
    """Status and body as recorded, also where the error is the one attempt's of a whole call."""
    for told in (error, Exhausted((("local/m", error),))):
        assert errors.status_of(told) == status
        assert msgspec.json.decode(errors.error_body(told)) == body


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("token_quota_exceeded", "token_quota_exceeded"),
        ("queue_exceeded", "queue_exceeded"),
        ("rate_limit_exceeded", "request_quota_exceeded"),
    ],
)
def test_quota_of_a_provider_keeps_cerebras_own_code(code: str, told: str) -> None:
    """What the real Cerebras said is passed on; another provider's limit is put in its words."""
    error = Busy("slow down", retry_after_s=1.0)
    error.code, error.param, error.kind = code, "quota", "too_many_tokens_error"
    said = msgspec.json.decode(errors.error_body(error))
    assert (said["code"], said["message"]) == (told, "slow down")


def test_unknown_path_has_no_body() -> None:
    """Nothing is routed there."""
    assert errors.status_of(UnknownPath("x")) == 404
    assert errors.error_body(UnknownPath("x")) == b""


def test_several_failures_are_a_gateway_failure_with_all_their_words() -> None:
    """No one attempt speaks for a call that tried two."""
    first, second = ConnectFailed("no route"), LoadFailed("not there")
    told = Exhausted((("groq/a", first), ("local/b", second)))
    assert errors.status_of(told) == 502
    said = msgspec.json.decode(errors.error_body(told))
    assert said["status_code"] == 502
    assert "no route" in said["error"]["message"]
    assert "not there" in said["error"]["message"]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (GatewayError("secret"), 500, "server_error"),
        (ContextTooLong("too long"), 400, "invalid_request_error"),
        (Overloaded("ours", retry_after_s=1.0), 429, "too_many_requests_error"),
    ],
)
def test_error_inside_a_stream_tells_its_status(
    error: GatewayError, status: int, kind: str
) -> None:
    """Section 3.4: the wrapped shape, whatever the status, with all five fields."""
    event = errors.event_of(error)
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    said = msgspec.json.decode(event.removeprefix(b"data: "))
    assert said["status_code"] == status
    assert said["error"]["type"] == kind
    assert set(said["error"]) == {"message", "type", "param", "code", "id"}
