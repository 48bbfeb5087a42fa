"""Tests of slipstream.wire.messages.open_call."""

import pytest

from slipstream.wire.messages.open_call import OpenCall


@pytest.mark.parametrize(
    ("pieces", "is_whole"),
    [
        ([], False),
        (['{"a":', ' {"b":1}'], False),
        (['{"a":', ' {"b":1}', "}\n"], True),
        (['{"a":"}'], False),
        (["{}"], True),
    ],
)
def test_open_call_is_whole_once_its_arguments_are_an_object(
    pieces: list[str], is_whole: bool
) -> None:
    """The next call may be told then; a tool that takes text may always get more of it."""
    call, custom = OpenCall("c", "f", False, []), OpenCall("c", "f", True, [])
    call.pieces, custom.pieces = pieces, pieces
    assert (call.is_whole(), custom.is_whole()) == (is_whole, False)
