"""Tests of slipstream.wire.messages.writing_turns."""

from typing import Any

import pytest

from slipstream.errors import Unsupported
from slipstream.wire.talk.asking import (
    Part,
    Reasoning,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark
from tests.wire.messages.requests import CLAUDE, asking, targeting, write

SIGNED = Reasoning(text="t", seals=(Seal(vendor="anthropic", kind="signature", data="s"),))
HI = Turn("user", (Text("hi"),))


def say(role: Any, *texts: str) -> Turn:
    """Return a turn of texts."""
    return Turn(role, tuple(Text(text) for text in texts))


def call(call_id: str) -> ToolCall:
    """Return a call without arguments."""
    return ToolCall(call_id=call_id, name="f", arguments="{}")


def messages(*turns: Turn, target: Target = CLAUDE) -> list[tuple[str, Any]]:
    """Return the role and the content of each message."""
    body, _ = write(asking(turns=turns), target)
    return [(message["role"], message["content"]) for message in body["messages"]]


def test_write_results_of_neighbours_are_one_message_and_come_first() -> None:
    """Anthropic wants all results of parallel calls together, before what the user says."""
    made = messages(
        HI,
        Turn("assistant", (call("a"), call("b"))),
        Turn("tool", (ToolResult(call_id="a", parts=(Text("1"),)),)),
        Turn("tool", (ToolResult(call_id="b"),)),
        say("user", "and?"),
    )
    assert [role for role, _ in made] == ["user", "assistant", "user"]
    assert made[-1][1] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"},
        {"type": "tool_result", "tool_use_id": "b"},
        {"type": "text", "text": "and?"},
    ]


def test_write_thinking_comes_first_in_the_assistants_message() -> None:
    """Chat tells it behind the text; neighbours are one message."""
    parts: tuple[Part, ...] = (Text("a"), SIGNED, call("c"))
    ((_, _), (_, made)) = messages(HI, Turn("assistant", parts))
    assert [block["type"] for block in made] == ["thinking", "text", "tool_use"]
    ((_, _), (_, made)) = messages(HI, say("assistant", "a"), Turn("assistant", (SIGNED,)))
    assert [block["type"] for block in made] == ["thinking", "text"]


def test_write_thinking_between_texts_keeps_its_place() -> None:
    """A turn that begins with thinking is as Anthropic made it."""
    ((_, _), (_, made)) = messages(HI, Turn("assistant", (SIGNED, Text("a"), SIGNED, call("c"))))
    assert [block["type"] for block in made] == ["thinking", "text", "thinking", "tool_use"]


def test_write_leading_system_is_a_field_and_keeps_marks() -> None:
    """All of it that comes before the first message."""
    marked = Turn("system", (Text("a", CacheMark()), Text("")))
    body, _ = write(asking(turns=(marked, say("system", "b"), HI)))
    assert body["system"] == [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "b"},
    ]
    assert write(asking(turns=(say("system", "a"), HI)))[0]["system"] == "a"


def test_write_later_system_is_a_role_or_a_text() -> None:
    """Models that do not know the role read it in the user's message."""
    turns = (HI, say("assistant", "a"), say("system", "s", " "), say("user", "b"))
    assert messages(*turns)[2:] == [("system", "s"), ("user", "b")]
    _, changes = write(asking(turns=turns), targeting("messages.system"))
    assert changes == ("messages.role -> user",)
    texts = [{"type": "text", "text": "<system>s</system>"}, {"type": "text", "text": "b"}]
    assert messages(*turns, target=targeting("messages.system"))[2:] == [("user", texts)]


def test_write_empty_texts_are_left_out() -> None:
    """Anthropic refuses them, and messages that hold nothing else."""
    made = messages(say("user", "", "a", "\n"), say("assistant", ""), say("user", "b"))
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert made == [("user", texts)]


def test_write_first_message_is_the_users() -> None:
    """A greeting of the assistant may come first elsewhere."""
    turns = (say("assistant", "Hello."), say("user", "a"))
    (first, second, third) = messages(*turns)
    assert first[0] == "user"
    assert (second, third) == (("assistant", "Hello."), ("user", "a"))
    assert write(asking(turns=turns))[1] == ("messages",)


def test_write_last_message_of_the_assistant_ends_in_no_white_space() -> None:
    """Anthropic goes on with it, where the model can; others refuse it."""
    assert messages(HI, say("assistant", "{ \n"))[-1] == ("assistant", "{")
    with pytest.raises(Unsupported) as caught:
        messages(HI, say("assistant", "{"), target=targeting("prefill"))
    assert caught.value.param == "messages"


def test_write_name_of_a_speaker_is_named() -> None:
    """The dialect has no place for it."""
    _, changes = write(asking(turns=(Turn("user", (Text("hi"),), name="Ann"),)))
    assert changes == ("messages.name",)
