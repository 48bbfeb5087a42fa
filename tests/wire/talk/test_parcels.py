"""Reasoning of any vendor, packed for the client to send back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.parcels import MARK, CallSeal, Parcel, close_parcel, open_parcel

_seals = st.builds(
    Seal, vendor=st.text(), kind=st.text(), data=st.text(), item_id=st.none() | st.text()
)


@given(
    st.builds(
        Parcel,
        text=st.text(),
        is_summary=st.booleans(),
        seals=st.lists(_seals).map(tuple),
        call_seals=st.lists(st.builds(CallSeal, st.text(), _seals)).map(tuple),
    )
)
def test_open_gives_back_what_was_closed(parcel: Parcel) -> None:
    """Signatures are compared byte for byte by their vendors."""
    sealed = close_parcel(parcel)
    assert sealed.isascii()
    assert open_parcel(sealed, "x") == parcel


def test_open_of_another_vendors_is_none() -> None:
    """It is sealed for whoever made it."""
    assert open_parcel("gAAAAABo", "x") is None


@pytest.mark.parametrize("rest", ["", "!", "bm8", "W10=", "é", "eyJzZWFscyI6MX0="])
def test_open_changed_names_the_field(rest: str) -> None:
    """Whoever edits it is told where."""
    with pytest.raises(BadRequest) as caught:
        open_parcel(MARK + rest, "input[0].encrypted_content")
    assert caught.value.param == "input[0].encrypted_content"
