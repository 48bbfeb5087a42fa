"""Tests of slipstream.wire.texts."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.texts import Text, check_texts, read_texts


def read(said: Any) -> tuple[Text, ...]:
    """Check and read a field called `prompt` of at most three items."""
    raw = msgspec.Raw(msgspec.json.encode(said))
    check_texts(raw, "prompt", 3)
    return read_texts(raw, "prompt", 3)


@pytest.mark.parametrize(
    ("said", "texts"),
    [("a", ("a",)), (["a", "b"], ("a", "b")), ([1, 2], ((1, 2),)), ([[1], [2]], ((1,), (2,)))],
)
def test_read_each_form_gives_its_texts(said: Any, texts: tuple[Text, ...]) -> None:
    """The first item says which form it is."""
    assert read(said) == texts


@pytest.mark.parametrize("said", [None, "", [], 5, {}, [{}], [None], ["a"] * 4, [True]])
def test_read_other_value_is_refused_by_name(said: Any) -> None:
    """The error names the field as the caller knows it."""
    with pytest.raises(BadRequest) as caught:
        read(said)
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("said", "place"), [(["a", ""], "prompt[1]"), ([[1], []], "prompt[1]"), ([-1], "prompt[0]")]
)
def test_read_wrong_item_says_where_it_lies(said: Any, place: str) -> None:
    """The path leads from the body's root to the item."""
    with pytest.raises(msgspec.ValidationError) as caught:
        read(said)
    assert str(caught.value).endswith(f"`$.{place}`")
