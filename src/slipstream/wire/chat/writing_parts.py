"""Parts of messages in chat's words, and what a target cannot read of them."""

from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any, Final

from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.talk.asking import Audio, Document, Image, Part, Refusal, Text
from slipstream.wire.talk.marks import CacheMark

_OTHER: Final = "application/pdf"  # of a document that does not say what it is
# How neighbouring texts are joined where a plain string says them: an assistant's are one text
# that was cut, a system's are paragraphs.
_JOINTS: Final = {"system": "\n\n", "assistant": ""}


def content_of(parts: Iterable[Part], sheet: Sheet, role: str) -> Any:
    """Return a message's content: a string where it is one text, else an array of parts.

    Raises:
        Unsupported: The target cannot read a part.
    """
    parts = list(parts)
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) == len(parts):
        is_marked = any(_mark(part.cache, sheet, role) for part in texts)
        if not is_marked and (len(texts) <= 1 or role in _JOINTS):
            return _JOINTS.get(role, "").join(part.text for part in texts)
    return [part_object(part, sheet, role) for part in parts]


def text_of(parts: Iterable[Part], sheet: Sheet) -> str:
    """Return the texts among parts, as paragraphs."""
    return "\n\n".join(part.text for part in parts if isinstance(part, Text))


def part_object(part: Part, sheet: Sheet, role: str) -> dict[str, Any]:
    """Return one part.

    Raises:
        Unsupported: The target cannot read it.
    """
    said = _WRITERS[type(part)](part, sheet)
    mark = _mark(getattr(part, "cache", None), sheet, role)
    return said | mark if mark else said


def _mark(cache: CacheMark | None, sheet: Sheet, role: str) -> dict[str, Any] | None:
    """Return the mark of a prefix as the target writes it; None where there is none."""
    if cache is None:
        return None
    field = sheet.habits.cache_field
    is_for_users = field == "prompt_cache_breakpoint"
    if field is None or field in sheet.target.refuses or (is_for_users and role != "user"):
        sheet.change("cache")
        return None
    if not is_for_users:
        mark = {"type": "ephemeral"} | ({"ttl": cache.ttl} if cache.ttl else {})
        return {field: mark}
    # Chat knows one time to live; another vendor's own is near it.
    return {field: {"mode": "explicit"} | ({"ttl": "30m"} if cache.ttl == "30m" else {})}


def _text(part: Text, sheet: Sheet) -> dict[str, Any]:
    return {"type": "text", "text": part.text}


def _refusal(part: Refusal, sheet: Sheet) -> dict[str, Any]:
    if sheet.habits.takes_refusals:
        return {"type": "refusal", "refusal": part.text}
    return {"type": "text", "text": part.text}


def _image(part: Image, sheet: Sheet) -> dict[str, Any]:
    if "image" not in sheet.habits.parts or "image_url" in sheet.target.refuses:
        raise sheet.unsupported("turns", "images")
    if part.data is not None:
        url = f"data:{part.media_type or 'image/png'};base64,{part.data}"
    elif part.url is None:
        raise sheet.unsupported("turns", "images by the id of a file")
    elif not sheet.habits.takes_image_urls:
        raise sheet.unsupported("turns", "images by their address, only as data,")
    else:
        url = part.url
    return {"type": "image_url", "image_url": {"url": url} | _detail(part)}


def _detail(part: Image) -> dict[str, str]:
    return {} if part.detail is None else {"detail": part.detail}


def _audio(part: Audio, sheet: Sheet) -> dict[str, Any]:
    if "audio" not in sheet.habits.parts:
        raise sheet.unsupported("turns", "audio")
    return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}


def _document(part: Document, sheet: Sheet) -> dict[str, Any]:
    text = _text_of_document(part)
    if text is not None:
        titled = f"{part.title}\n\n{text}" if part.title else text
        return {"type": "text", "text": titled}
    if "file" not in sheet.habits.parts:
        raise sheet.unsupported("turns", "documents")
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    name = part.title or "document.pdf"
    if part.url is not None:
        if not sheet.habits.takes_file_urls:
            raise sheet.unsupported("turns", "documents by their address, only as data,")
        return {"type": "file", "file": {"file_data": part.url, "filename": name}}
    data = f"data:{part.media_type or _OTHER};base64,{part.data}"
    return {"type": "file", "file": {"file_data": data, "filename": name}}


def _text_of_document(part: Document) -> str | None:
    """Return the text of a document that is one; any target reads that."""
    if part.text is not None or part.data is None:
        return part.text
    if not (part.media_type or "").startswith("text/"):
        return None
    try:
        return b64decode(part.data, validate=True).decode()
    except ValueError:
        return None


_WRITERS: Final[dict[type, Callable[[Any, Sheet], dict[str, Any]]]] = {
    Text: _text,
    Refusal: _refusal,
    Image: _image,
    Audio: _audio,
    Document: _document,
}
