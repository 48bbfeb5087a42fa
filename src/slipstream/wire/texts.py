"""What a model is given to read, in the four forms of OpenAI's `input` and `prompt`.

One text, several, the token ids of one, or those of several; their first item says which.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from slipstream.errors import BadRequest
from slipstream.wire.refusals import decode_at, invalid, missing

MAX_TOKEN_ID: Final = 2**31 - 1
_FORMS: Final = "a text, an array of texts, an array of token ids, or an array of such arrays"
_SHOWN_CHARS: Final = 80  # of a value: enough to recognise it
_NULL: Final = b"null"

Text = str | tuple[int, ...]
"""One text, or one text's token ids."""

_Chars = Annotated[str, Meta(min_length=1)]
_Ids = Annotated[tuple[Annotated[int, Meta(ge=0, le=MAX_TOKEN_ID)], ...], Meta(min_length=1)]

_text_decoder: Final = msgspec.json.Decoder(_Chars)
_texts_decoder: Final = msgspec.json.Decoder(tuple[_Chars, ...])
_ids_decoder: Final = msgspec.json.Decoder(_Ids)
_id_lists_decoder: Final = msgspec.json.Decoder(tuple[_Ids, ...])


def check_texts(raw: msgspec.Raw, where: str, max_items: int) -> None:
    """Refuse what is none of the forms, or empty, by its first bytes.

    Raises:
        BadRequest: It names the field, which is called `where`.
    """
    start = _start(raw)
    if start == _NULL:
        raise missing(where)
    if start == b'""':
        raise invalid(where, "expected a text that is not empty, got an empty one")
    if start[:1] == b"[":
        if start[1:].lstrip()[:1] == b"]":
            raise invalid(where, f"expected 1 to {max_items} items, got none")
    elif start[:1] != b'"':
        raise _of_wrong_form(start, where)


def read_texts(raw: msgspec.Raw, where: str, max_items: int) -> tuple[Text, ...]:
    """Return the texts of a field that `check_texts` let pass.

    Raises:
        BadRequest: They have none of the forms, or there are too many.
        msgspec.ValidationError: One is of a wrong type or empty, or a token id out of range.
    """
    texts = _decode(raw, where)
    if len(texts) > max_items:
        raise invalid(where, f"expected 1 to {max_items} items, got {len(texts)}")
    return texts


def _decode(raw: msgspec.Raw, where: str) -> tuple[Text, ...]:
    start = _start(raw)
    if start[:1] == b'"':
        return (decode_at(_text_decoder, raw, where),)
    match start[1:].lstrip()[:1]:
        case b'"':
            return decode_at(_texts_decoder, raw, where)
        case b"[":
            return decode_at(_id_lists_decoder, raw, where)
        case b"-" | b"0" | b"1" | b"2" | b"3" | b"4" | b"5" | b"6" | b"7" | b"8" | b"9":
            return (decode_at(_ids_decoder, raw, where),)
        case _:
            raise _of_wrong_form(start, where)


def _start(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[: 4 * _SHOWN_CHARS])


def _of_wrong_form(start: bytes, where: str) -> BadRequest:
    shown = start.decode(errors="replace")
    if len(shown) > _SHOWN_CHARS:
        shown = shown[:_SHOWN_CHARS] + "…"
    return invalid(where, f"expected {_FORMS}, got {shown}")
