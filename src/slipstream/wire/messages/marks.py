"""`cache_control`: where a prefix ends that is worth keeping."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from slipstream.wire.talk.marks import CacheMark

MAX_MARKS: Final = 4  # of one request; Anthropic refuses more
_SHORT: Final = "5m"
_LONG: Final = "1h"
# Anthropic keeps a prefix for one of two times; what others offer is kept for at least as long as
# the shorter, never shorter than asked where the longer will do.
_TTLS: Final = {"5m": _SHORT, "1h": _LONG, "30m": _LONG, "12h": _LONG}


class CacheControl(Struct):
    """As a client writes it."""

    type: str = "ephemeral"
    ttl: str | None = None


def read_mark(said: CacheControl | None) -> CacheMark | None:
    """Return the mark that a client's words mean."""
    return None if said is None else CacheMark(said.ttl)


def mark_fields(mark: CacheMark | None) -> dict[str, Any]:
    """Return the field of a block that says it, or nothing."""
    if mark is None:
        return {}
    ttl = _TTLS.get(mark.ttl) if mark.ttl else None
    return {"cache_control": {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}}


def limit_marks(body: dict[str, Any]) -> bool:
    """Take the first marks from a request that has too many; tell whether it had.

    The last ones end the longest prefixes, which hold those before.
    """
    fields = (body.get("tools"), body.get("system"), *_contents(body.get("messages", ())))
    marked = [
        block
        for blocks in fields
        for block in (blocks if isinstance(blocks, list) else ())
        if isinstance(block, dict) and "cache_control" in block
    ]
    for block in marked[:-MAX_MARKS]:
        del block["cache_control"]
    return len(marked) > MAX_MARKS


def _contents(messages: Iterable[dict[str, Any]]) -> Iterator[Any]:
    """Yield each array of blocks that may hold marks, those within results before their own."""
    for message in messages:
        content = message["content"]
        for block in content if isinstance(content, list) else ():
            yield block.get("content")
        yield content
