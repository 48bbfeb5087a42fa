"""Whether an answer has said anything yet: an empty one is none, and another target may do better.

Text, reasoning, also sealed, calls, refusals and citations say something. So does an ending that
explains why there is nothing: a limit, a stop sequence, a pause.
"""

from collections.abc import Iterable
from typing import Final

from slipstream.wire.talk.events import (
    CallBegan,
    CallSaid,
    Cited,
    Ended,
    Event,
    Refused,
    Said,
    Sealed,
    Thought,
)

REFUSAL: Final = "refusal"
"""The finish reason, for our accounts, of an answer that begins with a refusal in words."""

_TEXTS: Final = (Said, Thought, CallSaid, Refused)
_OTHERS: Final = (CallBegan, Sealed, Cited)
_EXPLAINED: Final = ("length", "pause")


def is_saying(event: Event) -> bool:
    """Tell whether an answer with this event is not empty."""
    if isinstance(event, _TEXTS):
        return bool(event.text)
    if isinstance(event, Ended):
        return event.reason in _EXPLAINED or event.stop_sequence is not None
    return isinstance(event, _OTHERS)


def are_empty(events: Iterable[Event]) -> bool:
    """Tell whether a whole answer says nothing."""
    return not any(map(is_saying, events))


def are_refusing(events: Iterable[Event]) -> bool:
    """Tell whether all that an answer says is that it will not."""
    said = {type(event) for event in events if isinstance(event, _TEXTS) and event.text}
    return said == {Refused}
