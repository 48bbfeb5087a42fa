"""Tests of slipstream.wire.gemini.writing_parts."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import Unsupported
from slipstream.wire.gemini.writing import write_asked
from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Part,
    Refusal,
    Seal,
    Target,
    Text,
    Turn,
)
from slipstream.wire.talk.means import Tool

HELLO = Turn("user", (Text("hello"),))
HELLO_CONTENT = {"role": "user", "parts": [{"text": "hello"}]}
TOOL = Tool(name="f", description="d", schema='{"type":"object","$ref":"#/a"}', strict=True)
SIGNED = Seal(vendor="gemini", kind="thought_signature", data="sig")
FOREIGN = Seal(vendor="anthropic", kind="signature", data="x")


def write(model: str = "gemini-3-pro", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    efforts = fields.pop("efforts", ())
    fields = {"dialect": "openai_chat", "model": "m", "turns": (HELLO,), **fields}
    target = Target(vendor="gemini", model=model, efforts=efforts)
    written = write_asked(Asked(**fields), target)
    return msgspec.json.decode(written.body), written.changes


def contents(*turns: Turn, model: str = "gemini-3-pro") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(model, turns=(HELLO, *turns))[0]["contents"]
    assert found[0]["parts"][0] == {"text": "hello"}
    return found


def user(*parts: Part) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = contents(Turn("user", parts))[0]["parts"][1:]
    return found


def test_write_parts_of_every_kind() -> None:
    """Data is sent along; Google's own addresses are followed."""
    file_url = "https://generativelanguage.googleapis.com/v1beta/files/a"
    assert user(
        Image(data="QQ"),
        Image(url="gs://a/b.png", media_type="image/png"),
        Document(data="QQ"),
        Document(file_id=file_url),
        Document(text="t", title="n"),
        Document(text="t"),
        Audio("QQ", "wav"),
    ) == [
        {"inlineData": {"mimeType": "image/png", "data": "QQ"}},
        {"fileData": {"fileUri": "gs://a/b.png", "mimeType": "image/png"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "QQ"}},
        {"fileData": {"fileUri": file_url}},
        {"text": "n\n\nt"},
        {"text": "t"},
        {"inlineData": {"mimeType": "audio/wav", "data": "QQ"}},
    ]
    for part in (Image(url="https://a/b.png"), Document(file_id="file-1"), Refusal("no")):
        with pytest.raises(Unsupported) as caught:
            user(part)
        assert caught.value.param == "messages"
