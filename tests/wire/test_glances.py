"""Glances: what routing needs of Messages and Responses, and nothing else."""

import json
from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.wire.glances import scan_compaction, scan_count, scan_messages, scan_responses
from slipstream.wire.responses.following import Wish

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
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"background": True, "stream": True}, "stream"),
        ({"background": True, "store": False}, "store"),
        ({"previous_response_id": 3}, "previous_response_id"),
    ],
)
def test_wrong_response_request_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """Whatever its target is; conversations, which nobody keeps here, among them."""
    with pytest.raises(BadRequest) as caught:
        scan_responses(json.dumps(RESPONSES | fields).encode())
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, Wish()),
        ({"store": None}, Wish()),
        ({"store": False}, Wish(store=False)),
        ({"background": True}, Wish(is_background=True)),
        ({"previous_response_id": "resp_1"}, Wish(previous_response_id="resp_1")),
        ({"input": [{"type": "item_reference", "id": "a"}]}, Wish(has_references=True)),
    ],
)
def test_glance_tells_what_has_to_do_with_kept_answers(fields: dict[str, Any], wish: Wish) -> None:
    """An answer is kept unless the client says otherwise."""
    said = scan_responses(json.dumps(RESPONSES | fields, separators=(",", ":")).encode()).asked
    assert said == wish


def test_answer_may_be_gone_on_with_without_a_word() -> None:
    """`previous_response_id` alone is an input."""
    assert scan_responses(b'{"model":"m","previous_response_id":"resp_1"}').model == "m"


@pytest.mark.parametrize("scan", [scan_messages, scan_responses])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"m","x":"\xff"}'])
def test_body_that_is_no_json_object_is_refused(scan: Any, body: bytes) -> None:
    """Also where the wrong bytes are in what is passed over."""
    with pytest.raises(BadRequest):
        scan(body)


@pytest.mark.parametrize(
    ("fields", "param"), [({"model": ""}, "model"), ({"messages": "x"}, "messages")]
)
def test_request_for_a_count_needs_a_model_and_messages_alone(
    fields: dict[str, Any], param: str
) -> None:
    """No limit of an answer; what else is wrong, whoever counts says."""
    body = {"model": "m", "messages": [{"role": "user"}]}
    assert scan_count(json.dumps(body).encode()) == "m"
    with pytest.raises(BadRequest) as caught:
        scan_count(json.dumps(body | fields).encode())
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, Wish(store=False)),
        ({"store": True, "background": True}, Wish(store=False)),
        (
            {"previous_response_id": "resp_1"},
            Wish(store=False, previous_response_id="resp_1"),
        ),
    ],
)
def test_compaction_leaves_nothing_behind(fields: dict[str, Any], wish: Wish) -> None:
    """Whatever its request says of keeping; it is never a stream."""
    assert scan_compaction(json.dumps(RESPONSES | fields).encode()).asked == wish
    with pytest.raises(BadRequest) as caught:
        scan_compaction(
            json.dumps(RESPONSES | fields | {"background": None, "stream": True}).encode()
        )
    assert caught.value.param == "stream"
