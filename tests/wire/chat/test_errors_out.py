"""Tests of slipstream.wire.chat.errors_out."""

import msgspec

from slipstream.errors import BadRequest, Rejected, UpstreamError
from slipstream.wire.chat.errors_out import error_body, error_event, status_of
from slipstream.wire.errors_in import is_error


class _Overloaded(UpstreamError):
    status = 529


def test_error_body_is_openais_shape() -> None:
    """Message, type, param and code, all of them always."""
    error = BadRequest("bad", param="n", code="invalid_value")
    assert msgspec.json.decode(error_body(error)) == {
        "error": {
            "message": "bad",
            "type": "invalid_request_error",
            "param": "n",
            "code": "invalid_value",
        }
    }


def test_error_event_is_an_error_to_who_reads_it() -> None:
    """The SDK raises on a key `error`, and so do we."""
    event = error_event(Rejected("bad", upstream_status=500))
    assert is_error(event.removeprefix(b"data: "))
    assert event.endswith(b"\n\n")


def test_status_of_overload_is_one_that_clients_know() -> None:
    """Anthropic's 529 is OpenAI's 503."""
    assert status_of(_Overloaded("busy")) == 503
    assert status_of(BadRequest("bad")) == 400
