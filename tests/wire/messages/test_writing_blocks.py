"""Tests of slipstream.wire.messages.writing_blocks."""

from typing import Any

import pytest

from slipstream.errors import Unsupported
from slipstream.wire.talk.asking import (
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark
from tests.wire.messages.requests import CLAUDE, asking, read_block, write

SIGNED = Seal(vendor="anthropic", kind="signature", data="s")
OTHER = Seal(vendor="openai", kind="encrypted_content", data="o")


def blocks(*parts: Part, role: Any = "user", dialect: str = "openai_chat") -> tuple[Any, Any]:
    """Return the blocks of one turn, and what was changed."""
    turns = (*((Turn("user", (Text("hi"),)),) if role == "assistant" else ()), Turn(role, parts))
    body, changes = write(asking(turns=turns, dialect=dialect))
    return body["messages"][-1]["content"], changes


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image", "source": {"type": "url", "url": "http://a"}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/gif", "data": "R0"},
            "cache_control": {"type": "ephemeral"},
        },
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JV"},
            "title": "T",
            "context": "C",
            "citations": {"enabled": True},
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "x"},
        },
        {"type": "document", "source": {"type": "url", "url": "http://a"}},
        {
            "type": "tool_result",
            "tool_use_id": "toolu_1",
            "content": [{"type": "image", "source": {"type": "url", "url": "http://a"}}],
            "is_error": True,
        },
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"},
        {"type": "tool_result", "tool_use_id": "toolu_1"},
    ],
)
def test_write_block_of_the_user_that_was_read(block: dict[str, Any]) -> None:
    """Round trip: marks, sources, results."""
    part = read_block(block)
    role = "tool" if isinstance(part, ToolResult) else "user"
    assert blocks(part, role=role, dialect="anthropic_messages") == ([block], ())


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, {"b": None}]}},
        {"type": "text", "text": "t", "citations": [{"type": "page_location", "x": 1}]},
    ],
)
def test_write_block_of_the_assistant_that_was_read(block: dict[str, Any]) -> None:
    """Round trip: what was thought goes back to Anthropic as it came."""
    part = read_block(block, "assistant")
    assert blocks(part, role="assistant", dialect="anthropic_messages") == ([block], ())


def test_write_thinking_of_others_is_withheld() -> None:
    """Signatures of other vendors, and thoughts that nobody signed, are refused by Anthropic."""
    made, changes = blocks(
        Reasoning(text="a"),
        Reasoning(text="b", seals=(OTHER,)),
        Reasoning(text="c", seals=(OTHER, SIGNED)),
        Text("x"),
        role="assistant",
    )
    assert made == [
        {"type": "thinking", "thinking": "c", "signature": "s"},
        {"type": "text", "text": "x"},
    ]
    assert changes == ("reasoning_content",)


def test_write_seals_of_a_row_go_to_that_row_only() -> None:
    """A vendor that speaks Messages has signatures of its own."""
    own = Reasoning(text="t", seals=(Seal(vendor="xai", kind="signature", data="x"),))
    turns = (Turn("user", (Text("hi"),)), Turn("assistant", (own, Text("y"))))
    xai = write(asking(turns=turns), type(CLAUDE)(vendor="xai", model="m"))[0]
    assert xai["messages"][1]["content"][0]["signature"] == "x"
    assert write(asking(turns=turns))[0]["messages"][1]["content"] == "y"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [('{"a": 1.50}', {"a": 1.5}), ("", {}), ("[1]", {}), ('{"a', {}), ("null", {})],
)
def test_write_arguments_that_are_no_object_are_none(arguments: str, expected: Any) -> None:
    """`input` must be an object."""
    call = ToolCall(call_id="functions.f:0", name="f", arguments=arguments)
    ((made,), changes) = blocks(call, role="assistant")
    assert (made["input"], changes) == (expected, ())
    assert made["id"] == "toolu_x_ZnVuY3Rpb25zLmY6MA"


def test_write_call_and_its_result_have_the_same_id() -> None:
    """Also where the client's id is too long to be packed."""
    turns = (
        Turn("user", (Text("hi"),)),
        Turn("assistant", (ToolCall(call_id="x" * 99, name="f", arguments="{}"),)),
        Turn("tool", (ToolResult(call_id="x" * 99),)),
    )
    _, call, result = write(asking(turns=turns))[0]["messages"]
    assert call["content"][0]["id"] == result["content"][0]["tool_use_id"]


def test_write_custom_call_is_one_of_a_function() -> None:
    """Its text is the one field of the function that was offered."""
    call = ToolCall(call_id="c", name="exec", arguments='say "x"', is_custom=True)
    ((made,), _) = blocks(call, role="assistant")
    assert made["input"] == {"input": 'say "x"'}


def test_write_refusal_is_a_text() -> None:
    """The dialect has no word for one that is sent back."""
    assert blocks(Refusal("no"), role="assistant") == ("no", ())


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (
            Document(data="eMOp", media_type="text/markdown"),
            {"type": "text", "media_type": "text/plain", "data": "xé"},
        ),
        (
            Document(data="JV"),
            {"type": "base64", "media_type": "application/pdf", "data": "JV"},
        ),
        (Image(data="iV"), {"type": "base64", "media_type": "image/png", "data": "iV"}),
    ],
)
def test_write_file_of_others_has_a_source(part: Part, source: dict[str, str]) -> None:
    """Texts are sent as texts; what says no type is of the usual one."""
    ((made,), changes) = blocks(part)
    assert (made["source"], changes) == (source, ())


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Audio("x", "wav"), "messages.input_audio"),
        (Image(file_id="file_1"), "messages.file_id"),
        (Document(file_id="file_1"), "messages.file_id"),
        (Document(data="x", media_type="application/zip"), "messages.file"),
        (Document(data="!", media_type="text/plain"), "messages.file"),
        (Document(data="/w==", media_type="text/plain"), "messages.file"),
    ],
)
def test_write_part_that_cannot_be_said_is_refused(part: Part, param: str) -> None:
    """Sound, files that lie elsewhere, and files of other kinds: another target may take them."""
    with pytest.raises(Unsupported) as caught:
        blocks(part)
    assert caught.value.param == param


def test_write_details_of_others_are_named() -> None:
    """What only another vendor reads of a part is left out."""
    cited = Text("t", CacheMark("30m"), ('{"type":"url_citation"}',))
    made, changes = blocks(Image(url="http://a", detail="high"), cited)
    assert made[1] == {
        "type": "text",
        "text": "t",
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    assert changes == ("messages.image_url.detail", "messages.annotations")
