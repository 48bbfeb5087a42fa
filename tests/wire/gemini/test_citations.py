"""Tests of slipstream.wire.gemini.citations."""

import msgspec

from slipstream.wire.gemini.citations import Grounding, Sources, annotations


def test_annotations_of_a_search_and_of_recited_text() -> None:
    """Each supported piece names its source; what has no address is left out."""
    grounding = msgspec.json.decode(
        b'{"groundingChunks":[{"web":{"uri":"http://a","title":"A"}},{}],"groundingSupports":['
        b'{"segment":{"startIndex":1,"endIndex":5},"groundingChunkIndices":[0,1,9]}]}',
        type=Grounding,
    )
    sources = msgspec.json.decode(
        b'{"citationSources":[{"endIndex":3,"uri":"http://b"},{"endIndex":3}]}', type=Sources
    )
    found = [annotation["url_citation"] for annotation in annotations(grounding, sources)]
    assert found == [
        {"start_index": 1, "end_index": 5, "title": "A", "url": "http://a"},
        {"start_index": 0, "end_index": 3, "title": "http://b", "url": "http://b"},
    ]
    assert list(annotations(None, None)) == []
