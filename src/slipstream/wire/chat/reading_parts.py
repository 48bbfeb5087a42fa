"""The parts of a chat message: OpenAI's, and those of others that have another name for the same.

Source: openai-python 3.52.0's types; cerebras-api.md 2.2 (`image`), providers.md 6 (Mistral's
`thinking` and plain `image_url`), 8 (OpenRouter's files by address), 2026-11-21.
"""

import re
from typing import Final

import msgspec

from slipstream.wire.chat.reading_tools import Mark, mark_of
from slipstream.wire.refusals import decode_at, invalid, missing, not_among
from slipstream.wire.talk.asking import Audio, Document, Image, Part, Reasoning, Refusal, Seal, Text
from slipstream.wire.talk.marks import CacheMark

_DATA_URL: Final = re.compile(r"data:(?P<type>[^;,]*)(?:;[^,;]*)*;base64,", re.IGNORECASE)
_MEDIA_TYPES: Final = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown"}
_AUDIO_FORMATS: Final = ("wav", "mp3")


class _ImageUrl(msgspec.Struct):
    url: str
    detail: str | None = None


class _AudioData(msgspec.Struct):
    data: str
    format: str


class _File(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | _ImageUrl | None = None
    image: str | None = None
    input_audio: _AudioData | None = None
    file: _File | None = None
    thinking: str | list[msgspec.Raw] | None = None
    signature: str | None = None
    prompt_cache_breakpoint: Mark | None = None
    cache_control: Mark | None = None


_part_decoder: Final = msgspec.json.Decoder(_Part)

# What each role may say, besides text; Cerebras lets any role show images.
_KINDS: Final = {
    "user": ("text", "image_url", "image", "input_audio", "file"),
    "assistant": ("text", "refusal", "thinking"),
}
_OTHERS: Final = ("text", "image_url", "image", "file")


def read_text(content: str | list[msgspec.Raw], where: str) -> str:
    """Return a text that is given whole, or in parts of type `text`."""
    if isinstance(content, str):
        return content
    return "".join(_text(raw, f"{where}[{at}]") for at, raw in enumerate(content))


def _text(raw: msgspec.Raw, where: str) -> str:
    said = decode_at(_part_decoder, raw, where)
    if said.type != "text":
        raise not_among(f"{where}.type", said.type, ("text",))
    return _given(said.text, f"{where}.text")


def _given(value: str | None, where: str) -> str:
    if value is None:
        raise missing(where)
    return value


def read_part(raw: msgspec.Raw, role: str, where: str) -> Part:
    """Read one part of a message of a role.

    Raises:
        BadRequest: It names the field.
        DecodeError: As `refusals.decode_at`.
    """
    said = decode_at(_part_decoder, raw, where)
    cache = mark_of(said.prompt_cache_breakpoint, said.cache_control)
    kinds = _KINDS.get(role, _OTHERS)
    if said.type not in kinds:
        raise not_among(f"{where}.type", said.type, kinds)
    match said.type:
        case "text":
            return Text(_given(said.text, f"{where}.text"), cache)
        case "refusal":
            return Refusal(_given(said.refusal, f"{where}.refusal"))
        case "thinking":
            return _thinking(said, where)
        case "input_audio":
            return _audio(said.input_audio, f"{where}.input_audio")
        case "file":
            return _file(said.file, cache, f"{where}.file")
        case _:
            return _image(said, cache, where)


def _thinking(said: _Part, where: str) -> Reasoning:
    text = read_text(said.thinking or "", f"{where}.thinking")
    if said.signature is None:
        return Reasoning(text=text)
    seal = Seal(vendor="mistral", kind="signature", data=said.signature)
    return Reasoning(text=text, seals=(seal,))


def _audio(said: _AudioData | None, where: str) -> Audio:
    if said is None:
        raise missing(where)
    if said.format not in _AUDIO_FORMATS:
        raise not_among(f"{where}.format", said.format, _AUDIO_FORMATS)
    return Audio(said.data, said.format)


def _image(said: _Part, cache: CacheMark | None, where: str) -> Image:
    given = said.image_url
    address = _ImageUrl(given) if isinstance(given, str) else given
    detail = address.detail if address else None
    shown = said.image if said.type == "image" else address.url if address else None
    url = _given(shown, f"{where}.{said.type}")
    if url[:5].lower() != "data:":
        return Image(url=url, detail=detail, cache=cache)
    media_type, data = _split_data_url(url, f"{where}.{said.type}")
    return Image(data=data, media_type=media_type or "image/png", detail=detail, cache=cache)


def _file(said: _File | None, cache: CacheMark | None, where: str) -> Document:
    if said is None:
        raise missing(where)
    if said.file_id is not None:
        return Document(file_id=said.file_id, title=said.filename, cache=cache)
    data = _given(said.file_data, f"{where}.file_data")
    if data.startswith(("http://", "https://")):
        return Document(url=data, title=said.filename, cache=cache)
    media_type: str | None = ""
    if data[:5].lower() == "data:":
        media_type, data = _split_data_url(data, f"{where}.file_data")
    if not media_type:
        media_type = _MEDIA_TYPES.get((said.filename or "").rpartition(".")[2].lower())
    return Document(data=data, media_type=media_type, title=said.filename, cache=cache)


def _split_data_url(url: str, where: str) -> tuple[str, str]:
    found = _DATA_URL.match(url)
    if found is None:
        raise invalid(where, "expected 'data:TYPE;base64,…', got another kind of data URL")
    return found["type"].lower(), url[found.end() :]
