"""Parts of a turn as blocks of Messages."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any, Final

import msgspec

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.messages.call_ids import legal_id
from slipstream.wire.messages.marks import mark_fields
from slipstream.wire.messages.names import DIALECT, Changes, name_in
from slipstream.wire.messages.writing_options import refused
from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
)
from slipstream.wire.talk.custom_tools import as_arguments

_PDF: Final = "application/pdf"
_NO_ARGUMENTS: Final = msgspec.Raw(b"{}")
_object_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

Block = dict[str, Any]


class BlockWriter:
    """Writes the parts of one request; what a target gets otherwise goes among the changes."""

    def __init__(self, asked: Asked, target: Target, changes: Changes) -> None:
        self._dialect = asked.dialect
        self._vendor = target.vendor
        self._changes = changes
        self._writers: dict[type, Callable[[Any], list[Block]]] = {
            Text: self._text,
            Image: self._image,
            Document: self._document,
            Audio: self._audio,
            Reasoning: self._reasoning,
            ToolCall: self._call,
            ToolResult: self._result,
            Refusal: self._refusal,
        }

    def write(self, part: Part) -> list[Block]:
        """Return the blocks of one part, in order; none where nothing is to be said.

        Raises:
            Unsupported: It cannot be said; `param` names it.
        """
        return self._writers[type(part)](part)

    def _text(self, part: Text) -> list[Block]:
        if not part.text.strip():
            return []
        block: Block = {"type": "text", "text": part.text, **mark_fields(part.cache)}
        if part.citations:
            if self._dialect == DIALECT:
                block["citations"] = [msgspec.Raw(one.encode()) for one in part.citations]
            else:
                self._changes.add("messages.annotations")
        return [block]

    def _refusal(self, part: Refusal) -> list[Block]:
        return self._text(Text(part.text))

    def _audio(self, part: Audio) -> list[Block]:
        raise self._cannot("input_audio", f"it hears no sound, such as '{part.format}'")

    def _image(self, part: Image) -> list[Block]:
        if part.detail not in (None, "auto"):
            self._changes.add("messages.image_url.detail")
        if part.data is not None:
            media_type = part.media_type or "image/png"
            source = {"type": "base64", "media_type": media_type, "data": part.data}
        elif part.url is not None:
            source = {"type": "url", "url": part.url}
        else:
            source = self._file(part.file_id)
        return [{"type": "image", "source": source, **mark_fields(part.cache)}]

    def _document(self, part: Document) -> list[Block]:
        block: Block = {"type": "document", "source": self._document_source(part)}
        if part.title:
            block["title"] = part.title
        if part.context:
            block["context"] = part.context
        if part.cites:
            block["citations"] = {"enabled": True}
        return [block | mark_fields(part.cache)]

    def _document_source(self, part: Document) -> dict[str, str]:
        if part.text is not None:
            return {"type": "text", "media_type": "text/plain", "data": part.text}
        if part.url is not None:
            return {"type": "url", "url": part.url}
        if part.data is None:
            return self._file(part.file_id)
        media_type = part.media_type or _PDF
        if media_type == _PDF:
            return {"type": "base64", "media_type": _PDF, "data": part.data}
        if not media_type.startswith("text/"):
            raise self._cannot("file", f"it reads PDF and plain text, not '{media_type}'")
        try:
            text = b64decode(part.data, validate=True).decode()
        except ValueError as exc:
            raise self._cannot("file", "its text is not base64 of UTF-8") from exc
        return {"type": "text", "media_type": "text/plain", "data": text}

    def _file(self, file_id: str | None) -> dict[str, str]:
        if self._dialect != DIALECT or file_id is None:
            raise self._cannot("file_id", "the file lies at another vendor")
        return {"type": "file", "file_id": file_id}

    def _reasoning(self, part: Reasoning) -> list[Block]:
        """Restore what this vendor sealed; a text belongs to the first of several signatures."""
        own = [seal for seal in part.seals if seal.vendor == self._vendor]
        blocks = [block for seal in own if (block := _thinking_block(seal, part.text))]
        signed = [block for block in blocks if block["type"] == "thinking"]
        if not blocks:
            self._changes.add("messages.thinking")
        return [block for block in blocks if block["type"] != "thinking" or block is signed[0]]

    def _call(self, part: ToolCall) -> list[Block]:
        text = as_arguments(part.arguments) if part.is_custom else part.arguments
        return [
            {
                "type": "tool_use",
                "id": legal_id(part.call_id),
                "name": part.name,
                "input": _arguments(text),
                **mark_fields(part.cache),
            }
        ]

    def _result(self, part: ToolResult) -> list[Block]:
        block: Block = {"type": "tool_result", "tool_use_id": legal_id(part.call_id)}
        content = [inner for one in part.parts for inner in self.write(one)]
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            block["content"] = content[0]["text"]
        elif content:
            block["content"] = content
        if part.is_error:
            block["is_error"] = True
        return [block | mark_fields(part.cache)]

    def _cannot(self, field: str, why: str) -> Exception:
        return refused(f"{name_in(self._dialect, 'messages')}.{field}", why)


def _thinking_block(seal: Seal, text: str) -> Block | None:
    if seal.kind == "signature":
        return {"type": "thinking", "thinking": text, "signature": seal.data}
    if seal.kind == "redacted":
        return {"type": "redacted_thinking", "data": seal.data}
    return None


def _arguments(text: str) -> msgspec.Raw:
    """Return arguments word for word; none where they are no object."""
    try:
        _object_decoder.decode(text)
    except UNREADABLE:
        return _NO_ARGUMENTS
    return msgspec.Raw(text.encode())
