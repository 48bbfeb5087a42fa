"""Pages of models in Anthropic's shape: which ones, and what is told of each."""

import json

import pytest
from anthropic.pagination import SyncPage
from anthropic.types import ModelInfo

from slipstream.errors import BadRequest
from slipstream.wire.messages.listing import Page, model_body, page_body, read_page

MODELS = [{"id": f"m{number}", "created": 1_700_000_000} for number in range(5)]


@pytest.mark.parametrize(
    ("page", "ids", "has_more"),
    [
        (Page(), [0, 1, 2, 3, 4], False),
        (Page(5), [0, 1, 2, 3, 4], False),
        (Page(4), [0, 1, 2, 3], True),
        (Page(2, after_id="m1"), [2, 3], True),
        (Page(2, after_id="m2"), [3, 4], False),
        (Page(2, after_id="m4"), [], False),
        (Page(2, before_id="m4"), [2, 3], True),
        (Page(2, before_id="m2"), [0, 1], False),
        (Page(2, before_id="m1"), [0], False),
        (Page(2, before_id="m0"), [], False),
    ],
)
def test_page_is_what_lies_beside_an_id(page: Page, ids: list[int], has_more: bool) -> None:
    """Always in the order of the list; `has_more` is of the direction that was asked for."""
    told = json.loads(page_body(MODELS, page))
    assert [entry["id"] for entry in told["data"]] == [f"m{number}" for number in ids]
    assert told["has_more"] is has_more
    ends = (f"m{ids[0]}", f"m{ids[-1]}") if ids else (None, None)
    assert (told["first_id"], told["last_id"]) == ends


def test_model_is_what_the_sdk_expects() -> None:
    """Its own types take it, strictly; what is not known is null."""
    info = ModelInfo.model_validate(json.loads(model_body(MODELS[0])), strict=False)
    assert (info.id, info.display_name, info.type) == ("m0", "m0", "model")
    assert info.created_at.isoformat() == "2023-11-14T22:13:20+00:00"
    page = SyncPage[ModelInfo].model_validate(json.loads(page_body(MODELS, Page())))
    assert [each.lifecycle for each in page.data] == ["active"] * 5


def test_model_without_a_date_has_the_epoch() -> None:
    """As Anthropic tells a date that is not known."""
    assert json.loads(model_body({"id": "x"}))["created_at"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(20)),
        ({"limit": "1000", "beta": "true"}, Page(1000)),
        ({"limit": "1", "after_id": "a"}, Page(1, after_id="a")),
        ({"before_id": "b", "after_id": ""}, Page(before_id="b")),
    ],
)
def test_query_says_which_page(query: dict[str, str], page: Page) -> None:
    """What it says beside that is nobody's fault."""
    assert read_page(query) == page


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "\u0663"}, "limit"),
        ({"limit": "9" * 5_000}, "limit"),
        ({"after_id": "m1", "before_id": "m2"}, "after_id"),
        ({"after_id": "nope"}, "after_id"),
        ({"before_id": "nope"}, "before_id"),
    ],
)
def test_query_that_no_page_answers_is_refused(query: dict[str, str], param: str) -> None:
    """The error names the parameter."""
    with pytest.raises(BadRequest) as caught:
        page_body(MODELS, read_page(query))
    assert caught.value.param == param
