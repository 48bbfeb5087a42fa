"""What is not text, as Gemini's parts.

Addresses are read by Gemini only if they are its own files' or YouTube's; others would have to be
fetched first, which the wire does not do.

Source: ../shared/reference/protocols.md, section F, 2026-11-21.
"""

from typing import Any, Final

from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.talk.asking import Audio, Document, Image, Part, Text, ToolResult

_OWN_ADDRESSES: Final = (
    "gs://",
    "https://generativelanguage.googleapis.com/",
    "https://www.youtube.com/",
    "https://youtu.be/",
)
_KINDS: Final = {Image: ("images", "image/png"), Document: ("documents", "application/pdf")}


def media_part(part: Part, sheet: Sheet) -> dict[str, Any]:
    """Return an image, a document or a sound.

    Raises:
        Unsupported: It is given by an address or an id that Gemini cannot follow.
    """
    if isinstance(part, Audio):
        return {"inlineData": {"mimeType": f"audio/{part.format}", "data": part.data}}
    if not isinstance(part, Image | Document):
        raise sheet.unsupported("turns", f"parts of type '{type(part).__name__.lower()}'")
    if isinstance(part, Document) and part.text is not None:
        return {"text": f"{part.title}\n\n{part.text}" if part.title else part.text}
    what, default = _KINDS[type(part)]
    media_type = part.media_type or default
    if part.data is not None:
        return {"inlineData": {"mimeType": media_type, "data": part.data}}
    address = part.url or part.file_id or ""
    if not address.startswith(_OWN_ADDRESSES):
        raise sheet.unsupported("turns", f"{what} by their address, only as data,")
    said = {"fileUri": address}
    return {"fileData": said if part.media_type is None else said | {"mimeType": media_type}}


def text_of_result(result: ToolResult) -> str:
    """Return the texts of a tool's result."""
    return "\n".join(part.text for part in result.parts if isinstance(part, Text))
