"""Tests of slipstream.wire.messages.reading_blocks."""

from typing import Any

import pytest

from slipstream.errors import BadRequest, Unsupported
from slipstream.wire.messages.citations import citation_object
from slipstream.wire.talk.asking import Document, Image, Part, Text, ToolCall, ToolResult
from slipstream.wire.talk.marks import CacheMark
from tests.wire.messages.requests import read, read_block

PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}


def result(*content: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a call."""
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": list(content)}


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (
            {"type": "base64", "media_type": "image/png", "data": "iVBO"},
            Image(data="iVBO", media_type="image/png"),
        ),
        ({"type": "url", "url": "http://a/b.png"}, Image(url="http://a/b.png")),
        ({"type": "file", "file_id": "file_1"}, Image(file_id="file_1")),
    ],
)
def test_read_image_of_each_source(source: dict[str, Any], part: Part) -> None:
    """A picture is read by its address or by its bytes, in messages and in results."""
    block = {"type": "image", "source": source}
    assert read_block(block) == part
    assert read_block(result(block)) == ToolResult(call_id="toolu_1", parts=(part,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"source": PDF}, Document(data="JVBERi0=", media_type="application/pdf")),
        (
            {
                "source": {"type": "text", "media_type": "text/plain", "data": "T"},
                "title": "Title",
                "context": "C",
                "citations": {"enabled": True},
                "cache_control": {"type": "ephemeral"},
            },
            Document(
                text="T",
                media_type="text/plain",
                title="Title",
                context="C",
                cites=True,
                cache=CacheMark(),
            ),
        ),
        ({"source": {"type": "content", "content": "T"}}, Document(text="T")),
        (
            {"source": {"type": "content", "content": [{"type": "text", "text": "T"}] * 2}},
            Document(text="T\n\nT"),
        ),
        ({"source": {"type": "url", "url": "http://a"}}, Document(url="http://a")),
        ({"source": {"type": "file", "file_id": "f"}, "title": None}, Document(file_id="f")),
    ],
)
def test_read_document_of_each_source(fields: dict[str, Any], part: Part) -> None:
    """A file is read by its address, bytes or text."""
    assert read_block({"type": "document", **fields}) == part


def test_read_search_result_is_a_document() -> None:
    """What a client found itself is a text with a title; where it is from is its context."""
    block = {
        "type": "search_result",
        "source": "http://a",
        "title": "T",
        "content": [{"type": "text", "text": "x"}],
        "citations": {"enabled": True},
    }
    part = Document(text="x", title="T", context="http://a", cites=True)
    assert read_block(block) == part


def test_read_tool_reference_is_a_text() -> None:
    """All tools are offered from the start: nothing is left to load."""
    part = read_block(result({"type": "tool_reference", "tool_name": "Bash"}))
    assert part == ToolResult(call_id="toolu_1", parts=(Text("The tool Bash is available."),))


def test_read_result_without_content_is_empty() -> None:
    """A tool may have nothing to say."""
    contents: tuple[Any, ...] = ("", None, [])
    for content in contents:
        block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content}
        assert read_block(block) == ToolResult(call_id="toolu_1")


def test_read_call_keeps_its_input_and_finds_its_id() -> None:
    """An id that we made legal is the upstream's own again."""
    block = {**CALL, "id": "toolu_x_ZnVuY3Rpb25zLmY6MA", "cache_control": {"type": "ephemeral"}}
    assert read_block(block, "assistant") == ToolCall(
        call_id="functions.f:0", name="f", arguments="{}", cache=CacheMark()
    )


def test_read_citations_of_ours_are_left_out() -> None:
    """They were made for the client's eyes; Anthropic's own are kept."""
    ours = citation_object('{"type":"url_citation","url":"http://a"}', "openai_chat")
    block = {"type": "text", "text": "t", "citations": [ours, {"type": "page_location"}]}
    assert read_block(block, "assistant") == Text("t", citations=('{"type":"page_location"}',))


@pytest.mark.parametrize(
    ("role", "block", "param"),
    [
        ("user", {"type": "text"}, "text"),
        ("user", CALL, "type"),
        ("assistant", {"type": "image", "source": PDF}, "type"),
        ("assistant", {**CALL, "input": []}, "input"),
        ("system", {"type": "image", "source": PDF}, "type"),
        ("user", {"type": "image", "source": {"type": "ftp"}}, "source.type"),
        ("user", {"type": "image", "source": {"type": "url"}}, "source.url"),
        ("user", {"type": "image", "source": {"type": "base64", "data": "x"}}, "source.media_type"),
        ("user", {"type": "document", "source": {**PDF, "data": None}}, "source.data"),
        ("user", {"type": "tool_result"}, "tool_use_id"),
        ("user", result(CALL), "content[0].type"),
        (
            "user",
            {"type": "document", "source": {"type": "content", "content": [CALL]}},
            "source.content[0].type",
        ),
    ],
)
def test_read_wrong_block_is_refused_by_name(role: str, block: Any, param: str) -> None:
    """The error names the block and the field in it."""
    with pytest.raises(BadRequest) as caught:
        read(messages=[{"role": "user", "content": "x"}, {"role": role, "content": [block]}])
    assert caught.value.param == f"messages[1].content[0].{param}"


@pytest.mark.parametrize("kind", ["server_tool_use", "container_upload", "compaction"])
def test_read_block_that_only_anthropic_knows_is_for_another_target(kind: str) -> None:
    """The request is right, and a target that speaks Messages gets it as it is."""
    for role in ("user", "assistant"):
        with pytest.raises(Unsupported) as caught:
            read_block({"type": kind, "id": 3}, role)
        assert caught.value.param == "messages[0].content[0].type"
        assert kind in caught.value.message
