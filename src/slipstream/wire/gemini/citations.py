"""What Gemini says of its sources, as annotations in OpenAI's words.

Positions are bytes of the answer's text in Google's types, and are passed on as they are.

Source: google-genai 3.4.0's types, 2026-11-21.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

_KIND: Final = "url_citation"


class _Web(msgspec.Struct):
    uri: str | None = None
    title: str | None = None


class _Chunk(msgspec.Struct):
    web: _Web | None = None


class _Segment(msgspec.Struct, rename="camel"):
    start_index: int | None = None
    end_index: int | None = None


class _Support(msgspec.Struct, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class Grounding(msgspec.Struct, rename="camel"):
    """What a search found, and which text rests on it."""

    grounding_chunks: list[_Chunk] | None = None
    grounding_supports: list[_Support] | None = None


class _Source(msgspec.Struct, rename="camel"):
    uri: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Sources(msgspec.Struct, rename="camel"):
    """Which text stands elsewhere, too."""

    citations: list[_Source] | None = None
    citation_sources: list[_Source] | None = None


def annotations(grounding: Grounding | None, sources: Sources | None) -> Iterator[dict[str, Any]]:
    """Return an annotation for each source that has an address."""
    if grounding is not None:
        yield from _of_search(grounding)
    if sources is not None:
        for said in (*(sources.citations or ()), *(sources.citation_sources or ())):
            if said.uri:
                yield _annotation(said.uri, said.title, said.start_index, said.end_index)


def _of_search(grounding: Grounding) -> Iterator[dict[str, Any]]:
    chunks = grounding.grounding_chunks or []
    for support in grounding.grounding_supports or ():
        segment = support.segment or _Segment()
        for at in support.grounding_chunk_indices or ():
            web = chunks[at].web if 0 <= at < len(chunks) else None
            if web is not None and web.uri:
                yield _annotation(web.uri, web.title, segment.start_index, segment.end_index)


def _annotation(url: str, title: str | None, start: int | None, end: int | None) -> dict[str, Any]:
    cited = {
        "start_index": start or 0,
        "end_index": end or 0,
        "title": title or url,
        "url": url,
    }
    return {"type": _KIND, _KIND: cited}
