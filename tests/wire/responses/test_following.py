"""What a request has to do with kept answers: when nothing, and who can read it as it stands."""

import pytest

from slipstream.wire.responses.following import UNKEPT, Following, Wish, own_response_id


@pytest.mark.parametrize(
    ("wish", "is_none"),
    [
        (Wish(store=False), True),
        (Wish(), False),
        (Wish(store=False, previous_response_id="resp_1"), False),
        (Wish(store=False, has_references=True), False),
        (Wish(store=False, is_background=True), False),
    ],
)
def test_wish_for_nothing_is_known(wish: Wish, is_none: bool) -> None:
    """Such a request passes by everything that keeps answers."""
    assert wish.is_none is is_none


@pytest.mark.parametrize(
    ("following", "is_readable"),
    [
        (UNKEPT, True),
        (Following(is_kept=True), True),
        (Following(is_kept=True, goes_on=True), False),
        (Following(is_kept=True, goes_on=True, provider="openai"), True),
        (Following(is_kept=True, goes_on=True, provider="xai"), False),
    ],
)
def test_only_who_keeps_what_is_named_understands_its_name(
    following: Following, is_readable: bool
) -> None:
    """A request that names nothing is understood by all."""
    assert following.is_readable_at("openai") is is_readable


def test_answer_of_ours_is_called_after_its_call() -> None:
    """A relayed one has its provider's id, by which the two are told apart."""
    assert own_response_id("req-1") == "resp_req-1"
