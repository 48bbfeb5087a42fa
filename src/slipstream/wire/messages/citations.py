"""Citations of other dialects as those of Messages."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.messages.names import DIALECT
from slipstream.wire.talk.parcels import MARK


class _Address(Struct):
    url: str
    title: str | None = None


class _Annotation(Struct):
    """OpenAI's: flat in Responses, one level deeper in Chat."""

    type: str
    url: str | None = None
    title: str | None = None
    url_citation: _Address | None = None


_decoder: Final = msgspec.json.Decoder(_Annotation)


def citation_object(raw: str, dialect: str) -> Any:
    """Return a citation in the words of Messages; None for what has none there.

    A page that another vendor found is one found by a search: without the words that it quotes,
    which other vendors do not tell; our mark stands where Anthropic has what only it can read.
    """
    if dialect == DIALECT:
        return msgspec.Raw(raw.encode())
    try:
        said = _decoder.decode(raw)
    except UNREADABLE:
        return None
    address = said.url_citation or (_Address(said.url, said.title) if said.url else None)
    if said.type != "url_citation" or address is None:
        return None
    return {
        "type": "web_search_result_location",
        "cited_text": "",
        "encrypted_index": MARK,
        "title": address.title,
        "url": address.url,
    }
