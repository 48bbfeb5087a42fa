"""Tests of the listening for triggers in free text."""

from collections.abc import Callable

import pytest

from slipstream.engine.grammar_trigger import Trigger
from tests.engine.grammar_drive import encode, tokens, tokens_of, written


def heard_at(trigger: Trigger, token_ids: list[int]) -> tuple[int | None, tuple[int, ...]]:
    """Return the number of tokens after which a trigger is heard, and what was heard then."""
    heard: tuple[int, ...] = ()
    for number, token_id in enumerate(token_ids, 1):
        heard, is_found = trigger.hear(heard, token_id)
        if is_found:
            return number, heard
    return None, heard


def in_bytes(text: str) -> list[int]:
    """Return the tokens of a text with a token for each letter."""
    return [tokens().encode(letter)[0] for letter in text]


@pytest.mark.parametrize("before", ["", "Well, ", "<tool_", "<<", "<tool_call", "日本"])
@pytest.mark.parametrize("split", [encode, in_bytes])
def test_hear_trigger_in_any_tokens_is_heard_at_its_end(
    before: str, split: Callable[[str], list[int]]
) -> None:
    """However tokens cut a trigger, it is heard with the token that completes it."""
    if split is in_bytes and not before.isascii():
        before = ""
    trigger = Trigger("<tool_call>", tokens())
    token_ids = split(f"{before}<tool_call>")
    number, heard = heard_at(trigger, [*token_ids, *split(" more")])
    assert number == len(token_ids)
    assert "<tool_call>" in written(list(heard))


def test_hear_other_text_keeps_only_what_may_begin_it() -> None:
    """What is remembered is no longer than what may become the trigger."""
    trigger = Trigger("<tool_call>", tokens())
    assert heard_at(trigger, in_bytes("a b <tool")) == (None, tuple(in_bytes("<tool")))
    assert heard_at(trigger, in_bytes("a b <tool x")) == (None, ())


def test_hear_anchored_trigger_counts_only_at_the_beginning() -> None:
    """A trigger of an answer's beginning is not heard behind other text."""
    trigger = Trigger('{"name"', tokens(), is_anchored=True)
    assert heard_at(trigger, encode('{"name": 1'))[0] is not None
    assert trigger.hear((), encode("x")[0]) == ((), False)


def test_hear_control_token_is_not_its_letters() -> None:
    """A control token is heard as that token; text that spells its name is text."""
    trigger = Trigger("<jupyter_start>", tokens())
    assert heard_at(trigger, encode("a<jupyter_start>"))[0] is None
    assert heard_at(trigger, tokens_of("a<jupyter_start>"))[0] == 2


def test_hear_control_token_inside_parts_the_text() -> None:
    """A trigger does not reach over a control token."""
    trigger = Trigger("<tool_call>", tokens())
    token_ids = [*in_bytes("<tool_"), tokens().controls["<file_sep>"], *in_bytes("call>")]
    assert heard_at(trigger, token_ids)[0] is None
