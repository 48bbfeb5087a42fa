"""Tests of slipstream.wire.chat_request."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.chat_request import ChatRequest, ChatTurn, parse_chat_request

USER = {"role": "user", "content": "Hi"}


def parse(**fields: Any) -> ChatRequest:
    """Parse a request with these fields beside a model and a message."""
    return parse_chat_request(msgspec.json.encode({"model": "m", "messages": [USER]} | fields))


def refuse(**fields: Any) -> BadRequest:
    """Return the error that these fields cause."""
    with pytest.raises(BadRequest) as caught:
        parse(**fields)
    return caught.value


def test_parse_smallest_request_takes_openais_defaults() -> None:
    """Only messages are needed; the rest is what OpenAI assumes."""
    assert parse() == ChatRequest(
        turns=(ChatTurn("user", "Hi", None),),
        max_tokens=None,
        temperature=1.0,
        top_p=1.0,
        seed=None,
        stop=(),
    )


def test_parse_all_that_is_offered_is_read() -> None:
    """Every offered field arrives."""
    asked = parse(temperature=0, top_p=0.5, seed=-3, stop=["a", "b"], max_tokens=9)

    assert (asked.temperature, asked.top_p, asked.seed) == (0.0, 0.5, -3)
    assert (asked.stop, asked.max_tokens) == (("a", "b"), 9)


def test_parse_newer_name_of_the_limit_wins() -> None:
    """`max_completion_tokens` replaced `max_tokens`."""
    assert parse(max_tokens=9, max_completion_tokens=5).max_tokens == 5


def test_parse_null_means_the_default() -> None:
    """SDKs send null for what was not set."""
    names = ("temperature", "top_p", "seed", "stop", "max_tokens", "n", "tools", "logprobs")

    assert parse(**dict.fromkeys(names)) == parse()


@pytest.mark.parametrize(
    ("message", "turn"),
    [
        ({"role": "developer", "content": "d"}, ("system", "d", None)),
        ({"role": "assistant", "content": "a", "refusal": None}, ("assistant", "a", None)),
        ({"role": "user", "content": "", "name": "Ann"}, ("user", "", "Ann")),
        (
            {"role": "user", "content": [{"type": "text", "text": t} for t in ("a", "b")]},
            ("user", "ab", None),
        ),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            ("assistant", "no", None),
        ),
    ],
)
def test_parse_messages_become_turns(message: dict[str, Any], turn: tuple[str, str, Any]) -> None:
    """Parts are joined and the newer role name is mapped."""
    (read,) = parse(messages=[message]).turns

    assert (read.role, read.content, read.name) == turn


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "auto"},
        {"n": 1, "tools": [], "tool_choice": "none", "response_format": {"type": "text"}},
        {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": False},
        {"parallel_tool_calls": True, "stream_options": {"include_usage": True}, "stream": True},
        {"never_heard_of": [1, 2], "reasoning_effort": "low", "modalities": ["text"]},
    ],
)
def test_parse_fields_that_change_nothing_are_accepted(fields: dict[str, Any]) -> None:
    """Harmless, neutral and unknown fields leave the request as it is."""
    assert parse(**fields) == parse()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 2.1),
        ("temperature", -0.1),
        ("temperature", "hot"),
        ("top_p", 1.5),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_completion_tokens", -1),
        ("seed", 2**63),
        ("seed", "x"),
        ("stop", ["a"] * 5),
        ("stop", ""),
        ("stop", ["x" * 1001]),
        ("stop", 5),
        ("messages", []),
        ("messages", "Hi"),
    ],
)
def test_parse_wrong_value_names_the_field(field: str, value: Any) -> None:
    """Type and range are checked, and the error says which field it was."""
    error = refuse(**{field: value})

    assert error.status == 400
    assert error.param == field
    assert f"'{field}'" in error.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("tools", [{"type": "function"}]),
        ("tool_choice", "required"),
        ("functions", [{}]),
        ("response_format", {"type": "json_object"}),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"5": 10}),
        ("frequency_penalty", 0.1),
        ("presence_penalty", -1),
        ("repetition_penalty", 1.1),
        ("top_k", 40),
        ("min_p", 0.05),
        ("min_tokens", 3),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy"}),
        ("web_search_options", {}),
    ],
)
def test_parse_what_is_not_offered_is_refused(field: str, value: Any) -> None:
    """A field that would change the answer is never dropped silently."""
    error = refuse(**{field: value})

    assert (error.param, error.code) == (field, "unsupported_parameter")
    assert "leave it out" in error.message


IMAGE = {"type": "image_url", "image_url": {"url": "http://x/y.png"}}


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user"}, "content"),
        ({"role": "user", "content": 5}, "content"),
        ({"role": "user", "content": None}, "content"),
        ({"role": "robot", "content": "x"}, "role"),
        ({"content": "x"}, "role"),
        ({"role": "tool", "content": "x", "tool_call_id": "1"}, "role"),
        ({"role": "assistant", "content": "x", "tool_calls": [{}]}, "tool_calls"),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE]}, "content[1].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "content[0].text"),
        ({"role": "user", "content": [{"text": "a"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "text", "text": 1}]}, "content[0].text"),
    ],
)
def test_parse_wrong_message_names_its_place(message: dict[str, Any], param: str) -> None:
    """The path is OpenAI's: `messages[1].content`."""
    assert refuse(messages=[USER, message]).param == f"messages[1].{param}"


def test_parse_message_that_is_no_object_names_its_place() -> None:
    """A string among the messages is named by its index."""
    assert refuse(messages=[USER, "Hi"]).param == "messages[1]"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"messages": [{]}'])
def test_parse_broken_body_is_a_bad_request(body: bytes) -> None:
    """No body makes anything but a clear error."""
    with pytest.raises(BadRequest):
        parse_chat_request(body)


def test_parse_messages_missing_is_named() -> None:
    """The one field that must be there."""
    with pytest.raises(BadRequest) as caught:
        parse_chat_request(b'{"model": "m"}')

    assert caught.value.param == "messages"
