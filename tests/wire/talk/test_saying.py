"""What counts as having said something."""

import pytest

from slipstream.call import Usage
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Cited,
    Counted,
    Ended,
    Event,
    Over,
    Pinged,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)
from slipstream.wire.talk.saying import are_empty, are_refusing, is_saying

SEAL = Seal(vendor="openai", kind="encrypted_content", data="x")
SAYING: list[Event] = [
    Said(" "),
    Thought("hm"),
    Refused("no"),
    CallBegan(index=0, call_id="c", name="f"),
    CallSaid(0, "{}"),
    Sealed(SEAL),
    Cited("{}", "openai_chat"),
    Ended(reason="length"),
    Ended(reason="pause"),
    Ended(reason="stop", stop_sequence="END"),
]
SILENT: list[Event] = [
    Began(),
    Said(""),
    Thought(""),
    Refused(""),
    CallSaid(0, ""),
    Scored("[]"),
    Pinged(),
    Counted(Usage(output_reasoning_tokens=9)),
    Ended(reason="stop"),
    Ended(reason="tool_calls"),
    Ended(reason="content_filter"),
    Over(),
]


@pytest.mark.parametrize("event", SAYING, ids=lambda event: type(event).__name__)
def test_event_that_says_something(event: Event) -> None:
    """An answer with it is not empty, whatever else is in it."""
    assert is_saying(event)
    assert not are_empty([*SILENT, event])


@pytest.mark.parametrize("event", SILENT, ids=lambda event: type(event).__name__)
def test_event_that_says_nothing(event: Event) -> None:
    """Empty texts and endings without a reason say nothing, however many there are."""
    assert not is_saying(event)
    assert are_empty([event, *SILENT])


def test_answer_that_only_refuses() -> None:
    """With any other text it is an answer."""
    assert are_refusing([Began(), Refused("no"), Refused(""), Ended(reason="stop")])
    assert not are_refusing([Refused("no"), Said("but")])
    assert not are_refusing([Refused("")])
    assert not are_refusing([])
