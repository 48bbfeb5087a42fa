"""Glances: what routing needs of Messages and Responses, and nothing else."""

import json
from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.wire.glances import scan_messages, scan_responses

MESSAGES: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "x"}]}
RESPONSES: dict[str, Any] = {"model": "m", "input": "x"}


def test_fields_that_routing_needs_are_read() -> None:
    """The rest may hold what only a provider understands."""
    said = scan_messages(json.dumps(MESSAGES | {"stream": True, "later": 1}).encode())
    assert said[:4] == ("m", True, True, 5)
    said = scan_responses(json.dumps(RESPONSES | {"max_output_tokens": 7, "later": 1}).encode())
    assert said[:4] == ("m", False, True, 7)
    assert scan_responses(b'{"model":"m","prompt":{"id":"p"}}').model == "m"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": "x"}, "messages"),
        ({"max_tokens": "x"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stream": "x"}, "stream"),
    ],
)
def test_wrong_message_request_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """Whatever its target is."""
    with pytest.raises(BadRequest) as caught:
        scan_messages(json.dumps(MESSAGES | fields).encode())
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 3}, "model"),
        ({"input": None}, "input"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"background": True}, "background"),
    ],
)
def test_response_request_that_needs_a_store_is_refused(fields: dict[str, Any], param: str) -> None:
    """The error says what to send instead."""
    with pytest.raises(BadRequest) as caught:
        scan_responses(json.dumps(RESPONSES | fields).encode())
    assert caught.value.param == param


@pytest.mark.parametrize("scan", [scan_messages, scan_responses])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"m","x":"\xff"}'])
def test_body_that_is_no_json_object_is_refused(scan: Any, body: bytes) -> None:
    """Also where the wrong bytes are in what is passed over."""
    with pytest.raises(BadRequest):
        scan(body)
