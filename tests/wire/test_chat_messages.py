"""Tests of slipstream.wire.chat_messages."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.chat_messages import ChatTurn, TurnCall
from slipstream.wire.chat_request import parse_chat_request

USER = {"role": "user", "content": "Hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "http://x/y.png"}}


def turns_of(*messages: Any) -> tuple[ChatTurn, ...]:
    """Read these messages."""
    return parse_chat_request(msgspec.json.encode({"model": "m", "messages": messages})).turns


def refuse(*messages: Any) -> BadRequest:
    """Return the error that these messages cause."""
    with pytest.raises(BadRequest) as caught:
        turns_of(*messages)
    return caught.value


def called(*ids: str, content: str | None = None) -> dict[str, Any]:
    """Return an assistant's message that calls `f` once for each id."""
    function = {"name": "f", "arguments": '{"a": 1}'}
    calls = [{"id": one, "type": "function", "function": function} for one in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def answered(call_id: str, content: Any = "42") -> dict[str, Any]:
    """Return a tool's message."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


@pytest.mark.parametrize(
    ("message", "turn"),
    [
        ({"role": "developer", "content": "d"}, ChatTurn("system", "d")),
        ({"role": "assistant", "content": "a", "refusal": None}, ChatTurn("assistant", "a")),
        ({"role": "assistant", "content": None, "refusal": "no"}, ChatTurn("assistant", "no")),
        ({"role": "user", "content": "", "name": "Ann"}, ChatTurn("user", "", "Ann")),
        (
            {"role": "user", "content": [{"type": "text", "text": t} for t in ("a", "b")]},
            ChatTurn("user", "ab"),
        ),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            ChatTurn("assistant", "no"),
        ),
        (
            {"role": "assistant", "content": "a", "reasoning_content": "r", "tool_calls": []},
            ChatTurn("assistant", "a", reasoning="r"),
        ),
        (
            {"role": "assistant", "content": "a", "reasoning": "r"},
            ChatTurn("assistant", "a", reasoning="r"),
        ),
    ],
)
def test_read_message_becomes_a_turn(message: dict[str, Any], turn: ChatTurn) -> None:
    """Parts are joined, the newer role name is mapped, reasoning is kept under either name."""
    assert turns_of(message) == (turn,)


def test_read_calls_and_their_answers_arrive() -> None:
    """A whole round of tools, as the SDK sends it back."""
    read = turns_of(
        USER, called("1", "2"), answered("2"), answered("1", [{"type": "text", "text": "x"}])
    )

    call = TurnCall("1", "f", '{"a": 1}')
    assert read[1] == ChatTurn("assistant", "", calls=(call, TurnCall("2", "f", '{"a": 1}')))
    assert read[2:] == (
        ChatTurn("tool", "42", answered_id="2"),
        ChatTurn("tool", "x", answered_id="1"),
    )


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ((USER, answered("1")), "messages[1].tool_call_id"),
        ((USER, called("1"), answered("2")), "messages[2].tool_call_id"),
        ((USER, called("1"), answered("1"), answered("1")), "messages[3].tool_call_id"),
        ((USER, called("1")), "messages[1].tool_calls[0]"),
        ((USER, called("1", "2"), answered("1")), "messages[1].tool_calls[1]"),
        ((USER, called("1"), USER, answered("1")), "messages[1].tool_calls[0]"),
        ((USER, called("1", "1"), answered("1")), "messages[1].tool_calls[1].id"),
    ],
)
def test_read_call_and_answer_that_do_not_match_are_refused(
    messages: tuple[Any, ...], param: str
) -> None:
    """Every call is answered right behind it, and every answer has its call."""
    error = refuse(*messages)

    assert (error.param, error.code) == (param, "invalid_value")
    assert "'1'" in error.message or "'2'" in error.message


def test_read_id_used_again_in_a_later_round_is_fine() -> None:
    """Some models count their calls from one in every answer."""
    assert len(turns_of(USER, called("1"), answered("1"), called("1"), answered("1"))) == 5


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user"}, "content"),
        ({"role": "user", "content": 5}, "content"),
        ({"role": "user", "content": None}, "content"),
        ({"role": "assistant", "content": None, "tool_calls": []}, "content"),
        ({"role": "robot", "content": "x"}, "role"),
        ({"content": "x"}, "role"),
        ({"role": "function", "content": "x", "name": "f"}, "role"),
        ({"role": "assistant", "content": "x", "function_call": {"name": "f"}}, "function_call"),
        ({"role": "assistant", "content": "x", "audio": {"id": "a"}}, "audio"),
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({"role": "user", "content": "x", "tool_calls": [{}]}, "tool_calls"),
        ({"role": "assistant", "tool_calls": [{}]}, "tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, "tool_calls[0].function"),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "type": "custom"}]},
            "tool_calls[0].type",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
            "tool_calls[0].function.arguments",
        ),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE]}, "content[1].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "content[0].text"),
        ({"role": "user", "content": [{"text": "a"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "text", "text": 1}]}, "content[0].text"),
    ],
)
def test_read_wrong_message_names_its_place(message: dict[str, Any], param: str) -> None:
    """The path is OpenAI's: `messages[1].content`."""
    assert refuse(USER, message).param == f"messages[1].{param}"


def test_read_message_that_is_no_object_names_its_place() -> None:
    """A string among the messages is named by its index."""
    assert refuse(USER, "Hi").param == "messages[1]"
