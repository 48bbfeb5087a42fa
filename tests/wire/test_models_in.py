"""Lists of models in every shape that providers have."""

import pytest

from slipstream.errors import Broken
from slipstream.wire.models_in import ModelEntry, Page, read_models


@pytest.mark.parametrize(
    ("body", "page"),
    [
        (
            b'{"object":"list","data":[{"id":"m","created":5,"owned_by":"o","x":1},{"id":"a/b"}]}',
            Page([ModelEntry("m", 5, "o"), ModelEntry("a/b")], None),
        ),
        (b'[{"id":"m"}]', Page([ModelEntry("m")], None)),
        (
            b'{"data":[{"id":"c","type":"model","created_at":"1970-01-02T00:00:00Z",'
            b'"lifecycle":"active"},{"id":"old","lifecycle":"retired"}],"has_more":true,'
            b'"last_id":"c d"}',
            Page([ModelEntry("c", 86_400)], "after_id=c%20d"),
        ),
        (b'{"data":[],"has_more":false,"last_id":null}', Page([], None)),
        (
            b'{"models":[{"name":"models/g","supportedGenerationMethods":["generateContent"]},'
            b'{"name":"models/e","supportedGenerationMethods":["embedContent"]},'
            b'{"name":"models/v","supportedGenerationMethods":["predictLongRunning"]}],'
            b'"nextPageToken":"t/1"}',
            Page([ModelEntry("g"), ModelEntry("e")], "pageToken=t%2F1"),
        ),
        (
            b'{"data":[{"id":"m","created":"soon","owned_by":5},{"id":"n","created":1.5},{}]}',
            Page([ModelEntry("m"), ModelEntry("n", 1)], None),
        ),
        (b'{"data":[{"id":"m","created_at":"never"}]}', Page([ModelEntry("m")], None)),
    ],
)
def test_read_models_takes_each_shape(body: bytes, page: Page) -> None:
    """OpenAI's, Anthropic's with what follows, Gemini's without what nobody can ask through us."""
    assert read_models(body) == page


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"data":5}', b'{"data":[5]}', b"\xff"])
def test_read_models_of_anything_else_is_broken(body: bytes) -> None:
    """The error says that it is the list."""
    with pytest.raises(Broken, match="the list of models"):
        read_models(body)
