"""Tests of slipstream.wire.sampling."""

from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.wire.sampling import read_bias, read_stops, shown


def test_read_bias_gives_ids_and_numbers() -> None:
    """Keys of JSON are texts; tokens are numbers."""
    assert read_bias({"5": 1, "0": -2.5}) == ((5, 1.0), (0, -2.5))
    assert read_bias(None) == ()


@pytest.mark.parametrize("said", [{"a": 1}, {"01": 1}, {"1": 101}, {"1": True}, {"1": None}])
def test_read_bias_of_wrong_key_or_value_is_refused(said: dict[str, Any]) -> None:
    """Neither is guessed."""
    with pytest.raises(BadRequest, match="logit_bias"):
        read_bias(said)


def test_read_stops_takes_one_or_up_to_four() -> None:
    """One text may stand alone."""
    assert read_stops("a") == ("a",)
    assert read_stops(["a", "b", "c", "d"]) == ("a", "b", "c", "d")
    assert read_stops(None) == ()


@pytest.mark.parametrize("said", ["", ["a"] * 5, ["x" * 1001]])
def test_read_stops_out_of_bounds_is_refused(said: str | list[str]) -> None:
    """An empty text would end every answer, a long one cost in each piece."""
    with pytest.raises(BadRequest, match="stop"):
        read_stops(said)


def test_shown_is_bounded() -> None:
    """A huge value makes no huge error."""
    assert len(shown("x" * 1000)) <= 80
