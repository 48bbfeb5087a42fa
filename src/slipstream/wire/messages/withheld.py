"""What a request that is relayed as it is must leave out: things that we put into answers.

A conversation that began at another vendor holds thinking that we signed, and citations that we
made. Anthropic would refuse them. All other bytes stay as they are: signatures and prompt caches
depend on them.
"""

from typing import Any, Final

import msgspec

from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.talk.parcels import MARK

_MARK_BYTES: Final = MARK.encode()
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode


def without_own_parcels(body: bytes) -> bytes:
    """Return a request's body without what only we can read; the same object if it holds none.

    Raises:
        BadRequest: The body is no request of this dialect.
    """
    if _MARK_BYTES not in body:
        return body
    try:
        fields = _fields_decoder.decode(body)
        messages = _list_decoder.decode(fields.get("messages", b"[]"))
        cleaned = [_clean_message(raw) for raw in messages]
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    kept = [raw for raw in cleaned if raw is not None]
    return _encode({**fields, "messages": kept})


def _clean_message(raw: msgspec.Raw) -> Any:
    """Return a message without them; None if nothing is left."""
    if _MARK_BYTES not in bytes(raw):
        return raw
    fields = _fields_decoder.decode(raw)
    content = bytes(fields.get("content", b""))
    if fields.get("role") is None or bytes(fields["role"]) != b'"assistant"' or content[:1] != b"[":
        return raw  # whoever writes the mark into a text may
    blocks = [_clean_block(block) for block in _list_decoder.decode(content)]
    kept = [block for block in blocks if block is not None]
    return {**fields, "content": kept} if kept else None


def _clean_block(raw: msgspec.Raw) -> Any:
    """Return a block without them; None if it is one."""
    if _MARK_BYTES not in bytes(raw):
        return raw
    fields = _fields_decoder.decode(raw)
    for name in ("signature", "data"):
        if bytes(fields.get(name, b"")).startswith(b'"' + _MARK_BYTES):
            return None
    citations = bytes(fields.get("citations", b""))
    if citations[:1] != b"[":
        return raw
    kept = [one for one in _list_decoder.decode(citations) if not _is_own(one)]
    fields.pop("citations")
    return {**fields, "citations": kept} if kept else fields


def _is_own(citation: msgspec.Raw) -> bool:
    index = _fields_decoder.decode(citation).get("encrypted_index")
    return index is not None and bytes(index) == b'"' + _MARK_BYTES + b'"'
