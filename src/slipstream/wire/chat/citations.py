"""Citations of any dialect as the annotations of a chat answer, which know addresses alone.

Source: openai-python 3.52.0 and anthropic-python 2.11.0, their types, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.events import Cited

_KIND: Final = "url_citation"


def annotation_of(event: Cited, num_chars: int) -> Any:
    """Return an annotation; None for a citation of something that has no address.

    Args:
        num_chars: Of the text so far, at whose end it stands if it does not say where.
    """
    if event.dialect == "openai_chat":
        return msgspec.Raw(event.raw.encode())
    try:
        said: Any = msgspec.json.decode(event.raw)
    except UNREADABLE:
        return None
    url = said.get("url") if isinstance(said, dict) else None
    if not isinstance(url, str):
        return None
    cited = {
        "start_index": said.get("start_index", num_chars),
        "end_index": said.get("end_index", num_chars),
        "title": said.get("title") or url,
        "url": url,
    }
    return {"type": _KIND, _KIND: cited}
