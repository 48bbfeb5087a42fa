"""Citations of other dialects as the annotations of a Responses answer.

An address on the web can be said there; places in the client's own documents cannot.

Source: openai-python 3.52.0's and anthropic-python 2.11.0's types, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.responses.names import DIALECT
from slipstream.wire.talk.events import Cited

_decode: Final = msgspec.json.Decoder().decode


def read_annotation(cited: Cited, num_chars: int) -> dict[str, Any] | None:
    """Return the annotation; None for what has no place.

    Args:
        num_chars: How much text was said: where a citation stands that does not say it.
    """
    try:
        said: Any = _decode(cited.raw)
    except UNREADABLE:
        return None
    if not isinstance(said, dict):
        return None
    if cited.dialect == DIALECT:
        return said
    inner = said.get("url_citation")  # Chat has it one level deeper
    told = inner if isinstance(inner, dict) else said
    url = told.get("url")
    if not isinstance(url, str):
        return None
    start, end = told.get("start_index"), told.get("end_index")
    return {
        "type": "url_citation",
        "url": url,
        "title": str(told.get("title") or ""),
        "start_index": start if isinstance(start, int) else num_chars,
        "end_index": end if isinstance(end, int) else num_chars,
    }
