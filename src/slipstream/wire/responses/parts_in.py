"""What messages and results of tools in a Responses request hold: text, pictures, files, sound.

Source: openai-python 3.52.0's types, 2026-11-21.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.refusals import decode_at, invalid, missing, not_among
from slipstream.wire.talk.asking import Audio, Document, Image, Refusal, Text
from slipstream.wire.talk.marks import CacheMark

ContentPart = Text | Image | Document | Audio | Refusal

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")

# For files whose bytes come without their kind.
_KIND_OF_ENDING: Final = {
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "txt": "text/plain",
}


class _Mark(Struct):
    ttl: str | None = None


class _Sound(Struct):
    data: str
    format: str


class _Part(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    annotations: list[msgspec.Raw] | None = None
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: _Sound | None = None
    prompt_cache_breakpoint: _Mark | None = None

    def mark(self) -> CacheMark | None:
        said = self.prompt_cache_breakpoint
        return None if said is None else CacheMark(said.ttl)


_part_decoder: Final = msgspec.json.Decoder(_Part)
_parts_decoder: Final = msgspec.json.Decoder(str | list[msgspec.Raw])


def read_parts(raw: msgspec.Raw, where: str) -> tuple[ContentPart, ...]:
    """Read a text, or an array of parts.

    Raises:
        BadRequest: It names the field.
        DecodeError: As `refusals.decode_at`.
    """
    if bytes(raw) in _ABSENT:
        raise missing(where)
    said = decode_at(_parts_decoder, raw, where)
    if isinstance(said, str):
        return (Text(said),)
    return tuple(_read_part(part, f"{where}[{at}]") for at, part in enumerate(said))


def _read_part(raw: msgspec.Raw, where: str) -> ContentPart:
    said = decode_at(_part_decoder, raw, where)
    read = _READERS.get(said.type)
    if read is None:
        raise not_among(f"{where}.type", said.type, tuple(_READERS))
    return read(said, where)


def _read_text(said: _Part, where: str) -> Text:
    if said.text is None:
        raise missing(f"{where}.text")
    citations = tuple(bytes(raw).decode() for raw in said.annotations or ())
    return Text(said.text, said.mark(), citations)


def _read_refusal(said: _Part, where: str) -> Refusal:
    if said.refusal is None:
        raise missing(f"{where}.refusal")
    return Refusal(said.refusal)


def _read_image(said: _Part, where: str) -> Image:
    if (said.image_url is None) == (said.file_id is None):
        raise invalid(where, "expected one of 'image_url' and 'file_id'")
    kind, data = _data_of(said.image_url)
    return Image(
        url=said.image_url if data is None else None,
        data=data,
        file_id=said.file_id,
        media_type=kind,
        detail=said.detail,
        cache=said.mark(),
    )


def _read_file(said: _Part, where: str) -> Document:
    given = [field for field in (said.file_data, said.file_url, said.file_id) if field is not None]
    if len(given) != 1:
        raise invalid(where, "expected one of 'file_data', 'file_url' and 'file_id'")
    kind, data = _data_of(said.file_data)
    ending = (said.filename or "").rpartition(".")[2].lower()
    return Document(
        url=said.file_url,
        data=said.file_data if data is None else data,
        file_id=said.file_id,
        media_type=kind or (_KIND_OF_ENDING.get(ending) if said.file_data else None),
        title=said.filename,
        cache=said.mark(),
    )


def _read_audio(said: _Part, where: str) -> Audio:
    if said.input_audio is None:
        raise missing(f"{where}.input_audio")
    return Audio(said.input_audio.data, said.input_audio.format)


_READERS: Final[dict[str, Callable[[_Part, str], ContentPart]]] = {
    "input_text": _read_text,
    "output_text": _read_text,
    "text": _read_text,
    "refusal": _read_refusal,
    "input_image": _read_image,
    "computer_screenshot": _read_image,
    "input_file": _read_file,
    "input_audio": _read_audio,
}


def _data_of(address: str | None) -> tuple[str | None, str | None]:
    """Return kind and base64 of a `data:` address; nothing of any other."""
    if address is None or not address.startswith("data:"):
        return None, None
    head, comma, data = address[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        return None, None
    return head.removesuffix(";base64").partition(";")[0] or None, data
