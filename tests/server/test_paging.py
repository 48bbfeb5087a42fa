"""Queries and pages of lists."""

from typing import NamedTuple

import pytest

from slipstream.errors import BadRequest
from slipstream.server.paging import PAGE_PARAMS, Wanted, page_of, read_page, read_query


class Entry(NamedTuple):
    """Something that can be listed."""

    id: str


ENTRIES = [Entry(f"e{number}") for number in range(5)]  # oldest first


def show(entry: Entry) -> dict[str, object]:
    """Return a client's view of an entry."""
    return {"id": entry.id}


def query(text: str) -> dict[str, str]:
    """Read a query in which all is known that pages know."""
    return read_query({"query_string": text.encode()}, PAGE_PARAMS)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Wanted(20, None, True)),
        ("limit=1", Wanted(1, None, True)),
        ("limit=100&after=e%201&order=asc", Wanted(100, "e 1", False)),
        ("order=desc", Wanted(20, None, True)),
    ],
)
def test_query_says_which_page(text: str, wanted: Wanted) -> None:
    """20 of the newest unless it says otherwise."""
    assert read_page(query(text)) == wanted


@pytest.mark.parametrize(
    ("text", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1.5", "limit"),
        ("limit=²", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=1&limit=2", "limit"),
        ("order=random", "order"),
        ("before=e1", "before"),
    ],
)
def test_query_that_is_wrong_names_the_parameter(text: str, param: str) -> None:
    """Nothing is dropped silently."""
    with pytest.raises(BadRequest) as caught:
        read_page(query(text))
    assert caught.value.param == param
    assert len(caught.value.message) < 300


def test_query_of_very_many_parameters_is_refused() -> None:
    """It costs nothing to refuse."""
    with pytest.raises(BadRequest, match="more than 20"):
        query("&".join(f"a{number}=1" for number in range(50)))
    with pytest.raises(BadRequest, match="none is accepted"):
        read_query({"query_string": b"a=1"}, ())
    assert read_query({}, ()) == {}


@pytest.mark.parametrize("is_newest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9])
def test_pages_together_are_the_list(limit: int, is_newest_first: bool) -> None:
    """Each entry stands on one page, and the last page says that it is."""
    seen: list[str] = []
    after = None
    for _ in range(10):
        page = page_of(ENTRIES, Wanted(limit, after, is_newest_first), show)
        ids = [entry["id"] for entry in page["data"]]  # type: ignore[attr-defined]
        assert (page["first_id"], page["last_id"]) == (ids[0], ids[-1])
        seen += ids
        after = seen[-1]
        if not page["has_more"]:
            break
    wanted = [entry.id for entry in ENTRIES]
    assert seen == (wanted[::-1] if is_newest_first else wanted)


def test_page_of_nothing_is_empty_and_an_unknown_place_is_refused() -> None:
    """After the last one there is nothing; after one that is not there, an error."""
    empty = {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
    assert page_of([], Wanted(5, None, True), show) == empty
    assert page_of(ENTRIES, Wanted(5, "e0", True), show) == empty
    with pytest.raises(BadRequest, match="'gone'") as caught:
        page_of(ENTRIES, Wanted(5, "gone", True), show)
    assert caught.value.param == "after"
