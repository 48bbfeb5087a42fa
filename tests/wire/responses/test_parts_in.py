"""What messages hold: text, pictures, files, sound."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.responses.parts_in import ContentPart, read_parts
from slipstream.wire.talk.asking import Audio, Document, Image, Refusal, Text
from slipstream.wire.talk.marks import CacheMark


def _read(*parts: Any) -> tuple[ContentPart, ...]:
    return read_parts(msgspec.Raw(json.dumps(parts).encode()), "c")


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ({"type": "input_text", "text": "a"}, Text("a")),
        (
            {"type": "output_text", "text": "a", "annotations": [{"b": 1}]},
            Text("a", None, ('{"b": 1}',)),
        ),
        ({"type": "refusal", "refusal": "no"}, Refusal("no")),
        (
            {"type": "input_image", "image_url": "https://x.y", "detail": "low"},
            Image(url="https://x.y", detail="low"),
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
            Image(data="aGk=", media_type="image/png"),
        ),
        ({"type": "input_image", "image_url": "data:,hi"}, Image(url="data:,hi")),
        ({"type": "input_image", "file_id": "file-1"}, Image(file_id="file-1")),
        (
            {
                "type": "input_file",
                "file_data": "data:application/pdf;base64,aGk=",
                "filename": "a",
            },
            Document(data="aGk=", media_type="application/pdf", title="a"),
        ),
        (
            {"type": "input_file", "file_data": "aGk=", "filename": "a.PDF"},
            Document(data="aGk=", media_type="application/pdf", title="a.PDF"),
        ),
        ({"type": "input_file", "file_url": "https://x.y"}, Document(url="https://x.y")),
        ({"type": "input_file", "file_id": "file-1"}, Document(file_id="file-1")),
        ({"type": "input_audio", "input_audio": {"data": "a", "format": "wav"}}, Audio("a", "wav")),
        (
            {
                "type": "input_text",
                "text": "a",
                "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
            },
            Text("a", CacheMark("12h")),
        ),
    ],
)
def test_read_parts_of_every_kind(said: Any, part: ContentPart) -> None:
    """One row for each form of each kind."""
    assert _read(said) == (part,)


def test_read_parts_of_a_string_is_one_text() -> None:
    """The easy form."""
    assert read_parts(msgspec.Raw(b'"a"'), "c") == (Text("a"),)


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"type": "video"}, "c[0].type"),
        ({"type": "input_text"}, "c[0].text"),
        ({"type": "refusal"}, "c[0].refusal"),
        ({"type": "input_image"}, "c[0]"),
        ({"type": "input_image", "image_url": "a", "file_id": "b"}, "c[0]"),
        ({"type": "input_file"}, "c[0]"),
        ({"type": "input_audio"}, "c[0].input_audio"),
    ],
)
def test_read_parts_refuses_by_place(said: Any, param: str) -> None:
    """The error names the part."""
    with pytest.raises(BadRequest) as caught:
        _read(said)
    assert caught.value.param == param


def test_read_parts_missing_is_said() -> None:
    """A message has content."""
    for raw in (b"", b"null"):
        with pytest.raises(BadRequest, match="c"):
            read_parts(msgspec.Raw(raw), "c")
