"""Tests of slipstream.wire.messages.call_ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.wire.messages.call_ids import legal_id, original_id


@given(call_id=st.text(min_size=1))
def test_legal_id_of_any_id_is_legal_and_leads_back(call_id: str) -> None:
    """Every id has a legal one; the way back is lost only where it cannot fit."""
    legal = legal_id(call_id)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", legal)
    assert legal_id(call_id) == legal
    if len(call_id.encode()) <= 42:
        assert original_id(legal) == call_id


@pytest.mark.parametrize("call_id", ["toolu_01AbC", "call_1", "a" * 64])
def test_legal_id_of_a_legal_one_is_itself(call_id: str) -> None:
    """What Anthropic takes is not touched."""
    assert legal_id(call_id) == original_id(call_id) == call_id


def test_legal_id_that_looks_like_one_of_ours_leads_back() -> None:
    """An id that somebody else gave out and that begins as ours do is not mistaken for one."""
    for call_id in ("toolu_x_", "toolu_x_ZnVu", "toolu_x_!"):
        assert original_id(legal_id(call_id)) == call_id


@pytest.mark.parametrize("legal", ["toolu_x_A", "toolu_x__w", "toolu_h_00"])
def test_original_id_of_what_we_did_not_make_is_itself(legal: str) -> None:
    """Only what leads back to the very same is undone."""
    assert original_id(legal) == legal
