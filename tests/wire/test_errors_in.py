"""Errors of providers: every shape that they send, and when they ask to be tried again."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import Busy, Fault, GatewayError, Rejected, UpstreamError
from slipstream.wire.errors_in import is_error, read_error

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

# (provider, status, body, message, code). Source: providers.md, "Error body shapes".
SHAPES: list[tuple[str, int, Any, str, str | None]] = [
    (
        "openai",
        400,
        {"error": {"message": "bad n", "type": "invalid_request_error", "param": "n", "code": "x"}},
        "bad n",
        "x",
    ),
    (
        "groq",
        400,
        {"error": {"message": "no tool", "code": "tool_use_failed", "failed_generation": "<f>"}},
        "no tool",
        "tool_use_failed",
    ),
    (
        "cerebras, flat",
        422,
        {"message": "no such field", "type": "invalid", "param": "f", "code": "wrong_api_format"},
        "no such field",
        "wrong_api_format",
    ),
    (
        "mistral, flat",
        400,
        {"object": "error", "message": "order", "type": "invalid", "param": None, "code": "3230"},
        "order",
        "3230",
    ),
    (
        "mistral, validation",
        422,
        {"object": "error", "message": {"detail": [{"loc": ["body", "n"], "msg": "extra"}]}},
        "n: extra",
        "upstream_error",
    ),
    (
        "fastapi",
        422,
        {"detail": [{"loc": ["body", "n"], "msg": "too large", "type": "value_error"}]},
        "n: too large",
        "upstream_error",
    ),
    ("fastapi, no list of faults", 422, {"detail": [5]}, "[5]", "upstream_error"),
    ("fastapi, text", 400, {"detail": "no"}, "no", "upstream_error"),
    ("xai responses", 400, {"code": "bad-thing", "error": "some text"}, "some text", "bad-thing"),
    ("deepinfra", 400, {"error": "some text"}, "some text", "upstream_error"),
    (
        "openrouter",
        400,
        {"error": {"code": 400, "message": "bad", "metadata": {"raw": "…"}}, "user_id": "u"},
        "bad",
        "400",
    ),
    (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "max_tokens: required"},
            "request_id": "req_1",
        },
        "max_tokens: required",
        "upstream_error",
    ),
    (
        "gemini",
        400,
        {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT", "details": []}},
        "bad",
        "400",
    ),
    (
        "gemini, in an array",
        400,
        [{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}],
        "bad",
        "400",
    ),
    ("null beside a flat one", 400, {"error": None, "message": "flat"}, "flat", "upstream_error"),
]


def _error(status: int, said: Any, retry_after_s: float | None = None) -> UpstreamError:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return read_error(status, body, retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("status", "said", "message", "code"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES]
)
def test_read_error_shape_of_a_provider_keeps_message_and_code(
    status: int, said: Any, message: str, code: str | None
) -> None:
    """However it is wrapped, the caller reads the provider's words with the provider's status."""
    error = _error(status, said)
    assert isinstance(error, Rejected)
    assert (error.message, error.code, error.status) == (message, code, status)
    assert (error.fault, error.retryable) == (Fault.CLIENT, False)


def test_read_error_names_param_and_kind() -> None:
    """The field that the provider blames reaches the caller."""
    error = _error(400, {"error": {"message": "m", "param": "top_p", "type": "some_kind"}})
    assert (error.param, error.kind) == ("top_p", "some_kind")


@pytest.mark.parametrize(
    ("status", "fault", "ours", "is_retryable"),
    [
        (400, Fault.CLIENT, 400, False),
        (404, Fault.TARGET, 502, True),
        (408, Fault.TARGET, 502, True),
        (413, Fault.CONTEXT, 413, False),
        (422, Fault.CLIENT, 422, False),
        (500, Fault.TARGET, 502, True),
        (503, Fault.TARGET, 503, True),
    ],
)
def test_read_error_status_decides_the_blame(
    status: int, fault: Fault, ours: int, is_retryable: bool
) -> None:
    """A fault is blamed on the right thing, and only the caller's keeps its status."""
    error = _error(status, {"error": {"message": "m"}})
    assert (error.fault, error.status, error.retryable) == (fault, ours, is_retryable)


@pytest.mark.parametrize("said", [{}, {"error": {"code": 503, "status": "UNAVAILABLE"}}])
def test_read_error_without_room_says_when_to_come_back(said: Any) -> None:
    """Whatever a provider calls it, its 503 is ours, with the time to wait."""
    error = read_error(503, json.dumps(said).encode(), retry_after_s=7.0)

    assert (error.status, error.code, error.retry_after_s) == (503, "overloaded", 7.0)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, {"error": {"message": "slow down"}}),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "slow down"}}),
        (500, {"error": {"type": "overloaded_error", "message": "slow down"}}),
        (
            503,
            {"error": {"message": "slow down", "metadata": {"error_type": "provider_overloaded"}}},
        ),
        (
            429,
            {
                "message": "slow down",
                "type": "too_many_tokens_error",
                "code": "token_quota_exceeded",
            },
        ),
        (429, [{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}]),
    ],
)
def test_read_error_overload_is_busy_with_the_wait(status: int, said: Any) -> None:
    """Quota and overload are one thing: another target may be tried, and the wait is handed on."""
    error = _error(status, said, 7.0)
    assert isinstance(error, Busy)
    assert (error.message, error.retry_after_s, error.status) == ("slow down", 7.0, 429)
    assert (error.fault, error.retryable) == (Fault.QUOTA, True)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_read_error_refused_key_never_repeats_the_providers_words(status: int) -> None:
    """Providers quote keys; what they say of one stays here."""
    said = "Incorrect API key provided: sk-live-1234"
    error = _error(status, {"error": {"message": said, "code": said, "type": said, "param": said}})
    assert (error.fault, error.status, error.retryable) == (Fault.KEY, 502, True)
    assert error.code == "upstream_key_refused"
    assert "1234" not in repr([error.message, error.code, error.kind, error.param, error.args])


@pytest.mark.parametrize(
    "said",
    [
        {"code": "Client specified an invalid argument", "error": "Incorrect API key: xa***34"},
        [{"error": {"code": 400, "message": "API key not valid. xa***34", "status": "X"}}],
        {"error": {"message": "xa***34", "code": "API_KEY_INVALID"}},
    ],
)
def test_read_error_refused_key_with_status_400_is_blamed_on_the_key(said: Any) -> None:
    """Regression: xAI and Gemini answer 400 to a wrong key; the caller was blamed for ours."""
    error = _error(400, said)
    assert (error.fault, error.status) == (Fault.KEY, 502)
    assert "34" not in error.message


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "too long", "code": "context_length_exceeded"}},
        {"error": {"message": "This model's maximum context length is 8192 tokens."}},
        {"error": {"message": "This model's maximum prompt length is 131072 but …"}},
        {"error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
        {"error": {"message": "input length and `max_tokens` exceed context limit: 9"}},
        {"object": "error", "message": "Prompt too large", "code": "3051"},
        [{"error": {"code": 400, "message": "The input token count (9) exceeds the maximum"}}],
    ],
)
def test_read_error_context_length_is_recognised(said: Any) -> None:
    """A prompt that does not fit is told apart by one code, whoever says it in whatever words."""
    for status in (400, 413, 422):
        error = _error(status, said)
        assert (error.fault, error.code) == (Fault.CONTEXT, "context_length_exceeded")
        assert (error.status, error.retryable) == (status, False)


@pytest.mark.parametrize(
    ("said", "status", "fault"),
    [
        ({"error": {"code": 429, "message": "m"}}, 429, Fault.QUOTA),
        ({"error": {"code": "429", "message": "m"}}, 429, Fault.QUOTA),
        ({"error": {"message": "m"}, "status_code": 429}, 429, Fault.QUOTA),
        ({"error": {"message": "m", "status": "RESOURCE_EXHAUSTED"}}, 429, Fault.QUOTA),
        ({"error": {"message": "m", "type": "rate_limit_error"}}, 429, Fault.QUOTA),
        ({"error": {"code": 402, "message": "m"}}, 502, Fault.KEY),
        ({"error": {"message": "m", "type": "authentication_error"}}, 502, Fault.KEY),
        ({"error": {"message": "m", "type": "invalid_request_error"}}, 400, Fault.CLIENT),
        ({"error": {"message": "m", "code": "context_length_exceeded"}}, 400, Fault.CONTEXT),
        (
            {
                "error": {
                    "code": 400,
                    "message": "m",
                    "metadata": {"error_type": "rate_limit_exceeded"},
                }
            },
            429,
            Fault.QUOTA,
        ),
        ({"error": {"message": "m", "code": "3230"}}, 502, Fault.TARGET),
        ({"error": {"message": "m", "code": 200}}, 502, Fault.TARGET),
        ({"error": {"message": "m", "code": True}}, 502, Fault.TARGET),
        ({"error": "m"}, 502, Fault.TARGET),
    ],
)
def test_read_error_inside_a_200_gets_the_status_that_it_names(
    said: Any, status: int, fault: Fault
) -> None:
    """An error within an answer is judged by its own code; without one it is the target's."""
    error = _error(200, said)
    assert (error.status, error.fault) == (status, fault)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b"5", b"[" * 100_000, b"{}"])
def test_read_error_unreadable_body_says_the_status(body: bytes) -> None:
    """A proxy's page or nothing at all is still an error with words of ours."""
    error = _error(502, body)
    assert (error.message, error.fault) == (
        "the provider answered with an error (status 502)",
        Fault.TARGET,
    )


def test_read_error_long_message_is_cut() -> None:
    """A provider that echoes the prompt does not fill the caller's screen."""
    assert len(_error(400, {"error": {"message": "x" * 100_000}}).message) == 2000


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        *[(shape[2], True) for shape in SHAPES if shape[0] != "null beside a flat one"],
        ({"type": "error", "error": {"message": "m"}}, True),
        ({"choices": [], "usage": {}}, False),
        ({"type": "ping"}, False),
        ({"error": None, "choices": None}, False),
        ({"error": False}, False),
        ({"message": "hello"}, False),
        ([], False),
        (5, False),
    ],
)
def test_is_error_tells_errors_from_anything_else(said: Any, is_one: bool) -> None:
    """Every shape of an error is seen inside a 200; an odd answer is not taken for one."""
    assert is_error(json.dumps(said).encode()) is is_one


@pytest.mark.parametrize(
    "metadata",
    [
        {"error_type": "content_policy_violation"},
        {"reasons": ["violence"], "flagged_input": "a knife", "provider_name": "x"},
    ],
)
def test_read_error_of_a_moderated_prompt_is_the_clients(metadata: dict[str, object]) -> None:
    """OpenRouter answers 403 to a prompt too: the key is not to blame, and no other is tried."""
    body = json.dumps({"error": {"code": 403, "message": "flagged", "metadata": metadata}})
    error = _error(403, body.encode())
    assert isinstance(error, Rejected)
    assert (error.status, error.fault, error.message) == (400, Fault.CLIENT, "flagged")
    assert (error.code, error.retryable) == ("content_policy_violation", False)
    refused = _error(403, b'{"error":{"code":403,"message":"no","metadata":{}}}')
    assert isinstance(refused, Rejected)
    assert refused.fault is Fault.KEY


def test_read_error_of_money_that_is_spent_keeps_its_code() -> None:
    """Waiting a little does not help: the code tells SDKs so."""
    body = b'{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}'
    error = _error(429, body)
    assert isinstance(error, Busy)
    assert (error.code, error.kind) == ("insufficient_quota", "insufficient_quota")


_words = st.sampled_from(
    ["error", "message", "code", "type", "detail", "param", "status", "metadata", "object", "x"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=4),
    max_leaves=12,
)


@given(st.integers(200, 999), _values.map(json.dumps).map(str.encode) | st.binary(max_size=40))
def test_read_error_any_body_gives_an_error_of_ours(status: int, body: bytes) -> None:
    """Whatever a provider sends with whatever status, what comes out is one of our errors."""
    error = _error(status, body)
    assert isinstance(error, UpstreamError)
    assert isinstance(error, GatewayError)
    assert error.message
    assert 400 <= error.status < 1000
    assert isinstance(is_error(body), bool)


# ---- Cerebras -----------------------------------------------------------------------------------


def _flat(code: str, kind: str = "invalid_request_error", param: str = "validation_error") -> Any:
    return {"message": "m", "type": kind, "param": param, "code": code}


def _wrapped(status: int, **error: str) -> Any:
    return {"status_code": status, "error": {"message": "m", "param": "", "id": "", **error}}


# Status, body, class, fault, code, param. Source: cerebras-api.md section 5, read 2026-11-21.
CEREBRAS: list[tuple[int, Any, type[UpstreamError], Fault, str | None, str | None]] = [
    (
        400,
        _flat("wrong_api_format"),
        Rejected,
        Fault.CLIENT,
        "wrong_api_format",
        "validation_error",
    ),
    (
        400,
        {**_flat("context_length_exceeded"), "message": "Please reduce the length of the messages"},
        Rejected,
        Fault.CONTEXT,
        "context_length_exceeded",
        "validation_error",
    ),
    (401, _flat("wrong_api_key"), Rejected, Fault.KEY, "upstream_key_refused", None),
    (402, _flat("payment_required"), Rejected, Fault.KEY, "upstream_key_refused", None),
    (403, {"detail": "Not authenticated"}, Rejected, Fault.KEY, "upstream_key_refused", None),
    (404, _flat("model_not_found"), Rejected, Fault.TARGET, "model_not_found", "validation_error"),
    (404, b"", Rejected, Fault.TARGET, "upstream_error", None),
    (413, _flat("x"), Rejected, Fault.CONTEXT, "x", "validation_error"),
    (
        422,
        {"detail": [{"loc": ["body", "messages", 0], "msg": "m", "type": "t"}]},
        Rejected,
        Fault.CLIENT,
        "upstream_error",
        "messages.0",
    ),
    (
        429,
        _flat("request_quota_exceeded", "too_many_requests_error", "quota"),
        Busy,
        Fault.QUOTA,
        "request_quota_exceeded",
        "quota",
    ),
    (
        429,
        _flat("token_quota_exceeded", "too_many_tokens_error", "quota"),
        Busy,
        Fault.QUOTA,
        "token_quota_exceeded",
        "quota",
    ),
    (
        429,
        _flat("queue_exceeded", "too_many_requests_error", "queue"),
        Busy,
        Fault.TARGET,
        "queue_exceeded",
        "queue",
    ),
    (500, _wrapped(500, type="server_error"), Rejected, Fault.TARGET, "upstream_error", None),
    (200, _wrapped(500, type="server_error"), Rejected, Fault.TARGET, "upstream_error", None),
    (
        200,
        _wrapped(429, code="queue_exceeded", type="too_many_requests_error"),
        Busy,
        Fault.TARGET,
        "queue_exceeded",
        None,
    ),
    (
        200,
        _wrapped(0, code="wrong_api_format"),
        Rejected,
        Fault.CLIENT,
        "wrong_api_format",
        None,
    ),
    (503, b"", Rejected, Fault.TARGET, "overloaded", None),
]


@pytest.mark.parametrize(("status", "said", "kind", "fault", "code", "param"), CEREBRAS, ids=str)
def test_read_error_of_cerebras_is_blamed_on_the_right_thing(
    status: int,
    said: Any,
    kind: type[UpstreamError],
    fault: Fault,
    code: str | None,
    param: str | None,
) -> None:
    """All four shapes, in an answer's place or in a stream, with the code that they name."""
    error = _error(status, said, 56.0)
    assert type(error) is kind
    assert (error.fault, error.code, error.param) == (fault, code, param)
    assert error.retry_after_s == (56.0 if kind is Busy or code == "overloaded" else None)
    assert error.retryable is (fault not in (Fault.CLIENT, Fault.CONTEXT))


@pytest.mark.parametrize("row", CEREBRAS, ids=str)
def test_is_error_knows_every_shape_of_cerebras(row: Any) -> None:
    """A 200 that is one of them is no answer."""
    assert row[1] == b"" or is_error(json.dumps(row[1]).encode())
