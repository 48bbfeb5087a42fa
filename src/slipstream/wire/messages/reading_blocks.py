"""Blocks of a message in Messages, each read into a part; thinking is in reading_thinking.py.

What is known of Anthropic's own tools (`server_tool_use`, results of its searches, `compaction`) is
for Anthropic only: such a conversation can go on there, where it is relayed unread.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from slipstream.errors import GatewayError, Unsupported
from slipstream.wire.messages.call_ids import original_id
from slipstream.wire.messages.marks import CacheControl, read_mark
from slipstream.wire.refusals import decode_at, invalid, is_object, missing, not_among
from slipstream.wire.talk.asking import Document, Image, Part, Role, Text, ToolCall, ToolResult
from slipstream.wire.talk.parcels import MARK

_NOTHING: Final = msgspec.Raw()
_NULL: Final = msgspec.Raw(b"null")

KINDS_OF_ROLE: Final[dict[Role, tuple[str, ...]]] = {
    "system": ("text",),
    "user": ("text", "image", "document", "search_result", "tool_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use"),
}
_KINDS_OF_RESULT: Final = ("text", "image", "document", "search_result", "tool_reference")


class _Kind(Struct):
    type: str


class _Text(Struct):
    text: str
    cache_control: CacheControl | None = None
    citations: list[msgspec.Raw] | None = None


class _Source(Struct):
    type: str
    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: msgspec.Raw = _NOTHING


class _Cites(Struct):
    enabled: bool | None = None


class _Image(Struct):
    source: _Source
    cache_control: CacheControl | None = None


class _Document(Struct):
    source: _Source
    title: str | None = None
    context: str | None = None
    citations: _Cites | None = None
    cache_control: CacheControl | None = None


class _SearchResult(Struct):
    source: str
    title: str
    content: list[msgspec.Raw]
    citations: _Cites | None = None
    cache_control: CacheControl | None = None


class _Call(Struct):
    id: str
    name: str
    input: msgspec.Raw
    cache_control: CacheControl | None = None


class _Result(Struct):
    tool_use_id: str
    content: str | list[msgspec.Raw] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class _Reference(Struct):
    tool_name: str


_kind_decoder: Final = msgspec.json.Decoder(_Kind)
_text_decoder: Final = msgspec.json.Decoder(_Text)
_image_decoder: Final = msgspec.json.Decoder(_Image)
_document_decoder: Final = msgspec.json.Decoder(_Document)
_search_decoder: Final = msgspec.json.Decoder(_SearchResult)
_call_decoder: Final = msgspec.json.Decoder(_Call)
_result_decoder: Final = msgspec.json.Decoder(_Result)
_reference_decoder: Final = msgspec.json.Decoder(_Reference)
_content_decoder: Final = msgspec.json.Decoder(str | list[msgspec.Raw] | None)


def block_kind(raw: msgspec.Raw, where: str) -> str:
    """Return the `type` of a block."""
    return decode_at(_kind_decoder, raw, where).type


def outside(where: str, kind: str, accepted: tuple[str, ...]) -> GatewayError:
    """Return the error for a block that may not stand here, or that only Anthropic knows."""
    wrong = not_among(where, kind, accepted)
    if kind in _READERS or kind in KINDS_OF_ROLE["assistant"]:
        return wrong
    error = Unsupported(f"{wrong.message} Only a model of Anthropic's can be sent others.")
    error.param = where
    return error


def read_block(kind: str, raw: msgspec.Raw, where: str) -> Part:
    """Read one block whose kind was found to be accepted here."""
    return _READERS[kind](raw, where)


def _read_text(raw: msgspec.Raw, where: str) -> Text:
    said = decode_at(_text_decoder, raw, where)
    citations = (bytes(one).decode() for one in said.citations or ())
    own = tuple(one for one in citations if MARK not in one)  # others are no citations of Anthropic
    return Text(said.text, read_mark(said.cache_control), own)


def _read_image(raw: msgspec.Raw, where: str) -> Image:
    said = decode_at(_image_decoder, raw, where)
    _check_source(said.source, f"{where}.source", ("base64", "url", "file"))
    return Image(
        url=said.source.url,
        data=said.source.data,
        file_id=said.source.file_id,
        media_type=said.source.media_type,
        cache=read_mark(said.cache_control),
    )


def _read_document(raw: msgspec.Raw, where: str) -> Document:
    said = decode_at(_document_decoder, raw, where)
    source, path = said.source, f"{where}.source"
    _check_source(source, path, ("base64", "text", "content", "url", "file"))
    text = source.data if source.type == "text" else None
    if source.type == "content":
        text = _read_texts(source.content, f"{path}.content")
    return Document(
        url=source.url,
        data=source.data if source.type == "base64" else None,
        text=text,
        file_id=source.file_id,
        media_type=source.media_type,
        title=said.title,
        context=said.context,
        cites=bool(said.citations and said.citations.enabled),
        cache=read_mark(said.cache_control),
    )


_FIELD_OF_SOURCE: Final = {
    "base64": "data",
    "text": "data",
    "url": "url",
    "file": "file_id",
    "content": "content",
}


def _check_source(source: _Source, where: str, accepted: tuple[str, ...]) -> None:
    """Refuse a source of another kind, or without what its kind needs."""
    if source.type not in accepted:
        raise not_among(f"{where}.type", source.type, accepted)
    field = _FIELD_OF_SOURCE[source.type]
    if not getattr(source, field):
        raise missing(f"{where}.{field}")
    if source.type == "base64" and not source.media_type:
        raise missing(f"{where}.media_type")


def _read_texts(raw: msgspec.Raw, where: str) -> str:
    """Return the text of what may be a string or an array of blocks of text."""
    said = decode_at(_content_decoder, raw or _NULL, where)
    if not isinstance(said, list):
        return said or ""
    texts = []
    for at, block in enumerate(said):
        path = f"{where}[{at}]"
        if (kind := block_kind(block, path)) != "text":
            raise not_among(f"{path}.type", kind, ("text",))
        texts.append(decode_at(_text_decoder, block, path).text)
    return "\n\n".join(texts)


def _read_search_result(raw: msgspec.Raw, where: str) -> Document:
    said = decode_at(_search_decoder, raw, where)
    texts = [
        decode_at(_text_decoder, block, f"{where}.content[{at}]").text
        for at, block in enumerate(said.content)
    ]
    return Document(
        text="\n\n".join(texts),
        title=said.title,
        context=said.source,
        cites=bool(said.citations and said.citations.enabled),
        cache=read_mark(said.cache_control),
    )


def _read_call(raw: msgspec.Raw, where: str) -> ToolCall:
    said = decode_at(_call_decoder, raw, where)
    if not is_object(said.input):
        raise invalid(f"{where}.input", "expected an object")
    return ToolCall(
        call_id=original_id(said.id),
        name=said.name,
        arguments=bytes(said.input).decode(),
        cache=read_mark(said.cache_control),
    )


def _read_result(raw: msgspec.Raw, where: str) -> ToolResult:
    said = decode_at(_result_decoder, raw, where)
    if isinstance(said.content, str):
        parts: tuple[Text | Image | Document, ...] = (Text(said.content),) if said.content else ()
    else:
        parts = tuple(
            _read_result_part(block, f"{where}.content[{at}]")
            for at, block in enumerate(said.content or ())
        )
    return ToolResult(
        call_id=original_id(said.tool_use_id),
        parts=parts,
        is_error=bool(said.is_error),
        cache=read_mark(said.cache_control),
    )


def _read_result_part(raw: msgspec.Raw, where: str) -> Text | Image | Document:
    kind = block_kind(raw, where)
    if kind == "tool_reference":
        # All tools are offered from the start, so there is nothing left to load.
        name = decode_at(_reference_decoder, raw, where).tool_name
        return Text(f"The tool {name} is available.")
    if kind not in _KINDS_OF_RESULT:
        raise outside(f"{where}.type", kind, _KINDS_OF_RESULT)
    part = read_block(kind, raw, where)
    assert isinstance(part, Text | Image | Document), "the table of results holds no others"
    return part


_READERS: Final[dict[str, Callable[[msgspec.Raw, str], Part]]] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "search_result": _read_search_result,
    "tool_use": _read_call,
    "tool_result": _read_result,
}
